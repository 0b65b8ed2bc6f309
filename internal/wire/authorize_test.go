package wire_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/wire"
)

// guard is what an authorizer is made of, over the tokens of w.
func (w *world) guard(t *testing.T, p wire.Policy) wire.Guard {
	t.Helper()
	return wire.Authorize(w.verifier, p, wire.Options{Log: slog.New(slog.NewJSONHandler(&w.log, nil))})
}

// judge asks it about a request for a route.
func (w *world) judge(t *testing.T, g wire.Guard, route, authorization string) answer {
	t.Helper()
	return w.check(t, call{method: http.MethodPost}, func(call) answer {
		r := httptest.NewRequest("POST", "/any/path", nil)
		r.Header.Set("Authorization", authorization)
		rec := httptest.NewRecorder()
		g.ServeHTTP(rec, r.WithContext(wire.WithGateway(t.Context(), wire.Gateway{Route: route})))
		return answer{status: rec.Code, header: rec.Header(), body: rec.Body.String()}
	})
}

func TestN62ScopesByRoute(t *testing.T) {
	w := newWorld(t)
	login := w.login(t, transports[0], asApp, "read device_ipad").text("access_token")
	both := w.login(t, transports[0], asApp, "read write device_ipad").text("access_token")
	none := w.login(t, transports[0], asApp, "device_ipad").text("access_token")
	g := w.guard(t, wire.Policy{Routes: map[string]scope.Set{
		"GET /orders":      scopes(t, "read"),
		"POST /orders":     scopes(t, "write read"),
		"ANY /orders/{id}": scopes(t, "write"),
		"GET /orders/{id}": scopes(t, "read"),
		"GET /mine":        scopes(t, "write"),
		"HEAD /items":      scopes(t, "write"),
		"GET /items":       scopes(t, "read"),
		"ANY /things":      scopes(t, "write"),
	}})
	if !g.ByRoute {
		t.Error("a judgement by route is called one of the token")
	}
	strict := w.guard(t, wire.Policy{Routes: map[string]scope.Set{"*": scopes(t, "write"), "GET /orders": scopes(t, "read")}})
	const readAndWrite, write = `read write`, `write`
	for _, c := range []struct {
		guard        wire.Guard
		route, token string
		lacks        string
	}{
		{g, "GET /orders", login, ""},
		{g, "GET /orders", both, ""},
		{g, "POST /orders", both, ""},
		{g, "POST /orders", login, readAndWrite},
		{g, "GET /orders/{id}", login, ""},
		{g, "DELETE /orders/{id}", login, write},
		// HEAD is GET without a body: its own line, then that of GET, then ANY.
		{g, "HEAD /mine", login, write},
		{g, "HEAD /orders", login, ""},
		{g, "HEAD /orders/{id}", login, ""},
		{g, "HEAD /items", both, ""},
		{g, "HEAD /items", login, write},
		{g, "GET /items", login, ""},
		{g, "HEAD /things", login, write},
		{strict, "HEAD /orders", login, ""},
		{strict, "HEAD /others", login, write},
		{g, "DELETE /orders/{id}", both, ""},
		// What is not listed needs an active token, and a route is what the gateway
		// calls it.
		{g, "DELETE /orders", login, ""},
		{g, "GET /orders/", login, ""},
		{g, "$default", login, ""},
		{strict, "GET /orders", login, ""},
		{strict, "GET /Orders", login, write},
		{strict, "$default", login, write},
		{strict, "$default", both, ""},
	} {
		a := w.judge(t, c.guard, c.route, "Bearer "+c.token)
		if c.lacks == "" {
			if a.status != 200 || a.text("sub") != "u_ada" || a.text("client_id") != "app" || a.text("device") != "ipad" || a.line["outcome"] != "active" {
				t.Errorf("%s: %d %s, line %v", c.route, a.status, a.body, a.line)
			}
			continue
		}
		if a.status != 403 || a.text("error") != "insufficient_scope" || a.line["code"] != "insufficient_scope" || a.line["outcome"] != "denied" {
			t.Errorf("%s: %d %s, line %v", c.route, a.status, a.body, a.line)
		}
		challenged(`Bearer realm="fob", error="insufficient_scope", scope="`+c.lacks+`"`)(t, a)
	}
	// Not the scope but its absence: the default scopes are read.
	if a := w.judge(t, g, "POST /orders", "Bearer "+none); a.status != 403 {
		t.Errorf("%d %s", a.status, a.body)
	}
	// A gateway that does not name the route gets no judgement by route.
	if a := w.judge(t, g, "", "Bearer "+both); a.status != 500 || a.line["store_calls"] != 0.0 {
		t.Errorf("no route: %d %s, line %v", a.status, a.body, a.line)
	}
	// A dead token is dead whatever the route asks for.
	for _, token := range []string{"CANARY", login + "A"} {
		if a := w.judge(t, g, "POST /orders", "Bearer "+token); a.status != 401 || a.line["store_calls"] != 0.0 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

func TestAuthorizeByAudience(t *testing.T) {
	w := newWorld(t)
	token := w.login(t, transports[0], asApp, "device_ipad").text("access_token")
	for audience, status := range map[string]int{"": 200, shopAudience: 200, "https://elsewhere.example": 401} {
		g := w.guard(t, wire.Policy{Audience: audience})
		if g.ByRoute {
			t.Error("a judgement of the token is called one by route")
		}
		if a := w.judge(t, g, "", "Bearer "+token); a.status != status {
			t.Errorf("audience %q: %d %s", audience, a.status, a.body)
		}
	}
}

func TestAuthorizeInDoubt(t *testing.T) {
	w := newWorld(t)
	token := w.login(t, transports[0], asApp, "device_ipad").text("access_token")
	g := w.guard(t, wire.Policy{})
	w.tokens.fault = func(context.Context) error { return oauth.Unavailable("read", errors.New("reset")) }
	if a := w.judge(t, g, "", "Bearer "+token); a.status != 503 || a.line["outcome"] != "failed" || a.line["failed"] != 1.0 {
		t.Errorf("%d %s, line %v", a.status, a.body, a.line)
	}
	if a := w.judge(t, g, "", "Bearer CANARY"); a.status != 401 {
		t.Errorf("what is not ours needs no store: %d %s", a.status, a.body)
	}
}

// The authorizer's context is the body, and a gateway keeps texts alone.
func TestAuthorizeSaysTexts(t *testing.T) {
	w := newWorld(t)
	token := w.login(t, transports[0], asApp, "write device_ipad").text("access_token")
	a := w.judge(t, w.guard(t, wire.Policy{}), "", "Bearer "+token)
	said := map[string]string{}
	must(t, json.Unmarshal([]byte(a.body), &said))
	if len(said) != 5 || leaks(a.body) != "" && leaks(a.body) != username {
		t.Errorf("%s", a.body)
	}
}

// The parameters of a guarded API are its own, but for the one that means a token
// everywhere.
func TestAuthorizeLeavesOthersTheirParameters(t *testing.T) {
	w := newWorld(t)
	token := w.login(t, transports[0], asApp, "device_ipad").text("access_token")
	g := w.guard(t, wire.Policy{})
	for query, status := range map[string]int{
		"token=x&password=y&client_secret=z": 200,
		"refresh_token=x&client_assertion=":  200,
		"":                                   200,
		"q=access_token":                     200,
		"access_token=x":                     400,
		"a=b&Access%5Ftoken=x":               400,
		"a=b;access_token":                   400,
	} {
		a := w.check(t, call{}, func(call) answer {
			r := httptest.NewRequest("GET", "/any/path?"+query, nil)
			r.Header.Set("Authorization", "Bearer "+token)
			rec := httptest.NewRecorder()
			g.ServeHTTP(rec, r)
			return answer{status: rec.Code, header: rec.Header(), body: rec.Body.String()}
		})
		if a.status != status {
			t.Errorf("%q: %d %s", query, a.status, a.body)
		}
	}
}
