package oauth_test

import (
	"context"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/storetest"
)

// turns lets one of two requests make one call to the stores at a time.
type turns struct {
	ready, goes, done [2]chan struct{}
}

// before is for the i-th request, ahead of each of its calls.
func (s *turns) before(i int) func(context.Context) error {
	return func(context.Context) error {
		s.ready[i] <- struct{}{}
		<-s.goes[i]
		return nil
	}
}

// inOrder runs two requests to their ends. Bit k of order says which of them makes the
// k-th call, while both have calls left. It returns how many calls there were.
func inOrder(order uint, requests [2]func(before func(context.Context) error)) (calls int) {
	var s turns
	for i, request := range requests {
		s.ready[i], s.goes[i], s.done[i] = make(chan struct{}), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(s.done[i])
			request(s.before(i))
		}()
	}
	var waiting [2]bool
	wait := func(i int) {
		select {
		case <-s.ready[i]:
			waiting[i] = true
		case <-s.done[i]:
			waiting[i] = false
		}
	}
	for i := range requests {
		wait(i)
	}
	for ; waiting[0] || waiting[1]; calls++ {
		i := int(order >> calls & 1)
		if !waiting[i] {
			i = 1 - i
		}
		s.goes[i] <- struct{}{}
		wait(i)
	}
	return calls
}

// ordersOfTwo is more than two requests here can have.
const ordersOfTwo = 1 << 11

// In whatever order the calls of a login and of a change come, nobody is signed in
// afterwards by a password that was changed, or as somebody who was disabled or removed.
func TestNoOrderOfLoginAndChangeLeavesASignIn(t *testing.T) {
	for name, change := range map[string]func(*testing.T, registrars, oauth.User) error{
		"password": func(t *testing.T, r registrars, u oauth.User) error {
			_, err := r.SetPassword(t.Context(), u, secret.New("a newer one"))
			return err
		},
		"no password": func(t *testing.T, r registrars, u oauth.User) error {
			_, err := r.ChangeUser(t.Context(), u, oauth.UserChange{Password: new(secret.Text{})})
			return err
		},
		"disable": func(t *testing.T, r registrars, u oauth.User) error {
			return r.SetUserDisabled(t.Context(), u, true)
		},
		"remove": func(t *testing.T, r registrars, u oauth.User) error { return r.RemoveUser(t.Context(), u) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			most := 0
			for order := range uint(ordersOfTwo) {
				w := newWorld(t)
				alice := w.user("alice")
				login, registrar := w.interrupted()
				var token bearer.Bearer
				var failed error
				calls := inOrder(order, [2]func(func(context.Context) error){
					func(before func(context.Context) error) {
						login.Intercept(before)
						a, err := w.issuer.Token(t.Context(), oauth.TokenRequest{
							Credentials: oauthtest.Credentials("app"), Form: formOf(w.passwordForm("alice", "read device_ipad")), Source: "192.0.2.1",
						})
						if err == nil {
							token = a.AccessToken
						}
					},
					func(before func(context.Context) error) {
						registrar.faulty.Intercept(before)
						failed = change(t, registrar.registrars, alice)
					},
				})
				login.Intercept(nil)
				if failed != nil {
					t.Fatalf("order %b: %v", order, failed)
				}
				if token.Len() > 0 {
					if i, err := w.verifier.Caller(t.Context(), token); err != nil || i.Active {
						t.Fatalf("order %b: the token is active, %v", order, err)
					}
				}
				if _, err := w.token("app", w.passwordForm("alice", "read device_ipad")...); err == nil {
					t.Fatalf("order %b: the old password logs in", order)
				}
				if most = max(most, calls); order>>most > 0 { // the rest are these again
					return
				}
			}
			t.Errorf("more calls than %d orders can be of", ordersOfTwo)
		})
	}
}

// Somebody who is removed while a back end changes something is gone.
func TestNoOrderOfChangeAndRemovalLeavesAUser(t *testing.T) {
	most := 0
	for order := range uint(ordersOfTwo) {
		w := newWorld(t)
		alice := w.user("alice")
		_, changing := w.interrupted()
		_, removing := w.interrupted()
		var removed error
		calls := inOrder(order, [2]func(func(context.Context) error){
			func(before func(context.Context) error) {
				changing.faulty.Intercept(before)
				_, _ = changing.ChangeUser(t.Context(), alice, oauth.UserChange{Password: new(secret.New("a newer one")), Disabled: new(false)})
			},
			func(before func(context.Context) error) {
				removing.faulty.Intercept(before)
				removed = removing.RemoveUser(t.Context(), alice)
			},
		})
		if _, found, err := w.users.UserByID(t.Context(), alice.ID); removed != nil || found || err != nil {
			t.Fatalf("order %b: removed %v, found %v, %v", order, removed, found, err)
		}
		if most = max(most, calls); order>>most > 0 {
			return
		}
	}
	t.Errorf("more calls than %d orders can be of", ordersOfTwo)
}

// interruptedRegistrar is one whose calls can be intercepted.
type interruptedRegistrar struct {
	registrars
	faulty *storetest.Faulty
}

// interrupted puts something between the world's domain and its stores.
func (w *world) interrupted() (logins *storetest.Faulty, r interruptedRegistrar) {
	stores := storetest.Stores{Tokens: w.tokens, Subjects: w.tokens, Registry: w.tokens, Users: w.users, UserRegistry: w.users}
	logins = storetest.NewFaulty(stores)
	w.issuer.Tokens, w.issuer.Users = logins, logins
	r.registrars, r.faulty = faultyRegistrar(stores)
	return logins, r
}
