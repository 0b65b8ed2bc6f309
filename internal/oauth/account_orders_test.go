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

// twoAtOnce runs two requests in orders of their calls to the stores, and check after each:
// all in which each request is interrupted once.
func twoAtOnce(t *testing.T, prepare func(w *world) [2]func(before func(context.Context) error), check func(order uint, w *world)) {
	t.Helper()
	const most = 14 // calls of one request
	for first := range 2 * (most + 1) {
		for second := range most {
			// Some calls of the one, some of the other, and the rest of both.
			order := ((uint(1)<<second - 1) << (first / 2)) ^ (-uint(first & 1))
			w := newWorld(t)
			if calls, _ := inOrder(order, prepare(w)); calls > 2*most {
				t.Fatalf("%d calls", calls)
			}
			check(order, w)
		}
	}
}

// changing is a change of alice's password by a device.
func (w *world) changing(caller oauth.Introspection, next secret.Text, stays *bool, err *error) func(func(context.Context) error) {
	a, faulty := w.account()
	return func(before func(context.Context) error) {
		faulty.Intercept(before)
		*stays, *err = a.ChangePassword(context.Background(), caller, home, alicesPassword, next)
	}
}

// requesting is a request for a token.
func (w *world) requesting(form []string, token *bearer.Bearer) func(func(context.Context) error) {
	logins, _ := w.interrupted()
	issuer := *w.issuer
	return func(before func(context.Context) error) {
		logins.Intercept(before)
		defer logins.Intercept(nil)
		a, err := issuer.Token(context.Background(), oauth.TokenRequest{Credentials: oauthtest.Credentials("app"), Form: formOf(form), Source: home})
		if err == nil {
			*token = a.AccessToken
		}
	}
}

// A login with the old password leaves no token but the one that the device had. A
// refresh does not end the device, also where it is refused for a moment.
func TestNoOrderOfRequestAndPasswordChange(t *testing.T) {
	for _, request := range []string{"login on another device", "login on this device", "refresh"} {
		t.Run(request, func(t *testing.T) {
			t.Parallel()
			var ipad ledger.Answer
			var got bearer.Bearer
			var stays bool
			var err error
			twoAtOnce(t, func(w *world) [2]func(func(context.Context) error) {
				ipad, got = w.login("app", "alice", "read device_ipad"), bearer.Bearer{}
				form := w.passwordForm("alice", "read device_iphone")
				switch request {
				case "login on this device":
					form = w.passwordForm("alice", "read device_ipad")
				case "refresh":
					form = []string{"grant_type", "refresh_token", "refresh_token", ipad.RefreshToken.Reveal()}
				}
				return [2]func(func(context.Context) error){w.requesting(form, &got), w.changing(w.holder(ipad), chosen, &stays, &err)}
			}, func(order uint, w *world) {
				if err != nil || !stays {
					t.Fatalf("order %b: stays %v, %v", order, stays, err)
				}
				w.wantActive("api", ipad.AccessToken, true)
				switch {
				case request == "refresh":
					if got.Len() == 0 { // it came between the raise and what keeps the device
						_, err := w.refresh("app", ipad.RefreshToken)
						w.must(err)
						break
					}
					w.wantActive("api", got, true)
				case request == "login on another device" && got.Len() > 0:
					w.wantActive("api", got, false)
				case got.Len() > 0 && !same(got, ipad.AccessToken):
					t.Fatalf("order %b: another token for the device", order)
				}
				if _, err := w.loginWith(alicesPassword, "read device_ipad"); err == nil {
					t.Fatalf("order %b: the old password logs in", order)
				}
			})
		})
	}
}

// Somebody who is signed out everywhere meanwhile is signed out on this device as well, and
// so is one who revoked the token.
func TestNoOrderKeepsADeviceThatWasSignedOut(t *testing.T) {
	for _, how := range []string{"everywhere", "here"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			var ipad ledger.Answer
			var stays bool
			var err error
			twoAtOnce(t, func(w *world) [2]func(func(context.Context) error) {
				ipad = w.login("app", "alice", "read device_ipad")
				subject := w.userSubject("alice")
				a, faulty := w.account()
				return [2]func(func(context.Context) error){func(before func(context.Context) error) {
					faulty.Intercept(before)
					if how == "here" {
						_, _ = a.SignIns.EndDevice(context.Background(), subject, oauth.HandleOf(subject, "ipad"), bearer.Locator{})
						return
					}
					_ = a.SignIns.SignOut(context.Background(), subject)
				}, w.changing(w.holder(ipad), chosen, &stays, &err)}
			}, func(order uint, w *world) {
				if err != nil {
					t.Fatalf("order %b: %v", order, err)
				}
				if w.holder(ipad).Active {
					t.Fatalf("order %b: the device is signed in", order)
				}
			})
		})
	}
}

// Of two who change the password at once, one does.
func TestNoOrderOfTwoPasswordChanges(t *testing.T) {
	second := secret.New("CANARY, another newer one")
	var stays [2]bool
	var errs [2]error
	twoAtOnce(t, func(w *world) [2]func(func(context.Context) error) {
		ipad, iphone := w.login("app", "alice", "read device_ipad"), w.login("app", "alice", "read device_iphone")
		return [2]func(func(context.Context) error){
			w.changing(w.holder(ipad), chosen, &stays[0], &errs[0]), w.changing(w.holder(iphone), second, &stays[1], &errs[1]),
		}
	}, func(order uint, w *world) {
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("order %b: %v and %v", order, errs[0], errs[1])
		}
		password, refused := chosen, errs[1]
		if errs[0] != nil {
			password, refused = second, errs[0]
		}
		wantCode(t, refused, oauth.InvalidGrant)
		if _, err := w.loginWith(password, "read"); err != nil {
			t.Fatalf("order %b: what was answered as changed is not: %v", order, err)
		}
	})
}

// The device is signed out, and somebody signs in under its name with the old password,
// while the change is under way: that sign-in does not stay.
func TestAnotherSignInOfTheDeviceDoesNotStay(t *testing.T) {
	const listed, last = 4, 9 // calls to the stores
	for n := listed + 1; n <= last; n++ {
		w := newWorld(t)
		ipad := w.login("app", "alice", "read device_ipad")
		caller := w.holder(ipad)
		a, faulty := w.account()
		var other ledger.Answer
		calls := 0
		faulty.Intercept(func(context.Context) error {
			if calls++; calls == n {
				w.must(w.revoke("app", ipad.AccessToken))
				other, _ = w.loginWith(alicesPassword, "read device_ipad")
			}
			return nil
		})
		stays, err := a.ChangePassword(t.Context(), caller, home, alicesPassword, chosen)
		w.must(err)
		if stays || calls != last {
			t.Errorf("interrupted at %d: stays is %v after %d calls", n, stays, calls)
		}
		if other.AccessToken.Len() > 0 {
			w.wantActive("api", other.AccessToken, false)
		} else if n <= 6 {
			t.Errorf("interrupted at %d: nobody signed in", n)
		}
	}
}
