package wire_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/wire"
)

// The resource side (RFC 6750): N60 to N63 of docs/cases.md, on /me, which
// verifies for itself here as in `fob serve`.

func me(authorization ...string) call {
	c := call{endpoint: "me", method: http.MethodGet}
	if authorization != nil {
		c.header = map[string][]string{"Authorization": authorization}
	}
	return c
}

// challenged wants this challenge and no other.
func challenged(want string) func(*testing.T, answer) {
	return func(t *testing.T, a answer) {
		t.Helper()
		if got := a.header.Values("WWW-Authenticate"); !cmp.Equal(got, []string{want}) {
			t.Errorf("challenge %q, want %q", got, want)
		}
	}
}

const (
	anyChallenge     = `Bearer realm="fob"`
	tokenChallenge   = `Bearer realm="fob", error="invalid_token"`
	requestChallenge = `Bearer realm="fob", error="invalid_request"`
)

func TestMe(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		login := w.login(t, by, asApp, "write device_ipad").text("access_token")
		machine := w.expect(t, by, step{call: asShop("token", "grant_type", "client_credentials"), status: 200}).text("access_token")
		for _, c := range []struct {
			authorization string
			want          map[string]any
		}{
			{"Bearer " + login, map[string]any{"sub": "u_ada", "client_id": "app", "username": username, "scope": "write device_ipad", "device": "ipad"}},
			{"bearer  " + login, map[string]any{"sub": "u_ada", "client_id": "app", "username": username, "scope": "write device_ipad", "device": "ipad"}},
			{"BEARER " + machine, map[string]any{"sub": "shop", "client_id": "shop", "scope": "read"}},
		} {
			a := w.expect(t, by, step{call: me(c.authorization), status: 200})
			got := map[string]any{}
			must(t, json.Unmarshal([]byte(a.body), &got))
			if diff := cmp.Diff(got, c.want); diff != "" {
				t.Errorf("got -, want +:\n%s", diff)
			}
			if a.line["outcome"] != "active" || a.line["client"] != c.want["client_id"] || a.line["endpoint"] != "me" || a.line["store_calls"] != 1.0 || a.line["_aws"] != nil {
				t.Errorf("line %v", a.line)
			}
		}
	})
}

// N60
func TestNoCredentials(t *testing.T) {
	var steps []step
	for name, c := range map[string]call{
		"no header":     me(),
		"blank":         me(""),
		"spaces":        me("   "),
		"Basic":         {endpoint: "me", method: "GET", header: basic("shop", shopSecret)},
		"longer scheme": me("Bearers CANARY"),
		"tab":           me("Bearer\tCANARY"),
		"token alone":   me("CANARY"),
		// An unsupported authentication method (RFC 6750 §3.1), with commas of its own.
		"Digest":       me(`Digest username="CANARY", realm="x", response=CANARY`),
		"two others":   me("Digest a=b", "Negotiate CANARY"),
		"longer, with": me("Bearers CANARY, x"),
	} {
		steps = append(steps, step{name: name, call: c, status: 401, error: "invalid_token", idle: true, and: challenged(anyChallenge)})
	}
	run(t, steps)
}

// N61
func TestDeadToken(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		dead := func(name, authorization string, idle bool) {
			t.Helper()
			w.expect(t, by, step{name: name, call: me(authorization), status: 401, error: "invalid_token", idle: idle, and: func(t *testing.T, a answer) {
				t.Helper()
				challenged(tokenChallenge)(t, a)
				if a.line["outcome"] != "denied" || a.line["code"] != "invalid_token" {
					t.Errorf("%s: line %v", name, a.line)
				}
			}})
		}
		login := w.login(t, by, asApp, "device_ipad")
		access, refresh := login.text("access_token"), login.text("refresh_token")
		w.expect(t, by, step{call: me("Bearer " + access), status: 200})
		for name, token := range map[string]string{
			"none": "", "spaces": "  ", "not ours": "CANARY", "padding alone": "==", "padding within": "CAN=ARY",
			"another character": "CANARY!", "a quote": `"CANARY"`, "two": "CANARY CANARY", "behind it": access + " CANARY",
			"refresh token": refresh, "altered": access[:len(access)-1], "longer": access + "A", "padded": access + "=",
		} {
			dead(name, "Bearer "+token, true)
		}
		dead("no token at all", "Bearer", true)

		w.expect(t, by, step{call: asApp("revoke", "token", access), status: 200})
		dead("revoked", "Bearer "+access, false)
		access = w.login(t, by, asApp, "device_ipad").text("access_token")
		must(t, w.subjects.Raise(t.Context(), ledger.Subject{Kind: ledger.UserSubject, ID: "u_ada"}, oauth.StateChange{}))
		dead("signed out everywhere", "Bearer "+access, false)
		access = w.login(t, by, asApp, "device_ipad").text("access_token")
		w.now.Add(3600)
		dead("expired", "Bearer "+access, true)
	})
}

// N63
func TestOnePlaceForTheToken(t *testing.T) {
	const formType = "application/x-www-form-urlencoded"
	for _, by := range transports {
		t.Run(by.name, func(t *testing.T) {
			w := newWorld(t)
			token := w.login(t, by, asApp, "device_ipad").text("access_token")
			with := func(change func(*call)) call {
				c := me("Bearer " + token)
				change(&c)
				return c
			}
			for name, c := range map[string]call{
				"two headers":          me("Bearer "+token, "Bearer "+token),
				"next to Basic":        me("Bearer "+token, basic("shop", shopSecret)["Authorization"][0]),
				"joined":               me("Bearer " + token + ", Bearer " + token),
				"a comma":              me("Bearer " + token + ","),
				"after Digest":         me("Digest a=b, c=d,bearer " + token),
				"after Digest, bare":   me("Digest a=b, Bearer"),
				"after a tab":          me("Digest a=b,\tBearer\t" + token),
				"next to Digest":       me("Digest a=b", "Bearer "+token),
				"in the query":         {endpoint: "me", method: "GET", query: "access_token=" + token},
				"in the query as well": with(func(c *call) { c.query = "x=y&access_token=" + token }),
				"escaped in the query": with(func(c *call) { c.query = "%61ccess_token=CANARY" }),
				"a password":           with(func(c *call) { c.query = "password=CANARY" }),
				"in a form":            {endpoint: "me", method: "GET", body: form("access_token", token)},
				"in a form as well":    with(func(c *call) { c.body = form("x", "y", "access_token", token) }),
				"escaped in a form":    with(func(c *call) { c.body = "%61ccess_token=CANARY" }),
			} {
				w.expect(t, by, step{name: name, call: c, status: 400, error: "invalid_request", idle: true, and: func(t *testing.T, a answer) {
					t.Helper()
					if got := a.header.Get("WWW-Authenticate"); got != requestChallenge {
						t.Errorf("%s: challenge %q", name, got)
					}
				}})
			}
			w.expect(t, by, step{call: with(func(c *call) { c.body = strings.Repeat("x", 17<<10) }), status: 413, error: "invalid_request", idle: true})
			for _, c := range []call{
				with(func(c *call) { c.query = "x=access_token&tokens=1" }),
				with(func(c *call) { c.body = form("x", "access_token") }),
				with(func(c *call) {
					c.header["Content-Type"], c.body = []string{"application/json"}, `{"access_token":"CANARY"}`
				}),
				with(func(c *call) { c.header["Content-Type"] = []string{formType} }),
			} {
				w.expect(t, by, step{call: c, status: 200})
			}
		})
	}
}

func TestMethodsOfAResource(t *testing.T) {
	var steps []step
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "get", "head"} {
		c := me("Bearer CANARY")
		c.method, c.query = method, "access_token=CANARY"
		steps = append(steps, step{name: method, call: c, status: 405, error: "invalid_request", idle: true, and: func(t *testing.T, a answer) {
			if got := a.header.Get("Allow"); got != "GET, HEAD" || a.header.Get("WWW-Authenticate") != "" {
				t.Errorf("Allow is %q, challenge %q", got, a.header.Get("WWW-Authenticate"))
			}
		}})
	}
	run(t, steps)
}

// HEAD is answered wherever GET is, with the same status and headers, and without a
// body (RFC 9110 §9.3.2).
func TestHead(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		login := "Bearer " + w.login(t, by, asApp, "devices device_ipad").text("access_token")
		for _, c := range []struct {
			name   string
			call   call
			status int
		}{
			{"me", me(login), 200},
			{"me with a dead token", me("Bearer CANARY"), 401},
			{"devices", call{endpoint: "devices", path: "/devices", header: authorization(login)}, 200},
			{"devices behind a stage of that name", call{endpoint: "devices", path: "/devices/devices", route: "/devices", header: authorization(login)}, 200},
			{"devices without a token", call{endpoint: "devices", path: "/devices"}, 401},
			{"metadata", call{endpoint: "metadata"}, 200},
		} {
			c.call.method = http.MethodGet
			got := w.expect(t, by, step{name: c.name, call: c.call, status: c.status, error: map[int]string{401: "invalid_token"}[c.status]})
			c.call.method = http.MethodHead
			head := w.expect(t, by, step{name: c.name, call: c.call, status: c.status})
			for _, h := range []http.Header{got.header, head.header} {
				h.Del("Date")
				h.Del("Content-Length") // may be left out
			}
			if diff := cmp.Diff(head.header, got.header); diff != "" || head.body != "" {
				t.Errorf("%s: body %q, headers (HEAD -, GET +):\n%s", c.name, head.body, diff)
			}
		}
		for _, path := range []string{"/devices/ipad", "/devices/sign-out"} {
			w.expect(t, by, step{name: path, call: call{endpoint: "devices", method: http.MethodHead, path: path, header: authorization(login)}, status: 405})
		}
	})
}

// An outage says nothing about the token: an app that took it for a 401 would log
// out.
func TestResourceInDoubt(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		token := w.login(t, by, asApp, "device_ipad").text("access_token")
		w.tokens.Intercept(func(context.Context) error { return oauth.Unavailable("read", errors.New("reset")) })
		w.expect(t, by, step{call: me("Bearer " + token), status: 503, error: "temporarily_unavailable", and: func(t *testing.T, a answer) {
			if a.header.Get("Retry-After") == "" || a.header.Get("WWW-Authenticate") != "" || a.line["outcome"] != "failed" {
				t.Errorf("%v, line %v", a.header, a.line)
			}
		}})
		w.tokens.Intercept(func(context.Context) error { panic("CANARY") })
		w.expect(t, by, step{call: me("Bearer " + token), status: 500, error: "server_error"})
	})
}

// Without time left nothing is looked up.
func TestResourceWithoutTime(t *testing.T) {
	w := newWorld(t)
	token := w.login(t, transports[1], asApp, "device_ipad").text("access_token")
	a := w.check(t, me("Bearer "+token), func(c call) answer {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		return sendEvent(t, ctx, w.handlers["me"], eventOf(c, false))
	})
	if a.status != 503 || a.line["store_calls"] != 0.0 {
		t.Errorf("%d %s, line %v", a.status, a.body, a.line)
	}
}

// Behind the gateway's authorizer nothing is looked up, and without one nobody
// gets in.
func TestMeBehindTheAuthorizer(t *testing.T) {
	w := newWorld(t)
	h := wire.Me(wire.GatewayCaller{}, wire.Options{})
	get := func(said map[string]any, authorization string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/me", nil)
		r.Header.Set("Authorization", authorization)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r.WithContext(wire.WithGateway(t.Context(), wire.Gateway{Authorizer: said})))
		return rec
	}
	for _, want := range []string{
		`{"sub":"u_ada","client_id":"app","scope":"write device_ipad","device":"ipad","username":"ada"}`,
		`{"sub":"shop","client_id":"shop","scope":"read"}`,
		`{"sub":"shop","client_id":"shop"}`,
	} {
		said := map[string]any{}
		must(t, json.Unmarshal([]byte(want), &said))
		if rec := get(said, "Bearer x"); rec.Code != 200 || rec.Body.String() != want {
			t.Errorf("%v: %d %s", said, rec.Code, rec.Body)
		}
		// The request itself is read as strictly as without a gateway.
		for authorization, status := range map[string]int{"": 401, "Basic x": 401, "Bearer": 401, "Bearer x,Bearer y": 400} {
			if rec := get(said, authorization); rec.Code != status {
				t.Errorf("%v with %q: %d %s", said, authorization, rec.Code, rec.Body)
			}
		}
	}
	token := w.login(t, transports[0], asApp, "device_ipad").text("access_token")
	for name, said := range map[string]map[string]any{
		"no authorizer":      nil,
		"another authorizer": {"principalId": "user", "scope": "read"},
		"no subject":         {"client_id": "app"},
		"no client":          {"sub": "u_ada"},
		"a number":           {"sub": 1, "client_id": "app"},
		"a broken scope":     {"sub": "u_ada", "client_id": "app", "scope": "read  write"},
		"another device":     {"sub": "u_ada", "client_id": "app", "scope": "read device_ipad", "device": "iphone"},
		"a device too many":  {"sub": "u_ada", "client_id": "app", "scope": "read", "device": "iphone"},
	} {
		if rec := get(said, "Bearer "+token); rec.Code != 500 || strings.Contains(rec.Body.String(), "app") {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
	}
}
