package wire_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
)

const changed = "CANARY, a new one"

// ofAccount is a request of somebody with this token. An empty body is none.
func ofAccount(method, path, token, body string) call {
	c := call{endpoint: "account", method: method, path: path, header: authorization("Bearer " + token), body: body}
	c.header["Content-Type"] = []string{"application/json"}
	return c
}

// accountRoute is what a gateway with the template's routes matches.
func accountRoute(path string) string {
	if path == "/account" || path == "/account/password" {
		return path
	}
	return "$default"
}

func passwords(present, next string) string {
	return fmt.Sprintf(`{"password":%q,"new_password":%q}`, present, next)
}

func TestAccountFromPasswordToLeaving(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		login := func(password string) answer {
			t.Helper()
			return w.send(t, by, asApp("token", "grant_type", "password", "username", username, "password", password, "scope", "read device_ipad"))
		}
		mine := w.login(t, by, asApp, "account device_iphone")
		other := w.login(t, by, asApp, "read device_ipad").text("access_token")
		key := mine.text("refresh_token")

		wrong := w.expect(t, by, step{call: ofAccount("POST", "/account/password", key, passwords("CANARY wrong", changed)), status: 400, error: "invalid_grant"})
		if wrong.line["outcome"] != "denied" || wrong.line["reason"] != "password" || wrong.line["subject"] != "u_ada" || wrong.line["client"] != "app" {
			t.Errorf("line %v", wrong.line)
		}
		w.expect(t, by, step{call: ofAccount("POST", "/account/password", key, passwords(password, "short")), status: 400, error: "invalid_request"})
		a := w.expect(t, by, step{call: ofAccount("POST", "/account/password", key, passwords(password, changed)), status: 200})
		if a.body != `{"signed_in":true}` || a.line["outcome"] != "changed" || a.line["subject"] != "u_ada" {
			t.Errorf("%s, line %v", a.body, a.line)
		}
		if !w.isActive(t, by, mine.text("access_token")) || w.isActive(t, by, other) {
			t.Error("want this device signed in, and the other out")
		}
		if login(password).status != 400 || login(changed).status != 200 {
			t.Error("want the new password to log in, and the old one not to")
		}

		w.expect(t, by, step{call: ofAccount("DELETE", "/account", key, `{"password":"CANARY wrong"}`), status: 400, error: "invalid_grant"})
		w.now.Add(oauth.FreshSignIn + 1)
		w.expect(t, by, step{call: ofAccount("DELETE", "/account", key, ""), status: 401, error: "insufficient_user_authentication",
			and: challenged(`Bearer realm="fob", error="insufficient_user_authentication", max_age="300"`)})
		a = w.expect(t, by, step{call: ofAccount("DELETE", "/account", key, fmt.Sprintf(`{"password":%q}`, changed)), status: 204})
		if a.line["outcome"] != "removed" || a.line["subject"] != "u_ada" {
			t.Errorf("line %v", a.line)
		}
		// The answer got lost.
		w.expect(t, by, step{call: ofAccount("DELETE", "/account", key, ""), status: 401, error: "invalid_token", and: challenged(tokenChallenge)})
		if login(changed).status != 400 || w.isActive(t, by, mine.text("access_token")) {
			t.Error("still there")
		}
	})
}

// Just after a sign-in it takes no password, and that does not make a wrong one right.
func TestLeavingAfterAFreshSignIn(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		key := w.login(t, by, asShop, "account device_iphone").text("refresh_token")
		w.expect(t, by, step{call: ofAccount("DELETE", "/account", key, `{"password":"CANARY wrong"}`), status: 400, error: "invalid_grant"})
		w.expect(t, by, step{call: ofAccount("DELETE", "/account", key, `{"password":""}`), status: 400, error: "invalid_request"})
		w.expect(t, by, step{call: ofAccount("DELETE", "/account", key, ""), status: 204})
		w.expect(t, by, step{call: ofAccount("DELETE", "/account", key, ""), status: 401, error: "invalid_token"})
	})
}

func TestWhoMayChangeAnAccount(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		login := w.login(t, by, asShop, "account devices device_iphone")
		access, refresh := login.text("access_token"), login.text("refresh_token")
		own := w.expect(t, by, step{call: asShop("token", "grant_type", "client_credentials", "scope", "account"), status: 200}).text("access_token")
		plain := w.login(t, by, asShop, "read devices device_iphone").text("refresh_token")
		for _, c := range []call{ofAccount("POST", "/account/password", "", passwords(password, changed)), ofAccount("DELETE", "/account", "", "")} {
			without := c
			without.header = map[string][]string{"Content-Type": {"application/json"}}
			w.expect(t, by, step{name: "no token", call: without, status: 401, error: "invalid_token", idle: true})
			for _, test := range []struct {
				name, token, error string
				status             int
			}{
				{"forged", refresh[:len(refresh)-4] + "AAAA", "invalid_token", 401},
				{"without the scope", plain, "insufficient_scope", 403},
				{"of a client", own, "insufficient_scope", 403},
				{"an access token", access, "unsupported_token_type", 403},
			} {
				w.expect(t, by, step{name: test.name, call: c.with("Authorization", "Bearer "+test.token), status: test.status, error: test.error})
			}
			secret := c.with("Authorization", "Bearer "+refresh)
			secret.query = "password=x"
			w.expect(t, by, step{name: "a secret in the URL", call: secret, status: 400, error: "invalid_request"})
			for method, path := range map[string]string{"GET": c.path, "PUT": c.path} {
				w.expect(t, by, step{call: ofAccount(method, path, refresh, ""), status: 405, error: "invalid_request"})
			}
		}
		for _, path := range []string{"/accounts", "/account/passwords", "/password", "/account/password/x"} {
			w.expect(t, by, step{name: path, call: ofAccount("POST", path, refresh, passwords(password, changed)), status: 404, error: "not_found"})
		}
		for _, body := range []string{
			``, `{}`, `[]`, `{"password":"x"}`, `{"new_password":"x"}`, passwords("", changed), passwords(password, ""), `{"password":1,"new_password":"x"}`,
			`{"password":"x","password":"y","new_password":"z"}`, `{"password":"x","new_password":"y","label":"z"}`, "{\"password\":\"\xff\",\"new_password\":\"x\"}",
		} {
			w.expect(t, by, step{name: body, call: ofAccount("POST", "/account/password", refresh, body), status: 400, error: "invalid_request"})
		}
		for _, body := range []string{`{"new_password":"x"}`, `"x"`, `{"password":["x"]}`, `{"password":null}`} {
			w.expect(t, by, step{name: body, call: ofAccount("DELETE", "/account", refresh, body), status: 400, error: "invalid_request"})
		}
		form := ofAccount("POST", "/account/password", refresh, "password=x&new_password=y").with("Content-Type", "application/x-www-form-urlencoded")
		w.expect(t, by, step{name: "a form", call: form, status: 400, error: "invalid_request"})
		if !w.isActive(t, by, access) {
			t.Error("one of these did something")
		}
		// Below a stage or a mapping of any name.
		w.expect(t, by, step{call: ofAccount("POST", "/prod/account/account/password", refresh, passwords(password, changed)), status: 200})
	})
}

// "I could not find out" is a 503, and its line names nobody.
func TestAccountInAnOutage(t *testing.T) {
	by := transports[0]
	for _, c := range []call{ofAccount("POST", "/account/password", "", passwords(password, changed)), ofAccount("DELETE", "/account", "", fmt.Sprintf(`{"password":%q}`, password))} {
		for n := 1; ; n++ {
			w := newWorld(t)
			c = c.with("Authorization", "Bearer "+w.login(t, by, asApp, "account device_ipad").text("refresh_token"))
			calls := 0
			w.tokens.Intercept(func(context.Context) error {
				if calls++; calls >= n {
					return oauth.Unavailable("ask", errors.New("oops"))
				}
				return nil
			})
			a := w.send(t, by, c)
			w.tokens.Intercept(nil)
			if calls < n {
				break
			}
			if a.status != 503 || a.header.Get("Retry-After") == "" || a.line["outcome"] != "failed" {
				t.Errorf("%s %s, from call %d on: %d, line %v", c.method, c.path, n, a.status, a.line)
			}
		}
	}
}
