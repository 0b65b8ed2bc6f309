package wire_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/wire"
)

const kindChallenge = `Bearer realm="fob", error="unsupported_token_type"`

func byName(token, device string) call {
	c := signOut(token, "device")
	c.body = form("which", "device", "device", device)
	return c
}

// An API that received an access token must not sign its user out elsewhere with it.
func TestAccessTokensEndNoOtherDevice(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		mine := w.login(t, by, asApp, "devices device_ipad").text("access_token")
		other := w.login(t, by, asShop, "devices device_iphone").text("access_token")
		nameless := w.login(t, by, asShop, "devices").text("access_token")
		for _, token := range []string{mine, nameless} {
			for _, c := range []call{
				devices("DELETE", "/devices/iphone", token), devices("DELETE", "/devices/nothing", token),
				byName(token, "iphone"), byName(token, ".."), signOut(token, "others"), signOut(token, "all"),
			} {
				w.expect(t, by, step{name: c.path + c.body, call: c, status: 403, error: "unsupported_token_type", and: func(t *testing.T, a answer) {
					challenged(kindChallenge)(t, a)
					if a.line["outcome"] != "denied" || a.line["store_calls"] != 1.0 {
						t.Errorf("line %v", a.line)
					}
				}})
			}
		}
		if !w.isActive(t, by, other) || !w.isActive(t, by, mine) || !w.isActive(t, by, nameless) {
			t.Error("it was done anyway")
		}
		if got, _ := w.page(t, by, mine, ""); len(got) != 3 {
			t.Errorf("listed %v", got)
		}
		// Its own device is what /revoke would end.
		w.expect(t, by, step{call: byName(other, "iphone"), status: 204})
		w.expect(t, by, step{call: devices("DELETE", "/devices/ipad", mine), status: 204})
		if w.isActive(t, by, mine) || w.isActive(t, by, other) || !w.isActive(t, by, nameless) {
			t.Error("want the own device ended, and no other")
		}
	})
}

// A refresh token is read at /devices and not exchanged.
func TestRefreshTokensLookAfterDevices(t *testing.T) {
	for _, as := range []func(string, ...string) call{asApp, asShop} {
		each(t, func(t *testing.T, w *world, by transport) {
			records := func() []ledger.Record {
				all, err := w.subjects.List(t.Context(), ledger.Subject{Kind: ledger.UserSubject, ID: "u_ada"}, "")
				must(t, err)
				return all
			}
			refresh := func(token string) answer {
				return w.send(t, by, as("token", "grant_type", "refresh_token", "refresh_token", token))
			}
			login := w.login(t, by, as, "devices device_ipad")
			first := login.text("refresh_token")
			before := records()
			if got, _ := w.page(t, by, first, ""); len(got) != 1 || !got[0].Current {
				t.Errorf("listed %v", got)
			}
			for _, c := range []call{devices("DELETE", "/devices/iphone", first), byName(first, "iphone"), signOut(first, "others")} {
				gone := w.login(t, by, asShop, "read device_iphone").text("access_token")
				w.expect(t, by, step{call: c, status: 204})
				if w.isActive(t, by, gone) {
					t.Errorf("%s %s ended nothing", c.path, c.body)
				}
			}
			if diff := cmp.Diff(records(), before); diff != "" {
				t.Errorf("the record was written: got -, want +:\n%s", diff)
			}
			if a := refresh(first); a.line["outcome"] != "refreshed" {
				t.Errorf("the refresh token was used up: line %v", a.line)
			}
			w.expect(t, by, step{call: signOut(first, "all"), status: 204}) // for an app, within its grace
			w.expect(t, by, step{call: signOut(first, "all"), status: 401, error: "invalid_token", and: challenged(tokenChallenge)})
			if a := refresh(first); a.status != 400 {
				t.Errorf("refreshed after signing out everywhere: %s", a.body)
			}
		})
	}
}

// What could not be exchanged at /token is 401 here, and has no effect: not even a
// replay, which at /token ends the device.
func TestUsedRefreshTokensLookAfterNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		refresh := func(token string) string {
			return w.expect(t, by, step{call: asApp("token", "grant_type", "refresh_token", "refresh_token", token), status: 200}).text("refresh_token")
		}
		refused := func(name, token string) {
			t.Helper()
			for _, c := range []call{devices("GET", "/devices", token), devices("DELETE", "/devices/ipad", token), signOut(token, "others"), signOut(token, "all")} {
				w.expect(t, by, step{name: name, call: c, status: 401, error: "invalid_token", and: challenged(tokenChallenge)})
			}
		}
		first := w.login(t, by, asApp, "devices device_ipad").text("refresh_token")
		w.now.Add(100)
		second := refresh(first)
		w.now.Add(oauth.DefaultRefreshGrace)
		w.expect(t, by, step{call: devices("GET", "/devices", first), status: 200})
		w.now.Add(1)
		refused("past its grace", first)
		third := refresh(second)
		refused("two generations ago", first)
		w.expect(t, by, step{call: devices("GET", "/devices", second), status: 200})
		w.expect(t, by, step{call: devices("GET", "/devices", third), status: 200})
		w.now.Add(oauth.DefaultRefreshIdle)
		refused("idle", third)
		refused("altered", third[:len(third)-4]+"AAAA")

		scopeless := w.login(t, by, asApp, "read device_ipad").text("refresh_token")
		w.expect(t, by, step{call: signOut(scopeless, "all"), status: 403, error: "insufficient_scope"})
		revoked := w.login(t, by, asApp, "devices device_ipad").text("refresh_token")
		w.expect(t, by, step{call: asApp("revoke", "token", revoked), status: 200})
		refused("revoked", revoked)
	})
}

// Other resources belong to APIs, which must never see a refresh token.
func TestRefreshTokensAreForDevicesAlone(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		for n, as := range []func(string, ...string) call{asApp, asShop} {
			token := w.login(t, by, as, fmt.Sprintf("devices device_%d", n)).text("refresh_token")
			w.expect(t, by, step{call: me("Bearer " + token), status: 401, error: "invalid_token", idle: true, and: challenged(tokenChallenge)})
			if j := w.judge(t, w.authorizer(wire.Policy{}), "GET /orders", "Bearer "+token); j.Status != 401 {
				t.Errorf("the authorizer says %d", j.Status)
			}
		}
	})
}
