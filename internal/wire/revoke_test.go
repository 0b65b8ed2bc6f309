package wire_test

import (
	"context"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
)

// N40
func TestRevokeOwnToken(t *testing.T) {
	for _, kind := range []string{"access_token", "refresh_token"} {
		for _, hint := range []string{"", "access_token", "refresh_token", "CANARY"} { // N41
			t.Run(kind+" hint "+hint, func(t *testing.T) {
				each(t, func(t *testing.T, w *world, by transport) {
					login := w.login(t, by, asShop, "device_ipad")
					for range 2 { // A21
						a := w.expect(t, by, step{call: asShop("revoke", "token", login.text(kind), "token_type_hint", hint), status: 200})
						if a.body != "{}" || a.header.Get("Content-Type") != "application/json" {
							t.Errorf("body %q of type %q", a.body, a.header.Get("Content-Type"))
						}
						if a.line["outcome"] != "revoked" || a.line["revoked"] != 1.0 {
							t.Errorf("line %v", a.line)
						}
					}
					// N45: either ends both.
					if w.isActive(t, by, login.text("access_token")) {
						t.Error("the access token is active")
					}
					w.expect(t, by, step{
						call:   asShop("token", "grant_type", "refresh_token", "refresh_token", login.text("refresh_token")),
						status: 400, error: "invalid_grant",
					})
				})
			})
		}
	}
}

// N40
func TestRevokeUnknownToken(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		expired := w.login(t, by, asShop, "device_ipad").text("access_token")
		w.now.Add(3601)
		for _, token := range []string{
			"CANARY", expired, expired[:len(expired)-1], expired + "A", strings.ToUpper(expired), expired + "\n",
			strings.Repeat("CANARY", 1700), // A22: 10 kB
		} {
			a := w.expect(t, by, step{call: asShop("revoke", "token", token), status: 200})
			if a.body != "{}" {
				t.Errorf("body %q", a.body)
			}
		}
	})
}

// N42
func TestRevokeWithoutToken(t *testing.T) {
	run(t, []step{
		{name: "confidential", call: asShop("revoke"), status: 400, error: "invalid_request"},
		{name: "public", call: asApp("revoke", "token_type_hint", "access_token"), status: 400, error: "invalid_request"},
		{name: "unauthenticated", call: call{endpoint: "revoke"}, status: 401, error: "invalid_client"},
	})
}

// N43
func TestRevokeForeignToken(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		token := w.login(t, by, asShop, "device_ipad").text("access_token")
		a := w.expect(t, by, step{
			call:   call{endpoint: "revoke", header: basic("other", shopSecret), body: form("token", token)},
			status: 400, error: "invalid_grant",
		})
		if a.line["outcome"] != "denied" || a.line["revoked"] != nil || a.line["denied"] != 1.0 {
			t.Errorf("line %v", a.line)
		}
		w.expect(t, by, step{call: asApp("revoke", "token", token), status: 200})
		if !w.isActive(t, by, token) {
			t.Error("a foreign client ended the token")
		}
	})
}

// N44
func TestRevokeAuthenticatesFirst(t *testing.T) {
	run(t, []step{
		{name: "dead token", call: call{endpoint: "revoke", header: basic("shop", "CANARY"), body: form("token", "CANARY")}, status: 401, error: "invalid_client"},
		{name: "no credentials", call: call{endpoint: "revoke", body: form("token", "CANARY")}, status: 401, error: "invalid_client"},
	})
}

// N46
func TestGarbageIsNoUnsupportedType(t *testing.T) {
	run(t, []step{{call: asShop("revoke", "token", "eyJhbGciOiJub25lIn0.e30.", "token_type_hint", "urn:example:jwt"), status: 200}})
}

// N47, A25: That Revoke calls its event revoked before it knows must not show.
func TestRevokeInDoubt(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		token := w.login(t, by, asShop, "device_ipad").text("access_token")
		w.tokens.Intercept(func(context.Context) error {
			return oauth.Unavailable("end an authorization", context.DeadlineExceeded)
		})
		a := w.expect(t, by, step{call: asShop("revoke", "token", token), status: 503, error: "temporarily_unavailable"})
		if a.header.Get("Retry-After") == "" || a.line["outcome"] != "failed" || a.line["revoked"] != nil || a.line["failed"] != 1.0 {
			t.Errorf("header %v, line %v", a.header, a.line)
		}
		w.tokens.Intercept(nil)
		w.expect(t, by, step{call: asShop("revoke", "token", token), status: 200})
		if w.isActive(t, by, token) {
			t.Error("still active")
		}
	})
}

// N48: no JSONP, neither at success nor at an error.
func TestNoCallback(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		token := w.login(t, by, asShop, "device_ipad").text("access_token")
		for _, endpoint := range []string{"revoke", "introspect"} {
			for _, where := range []string{"body", "query"} {
				for _, token := range []string{token, "", "x"} {
					plain := w.send(t, by, asShop(endpoint, "token", token))
					c := asShop(endpoint, "token", token)
					if where == "query" {
						c.query = "callback=package.f"
					} else {
						c.body += "&callback=package.f"
					}
					got := w.send(t, by, c)
					if got.status != plain.status || strings.Contains(got.body, "package.f") || strings.Contains(got.header.Get("Content-Type"), "javascript") {
						t.Errorf("%s with a callback in its %s: %d %s", endpoint, where, got.status, got.body)
					}
					if got.body != plain.body && endpoint == "revoke" {
						t.Errorf("%s: body %s and %s", endpoint, plain.body, got.body)
					}
				}
			}
		}
	})
}
