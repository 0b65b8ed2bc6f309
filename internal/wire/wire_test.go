package wire_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fob-oauth/fob/internal/oauth"
)

// N07: TestHeaders names the answers whose headers world.check holds to N07.
func TestHeaders(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		for _, s := range []step{
			{call: asShop("token", "grant_type", "client_credentials"), status: 200},
			{call: asShop("introspect", "token", "x"), status: 200},
			{call: asShop("revoke", "token", "x"), status: 200},
			{call: asShop("token"), status: 400, error: "invalid_request"},
			{call: call{endpoint: "token", body: form("grant_type", "password")}, status: 400, error: "invalid_request"},
			{call: call{endpoint: "introspect"}, status: 401, error: "invalid_client"},
			{call: call{endpoint: "token", body: strings.Repeat("x", 20_000)}, status: 413, error: "invalid_request"},
		} {
			a := w.expect(t, by, s)
			if s.call.endpoint == "revoke" && a.body != "{}" {
				t.Errorf("revoke answered %s", a.body)
			}
		}
	})
}

// N08: TestNothingIsRepeated plants a value in every parameter and header that
// could be quoted back. That no answer and no line has it, and that each body has
// the form of N08, is held by world.check.
func TestNothingIsRepeated(t *testing.T) {
	const planted = `CANARY"<script>`
	var steps []step
	for _, name := range []string{"grant_type", "scope", "username", "tokenBindingId", "token_type_hint", "client_id", "refresh_token", "token"} {
		values := map[string]string{"grant_type": "password", "username": "nobody", "password": planted}
		values[name] = planted
		var pairs []string
		for k, v := range values {
			pairs = append(pairs, k, v)
		}
		c := asShop("token", pairs...)
		c.header["X-Planted"], c.header["User-Agent"] = []string{planted}, []string{planted}
		s := step{name: name, call: c, status: 400}
		switch name {
		case "grant_type":
			s.error = "unsupported_grant_type"
		case "scope":
			s.error = "invalid_scope"
		case "tokenBindingId", "client_id":
			s.error = "invalid_request"
		default:
			s.error = "invalid_grant"
		}
		steps = append(steps, s)
	}
	run(t, steps)
}

// N15
func TestStoreIsDown(t *testing.T) {
	for name, cause := range map[string]error{
		"unavailable": oauth.Unavailable("read an authorization", fmt.Errorf("connection reset")),
		"deadline":    fmt.Errorf("read an authorization: %w", context.DeadlineExceeded),
		"cancelled":   fmt.Errorf("read an authorization: %w", context.Canceled),
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, w *world, by transport) {
				token := w.login(t, by, asShop, "device_ipad").text("access_token")
				w.tokens.Intercept(func(context.Context) error { return cause })
				for _, c := range []call{
					asShop("token", "grant_type", "client_credentials"),
					asShop("revoke", "token", token),
					asShop("introspect", "token", token),
				} {
					w.expect(t, by, step{call: c, status: 503, error: "temporarily_unavailable", and: func(t *testing.T, a answer) {
						if got := a.header.Get("Retry-After"); got != "2" {
							t.Errorf("Retry-After is %q", got)
						}
						if strings.Contains(a.body, "authorization") {
							t.Errorf("the cause is in the answer: %s", a.body)
						}
						if a.line["outcome"] != "failed" || a.line["level"] != "ERROR" || a.line["error"] != cause.Error() {
							t.Errorf("line %v", a.line)
						}
					}})
				}
				w.tokens.Intercept(nil)
				if !w.isActive(t, by, token) {
					t.Error("a revocation that failed ended the token")
				}
			})
		})
	}
}

// N15
func TestUnknownErrorIs500(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		w.tokens.Intercept(func(context.Context) error { return fmt.Errorf("what nobody thought of") })
		a := w.expect(t, by, step{call: asShop("token", "grant_type", "client_credentials"), status: 500, error: "server_error"})
		if want := `{"error":"server_error","error_description":"internal error"}`; a.body != want {
			t.Errorf("body %s, want %s", a.body, want)
		}
		if a.line["outcome"] != "failed" || a.line["error"] != "what nobody thought of" {
			t.Errorf("line %v", a.line)
		}
	})
}

// N16
func TestStrictTransportOverHTTPSOnly(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		a := w.expect(t, by, step{call: asShop("token"), status: 400, error: "invalid_request"})
		want := "max-age=31536000" // the gateway speaks https
		if by.name == "http" {
			want = ""
			if a.status/100 == 3 {
				t.Error("redirected")
			}
		}
		if got := a.header.Get("Strict-Transport-Security"); got != want {
			t.Errorf("Strict-Transport-Security is %q, want %q", got, want)
		}
	})
}

// A76: a store that hangs is given up in time for an answer.
func TestStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, by := newWorld(t), transports[1]
		token := w.login(t, by, asShop, "device_ipad").text("access_token")
		w.tokens.Intercept(func(ctx context.Context) error {
			<-ctx.Done()
			return oauth.Unavailable("read an authorization", ctx.Err())
		})
		for _, c := range []call{
			asShop("token", "grant_type", "client_credentials"),
			asShop("revoke", "token", token),
			asShop("introspect", "token", token),
		} {
			began := time.Now()
			a := w.check(t, c, func(c call) answer {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				return sendEvent(t, ctx, w.handlers[c.endpoint], eventOf(c, true))
			})
			if a.status != 503 || a.header.Get("Retry-After") == "" || time.Since(began) != 2700*time.Millisecond {
				t.Errorf("%s: %d %s after %v", c.endpoint, a.status, a.body, time.Since(began))
			}
		}
	})
}

// A79
func TestPanic(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		for name, value := range map[string]any{
			"text":  "CANARY",
			"error": fmt.Errorf("CANARY"),
			"value": struct{ Secret string }{"CANARY"},
		} {
			w.tokens.Intercept(func(context.Context) error { panic(value) })
			a := w.expect(t, by, step{call: asShop("token", "grant_type", "client_credentials"), status: 500, error: "server_error"})
			stack := fmt.Sprint(a.line["stack"])
			if a.line["error"] != fmt.Sprintf("panic of type %T", value) || !strings.Contains(stack, "wire_test.go:") {
				t.Errorf("%s: line %v", name, a.line)
			}
			if strings.Contains(stack, "0x") {
				t.Errorf("the stack has arguments: %s", stack)
			}
		}
		w.tokens.Intercept(nil)
		w.expect(t, by, step{call: asShop("token", "grant_type", "client_credentials"), status: 200})
	})
}

// N16: a request that came in the clear has shown its credentials already. It is
// answered or refused where it came, and never sent elsewhere with them.
func TestNothingIsRedirected(t *testing.T) {
	w := newWorld(t)
	for _, endpoint := range []string{"token", "revoke", "introspect"} {
		server := httptest.NewServer(w.handlers[endpoint])
		client := server.Client()
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		for _, path := range []string{"", "/", "/token", "/token/", "//token", "/../token", "/TOKEN", "/a%2fb?x=y"} {
			for _, body := range []string{form("grant_type", "client_credentials", "token", "x"), "", "grant_type"} {
				for _, header := range []http.Header{basic("shop", shopSecret), basic("shop", "CANARY"), nil} {
					r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, strings.NewReader(body))
					must(t, err)
					r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
					r.Header["Authorization"] = header["Authorization"]
					resp, err := client.Do(r)
					must(t, err)
					_ = resp.Body.Close()
					if resp.StatusCode/100 == 3 || resp.Header.Get("Location") != "" || resp.Header.Get("Refresh") != "" {
						t.Errorf("%s at %q: %d to %q", endpoint, path, resp.StatusCode, resp.Header.Get("Location"))
					}
				}
			}
		}
		server.Close()
	}
}
