package wire_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/scope"
)

// Somebody with the password must not learn the names of the owner's devices: under
// such a name they would get the owner's own tokens, and stay when the others are signed
// out.
func TestListHidesTheNamesOfOthers(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		names := []string{"4f1c9a-owners-phone", "77b02e-owners-tablet", "zz-owners-watch"}
		for _, name := range names {
			w.login(t, by, asApp, "read device_"+name)
			w.login(t, by, asShop, "read device_"+name)
		}
		thief := w.login(t, by, asApp, "devices device_m").text("access_token")
		query, shown := "limit=1", ""
		for query != "" {
			c := devices("GET", "/devices", thief)
			c.query = query
			a := w.expect(t, by, step{call: c, status: 200})
			next := a.text("next")
			decoded, err := base64.RawURLEncoding.DecodeString(next)
			must(t, err)
			shown += a.body + string(decoded)
			if query = ""; next != "" {
				query = "limit=1&after=" + next
			}
		}
		if strings.Contains(shown, "owner") || !strings.Contains(shown, `"device":"m"`) || strings.Count(shown, `"device"`) != 1 {
			t.Errorf("shown: %s", shown)
		}
		// Nor by where a line is among lines of their own.
		var lines []string
		entries, _ := w.page(t, by, thief, "")
		for _, e := range entries {
			lines = append(lines, e.Handle)
		}
		if !slices.IsSorted(lines) || len(lines) != 7 {
			t.Errorf("the order is not that of the handles: %v", lines)
		}
	})
}

// A handle ends what the name does, and only for the user whose it is.
func TestEndByHandle(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		login := w.login(t, by, asApp, "devices device_mine")
		key := login.text("refresh_token")
		for _, name := range []string{"ipad", "..", "device_odd"} {
			handle := handleOf(scope.Device(name))
			inPath := handle
			if by.name == "http" { // a gateway decodes the path of an event
				inPath = "%7E" + handle[1:]
			}
			for _, c := range []call{
				devices("DELETE", "/devices/"+handle, key), devices("DELETE", "/prod/devices/"+inPath, key), byName(key, handle),
			} {
				gone := []string{
					w.login(t, by, asApp, "read device_"+name).text("access_token"),
					w.login(t, by, asShop, "read device_"+name).text("access_token"),
				}
				for range 2 {
					w.expect(t, by, step{call: c, status: 204})
				}
				if w.isActive(t, by, gone[0]) || w.isActive(t, by, gone[1]) {
					t.Errorf("%s %s ended nothing", c.path, c.body)
				}
			}
		}
		if !w.isActive(t, by, login.text("access_token")) {
			t.Error("another device was ended")
		}

		// The handle of another user's device is nothing here.
		oauthtest.SaveUser(t, w.users, oauth.User{Username: "bob", ID: "u_bob", Created: began}, password)
		bobs := w.expect(t, by, step{call: asApp("token", "grant_type", "password", "username", "bob", "password", password, "scope", "devices device_mine"), status: 200})
		w.expect(t, by, step{call: devices("DELETE", "/devices/"+handleOf("mine"), bobs.text("refresh_token")), status: 204})
		if !w.isActive(t, by, login.text("access_token")) || !w.isActive(t, by, bobs.text("access_token")) {
			t.Error("the handle of another user's device ended something")
		}

		// An access token ends its own device by either.
		w.expect(t, by, step{call: devices("DELETE", "/devices/"+handleOf("ipad"), login.text("access_token")), status: 403, error: "unsupported_token_type"})
		w.expect(t, by, step{call: devices("DELETE", "/devices/"+handleOf("mine"), login.text("access_token")), status: 204})
		if w.isActive(t, by, login.text("access_token")) {
			t.Error("the own device was not ended")
		}
	})
}
