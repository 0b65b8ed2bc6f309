package wire_test

import (
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/wire"
)

const inactive = `{"active":false}`

func isInactive(t *testing.T, a answer) {
	t.Helper()
	if a.body != inactive { // A32: exactly this
		t.Errorf("got %s", a.body)
	}
	if a.line["outcome"] != "inactive" || a.line["_aws"] != nil || a.line["reason"] == nil {
		t.Errorf("line %v", a.line)
	}
}

// N50
func TestIntrospectAuthenticatesFirst(t *testing.T) {
	run(t, []step{
		{name: "anonymous", call: call{endpoint: "introspect", body: form("token", "CANARY")}, status: 401, error: "invalid_client"},
		{name: "public", call: asApp("introspect", "token", "CANARY"), status: 401, error: "invalid_client"},
		{name: "wrong secret", call: call{endpoint: "introspect", header: basic("resource", "CANARY"), body: form("token", "CANARY")}, status: 401, error: "invalid_client"},
	})
}

// N51
func TestIntrospectInactive(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		login := w.login(t, by, asShop, "device_ipad")
		access, refresh := login.text("access_token"), login.text("refresh_token")
		as := func(id string, token string) call {
			return call{endpoint: "introspect", header: basic(id, resourceSecret), body: form("token", token)}
		}
		for name, c := range map[string]call{
			"garbage":                         asShop("introspect", "token", "CANARY"),
			"truncated":                       asShop("introspect", "token", access[:len(access)-1]),
			"extended":                        asShop("introspect", "token", access+"A"),
			"newline":                         asShop("introspect", "token", access+"\n"),
			"padded":                          asShop("introspect", "token", access+"="),
			"space":                           asShop("introspect", "token", " "+access),
			"other prefix":                    asShop("introspect", "token", strings.Replace(access, "fob_at_", "fob_rt_", 1)),
			"wrong audience":                  as("elsewhere", access),
			"refresh token by a resource":     as("resource", refresh), // N55
			"refresh token by another client": {endpoint: "introspect", header: basic("other", shopSecret), body: form("token", refresh)},
		} {
			w.expect(t, by, step{name: name, call: c, status: 200, and: isInactive})
		}
		w.now.Add(3600)
		w.expect(t, by, step{name: "expired", call: asShop("introspect", "token", access), status: 200, and: isInactive})
	})
}

// N52
func TestIntrospectWithoutToken(t *testing.T) {
	run(t, []step{{call: asShop("introspect", "token_type_hint", "access_token"), status: 400, error: "invalid_request"}})
}

// N53
func TestIntrospectActive(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		w.now.Add(1)
		login := w.login(t, by, asShop, "write device_ipad")
		machine := w.expect(t, by, step{call: asShop("token", "grant_type", "client_credentials"), status: 200})
		w.now.Add(10)
		of := func(token string) map[string]any {
			t.Helper()
			a := w.expect(t, by, step{call: asShop("introspect", "token", token), status: 200})
			decoder := json.NewDecoder(strings.NewReader(a.body))
			decoder.UseNumber()
			members := map[string]any{}
			must(t, decoder.Decode(&members))
			if id, _ := members["jti"].(string); len(id) < 20 || strings.Contains(token, id) {
				t.Errorf("jti %q", id)
			}
			iss, _ := members["iss"].(string)
			if by.name == "http" && !strings.HasPrefix(iss, "http://127.0.0.1:") || by.name != "http" && iss != "https://fob.example" {
				t.Errorf("iss %q", iss)
			}
			delete(members, "jti")
			delete(members, "iss")
			if a.line["outcome"] != "active" || a.line["_aws"] != nil {
				t.Errorf("line %v", a.line)
			}
			return members
		}
		want := map[string]any{
			"active":     true,
			"scope":      "write device_ipad",
			"client_id":  "shop",
			"username":   username,
			"token_type": "Bearer",
			"exp":        json.Number("1700003601"),
			"iat":        json.Number("1700000001"),
			"sub":        "u_ada",
			"aud":        []any{shopAudience},
			"device":     "ipad",
		}
		if diff := cmp.Diff(of(login.text("access_token")), want); diff != "" {
			t.Errorf("access token, got -, want +:\n%s", diff)
		}
		want["token_type"] = "Refresh"
		want["exp"] = json.Number("1702592001") // 30 idle days come before 90 days
		if diff := cmp.Diff(of(login.text("refresh_token")), want); diff != "" {
			t.Errorf("refresh token, got -, want +:\n%s", diff)
		}
		want = map[string]any{
			"active": true, "scope": "read", "client_id": "shop", "token_type": "Bearer", "sub": "shop",
			"exp": json.Number("1700003601"), "iat": json.Number("1700000001"), "aud": []any{shopAudience},
		}
		if diff := cmp.Diff(of(machine.text("access_token")), want); diff != "" {
			t.Errorf("the client's own token, got -, want +:\n%s", diff)
		}
	})
}

// A28
func TestWhoSeesAToken(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		token := w.login(t, by, asApp, "device_ipad").text("access_token") // its owner cannot ask
		if !w.isActive(t, by, token) {
			t.Error("inactive for a resource in aud")
		}
		w.expect(t, by, step{
			call:   call{endpoint: "introspect", header: basic("elsewhere", resourceSecret), body: form("token", token)},
			status: 200, and: isInactive,
		})
		w.expect(t, by, step{call: asApp("introspect", "token", token), status: 401, error: "invalid_client"})
		w.expect(t, by, step{call: call{endpoint: "introspect", body: form("token", token)}, status: 401, error: "invalid_client"})
	})
}

// N54
func TestIntrospectEvaluatesAnew(t *testing.T) {
	for name, end := range map[string]func(w *world) error{
		"signed out": func(w *world) error {
			return w.subjects.Raise(t.Context(), ledger.Subject{Kind: ledger.UserSubject, ID: "u_ada"}, oauth.StateChange{})
		},
		"user disabled": func(w *world) error {
			return w.subjects.Raise(t.Context(), ledger.Subject{Kind: ledger.UserSubject, ID: "u_ada"}, oauth.StateChange{Disabled: new(true)})
		},
		"expired": func(w *world) error {
			w.now.Add(3600)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, w *world, by transport) {
				token := w.login(t, by, asShop, "device_ipad").text("access_token")
				must(t, end(w))
				w.expect(t, by, step{call: asShop("introspect", "token", token), status: 200, and: isInactive})
			})
		})
	}
}

// N56
func TestIntrospectHint(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		login := w.login(t, by, asShop, "device_ipad")
		for _, kind := range []string{"access_token", "refresh_token"} {
			for _, hint := range []string{"", "access_token", "refresh_token", "CANARY"} {
				a := w.expect(t, by, step{call: asShop("introspect", "token", login.text(kind), "token_type_hint", hint), status: 200})
				if a.json("active") != true {
					t.Errorf("%s with hint %q: %s", kind, hint, a.body)
				}
			}
		}
	})
}

// N59
func TestIntrospectBearerIsNoCredential(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		token := w.login(t, by, asShop, "device_ipad").text("access_token")
		w.expect(t, by, step{
			call:   call{endpoint: "introspect", header: authorization("Bearer " + token), body: form("token", token)},
			status: 401, error: "invalid_client", idle: true,
		})
	})
}

// A52: iss is the address that the gateway saw, wherever it mounted the function
// (A52), unless it was set.
func TestIntrospectIssuer(t *testing.T) {
	w := newWorld(t)
	token := w.login(t, transports[1], asShop, "device_ipad").text("access_token")
	ask := asShop("introspect", "token", token)
	for _, c := range []struct{ routeKey, path, want string }{
		{"ANY /introspect", "/introspect", "https://fob.example"},
		{"ANY /introspect", "/prod/introspect", "https://fob.example/prod"},
		{"ANY /introspect", "/prod/introspect/", "https://fob.example/prod"},
		{"POST /oauth2/introspect", "/v1/login/oauth2/introspect", "https://fob.example/v1/login"},
		{"ANY /introspect", "/INTROSPECT", "https://fob.example"},
		{"ANY /{proxy+}", "/prod/introspect", "https://fob.example"},
		{"$default", "/prod/introspect", "https://fob.example"},
	} {
		a := w.check(t, ask, func(k call) answer {
			e := eventOf(k, true)
			e.RouteKey, e.RawPath = c.routeKey, c.path
			e.Headers["host"], e.Headers["x-forwarded-host"], e.Headers["x-forwarded-proto"] = "evil.example", "evil.example", "http"
			return sendEvent(t, t.Context(), w.handlers["introspect"], e)
		})
		if got := a.text("iss"); got != c.want {
			t.Errorf("%s at %s: iss %q, want %q", c.routeKey, c.path, got, c.want)
		}
	}
}

func TestIssuerIsSetOrTheAddressOfTheRequest(t *testing.T) {
	w := newWorld(t)
	token := w.login(t, transports[0], asShop, "device_ipad").text("access_token")
	verifier := &oauth.Verifier{
		Tokens:  w.tokens,
		Clients: oauth.NewClientCache(w.registry, time.Now),
		Keys:    w.verifier.Keys,
		Now:     func() time.Time { return time.Unix(began, 0) },
	}
	ask := func(o wire.Options, overTLS bool) (iss any, hsts string) {
		r := httptest.NewRequest(http.MethodPost, "/x", strings.NewReader(form("token", token)))
		r.Host = "laptop:8080"
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-Forwarded-Proto", "https")
		r.Header["Authorization"] = basic("shop", shopSecret)["Authorization"]
		if overTLS {
			r.TLS = new(tls.ConnectionState)
		}
		rec := httptest.NewRecorder()
		wire.Introspect(verifier, o).ServeHTTP(rec, r)
		return answer{body: rec.Body.String()}.json("iss"), rec.Header().Get("Strict-Transport-Security")
	}
	const hsts = "max-age=31536000"
	for _, c := range []struct {
		options       wire.Options
		overTLS       bool
		iss, wantHSTS string
	}{
		{wire.Options{}, false, "http://laptop:8080", ""},
		{wire.Options{}, true, "https://laptop:8080", hsts},
		{wire.Options{Issuer: "https://login.example/a"}, false, "https://login.example/a", ""},
		{wire.Options{Issuer: "https://login.example/a", Log: slog.New(slog.DiscardHandler)}, true, "https://login.example/a", hsts},
	} {
		if iss, gotHSTS := ask(c.options, c.overTLS); iss != c.iss || gotHSTS != c.wantHSTS {
			t.Errorf("%+v over TLS %v: iss %v and HSTS %q, want %q and %q", c.options, c.overTLS, iss, gotHSTS, c.iss, c.wantHSTS)
		}
	}
}
