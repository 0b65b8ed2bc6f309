package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
)

var userIDTests = []test{
	{"a user is found by id, as last saved and until removed", func(t *testing.T, s Stores) {
		wantNobody := func(ids ...string) {
			t.Helper()
			for _, id := range ids {
				if u, found, err := s.UserRegistry.UserByID(t.Context(), id); found || err != nil {
					t.Errorf("UserByID(%.20q) = %+v, %v, %v; want nobody", id, u, found, err)
				}
			}
		}
		with := func(name, id string) oauth.User {
			u := testUser(name)
			u.ID = id
			return u
		}
		wantNobody("u_ann", "", "\xff", strings.Repeat("x", 3000))
		ann, bob := saveUser(t, s, with("ann", "u_ann")), saveUser(t, s, with("bob", "u_bob"))
		ann.Disabled = false
		ann = saveUser(t, s, ann)
		wantUserConflict(t, s, with("bob", "u_late"))
		for _, u := range []oauth.User{ann, bob} {
			got, found, err := s.UserRegistry.UserByID(t.Context(), u.ID)
			if d := diff(u, got); err != nil || !found || d != "" {
				t.Errorf("UserByID(%q): found %v, %v (-want +got):\n%s", u.ID, found, err, d)
			}
		}
		wantNobody("ann", "u_late", "user#ann", "id#u_ann")
		if _, err := s.UserRegistry.RemoveUser(t.Context(), with("ann", "u_bob")); err != nil {
			t.Fatal(err)
		}
		if _, found, err := s.UserRegistry.UserByID(t.Context(), "u_bob"); err != nil || !found {
			t.Errorf("who has another name was removed by id: %v", err)
		}
		for range 2 {
			if _, err := s.UserRegistry.RemoveUser(t.Context(), ann); err != nil {
				t.Fatal(err)
			}
		}
		saveUser(t, s, with("ann", "u_next"))
		wantNobody("u_ann")
		wantUserConflict(t, s, with("anna", "u_next")) // an id has one name, and one that was left over none
		if got, _, err := s.UserRegistry.UserByID(t.Context(), "u_next"); err != nil || got.Username != "ann" {
			t.Errorf("the id leads to %q, %v", got.Username, err)
		}
		saveUser(t, s, with("cyd", "u_late"))
		wantUserConflict(t, s, with("dan", "u_late"))
	}},
	{"of many names for one id at once, one is made", func(t *testing.T, s Stores) {
		for round := range 5 {
			var made atomic.Int64
			var all sync.WaitGroup
			id := fmt.Sprint("u_round", round)
			for n := range 8 {
				all.Go(func() {
					_, err := s.Users.SaveUser(t.Context(), oauth.User{Username: fmt.Sprint(round, " name ", n), ID: id})
					switch {
					case err == nil:
						made.Add(1)
					case !errors.Is(err, oauth.ErrConflict):
						t.Error(err)
					}
				})
			}
			all.Wait()
			if _, found, err := s.UserRegistry.UserByID(t.Context(), id); made.Load() != 1 || !found || err != nil {
				t.Errorf("%d users of one id were made; one is found by it: %v, %v", made.Load(), found, err)
			}
		}
	}},
}
