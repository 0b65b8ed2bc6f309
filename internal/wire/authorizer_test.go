package wire_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/wire"
)

// authorizer is one over the tokens of w.
func (w *world) authorizer(p wire.Policy) wire.Authorizer {
	return wire.NewAuthorizer(w.verifier, p, wire.Options{Log: slog.New(slog.NewJSONHandler(&w.log, nil))})
}

// judged is a judgement, and the line of its request.
type judged struct {
	wire.Judgement
	line map[string]any
}

func (w *world) ask(t *testing.T, a wire.Authorizer, r *http.Request) judged {
	t.Helper()
	w.log.Reset()
	j := judged{Judgement: a.Judge(r)}
	j.line = w.line(t)
	if code, refused := j.line["code"]; refused == (j.Status == 200) || refused != (j.Caller == wire.Caller{}) || j.line["status"] != float64(j.Status) {
		t.Errorf("%+v, code %v", j, code)
	}
	return j
}

// judge asks about a request for a route.
func (w *world) judge(t *testing.T, a wire.Authorizer, route, authorization string) judged {
	t.Helper()
	r := httptest.NewRequest("POST", "/any/path", nil)
	r.Header.Set("Authorization", authorization)
	return w.ask(t, a, r.WithContext(wire.WithGateway(t.Context(), wire.Gateway{Route: route})))
}

// N62
func TestScopesByRoute(t *testing.T) {
	w := newWorld(t)
	login := w.login(t, transports[0], asApp, "read device_ipad").text("access_token")
	both := w.login(t, transports[0], asApp, "read write device_ipad").text("access_token")
	none := w.login(t, transports[0], asApp, "device_ipad").text("access_token")
	g := w.authorizer(wire.Policy{Routes: map[string]scope.Set{
		"GET /orders":      oauthtest.Scopes(t, "read"),
		"POST /orders":     oauthtest.Scopes(t, "write read"),
		"ANY /orders/{id}": oauthtest.Scopes(t, "write"),
		"GET /orders/{id}": oauthtest.Scopes(t, "read"),
		"GET /mine":        oauthtest.Scopes(t, "write"),
		"HEAD /items":      oauthtest.Scopes(t, "write"),
		"GET /items":       oauthtest.Scopes(t, "read"),
		"ANY /things":      oauthtest.Scopes(t, "write"),
		"GET /ping":        {},
	}})
	if !g.ByRoute {
		t.Error("a judgement by route is called one of the token")
	}
	strict := w.authorizer(wire.Policy{Routes: map[string]scope.Set{"*": oauthtest.Scopes(t, "write"), "GET /orders": oauthtest.Scopes(t, "read")}})
	others := w.authorizer(wire.Policy{Routes: map[string]scope.Set{"GET /orders": oauthtest.Scopes(t, "write"), "*": {}}})
	const readAndWrite, write, closed = `read write`, `write`, "closed"
	for _, c := range []struct {
		by           wire.Authorizer
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
		// A route without a line is closed, and a route is what
		// the gateway calls it.
		{g, "DELETE /orders", both, closed},
		{g, "GET /orders/", both, closed},
		{g, "POST /ping", both, closed},
		{g, "$default", both, closed},
		{g, "GET /ping", login, ""},
		{g, "HEAD /ping", login, ""},
		{others, "GET /orders", login, write},
		{others, "GET /Orders", login, ""},
		{others, "$default", login, ""},
		{strict, "GET /orders", login, ""},
		{strict, "GET /Orders", login, write},
		{strict, "$default", login, write},
		{strict, "$default", both, ""},
	} {
		a := w.judge(t, c.by, c.route, "Bearer "+c.token)
		if c.lacks == "" {
			if a.Status != 200 || a.Caller.Subject != "u_ada" || a.Caller.ClientID != "app" || a.Caller.Device != "ipad" || a.line["outcome"] != "active" {
				t.Errorf("%s: %+v", c.route, a)
			}
			continue
		}
		if a.Status != 403 || a.line["code"] != "insufficient_scope" || a.line["outcome"] != "denied" {
			t.Errorf("%s: %+v", c.route, a)
		}
		want := `Bearer realm="fob", error="insufficient_scope", scope="` + c.lacks + `"`
		if c.lacks == closed { // another scope would not help
			want = `Bearer realm="fob", error="insufficient_scope"`
		}
		reason, lacks := a.line["reason"], a.line["scope"]
		if a.Challenge != want || (reason == "route") != (c.lacks == closed) || (lacks == "write") != (c.lacks != closed) {
			t.Errorf("%s: challenge %s, want %s; reason %v, scope %v", c.route, a.Challenge, want, reason, lacks)
		}
	}
	// Not the scope but its absence: the default scopes are read.
	if a := w.judge(t, g, "POST /orders", "Bearer "+none); a.Status != 403 {
		t.Errorf("%+v", a)
	}
	// A gateway that does not name the route gets no judgement by route.
	if a := w.judge(t, g, "", "Bearer "+both); a.Status != 500 || a.line["store_calls"] != 0.0 {
		t.Errorf("no route: %+v", a)
	}
	// A dead token is dead whatever the route asks for.
	for _, token := range []string{"CANARY", login + "A"} {
		if a := w.judge(t, g, "DELETE /orders", "Bearer "+token); a.Status != 401 || a.line["store_calls"] != 0.0 {
			t.Errorf("%+v", a)
		}
	}
}

func TestAuthorizerByAudience(t *testing.T) {
	w := newWorld(t)
	token := w.login(t, transports[0], asApp, "device_ipad").text("access_token")
	for audience, status := range map[string]int{"": 200, shopAudience: 200, "https://elsewhere.example": 401} {
		g := w.authorizer(wire.Policy{Audience: audience})
		if g.ByRoute {
			t.Error("a judgement of the token is called one by route")
		}
		if a := w.judge(t, g, "", "Bearer "+token); a.Status != status {
			t.Errorf("audience %q: %+v", audience, a)
		}
	}
}

func TestAuthorizerInDoubt(t *testing.T) {
	w := newWorld(t)
	token := w.login(t, transports[0], asApp, "device_ipad").text("access_token")
	g := w.authorizer(wire.Policy{})
	w.tokens.Intercept(func(context.Context) error { return oauth.Unavailable("read", errors.New("reset")) })
	if a := w.judge(t, g, "", "Bearer "+token); a.Status != 503 || a.line["outcome"] != "failed" || a.line["failed"] != 1.0 {
		t.Errorf("%+v", a)
	}
	if a := w.judge(t, g, "", "Bearer CANARY"); a.Status != 401 {
		t.Errorf("what is not ours needs no store: %+v", a)
	}
}

// A gateway keeps texts alone.
func TestAuthorizerSaysTexts(t *testing.T) {
	w := newWorld(t)
	token := w.login(t, transports[0], asApp, "write device_ipad").text("access_token")
	said := w.judge(t, w.authorizer(wire.Policy{}), "", "Bearer "+token).Caller.Texts()
	if diff := cmp.Diff(said, map[string]any{
		"sub": "u_ada", "client_id": "app", "scope": "write device_ipad", "device": "ipad", "username": username,
	}); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	if said := (wire.Caller{Subject: "shop", ClientID: "shop"}).Texts(); len(said) != 2 {
		t.Errorf("empty texts: %q", said)
	}
}

// The parameters of a guarded API are its own, but for the one that means a token
// everywhere.
func TestAuthorizerLeavesOthersTheirParameters(t *testing.T) {
	w := newWorld(t)
	token := w.login(t, transports[0], asApp, "device_ipad").text("access_token")
	g := w.authorizer(wire.Policy{})
	for query, status := range map[string]int{
		"token=x&password=y&client_secret=z": 200,
		"refresh_token=x&client_assertion=":  200,
		"":                                   200,
		"q=access_token":                     200,
		"access_token=x":                     400,
		"a=b&Access%5Ftoken=x":               400,
		"a=b;access_token":                   400,
	} {
		r := httptest.NewRequest("GET", "/any/path?"+query, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		a := w.ask(t, g, r)
		if a.Status != status {
			t.Errorf("%q: %+v", query, a)
		}
	}
}
