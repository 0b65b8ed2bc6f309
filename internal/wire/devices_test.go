package wire_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/scope"
)

// devices is a request of somebody with this token.
func devices(method, path, token string) call {
	return call{endpoint: "devices", method: method, path: path, header: authorization("Bearer " + token)}
}

// devicesRoute is what a gateway with the template's routes matches.
func devicesRoute(path string) string {
	parts := strings.Split(path, "/")
	switch n := len(parts); {
	case path == "/devices", path == "/devices/sign-out":
		return path
	case n == 3 && parts[1] == "devices" && parts[2] != "":
		return "/devices/{device}"
	}
	return "$default"
}

func signOut(token, which string) call {
	c := devices("POST", "/devices/sign-out", token)
	c.body = form("which", which)
	return c
}

// handleOf is the handle of a device of the test's user.
func handleOf(device scope.Device) string {
	return string(oauth.HandleOf(ledger.Subject{Kind: ledger.UserSubject, ID: "u_ada"}, device))
}

// entry is one device of a page.
type entry struct {
	Handle      string `json:"handle"`
	Device      string `json:"device"`
	ClientID    string `json:"client_id"`
	Scope       string `json:"scope"`
	FirstIssued int64  `json:"first_issued"`
	LastIssued  int64  `json:"last_issued"`
	Expires     int64  `json:"expires"`
	Current     bool   `json:"current"`
}

// page asks for the devices and reads them strictly.
func (w *world) page(t *testing.T, by transport, token, query string) (entries []entry, next string) {
	t.Helper()
	c := devices("GET", "/devices", token)
	c.query = query
	a := w.expect(t, by, step{call: c, status: 200})
	if a.line["outcome"] != "listed" || a.line["_aws"] != nil {
		t.Errorf("line %v", a.line)
	}
	var body struct {
		Devices []entry `json:"devices"`
		Next    string  `json:"next"`
	}
	decoder := json.NewDecoder(strings.NewReader(a.body))
	decoder.DisallowUnknownFields()
	must(t, decoder.Decode(&body))
	return body.Devices, body.Next
}

func TestDevices(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		const hour, until = began / 3600 * 3600, (began+oauth.DefaultRefreshAbsolute)/3600*3600 + 3600
		login := w.login(t, by, asApp, "devices device_ipad")
		mine, key := login.text("access_token"), login.text("refresh_token")
		w.now.Add(10)
		phone := w.login(t, by, asApp, "read device_iphone").text("access_token")
		w.now.Add(10)
		w.login(t, by, asApp, "read write device_ipad")
		shops := w.login(t, by, asShop, "read device_iphone").text("access_token")
		nameless := w.login(t, by, asShop, "read").text("access_token")

		got, next := w.page(t, by, mine, "")
		// The names of other devices do not show.
		ipad, iphone := handleOf("ipad"), handleOf("iphone")
		want := []entry{
			{"", "", "shop", "read", hour, hour, until, false},
			{ipad, "ipad", "app", "devices read write", hour, hour, until, true},
			{iphone, "", "app", "read", hour, hour, until, false},
			{iphone, "", "shop", "read", hour, hour, until, false},
		}
		slices.SortFunc(want, func(a, b entry) int {
			return cmp.Or(strings.Compare(a.Handle, b.Handle), strings.Compare(a.ClientID, b.ClientID))
		})
		if diff := gocmp.Diff(got, want); diff != "" || next != "" {
			t.Errorf("next %q; got -, want +:\n%s", next, diff)
		}

		// By pages of any size it is the same.
		for _, limit := range []int{1, 2, 3, 4, 250} {
			var all []entry
			query := fmt.Sprintf("limit=%d", limit)
			for {
				entries, next := w.page(t, by, mine, query)
				all = append(all, entries...)
				if next == "" {
					break
				}
				query = fmt.Sprintf("after=%s&limit=%d", url.QueryEscape(next), limit)
			}
			if diff := gocmp.Diff(all, want); diff != "" {
				t.Errorf("limit %d: got -, want +:\n%s", limit, diff)
			}
		}

		// The iPhone is lost: both of its apps are signed out, and nothing else.
		// The request may be repeated.
		for range 2 {
			w.expect(t, by, step{call: devices("DELETE", "/devices/iphone", key), status: 204, and: func(t *testing.T, a answer) {
				if a.line["outcome"] != "revoked" || a.line["revoked"] != 1.0 || a.line["client"] != "app" {
					t.Errorf("line %v", a.line)
				}
			}})
		}
		for token, alive := range map[string]bool{phone: false, shops: false, nameless: true, mine: true} {
			if w.isActive(t, by, token) != alive {
				t.Errorf("active %v, want %v", !alive, alive)
			}
		}

		// The one that asks.
		w.expect(t, by, step{call: devices("DELETE", "/devices/ipad", mine), status: 204})
		w.expect(t, by, step{call: devices("DELETE", "/devices/ipad", mine), status: 401, error: "invalid_token"})
		if !w.isActive(t, by, nameless) {
			t.Error("an app without a device name was signed out by another name")
		}
	})
}

func TestSignOut(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		login := w.login(t, by, asApp, "devices device_ipad")
		mine, key := login.text("access_token"), login.text("refresh_token")
		mineToo := w.login(t, by, asApp, "read device_ipad").text("access_token")
		others := []string{
			w.login(t, by, asApp, "read device_iphone").text("access_token"),
			w.login(t, by, asShop, "read device_ipad").text("access_token"),
			w.login(t, by, asShop, "read").text("access_token"),
		}
		for range 2 {
			w.expect(t, by, step{call: signOut(key, "others"), status: 204, and: func(t *testing.T, a answer) {
				if a.line["outcome"] != "revoked" || a.line["revoked"] != 1.0 {
					t.Errorf("line %v", a.line)
				}
			}})
		}
		for _, token := range others {
			if w.isActive(t, by, token) {
				t.Error("another device stayed")
			}
		}
		if !w.isActive(t, by, mine) || !w.isActive(t, by, mineToo) {
			t.Error("the device that asked was signed out")
		}

		w.login(t, by, asShop, "read device_iphone")
		w.expect(t, by, step{call: signOut(key, "all"), status: 204, and: func(t *testing.T, a answer) {
			if a.line["store_calls"] != 2.0 { // to read the token, and to raise the epoch
				t.Errorf("%v calls", a.line["store_calls"])
			}
		}})
		w.expect(t, by, step{call: signOut(key, "all"), status: 401, error: "invalid_token"})
		again := w.login(t, by, asApp, "devices device_ipad").text("access_token")
		if got, _ := w.page(t, by, again, ""); len(got) != 1 || !got[0].Current {
			t.Errorf("after signing out of all and one login: %v", got)
		}
	})
}

// 25 devices on each of 10 clients, by default and by the largest page.
func TestManyDevices(t *testing.T) {
	w, by := newWorld(t), transports[0]
	readDevices := oauthtest.Scopes(t, "read devices")
	for c := range 10 {
		client := oauth.Client{ID: ledger.ClientID(fmt.Sprintf("many-%d", c)), Created: began, Epoch: began, Public: true,
			Grants: []oauth.GrantType{oauth.PasswordGrant, oauth.RefreshTokenGrant}, Scopes: readDevices}
		must(t, client.Validate())
		_, err := w.registry.SaveClient(t.Context(), client)
		must(t, err)
	}
	var token, key string
	for c := range 10 {
		for n := range 25 {
			as := func(endpoint string, pairs ...string) call {
				return call{endpoint: endpoint, body: form(append([]string{"client_id", fmt.Sprintf("many-%d", c)}, pairs...)...)}
			}
			login := w.login(t, by, as, fmt.Sprintf("devices device_%02d", n))
			token, key = login.text("access_token"), login.text("refresh_token")
		}
	}
	seen := map[string]bool{}
	var sizes []int
	for query := ""; ; {
		entries, next := w.page(t, by, token, query)
		sizes = append(sizes, len(entries))
		for _, e := range entries {
			seen[e.ClientID+" "+e.Handle] = true
		}
		if next == "" {
			break
		}
		query = "after=" + next
	}
	if len(seen) != 250 || !gocmp.Equal(sizes, []int{100, 100, 50}) {
		t.Errorf("%d devices in pages of %v", len(seen), sizes)
	}
	if entries, next := w.page(t, by, token, "limit=250"); len(entries) != 250 || next != "" {
		t.Errorf("%d devices in one page, next %q", len(entries), next)
	}
	w.expect(t, by, step{call: signOut(key, "others"), status: 204})
	if entries, _ := w.page(t, by, token, ""); len(entries) != 1 || !entries[0].Current {
		t.Errorf("after signing out the others: %v", entries)
	}
}

// N62: it takes the scope, and a user.
func TestDevicesScope(t *testing.T) {
	const lacking = `Bearer realm="fob", error="insufficient_scope", scope="devices"`
	each(t, func(t *testing.T, w *world, by transport) {
		without := w.login(t, by, asApp, "read write device_devices").text("access_token")
		victim := w.login(t, by, asApp, "read device_iphone").text("access_token")
		machine := w.expect(t, by, step{call: asShop("token", "grant_type", "client_credentials", "scope", "devices device_iphone"), status: 200}).text("access_token")
		for token, challenge := range map[string]string{without: lacking, machine: `Bearer realm="fob", error="insufficient_scope"`} {
			for _, c := range []call{
				devices("GET", "/devices", token), devices("DELETE", "/devices/iphone", token),
				signOut(token, "all"), signOut(token, "others"), signOut(token, "x"),
			} {
				w.expect(t, by, step{call: c, status: 403, error: "insufficient_scope", and: challenged(challenge)})
			}
		}
		if !w.isActive(t, by, victim) || !w.isActive(t, by, machine) {
			t.Error("it was done anyway")
		}
		// A client that is not registered for it cannot get it.
		w.expect(t, by, step{
			call:   call{endpoint: "token", header: basic(oddID, oddSecret), body: form("grant_type", "client_credentials", "scope", "devices")},
			status: 400, error: "invalid_scope",
		})
	})
}

// One user's token does nothing to another's devices, whatever they are called.
func TestDevicesOfOthers(t *testing.T) {
	w, by := newWorld(t), transports[0]
	ada := w.login(t, by, asApp, "read device_ipad").text("access_token")
	oauthtest.SaveUser(t, w.users, oauth.User{Username: "bob", ID: "u_bob", Created: began}, password)
	bob := w.expect(t, by, step{call: asApp("token", "grant_type", "password", "username", "bob", "password", password, "scope", "devices device_ipad"), status: 200}).text("refresh_token")
	w.expect(t, by, step{call: signOut(bob, "others"), status: 204})
	w.expect(t, by, step{call: devices("DELETE", "/devices/ipad2", bob), status: 204})
	if got, _ := w.page(t, by, bob, ""); len(got) != 1 || !got[0].Current {
		t.Errorf("bob's devices: %v", got)
	}
	w.expect(t, by, step{call: devices("DELETE", "/devices/ipad", bob), status: 204})
	if !w.isActive(t, by, ada) {
		t.Error("bob signed ada out")
	}
}
