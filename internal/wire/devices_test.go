package wire_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
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

// entry is one device of a page.
type entry struct {
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
		const idle = oauth.DefaultRefreshIdle
		mine := w.login(t, by, asApp, "devices device_ipad").text("access_token")
		w.now.Add(10)
		phone := w.login(t, by, asApp, "read device_iphone").text("access_token")
		w.now.Add(10)
		w.login(t, by, asApp, "read write device_ipad")
		shops := w.login(t, by, asShop, "read device_iphone").text("access_token")
		nameless := w.login(t, by, asShop, "read").text("access_token")

		got, next := w.page(t, by, mine, "")
		want := []entry{
			{"", "shop", "read", began + 20, began + 20, began + 20 + idle, false},
			{"ipad", "app", "devices read write", began, began + 20, began + 20 + idle, true},
			{"iphone", "app", "read", began + 10, began + 10, began + 10 + idle, false},
			{"iphone", "shop", "read", began + 20, began + 20, began + 20 + idle, false},
		}
		if diff := cmp.Diff(got, want); diff != "" || next != "" {
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
			if diff := cmp.Diff(all, want); diff != "" {
				t.Errorf("limit %d: got -, want +:\n%s", limit, diff)
			}
		}

		// The iPhone is lost: both of its apps are signed out, and nothing else.
		// The request may be repeated.
		for range 2 {
			w.expect(t, by, step{call: devices("DELETE", "/devices/iphone", mine), status: 204, and: func(t *testing.T, a answer) {
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
		mine := w.login(t, by, asApp, "devices device_ipad").text("access_token")
		mineToo := w.login(t, by, asApp, "read device_ipad").text("access_token")
		others := []string{
			w.login(t, by, asApp, "read device_iphone").text("access_token"),
			w.login(t, by, asShop, "read device_ipad").text("access_token"),
			w.login(t, by, asShop, "read").text("access_token"),
		}
		for range 2 {
			w.expect(t, by, step{call: signOut(mine, "others"), status: 204, and: func(t *testing.T, a answer) {
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
		w.expect(t, by, step{call: signOut(mine, "all"), status: 204, and: func(t *testing.T, a answer) {
			if a.line["store_calls"] != 2.0 { // to read the token, and to raise the epoch
				t.Errorf("%v calls", a.line["store_calls"])
			}
		}})
		w.expect(t, by, step{call: signOut(mine, "all"), status: 401, error: "invalid_token"})
		again := w.login(t, by, asApp, "devices device_ipad").text("access_token")
		if got, _ := w.page(t, by, again, ""); len(got) != 1 || !got[0].Current {
			t.Errorf("after signing out of all and one login: %v", got)
		}
	})
}

// 25 devices on each of 10 clients, by default and by the largest page.
func TestManyDevices(t *testing.T) {
	w, by := newWorld(t), transports[0]
	readDevices := scopes(t, "read devices")
	for c := range 10 {
		client := oauth.Client{ID: oauth.ClientID(fmt.Sprintf("many-%d", c)), Created: began, Epoch: began, Public: true,
			Grants: []oauth.GrantType{oauth.PasswordGrant, oauth.RefreshTokenGrant}, Scopes: readDevices}
		must(t, client.Validate())
		_, err := w.registry.SaveClient(t.Context(), client)
		must(t, err)
	}
	var token string
	for c := range 10 {
		for n := range 25 {
			as := func(endpoint string, pairs ...string) call {
				return call{endpoint: endpoint, body: form(append([]string{"client_id", fmt.Sprintf("many-%d", c)}, pairs...)...)}
			}
			token = w.login(t, by, as, fmt.Sprintf("devices device_%02d", n)).text("access_token")
		}
	}
	seen := map[string]bool{}
	var sizes []int
	for query := ""; ; {
		entries, next := w.page(t, by, token, query)
		sizes = append(sizes, len(entries))
		for _, e := range entries {
			seen[e.ClientID+" "+e.Device] = true
		}
		if next == "" {
			break
		}
		query = "after=" + next
	}
	if len(seen) != 250 || !cmp.Equal(sizes, []int{100, 100, 50}) {
		t.Errorf("%d devices in pages of %v", len(seen), sizes)
	}
	if entries, next := w.page(t, by, token, "limit=250"); len(entries) != 250 || next != "" {
		t.Errorf("%d devices in one page, next %q", len(entries), next)
	}
	w.expect(t, by, step{call: signOut(token, "others"), status: 204})
	if entries, _ := w.page(t, by, token, ""); len(entries) != 1 || !entries[0].Current {
		t.Errorf("after signing out the others: %v", entries)
	}
}

// N62: it takes the scope, and a user.
func TestN62DevicesScope(t *testing.T) {
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
			t.Error("it was done all the same")
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
	hash, err := quickly{}.Hash(secret.New(password))
	must(t, err)
	_, err = w.users.SaveUser(t.Context(), oauth.User{Username: "bob", ID: "u_bob", PasswordHash: hash, Created: began})
	must(t, err)
	bob := w.expect(t, by, step{call: asApp("token", "grant_type", "password", "username", "bob", "password", password, "scope", "devices device_ipad"), status: 200}).text("access_token")
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

// What is before the last two segments is the gateway's, and the method tells apart
// what the path does not, whether or not the gateway says which route it was.
func TestDevicesPaths(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		mine := w.login(t, by, asApp, "devices device_mine").text("access_token")
		const list, one, out, unknown = "/devices", "/devices/{device}", "/devices/sign-out", "$default"
		for _, at := range []struct{ base, list, one, out string }{
			{"", list, one, out},
			{"/prod", list, one, out},
			{"/devices", list, one, out},
			{"/v1/fob", "/v1/fob" + list, "/{version}/fob/devices/{name}", "/v1/fob" + out},
			{"", unknown, unknown, unknown},
			{"/devices", unknown, "/{proxy+}", "/devices/{proxy+}"},
			{"/v1/fob", "/{proxy+}", "/v1/{proxy+}", unknown},
			{"/sign-out", unknown, unknown, unknown},
		} {
			base := at.base
			for _, name := range []string{"ipad", "sign-out", "devices", "a.b_c-D9", "..", strings.Repeat("x", 64)} {
				if by.name == "http" && name == ".." {
					continue // net/http's own client and servers resolve it
				}
				gone := w.login(t, by, asApp, "read device_"+name).text("access_token")
				end := devices("DELETE", base+"/devices/"+name, mine)
				if end.route = at.one; name == "sign-out" && at.one == one {
					end.route = out // the more special one
				}
				w.expect(t, by, step{call: end, status: 204})
				if w.isActive(t, by, gone) {
					t.Errorf("%s/devices/%s stands", base, name)
				}
			}
			c := devices("GET", base+"/devices", mine)
			c.route = at.list
			w.expect(t, by, step{call: c, status: 200})
			c = signOut(mine, "others")
			c.path, c.route = base+c.path, at.out
			w.expect(t, by, step{call: c, status: 204})
		}
		for _, path := range []string{"/", "/device", "/Devices", "/devices/a/b", "/devices/sign-out/x"} {
			for _, method := range []string{"GET", "DELETE", "POST"} {
				w.expect(t, by, step{call: devices(method, path, mine), status: 400, error: "invalid_request", idle: true})
			}
		}
		for _, method := range []string{"GET", "DELETE", "POST"} {
			w.expect(t, by, step{call: devices(method, "/devices/", mine), status: 400, error: "invalid_request", idle: true})
		}
		for _, name := range []string{"", "%20", "%C3%BC", "a%2Bb", "%2569pad", strings.Repeat("x", 65), "CANARY!"} {
			w.expect(t, by, step{name: name, call: devices("DELETE", "/devices/"+name, mine), status: 400, error: "invalid_request", idle: true})
		}
	})
}

// Names of dots alone are lost in a path: clients resolve them.
func TestSignOutByName(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		mine := w.login(t, by, asApp, "devices device_mine").text("access_token")
		other := w.login(t, by, asApp, "read device_other").text("access_token")
		byName := func(name string) call {
			c := signOut(mine, "device")
			c.body = form("which", "device", "device", name)
			return c
		}
		for _, name := range []string{".", "..", "ipad", "all", "sign-out", strings.Repeat("x", 64)} {
			gone := []string{
				w.login(t, by, asApp, "read device_"+name).text("access_token"),
				w.login(t, by, asShop, "read device_"+name).text("access_token"),
			}
			for range 2 {
				w.expect(t, by, step{name: name, call: byName(name), status: 204, and: func(t *testing.T, a answer) {
					if a.line["outcome"] != "revoked" || a.line["revoked"] != 1.0 {
						t.Errorf("line %v", a.line)
					}
				}})
			}
			for _, token := range gone {
				if w.isActive(t, by, token) {
					t.Errorf("%s stands", name)
				}
			}
		}
		for _, body := range []string{
			form("which", "device"), form("which", "device", "device", ""), form("device", "other"),
			form("which", "device", "device", "CANARY!"), form("which", "device", "device", strings.Repeat("x", 65)),
			form("which", "device", "device", "mine", "device", "mine"),
			form("which", "all", "device", "other"), form("which", "others", "device", "mine"),
		} {
			c := byName("")
			c.body = body
			w.expect(t, by, step{name: body, call: c, status: 400, error: "invalid_request", and: challenged(requestChallenge)})
		}
		if !w.isActive(t, by, mine) || !w.isActive(t, by, other) {
			t.Error("somebody else was signed out")
		}
		w.expect(t, by, step{call: byName("mine"), status: 204})
		w.expect(t, by, step{call: byName("mine"), status: 401, error: "invalid_token"})
	})
}

// A device may be called like the list: where the gateway names the route, it is one.
func TestDeviceCalledDevices(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		if by.name == "http" {
			return // no gateway names the route: see TestRouteOf in cmd/fob
		}
		mine := w.login(t, by, asApp, "devices device_mine").text("access_token")
		w.expect(t, by, step{call: devices("GET", "/devices/devices", mine), status: 405, error: "invalid_request", idle: true, and: func(t *testing.T, a answer) {
			if got := a.header.Get("Allow"); got != "DELETE" {
				t.Errorf("Allow is %q", got)
			}
		}})
		w.expect(t, by, step{call: devices("DELETE", "/devices/devices", mine), status: 204})
	})
}

func TestDevicesMethods(t *testing.T) {
	var steps []step
	for path, c := range map[string]struct {
		allow   string
		methods string
	}{
		"/devices":          {"GET", "POST PUT HEAD DELETE OPTIONS"},
		"/devices/ipad":     {"DELETE", "GET POST PUT HEAD OPTIONS"},
		"/devices/sign-out": {"DELETE, POST", "GET PUT HEAD OPTIONS"},
	} {
		for method := range strings.SplitSeq(c.methods, " ") {
			steps = append(steps, step{name: method + " " + path, call: devices(method, path, "CANARY"), status: 405, error: "invalid_request", idle: true, and: func(t *testing.T, a answer) {
				if got := a.header.Get("Allow"); got != c.allow || a.header.Get("WWW-Authenticate") != "" {
					t.Errorf("Allow is %q, challenge %q", got, a.header.Get("WWW-Authenticate"))
				}
			}})
		}
	}
	run(t, steps)
}

// Whatever is wrong with a request, the answer is one of RFC 6750.
func TestDevicesBadInput(t *testing.T) {
	cursor := func(b ...byte) string { return "after=" + base64.RawURLEncoding.EncodeToString(b) }
	for _, by := range transports {
		t.Run(by.name, func(t *testing.T) {
			w := newWorld(t)
			token := w.login(t, by, asApp, "devices device_ipad").text("access_token")
			for _, query := range []string{
				"limit=0", "limit=-1", "limit=251", "limit=01", "limit=%2B1", "limit=1.5", "limit=CANARY", "limit=99999999999999999999",
				"limit=1&limit=1", "limit=&limit=1", "after=x&after=x", "limit=%zz", "a;b", "after=%ff",
				"after=CANARY", "after==", "after=AA", "after=AQ", "after=AQA", cursor(2, 0, 'a'), cursor(1, 1, 'a'), cursor(1, 9, 'a'),
				cursor(1, 1, '!', 'a'), cursor(1, 0, ' '), cursor(append([]byte{1, 0}, strings.Repeat("a", 129)...)...),
				cursor(1, 0, 'a') + "=", "after=AQ%0ABh", "after=AQBhB", // not as we write it
			} {
				if query == "a;b" && strings.HasPrefix(by.name, "event 1.0") {
					continue // it came decoded: the client may have escaped it
				}
				c := devices("GET", "/devices", token)
				c.query = query
				w.expect(t, by, step{name: query, call: c, status: 400, error: "invalid_request", and: func(t *testing.T, a answer) {
					t.Helper()
					if got := a.header.Get("WWW-Authenticate"); got != requestChallenge || a.line["outcome"] != "denied" {
						t.Errorf("%s: challenge %q, line %v", query, got, a.line)
					}
				}})
			}
			for _, query := range []string{"", "&&", "unknown=1&unknown=2", "limit=&after=", cursor(1, 0, 'a'), cursor(1, 2, 'z', 'z', 'a')} {
				c := devices("GET", "/devices", token)
				c.query = query
				w.expect(t, by, step{name: query, call: c, status: 200})
			}

			for name, change := range map[string]func(*call){
				"nothing":         func(c *call) { c.body = "" },
				"no which":        func(c *call) { c.body = "what=all" },
				"which is empty":  func(c *call) { c.body = "which=" },
				"another which":   func(c *call) { c.body = "which=CANARY" },
				"upper case":      func(c *call) { c.body = "which=ALL" },
				"twice":           func(c *call) { c.body = "which=all&which=all" },
				"both":            func(c *call) { c.body = "which=others&which=all" },
				"a broken escape": func(c *call) { c.body = "which=%zz" },
				"JSON":            func(c *call) { c.header["Content-Type"], c.body = []string{"application/json"}, `{"which":"all"}` },
				"no type":         func(c *call) { c.header["Content-Type"] = []string{""} },
				"a token besides": func(c *call) { c.body += "&access_token=CANARY" },
				"which in the query": func(c *call) {
					c.query, c.body = "which=all", ""
				},
			} {
				c := signOut(token, "all")
				change(&c)
				w.expect(t, by, step{name: name, call: c, status: 400, error: "invalid_request", and: func(t *testing.T, a answer) {
					t.Helper()
					if got := a.header.Get("WWW-Authenticate"); got != requestChallenge {
						t.Errorf("%s: challenge %q", name, got)
					}
				}})
			}
			c := signOut(token, strings.Repeat("x", 17<<10))
			w.expect(t, by, step{call: c, status: 413, error: "invalid_request", idle: true})
			if !w.isActive(t, by, token) {
				t.Error("somebody was signed out")
			}

			for _, c := range []call{
				{endpoint: "devices", method: "GET", path: "/devices"},
				{endpoint: "devices", method: "DELETE", path: "/devices/ipad"},
				{endpoint: "devices", method: "POST", path: "/devices/sign-out", body: "which=all"},
			} {
				w.expect(t, by, step{call: c, status: 401, error: "invalid_token", idle: true, and: challenged(anyChallenge)})
				c.header = authorization("Bearer CANARY")
				w.expect(t, by, step{call: c, status: 401, error: "invalid_token", idle: true, and: challenged(tokenChallenge)})
				c.header = authorization("Bearer "+token, "Bearer "+token)
				w.expect(t, by, step{call: c, status: 400, error: "invalid_request", idle: true, and: challenged(requestChallenge)})
			}
		})
	}
}

// Doubt is 503 and never success, at whichever call it comes; asking again finishes.
func TestDevicesInDoubt(t *testing.T) {
	for name, c := range map[string]func(token string) call{
		"list":   func(token string) call { return devices("GET", "/devices", token) },
		"end":    func(token string) call { return devices("DELETE", "/devices/ipad", token) },
		"others": func(token string) call { return signOut(token, "others") },
		"all":    func(token string) call { return signOut(token, "all") },
	} {
		each(t, func(t *testing.T, w *world, by transport) {
			mine := w.login(t, by, asApp, "devices device_ipad").text("access_token")
			for _, scope := range []string{"read device_ipad", "write device_ipad", "read device_a", "read device_b"} {
				w.login(t, by, asApp, scope)
			}
			success := 0
			for failing := 0; success == 0; failing++ {
				if failing > 10 {
					t.Fatalf("%s does not succeed", name)
				}
				calls := 0
				w.tokens.fault = func(context.Context) error {
					if calls++; calls > failing {
						return oauth.Unavailable("end", errors.New("reset"))
					}
					return nil
				}
				a := w.send(t, by, c(mine))
				switch {
				case a.status == 503 && a.text("error") == "temporarily_unavailable" && a.header.Get("Retry-After") != "" && a.line["outcome"] == "failed" && a.line["failed"] == 1.0:
				case calls <= failing && (a.status == 200 || a.status == 204):
					success = failing
				default:
					t.Fatalf("%s with %d calls: %d %s, %v", name, failing, a.status, a.body, a.line)
				}
			}
			w.tokens.fault = nil
			if least := map[string]int{"list": 2, "end": 2, "others": 2, "all": 2}[name]; success < least {
				t.Errorf("%s succeeded after %d calls", name, success)
			}
			again := w.login(t, by, asApp, "devices device_now").text("access_token")
			got, _ := w.page(t, by, again, "")
			stand := map[string]bool{}
			for _, e := range got {
				stand[e.Device] = true
			}
			want := map[string]map[string]bool{
				"list":   {"now": true, "ipad": true, "a": true, "b": true},
				"end":    {"now": true, "a": true, "b": true},
				"others": {"now": true, "ipad": true},
				"all":    {"now": true},
			}[name]
			if diff := cmp.Diff(stand, want); diff != "" {
				t.Errorf("%s: got -, want +:\n%s", name, diff)
			}
		})
	}
}
