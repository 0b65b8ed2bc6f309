package wire_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/oauth"
)

// Cases of docs/cases.md that have no home elsewhere.

// N04: whatever parameter the code reads may not come twice. They are read out
// of the source, so that one that is added is among them.
func TestN04EveryParameterThatIsRead(t *testing.T) {
	names := []string{"token_type_hint"} // known and not read
	for _, dir := range []string{".", "../oauth"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		must(t, err)
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			must(t, err)
			ast.Inspect(file, func(n ast.Node) bool {
				spec, ok := n.(*ast.ValueSpec)
				if !ok || len(spec.Names) != 1 || !strings.HasPrefix(spec.Names[0].Name, "param") {
					return true
				}
				value, ok := spec.Values[0].(*ast.BasicLit)
				if !ok {
					t.Fatalf("%s is not a plain text", spec.Names[0].Name)
				}
				text, err := strconv.Unquote(value.Value)
				must(t, err)
				names = append(names, text)
				return true
			})
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) < 12 {
		t.Fatalf("found %q: the search does not see them", names)
	}
	var steps []step
	for _, name := range names {
		steps = append(steps, forEach(name, func(c call) call {
			c.body = form(name, "CANARY", "between", "1", name, "CANARY")
			return c
		}, step{status: 400, error: "invalid_request", idle: true})...)
	}
	run(t, steps)
}

// N16: a request that came in the clear has shown its credentials already. It is
// answered or refused where it came, and never sent elsewhere with them.
func TestN16NothingIsRedirected(t *testing.T) {
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

// N25: who guesses learns nothing from the answer, whatever the reason is.
func TestN25AnswersAreIdentical(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		try := func(name, pass, scope string) call {
			return asShop("token", "grant_type", "password", "username", name, "password", pass, "scope", scope)
		}
		refused := func(c call) map[string]any {
			t.Helper()
			a := w.expect(t, by, step{call: c, status: 400, error: "invalid_grant"})
			a.header.Del("Date")
			return map[string]any{"header": a.header, "body": a.body}
		}
		answers := map[string]map[string]any{
			"unknown":         refused(try("nobody", password, "")),
			"wrong":           refused(try(username, "CANARY", "")),
			"wrong, bad role": refused(try(username, "CANARY", "read admin")),
		}
		// The user gets the right password in. Then the name is delayed.
		w.expect(t, by, step{call: try(username, password, ""), status: 200})
		for range 10 {
			refused(try(username, "CANARY", ""))
		}
		answers["delayed, wrong"] = refused(try(username, "CANARY", ""))
		answers["delayed, right"] = refused(try(username, password, ""))
		w.now.Add(3600)
		w.expect(t, by, step{call: try(username, password, ""), status: 200})

		ada := oauth.Subject{Kind: oauth.UserSubject, ID: "u_ada"}
		must(t, w.subjects.Raise(t.Context(), ada, oauth.StateChange{Disabled: new(true)}))
		answers["disabled, right"] = refused(try(username, password, ""))
		answers["disabled, wrong"] = refused(try(username, "CANARY", ""))
		answers["disabled, bad scope"] = refused(try(username, password, "admin"))
		for what, a := range answers {
			if diff := cmp.Diff(answers["wrong"], a); diff != "" {
				t.Errorf("%s can be told from a wrong password:\n%s", what, diff)
			}
		}
	})
}

// N31: resource (RFC 8707) is not supported, and so it is a parameter that is
// ignored, also one that would be invalid.
func TestN31ResourceIsIgnored(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		plain := w.expect(t, by, step{call: asShop("token", "grant_type", "client_credentials"), status: 200})
		for _, resource := range []string{"https://api.example", "not a URI", "https://api.example#fragment", ""} {
			a := w.expect(t, by, step{call: asShop("token", "grant_type", "client_credentials", "resource", resource), status: 200})
			if a.text("access_token") != plain.text("access_token") {
				t.Errorf("resource %q made another token", resource)
			}
		}
	})
}

// N48: no JSONP, neither at success nor at an error.
func TestN48NoCallback(t *testing.T) {
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

// A header without a value is no credentials, like a parameter without one (N06):
// some clients send it blank beside those in the body.
func TestBlankAuthorizationIsAbsent(t *testing.T) {
	inBody := func(values ...string) func(call) call {
		return func(c call) call {
			c.header, c.body = authorization(values...), c.body+"&"+form("client_id", "shop", "client_secret", shopSecret)
			return c
		}
	}
	run(t, slices.Concat(
		forEach("blank", inBody(""), step{status: 200}),
		forEach("spaces", inBody("  "), step{status: 200}),
	))
}
