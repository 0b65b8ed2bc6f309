package dynamo_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/storetest"
)

// lossy passes requests on to an engine, and loses the replies that it is told to.
type lossy struct {
	mu   sync.Mutex // guards what follows
	lose string     // the operation whose next reply is lost
	lost int
}

func (l *lossy) RoundTrip(req *http.Request) (*http.Response, error) {
	_, operation, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lose == operation {
		l.lose = ""
		l.lost++
		return nil, syscall.ECONNRESET
	}
	return resp, nil
}

// The write takes effect, the reply is lost, the SDK tries again: that is one
// write, and nobody sees a conflict.
func TestLostRepliesAreFoundOut(t *testing.T) {
	onEngines(t, func(t *testing.T, endpoint string) {
		fixture := dynamotest.New(t, endpoint)
		network := new(lossy)
		cfg := dynamotest.Config(endpoint)
		cfg.HTTPClient = &http.Client{Transport: network}
		stores := storesOn(dynamo.NewClient(cfg), fixture.Tables)
		ctx := t.Context()

		first := storetest.Record("ipad")
		second := first
		second.Nonce = storetest.Record("ipad").Nonce
		client := oauth.Client{ID: "app", Public: true}
		user := oauth.User{Username: "ann", ID: "u_x"}
		eventSubject := ledger.Subject{Kind: ledger.UserSubject, ID: "u_event"}
		for _, step := range []struct {
			name, lose string
			call       func() error
		}{
			{"make a record", "PutItem", func() error { return saved(stores.Tokens.Save(ctx, first, ledger.Nonce{})) }},
			{"replace a record", "PutItem", func() error { return saved(stores.Tokens.Save(ctx, second, first.Nonce)) }},
			{"end a record", "DeleteItem", func() error {
				_, ended, err := stores.Tokens.End(ctx, second.Locator(), ledger.EndCondition{Nonce: second.Nonce})
				return should("end", ended, err)
			}},
			{"raise an epoch to a user version", "UpdateItem", func() error {
				return stores.Subjects.Raise(ctx, first.Authorization.Subject, oauth.StateChange{UserVersion: 4, Disabled: new(true)})
			}},
			{"raise an epoch once", "UpdateItem", func() error {
				return stores.Subjects.Raise(ctx, eventSubject, oauth.StateChange{UserVersion: 4, Once: true})
			}},
			{"make a client", "PutItem", func() (err error) {
				client, err = stores.Clients.SaveClient(ctx, client)
				return err
			}},
			{"replace a client", "PutItem", func() (err error) {
				made := client.Version
				client, err = stores.Clients.SaveClient(ctx, client)
				return should("be a later version", client.Version > made, err)
			}},
			{"make an issuer", "PutItem", func() error {
				_, err := stores.Issuers.SaveIssuer(ctx, oauth.TrustedIssuer{Signer: oauth.Signer{Name: "backend"}})
				return err
			}},
			{"make resource scopes", "PutItem", func() error { return stores.Clients.SaveResourceScopes(ctx, oauth.ResourceScopes{}) }},
			{"make a user", "PutItem", func() (err error) {
				user, err = stores.Users.SaveUser(ctx, user)
				return err
			}},
			{"replace a user", "PutItem", func() (err error) {
				made := user.Version
				user, err = stores.Users.SaveUser(ctx, user)
				return should("be a later version", user.Version > made, err)
			}},
		} {
			network.lose, network.lost = step.lose, 0
			if err := step.call(); err != nil {
				t.Errorf("%s: %v", step.name, err)
			}
			if network.lost != 1 {
				t.Errorf("%s: %d replies were lost, want 1", step.name, network.lost)
			}
		}
		reading, err := stores.Tokens.Read(ctx, first.Locator())
		if err != nil || reading.Found || !reading.State.Disabled || reading.State.UserVersion != 4 || reading.State.Epoch == 0 {
			t.Errorf("Read = %+v, %v; want the record ended and the state raised", reading, err)
		}
		state, err := stores.Subjects.State(ctx, eventSubject)
		if want := (oauth.SubjectState{Epoch: 1, UserVersion: 4}); err != nil || state != want {
			t.Errorf("State = %+v, %v; want it raised once", state, err)
		}
	})
}
