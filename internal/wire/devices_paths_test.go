package wire_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

// The gateway owns all before the last two segments, and the method decides where the
// path does not, whether or not the gateway says which route it was.
func TestDevicesPaths(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		mine := w.login(t, by, asApp, "devices device_mine").text("refresh_token")
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
					t.Errorf("%s/devices/%s is still there", base, name)
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
		for _, name := range []string{"", "~", "~ipad", handleOf("ipad") + "A", handleOf("ipad")[1:] + "~", "%20", "%C3%BC", "a%2Bb", "%2569pad", strings.Repeat("x", 65), "CANARY!"} {
			w.expect(t, by, step{name: name, call: devices("DELETE", "/devices/"+name, mine), status: 400, error: "invalid_request", idle: true})
		}
	})
}

// A client that sends the scope of a device in place of its name must not take the
// answer for success.
func TestEndDeviceByItsScope(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		mine := w.login(t, by, asApp, "devices device_mine").text("refresh_token")
		ipad := w.login(t, by, asApp, "read device_ipad").text("access_token")
		odd := w.login(t, by, asApp, "read device_device_odd").text("access_token")
		w.expect(t, by, step{call: devices("DELETE", "/devices/device_ipad", mine), status: 400, error: "invalid_request"})
		if !w.isActive(t, by, ipad) {
			t.Error("the device was ended anyway")
		}
		w.expect(t, by, step{call: devices("DELETE", "/devices/device_odd", mine), status: 204})
		if w.isActive(t, by, odd) {
			t.Error("a device whose name begins like a scope was not ended")
		}
		w.expect(t, by, step{call: devices("DELETE", "/devices/nothing", mine), status: 204})
	})
}

// Names of dots alone are lost in a path: clients resolve them.
func TestSignOutByName(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		login := w.login(t, by, asApp, "devices device_mine")
		mine := login.text("refresh_token")
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
					t.Errorf("%s is still there", name)
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
		if !w.isActive(t, by, login.text("access_token")) || !w.isActive(t, by, other) {
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
		mine := w.login(t, by, asApp, "devices device_mine").text("refresh_token")
		w.expect(t, by, step{call: devices("GET", "/devices/devices", mine), status: 405, error: "invalid_request", idle: true, and: func(t *testing.T, a answer) {
			if got := a.header.Get("Allow"); got != "DELETE, PATCH" {
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
		"/devices":          {"GET, HEAD", "POST PUT DELETE OPTIONS"},
		"/devices/ipad":     {"DELETE, PATCH", "GET POST PUT HEAD OPTIONS"},
		"/devices/sign-out": {"DELETE, PATCH, POST", "GET PUT HEAD OPTIONS"},
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
				"after=CANARY", "after==", "after=AA", "after=Ag", "after=AgA", cursor(1, 0, 'a'), cursor(2, 1, 'a'), cursor(2, 9, 'a'),
				cursor(2, 1, '~', 'a'), cursor(2, 4, 'i', 'p', 'a', 'd', 'a'), cursor(2, 0, ' '), cursor(append([]byte{2, 0}, strings.Repeat("a", 129)...)...),
				cursor(2, 0, 'a') + "=", "after=Ag%0ABh", "after=AgBhB", // not as we write it
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
			for _, query := range []string{"", "&&", "unknown=1&unknown=2", "limit=&after=", cursor(2, 0, 'a'), cursor(append([]byte{2, 23}, handleOf("zz")+"a"...)...)} {
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
				"another token":   func(c *call) { c.body += "&access_token=CANARY" },
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
			mine := w.login(t, by, asApp, "devices device_ipad").text("refresh_token")
			for _, scope := range []string{"read device_ipad", "write device_ipad", "read device_a", "read device_b"} {
				w.login(t, by, asApp, scope)
			}
			success := 0
			for failing := 0; success == 0; failing++ {
				if failing > 10 {
					t.Fatalf("%s does not succeed", name)
				}
				calls := 0
				w.tokens.Intercept(func(context.Context) error {
					if calls++; calls > failing {
						return oauth.Unavailable("end", errors.New("reset"))
					}
					return nil
				})
				a := w.send(t, by, c(mine))
				switch {
				case a.status == 503 && a.text("error") == "temporarily_unavailable" && a.header.Get("Retry-After") != "" && a.line["outcome"] == "failed" && a.line["failed"] == 1.0:
				case calls <= failing && (a.status == 200 || a.status == 204):
					success = failing
				default:
					t.Fatalf("%s with %d calls: %d %s, %v", name, failing, a.status, a.body, a.line)
				}
			}
			w.tokens.Intercept(nil)
			if least := map[string]int{"list": 2, "end": 2, "others": 2, "all": 2}[name]; success < least {
				t.Errorf("%s succeeded after %d calls", name, success)
			}
			again := w.login(t, by, asApp, "devices device_now").text("access_token")
			got, _ := w.page(t, by, again, "")
			handles := map[string]bool{}
			for _, e := range got {
				handles[e.Handle] = true
			}
			want := map[string]bool{}
			for _, device := range map[string][]scope.Device{
				"list":   {"now", "ipad", "a", "b"},
				"end":    {"now", "a", "b"},
				"others": {"now", "ipad"},
				"all":    {"now"},
			}[name] {
				want[handleOf(device)] = true
			}
			if diff := cmp.Diff(handles, want); diff != "" {
				t.Errorf("%s: got -, want +:\n%s", name, diff)
			}
		})
	}
}
