package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/storetest"
)

// Each call to a store fails once, before or after it took effect, at the first login of a
// person, at the next, and at one with other roles. The answer is a token or an outage, and
// the login after it works: with one entry, one sign-in, and the token of before if that
// was answered.
func TestOwnUsersAndFaultsOfStores(t *testing.T) {
	bothWays(t, func(t *testing.T, keep bool) {
		failed := 0
		for _, step := range []string{"first", "next", "other roles"} {
			for n := 1; n <= 7; n++ {
				for _, how := range []storetest.Fault{storetest.Before, storetest.After} {
					w, own := newOwnWorld(t, keep)
					faulty := storetest.NewFaulty(storetest.Stores{Tokens: w.tokens, Subjects: w.tokens, Clients: w.clients, Users: w.users, UserRegistry: w.users})
					w.issuer.Tokens, w.issuer.Users = faulty, faulty
					if step != "first" {
						w.login("app", "ann", "read device_phone")
					}
					if step == "other roles" {
						own.people["ann"] = oauth.OwnUser{ID: "17", Username: "ann"}
					}
					faulty.Fail(n, how)
					got, err := w.token("app", w.passwordForm("ann", "read device_phone")...)
					if err != nil {
						failed++
						if !errors.Is(err, oauth.ErrUnavailable) {
							t.Errorf("%s, call %d, %v: %v", step, n, how, err)
						}
					}
					faulty.Repair()
					after := w.login("app", "ann", "read device_phone")
					if err == nil && !same(got.AccessToken, after.AccessToken) {
						t.Errorf("%s, call %d, %v: another token", step, n, how)
					}
					u := w.user("ann")
					if (u.Origin == oauth.UserAsked) == keep || len(w.records(w.userSubject("ann"))) != 1 {
						t.Errorf("%s, call %d, %v: %+v", step, n, how, u)
					}
					storetest.CheckInvariants(t, w.tokens, w.userSubject("ann"))
				}
			}
		}
		if failed < 10 {
			t.Errorf("%d calls failed", failed)
		}
	})
}

// Own users answer, and the reply is lost; or they are asked and do not answer. Neither
// leaves an entry or a counted try, unless people are kept here.
func TestOwnUsersLoseTheirReply(t *testing.T) {
	bothWays(t, func(t *testing.T, keep bool) {
		w, own := newOwnWorld(t, keep)
		own.down = true
		for range 20 {
			w.token("app", w.passwordForm("ann", "read device_phone")...) //nolint:errcheck // see TestOwnUsersAreDown
		}
		if _, found, _ := w.users.User(t.Context(), "ann"); found {
			t.Error("an entry of somebody whom nobody proved")
		}
		own.down = false
		if keep {
			w.refusedFor(oauth.ReasonThrottled, "ann", oauthtest.Password("ann"))
			w.advance(15 * 60)
		}
		w.login("app", "ann", "read device_phone")
	})
}

// Sixteen devices log in for the first time, while an operator removes the person. Either
// all tokens are dead, or they are of the time after.
func TestOwnUsersRace(t *testing.T) {
	bothWays(t, func(t *testing.T, keep bool) {
		for range 20 {
			w, _ := newOwnWorld(t, keep)
			w.issuer.OwnUsers = everybody{}
			w.login("app", "ann", "read device_0")
			u := w.user("ann")
			var wg sync.WaitGroup
			var mu sync.Mutex
			var tokens []ledger.Answer
			for i := range 16 {
				wg.Go(func() {
					got, err := w.issuer.Token(t.Context(), oauth.TokenRequest{
						Credentials: oauthtest.Credentials("app"), Source: fmt.Sprint("192.0.2.", i),
						Form: formOf(w.passwordForm("ann", fmt.Sprint("read device_", i))),
					})
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						tokens = append(tokens, got)
					} else if oauthErr, refused := errors.AsType[*oauth.Error](err); !refused || oauthErr.Code != oauth.InvalidGrant {
						t.Error(err)
					}
				})
			}
			wg.Go(func() {
				if err := w.userRegistrar().RemoveUser(t.Context(), u); err != nil {
					t.Error(err)
				}
			})
			wg.Wait()
			w.refusedFor(oauth.ReasonDisabled, "ann", "anything")
			for _, token := range tokens {
				w.wantActive("api", token.AccessToken, false)
			}
		}
	})
}

// An outage does not concern the password, also where the version of an entry that could not be
// made would be too old.
func TestAnEntryThatCannotBeMade(t *testing.T) {
	bothWays(t, func(t *testing.T, keep bool) {
		w, _ := newOwnWorld(t, keep)
		w.must(w.tokens.Raise(t.Context(), oauth.SubjectOf(oauth.OwnUserID("17")), oauth.StateChange{UserVersion: 7}))
		w.issuer.Users = noEntries{w.users}
		w.unavailable("ann", oauthtest.Password("ann"))
		w.issuer.Users = w.users
		w.login("app", "ann", "read")
	})
}

type noEntries struct{ oauth.Users }

func (noEntries) SaveUser(context.Context, oauth.User) (oauth.User, error) {
	return oauth.User{}, oauth.Unavailable("save a user", errors.New("the table is down"))
}
