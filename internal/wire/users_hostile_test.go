package wire_test

import (
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
)

// A name that a back end lets its users choose, and escapes, leads nowhere else. Gateways decode
// the path before fob reads it.
func TestNoDeviceNameLeadsToAnotherUser(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		oauthtest.SaveUser(t, w.users, oauth.User{Username: "eve", ID: "u_eve", Created: began}, "eve's password")
		token := w.backEnd(t, by, "users")
		ipad := w.login(t, by, asApp, "read device_ipad").text("access_token")
		for _, device := range []string{
			"users/u_eve", "../../users/u_eve", "x/users/u_eve", "users/u_eve/devices/ipad", "users/u_ada/devices/ipad",
			"users/users/u_eve", "ipad/", "/ipad", "..", ".", "sign-out/users/u_eve", "devices/ipad",
		} {
			a := w.send(t, by, ofUsers("DELETE", "/users/u_ada/devices/"+device, token, ""))
			if a.status != 404 && a.status != 400 && device != ".." && device != "." {
				t.Errorf("%s is answered %d", device, a.status)
			}
		}
		for _, id := range []string{"u_eve", "u_ada"} {
			if !w.isActiveUser(t, id) {
				t.Errorf("%s was changed", id)
			}
		}
		if !w.isActive(t, by, ipad) {
			t.Error("another device was signed out")
		}
	})
}

// A value that got lost on the way to the request asks for nothing.
func TestLostValuesOfUsersAreRefused(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		token := w.backEnd(t, by, "users")
		for _, query := range []string{"username=", "username", "username=&limit=1", "limit=1&username"} {
			c := ofUsers("GET", "/users", token, "")
			c.query = query
			w.expect(t, by, step{name: query, call: c, status: 400, error: "invalid_request"})
		}
		for _, tag := range []string{"", " ", ",", `""`} {
			patch := ofUsers("PATCH", "/users/u_ada", token, `{"roles":[]}`).with("If-Match", tag)
			w.expect(t, by, step{name: "If-Match: " + tag, call: patch, status: 412, error: "precondition_failed"})
			remove := ofUsers("DELETE", "/users/u_ada", token, "").with("If-Match", tag)
			w.expect(t, by, step{name: "If-Match: " + tag, call: remove, status: 400, error: "invalid_request"})
		}
		if !w.isActiveUser(t, "u_ada") {
			t.Error("it was done anyway")
		}
	})
}

// Tags that fob did not make change nothing, whatever their form.
func TestForgedTagsOfUsers(t *testing.T) {
	w, by := newWorld(t), transports[2]
	token := w.backEnd(t, by, "users")
	tag := w.send(t, by, ofUsers("GET", "/users/u_ada", token, "")).header.Get("ETag")
	bare := strings.Trim(tag, `"`)
	for _, forged := range []string{
		bare, "W/" + tag, `"` + bare, bare + `"`, `"0` + bare + `"`, `"+` + bare + `"`, `" ` + bare + `"`, `"*"`, `**`, `"0"`,
		`"` + strings.Repeat("9", 100) + `"`, `"18446744073709551616"`, tag + ";", strings.Repeat(`"1",`, 1000) + `"2"`,
	} {
		w.expect(t, by, step{name: forged, call: ofUsers("PATCH", "/users/u_ada", token, `{"roles":["writer"]}`).with("If-Match", forged), status: 412, error: "precondition_failed"})
	}
	if !w.isActiveUser(t, "u_ada") {
		t.Error("it was changed anyway")
	}
}

// A token that ended looks after nobody, from the next request on.
func TestEndedBackEnds(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		first := w.backEnd(t, by, "users")
		w.expect(t, by, step{call: ofUsers("GET", "/users", first, ""), status: 200})
		w.expect(t, by, step{call: call{endpoint: "revoke", header: basic("crm", shopSecret), body: form("token", first)}, status: 200})
		w.expect(t, by, step{name: "revoked", call: ofUsers("POST", "/users", first, `{"username":"eve"}`), status: 401, error: "invalid_token"})
		second := w.backEnd(t, by, "users")
		c, _, err := w.registry.Client(t.Context(), "crm")
		must(t, err)
		c.Disabled = true
		_, err = w.registry.SaveClient(t.Context(), c)
		must(t, err)
		w.now.Add(11) // a registration is believed for 10 seconds
		w.expect(t, by, step{name: "disabled", call: ofUsers("POST", "/users", second, `{"username":"eve"}`), status: 401, error: "invalid_token"})
		if all, err := oauth.AllUsers(t.Context(), w.users); err != nil || len(all) != 1 {
			t.Errorf("%d users, %v", len(all), err)
		}
	})
}

// Somebody without the scope cannot see by an answer whether a name or an id exists.
func TestNobodyElseLearnsWhoExists(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		for name, token := range map[string]string{"without the scope": w.backEnd(t, by, "read"), "no token": "", "a user's": w.login(t, by, asApp, "read").text("access_token")} {
			for _, pair := range [][2]call{
				{ofUsers("POST", "/users", token, `{"username":"`+username+`"}`), ofUsers("POST", "/users", token, `{"username":"nobody"}`)},
				{ofUsers("GET", "/users/u_ada", token, ""), ofUsers("GET", "/users/u_nobody", token, "")},
				{ofUsers("DELETE", "/users/u_ada", token, ""), ofUsers("DELETE", "/users/u_nobody", token, "")},
				{ofUsers("PATCH", "/users/u_ada", token, `{"disabled":true}`), ofUsers("PATCH", "/users/u_nobody", token, `{"disabled":true}`)},
				{ofUsers("GET", "/users/u_ada/devices", token, ""), ofUsers("GET", "/users/u_nobody/devices", token, "")},
				{globalSignOut(token, `{"sub_id":{"format":"opaque","id":"u_ada"}}`), globalSignOut(token, `{"sub_id":{"format":"opaque","id":"u_nobody"}}`)},
			} {
				there, not := w.send(t, by, pair[0]), w.send(t, by, pair[1])
				if there.status != not.status || there.body != not.body || there.line["store_calls"] != not.line["store_calls"] {
					t.Errorf("%s: %d %s and %d %s", name, there.status, there.body, not.status, not.body)
				}
			}
		}
	})
}

// A name with a slash is not a name, also where the gateway took it for one and decoded it.
func TestNoDeviceNameEndsAnotherDevice(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		ipad := w.login(t, by, asApp, "devices device_ipad").text("access_token")
		c := devices("DELETE", "/devices/x/ipad", ipad)
		c.route = "/devices/{device}"
		w.expect(t, by, step{call: c, status: 400, error: "invalid_request"})
		if !w.isActive(t, by, ipad) {
			t.Error("another device was signed out")
		}
	})
}
