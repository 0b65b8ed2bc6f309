package oauth_test

import (
	"context"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/secret"
)

// endings are the changes after which nobody may be signed in as before.
var endings = map[string]func(*testing.T, registrars, oauth.User) error{
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
}

// whileChanging makes a request of alice's in each order with a change of her, after which
// neither the token that the request got may be active, nor the one from before, nor her
// old password log in.
func whileChanging(t *testing.T, change func(*testing.T, registrars, oauth.User) error, prepare func(*world),
	request func(w *world, login ledger.Answer) (ledger.Answer, error),
) {
	t.Helper()
	eachOrder(t, func(w *world) ([2]func(func(context.Context) error), func(uint)) {
		alice := w.user("alice")
		before := w.login("app", "alice", "read device_ipad")
		if prepare != nil {
			prepare(w)
			alice = w.user("alice")
		}
		requests, registrar := w.interrupted()
		var got ledger.Answer
		var failed error
		return [2]func(func(context.Context) error){
				func(call func(context.Context) error) {
					requests.Intercept(call)
					got, _ = request(w, before)
				},
				func(call func(context.Context) error) {
					registrar.faulty.Intercept(call)
					failed = change(t, registrar.registrars, alice)
				},
			}, func(order uint) {
				requests.Intercept(nil)
				if failed != nil {
					t.Errorf("order %b: %v", order, failed)
				}
				for _, token := range []bearer.Bearer{got.AccessToken, before.AccessToken} {
					if token.Len() == 0 {
						continue
					}
					if i, err := w.verifier.Caller(t.Context(), token); err != nil || i.Active {
						t.Errorf("order %b: a token is active, %v", order, err)
					}
				}
				for _, token := range []bearer.Bearer{got.RefreshToken, before.RefreshToken} {
					if _, err := w.refresh("app", token); err == nil {
						t.Errorf("order %b: a refresh token serves", order)
					}
				}
				if _, err := w.token("app", w.passwordForm("alice", "read device_ipad")...); err == nil {
					t.Errorf("order %b: the old password logs in", order)
				}
			}
	})
}

// In whatever order the calls of a login and of a change come, nobody is signed in
// afterwards by a password that was changed, or as somebody who was disabled or removed.
func TestNoOrderOfLoginAndChangeLeavesASignIn(t *testing.T) {
	login := func(scope string) func(w *world, _ ledger.Answer) (ledger.Answer, error) {
		return func(w *world, _ ledger.Answer) (ledger.Answer, error) {
			return w.issuer.Token(t.Context(), oauth.TokenRequest{
				Credentials: oauthtest.Credentials("app"), Form: formOf(w.passwordForm("alice", scope)), Source: "192.0.2.1",
			})
		}
	}
	outdated := func(w *world) {
		u := w.user("alice")
		u.PasswordHash = oauthtest.OutdatedHash(oauthtest.Password("alice"))
		_, err := w.users.SaveUser(t.Context(), u)
		w.must(err)
	}
	for name, change := range endings {
		for _, c := range []struct {
			name, scope string
			prepare     func(*world)
		}{
			{"to the device from before", "read device_ipad", nil},
			{"to a new device", "read device_iphone", nil},
			{"that writes the user", "read device_iphone", outdated},
		} {
			t.Run(name+", a login "+c.name, func(t *testing.T) {
				t.Parallel()
				whileChanging(t, change, c.prepare, login(c.scope))
			})
		}
	}
}

// The same for a refresh.
func TestNoOrderOfRefreshAndChangeLeavesASignIn(t *testing.T) {
	for name, change := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whileChanging(t, change, nil, func(w *world, login ledger.Answer) (ledger.Answer, error) {
				return w.issuer.Token(t.Context(), oauth.TokenRequest{
					Credentials: oauthtest.Credentials("app"),
					Form:        oauth.Form{"grant_type": "refresh_token", "refresh_token": login.RefreshToken.Reveal()},
				})
			})
		})
	}
}

// A token has no role that was taken from its user, however close the two came.
func TestNoOrderOfLoginAndNewRolesLeavesAnOldRole(t *testing.T) {
	eachOrder(t, func(w *world) ([2]func(func(context.Context) error), func(uint)) {
		alice := w.user("alice")
		logins, registrar := w.interrupted()
		var got ledger.Answer
		return [2]func(func(context.Context) error){
				func(call func(context.Context) error) {
					logins.Intercept(call)
					got, _ = w.issuer.Token(t.Context(), oauth.TokenRequest{
						Credentials: oauthtest.Credentials("backend"), Form: formOf(w.passwordForm("alice", "read admin")), Source: "192.0.2.1",
					})
				},
				func(call func(context.Context) error) {
					registrar.faulty.Intercept(call)
					_, err := registrar.ChangeUser(t.Context(), alice, oauth.UserChange{Roles: new([]string)})
					w.must(err)
				},
			}, func(order uint) {
				logins.Intercept(nil)
				if got.AccessToken.Len() == 0 {
					return
				}
				if i := w.introspect("api", got.AccessToken); i.Active && i.Scope.Contains("admin") {
					t.Errorf("order %b: the token has the scope of a role that was taken", order)
				}
			}
	})
}
