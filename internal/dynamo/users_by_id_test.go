package dynamo_test

import (
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/oauth"
)

// oneWrite passes one write on to an engine, and no other.
type oneWrite struct{ wrote bool }

func (o *oneWrite) RoundTrip(r *http.Request) (*http.Response, error) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if write := operation == put || operation == update || operation == remove; write && o.wrote {
		return nil, syscall.ECONNRESET
	} else if write {
		o.wrote = true
	}
	return http.DefaultTransport.RoundTrip(r)
}

// A request fails between the two writes of a user who is added or removed. Somebody
// without an id could be found by name alone, and a back end knows ids.
func TestAUserWithoutAnIDIsNeverThere(t *testing.T) {
	onEngines(t, func(t *testing.T, endpoint string) {
		f := dynamotest.New(t, endpoint)
		ann := oauth.User{Username: "ann", ID: "u_ann"}
		if _, err := f.Users.SaveUser(t.Context(), ann); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name string
			call func(*dynamo.Users) error
		}{
			{"add", func(u *dynamo.Users) error {
				_, err := u.SaveUser(t.Context(), oauth.User{Username: "bob", ID: "u_bob"})
				return err
			}},
			{"remove", func(u *dynamo.Users) error {
				_, err := u.RemoveUser(t.Context(), ann)
				return err
			}},
		} {
			network := new(oneWrite)
			cfg := dynamotest.Config(endpoint)
			cfg.HTTPClient = &http.Client{Transport: network}
			if err := c.call(dynamo.NewUsers(dynamo.NewClient(cfg), f.Tables.Users)); err == nil || !network.wrote {
				t.Fatalf("%s: %v, want it stopped after one write", c.name, err)
			}
			all, err := oauth.AllUsers(t.Context(), f.Users)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range all {
				if _, found, err := f.Users.UserByID(t.Context(), u.ID); !found || err != nil {
					t.Errorf("%s: %s is there and not found by id, %v", c.name, u.Username, err)
				}
			}
		}
		for _, it := range f.Items(t, f.Tables.Users) {
			// As in deployed tables: no name.
			if pk := text(it["pk"]); pk == "id#u_bob" && (text(it["user"]) != "user#znaW72PV9PGfQVkHxaHYkQ" || len(it) != 3) {
				t.Errorf("%s has %d attributes, user %s", pk, len(it), text(it["user"]))
			}
		}
		// Once more completes it.
		if _, err := f.Users.RemoveUser(t.Context(), ann); err != nil {
			t.Fatal(err)
		}
		for _, it := range f.Items(t, f.Tables.Users) {
			if text(it["pk"]) == "id#u_ann" {
				t.Error("the id of a removed user is kept")
			}
		}
	})
}
