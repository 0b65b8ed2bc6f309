package oauth_test

import (
	"context"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/secret"
)

// leaving is the removal of alice by herself, with her password.
func (w *world) leaving(caller oauth.Introspection, err *error) func(func(context.Context) error) {
	a, faulty := w.account()
	return func(before func(context.Context) error) {
		faulty.Intercept(before)
		*err = a.Delete(context.Background(), caller, home, alicesPassword)
	}
}

// isGone holds the world to what is true after alice left.
func (w *world) isGone(order uint, id string, tokens ...bearer.Bearer) {
	w.t.Helper()
	if _, found, err := w.users.UserByID(w.t.Context(), id); found || err != nil {
		w.t.Errorf("order %b: the user is there: %v, %v", order, found, err)
	}
	for _, token := range tokens {
		if token.Len() > 0 {
			w.wantActive("api", token, false)
		}
	}
	for _, password := range []secret.Text{alicesPassword, chosen} {
		if _, err := w.loginWith(password, "read"); err == nil {
			w.t.Errorf("order %b: a user who left logs in", order)
		}
	}
}

// Nobody who left is signed in, in whatever order the calls come.
func TestNoOrderOfRequestAndLeavingLeavesASignIn(t *testing.T) {
	for _, request := range []string{"login on another device", "login on this device", "refresh"} {
		t.Run(request, func(t *testing.T) {
			t.Parallel()
			eachOrder(t, func(w *world) ([2]func(func(context.Context) error), func(uint)) {
				ipad, id := w.login("app", "alice", "read device_ipad"), w.user("alice").ID
				form := w.passwordForm("alice", "read device_iphone")
				switch request {
				case "login on this device":
					form = w.passwordForm("alice", "read device_ipad")
				case "refresh":
					form = []string{"grant_type", "refresh_token", "refresh_token", ipad.RefreshToken.Reveal()}
				}
				var got bearer.Bearer
				var err error
				requests := [2]func(func(context.Context) error){w.requesting(form, &got), w.leaving(w.holder(ipad), &err)}
				return requests, func(order uint) {
					w.must(err)
					w.isGone(order, id, ipad.AccessToken, got)
				}
			})
		})
	}
}

// Of two devices that ask to leave at once, one is done at least, and the other hears of no
// outage.
func TestNoOrderOfTwoWhoLeaveFails(t *testing.T) {
	twoAtOnceIn(t, func(w *world) ([2]func(func(context.Context) error), func(uint)) {
		ipad, iphone, id := w.login("app", "alice", "read device_ipad"), w.login("app", "alice", "read device_iphone"), w.user("alice").ID
		var errs [2]error
		requests := [2]func(func(context.Context) error){w.leaving(w.holder(ipad), &errs[0]), w.leaving(w.holder(iphone), &errs[1])}
		return requests, func(order uint) {
			if errs[0] != nil && errs[1] != nil {
				t.Errorf("order %b: %v and %v", order, errs[0], errs[1])
			}
			for _, err := range errs {
				if err != nil {
					wantCode(t, err, oauth.InvalidGrant)
				}
			}
			w.isGone(order, id, ipad.AccessToken, iphone.AccessToken)
		}
	})
}

// One device leaves while another one changes the password: either the user is gone, or the
// password was wrong by then.
func TestNoOrderOfLeavingAndPasswordChange(t *testing.T) {
	twoAtOnceIn(t, func(w *world) ([2]func(func(context.Context) error), func(uint)) {
		ipad, iphone, id := w.login("app", "alice", "read device_ipad"), w.login("app", "alice", "read device_iphone"), w.user("alice").ID
		var left, changed error
		var stays bool
		requests := [2]func(func(context.Context) error){w.leaving(w.holder(ipad), &left), w.changing(w.holder(iphone), chosen, &stays, &changed)}
		return requests, func(order uint) {
			if left == nil {
				w.isGone(order, id, ipad.AccessToken, iphone.AccessToken)
				return
			}
			wantCode(t, left, oauth.InvalidGrant)
			w.must(changed)
			w.wantActive("api", ipad.AccessToken, false)
			w.wantActive("api", iphone.AccessToken, true)
			if _, err := w.loginWith(chosen, "read"); err != nil {
				t.Errorf("order %b: the new password does not log in: %v", order, err)
			}
		}
	})
}

// A back end that sets a password, because somebody else knows the old one, has the last word:
// that somebody keeps no device by changing it at the same moment.
func TestNoOrderOfOwnPasswordChangeSurvivesABackEnds(t *testing.T) {
	eachOrder(t, func(w *world) ([2]func(func(context.Context) error), func(uint)) {
		alice, ipad := w.user("alice"), w.login("app", "alice", "read device_ipad")
		logins, issuers := w.issuer.Tokens, w.issuer.Users
		_, backEnd := w.interrupted()
		w.issuer.Tokens, w.issuer.Users = logins, issuers
		var stays bool
		var own, theirs error
		requests := [2]func(func(context.Context) error){w.changing(w.holder(ipad), chosen, &stays, &own), func(before func(context.Context) error) {
			backEnd.faulty.Intercept(before)
			_, theirs = backEnd.SetPassword(context.Background(), alice, secret.New("what the back end set"))
		}}
		return requests, func(order uint) {
			w.must(theirs)
			w.wantActive("api", ipad.AccessToken, false)
			if !w.logsIn("what the back end set") || w.logsIn(chosen.Reveal()) || w.logsIn(oauthtest.Password("alice")) {
				t.Errorf("order %b: the back end's is not the password; the user's own change: %v", order, own)
			}
		}
	})
}

// twoAtOnceIn is twoAtOnce with what belongs to one world in one place.
func twoAtOnceIn(t *testing.T, begin func(w *world) ([2]func(func(context.Context) error), func(uint))) {
	t.Helper()
	var after func(uint)
	twoAtOnce(t, func(w *world) (requests [2]func(func(context.Context) error)) {
		requests, after = begin(w)
		return requests
	}, func(order uint, _ *world) { after(order) })
}
