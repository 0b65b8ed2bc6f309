package oauth_test

import (
	"context"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/storetest"
)

// twoRegistrars makes two changes in each order of their calls, of a user who is signed in.
func twoRegistrars(t *testing.T, one, two func(w *world, r registrars, alice oauth.User) error, after func(w *world, order uint, alice oauth.User, before ledger.Answer, one, two error)) {
	t.Helper()
	eachOrder(t, func(w *world) ([2]func(func(context.Context) error), func(uint)) {
		alice := w.user("alice")
		before := w.login("app", "alice", "read device_ipad")
		_, first := w.interrupted()
		_, second := w.interrupted()
		w.issuer.Tokens, w.issuer.Users = w.tokens, w.users
		var errs [2]error
		return [2]func(func(context.Context) error){
				func(call func(context.Context) error) {
					first.faulty.Intercept(call)
					errs[0] = one(w, first.registrars, alice)
				},
				func(call func(context.Context) error) {
					second.faulty.Intercept(call)
					errs[1] = two(w, second.registrars, alice)
				},
			}, func(order uint) {
				if _, err := w.refresh("app", before.RefreshToken); err == nil {
					t.Errorf("order %b: a refresh token from before serves", order)
				}
				after(w, order, alice, before, errs[0], errs[1])
			}
	})
}

func setPasswordTo(password string) func(*world, registrars, oauth.User) error {
	return func(w *world, r registrars, u oauth.User) error {
		_, err := r.SetPassword(w.t.Context(), u, secret.New(password))
		return err
	}
}

func removeUser(w *world, r registrars, u oauth.User) error { return r.RemoveUser(w.t.Context(), u) }

// logsIn reports whether a password logs alice in.
func (w *world) logsIn(password string) bool {
	_, err := w.token("app", "grant_type", "password", "username", "alice", "password", password)
	return err == nil
}

// Two changes of one password: both are done, and one of the two logs in.
func TestNoOrderOfTwoPasswordsLeavesTwo(t *testing.T) {
	twoRegistrars(t, setPasswordTo("the one of the first"), setPasswordTo("the one of the second"),
		func(w *world, order uint, _ oauth.User, _ ledger.Answer, one, two error) {
			w.must(one)
			w.must(two)
			if w.logsIn(oauthtest.Password("alice")) || w.logsIn("the one of the first") == w.logsIn("the one of the second") {
				t.Errorf("order %b: not one of the two logs in", order)
			}
		})
}

// Disabled in one of two places would be disabled for ever, or not at all after the other
// got lost: the second one counts in both.
func TestNoOrderOfPasswordAndDisableLosesOne(t *testing.T) {
	twoRegistrars(t, setPasswordTo("a newer one"), func(w *world, r registrars, u oauth.User) error {
		return r.SetUserDisabled(w.t.Context(), u, true)
	}, func(w *world, order uint, alice oauth.User, _ ledger.Answer, one, two error) {
		w.must(one)
		w.must(two)
		state, err := w.tokens.State(t.Context(), oauth.SubjectOf(alice.ID))
		w.must(err)
		if u := w.user("alice"); !u.Disabled || !state.Disabled || state.UserVersion != u.Version {
			t.Errorf("order %b: disabled %v, the state %+v, version %d", order, u.Disabled, state, u.Version)
		}
		if w.logsIn("a newer one") || w.logsIn(oauthtest.Password("alice")) {
			t.Errorf("order %b: a disabled user logs in", order)
		}
	})
}

// Somebody who is removed while a back end changes something is gone, also where the change
// comes too late to be made.
func TestNoOrderOfChangeAndRemovalLeavesAUser(t *testing.T) {
	twoRegistrars(t, func(w *world, r registrars, u oauth.User) error {
		_, err := r.ChangeUser(w.t.Context(), u, oauth.UserChange{Password: new(secret.New("a newer one")), Disabled: new(false)})
		return err
	}, removeUser, func(w *world, order uint, alice oauth.User, _ ledger.Answer, _, removed error) {
		_, found, err := w.users.UserByID(t.Context(), alice.ID)
		if removed != nil || found || err != nil || w.logsIn("a newer one") || w.logsIn(oauthtest.Password("alice")) {
			t.Errorf("order %b: removed %v, found %v, %v", order, removed, found, err)
		}
	})
}

// Two back ends remove one user: both hear that it is done.
func TestNoOrderOfTwoRemovalsFails(t *testing.T) {
	twoRegistrars(t, removeUser, removeUser, func(w *world, order uint, alice oauth.User, _ ledger.Answer, one, two error) {
		_, found, err := w.users.UserByID(t.Context(), alice.ID)
		if one != nil || two != nil || found || err != nil {
			t.Errorf("order %b: %v and %v, found %v, %v", order, one, two, found, err)
		}
	})
}

// A name that becomes free is somebody else's, with nothing of who had it before.
func TestNoOrderOfRemovalAndAddingMixesTwoUsers(t *testing.T) {
	var added oauth.User
	twoRegistrars(t, removeUser, func(w *world, r registrars, _ oauth.User) (err error) {
		added, err = r.AddUser(w.t.Context(), oauth.NewUser{Username: "alice", Password: secret.New("of another alice")})
		return err
	}, func(w *world, order uint, alice oauth.User, _ ledger.Answer, one, two error) {
		w.must(one)
		if two != nil {
			wantChange(t, "add alice", two, oauth.EntryExists)
			return
		}
		u, found, err := w.users.UserByID(t.Context(), added.ID)
		if !found || err != nil || u.ID == alice.ID || u.Username != "alice" || !w.logsIn("of another alice") || w.logsIn(oauthtest.Password("alice")) {
			t.Errorf("order %b: %+v, %v, %v", order, u, found, err)
		}
	})
}

// Two back ends add one name: one user is there, and only one of them hears that it was added.
func TestNoOrderOfTwoAdditionsMakesTwoUsers(t *testing.T) {
	onlyMemory := func(w *world) storetest.Stores {
		return storetest.Stores{Tokens: w.tokens, Subjects: w.tokens, Registry: w.tokens, Users: w.users, UserRegistry: w.users}
	}
	eachOrder(t, func(w *world) ([2]func(func(context.Context) error), func(uint)) {
		var users [2]oauth.User
		var errs [2]error
		var requests [2]func(func(context.Context) error)
		for i := range requests {
			r, faulty := faultyRegistrar(onlyMemory(w))
			requests[i] = func(call func(context.Context) error) {
				faulty.Intercept(call)
				users[i], errs[i] = r.AddUser(t.Context(), oauth.NewUser{Username: "carol", WithoutPassword: true})
			}
		}
		return requests, func(order uint) {
			there, found, err := w.users.User(t.Context(), "carol")
			if !found || err != nil {
				t.Fatalf("order %b: %v, %v", order, found, err)
			}
			won := 0
			for i := range users {
				if errs[i] == nil && users[i].ID == there.ID {
					won++
				} else {
					wantChange(t, "add carol", errs[i], oauth.EntryExists)
				}
			}
			byID, found, err := w.users.UserByID(t.Context(), there.ID)
			if won != 1 || !found || err != nil || byID.Username != "carol" {
				t.Errorf("order %b: %d were added; by id %v, %v", order, won, found, err)
			}
		}
	})
}
