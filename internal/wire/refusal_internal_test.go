package wire

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

func TestRefusalOf(t *testing.T) {
	type row struct {
		Status        int
		Code          oauth.Code
		Header, Value string
	}
	known := func(code oauth.Code) error { return &oauth.Error{Code: code, Description: "why"} }
	for name, c := range map[string]struct {
		err  error
		want row
	}{
		"invalid_request":         {known(oauth.InvalidRequest), row{400, "invalid_request", "", ""}},
		"invalid_grant":           {known(oauth.InvalidGrant), row{400, "invalid_grant", "", ""}},
		"unauthorized_client":     {known(oauth.UnauthorizedClient), row{400, "unauthorized_client", "", ""}},
		"unsupported_grant_type":  {known(oauth.UnsupportedGrantType), row{400, "unsupported_grant_type", "", ""}},
		"invalid_scope":           {known(oauth.InvalidScope), row{400, "invalid_scope", "", ""}},
		"invalid_client":          {known(oauth.InvalidClient), row{401, "invalid_client", "WWW-Authenticate", `Basic realm="fob"`}},
		"wrapped":                 {fmt.Errorf("prove: %w", known(oauth.InvalidGrant)), row{400, "invalid_grant", "", ""}},
		"method":                  {errMethod, row{405, "invalid_request", "Allow", "POST"}},
		"too large":               {errTooLarge, row{413, "invalid_request", "", ""}},
		"a coded body":            {errCoding, row{415, "invalid_request", "Accept-Encoding", "identity"}},
		"unavailable":             {oauth.Unavailable("read", errors.New("reset")), row{503, "temporarily_unavailable", "Retry-After", "2"}},
		"deadline":                {fmt.Errorf("read: %w", context.DeadlineExceeded), row{503, "temporarily_unavailable", "Retry-After", "2"}},
		"cancelled":               {context.Canceled, row{503, "temporarily_unavailable", "Retry-After", "2"}},
		"doubt next to a refusal": {errors.Join(known(oauth.InvalidGrant), oauth.ErrUnavailable), row{503, "temporarily_unavailable", "Retry-After", "2"}},
		"unknown":                 {errors.New("what"), row{500, "server_error", "", ""}},
		"unknown code":            {known("unheard_of"), row{500, "server_error", "", ""}},
		"a panic":                 {PanicError("x"), row{500, "server_error", "", ""}},

		"no token":                      {errNoToken, row{401, "invalid_token", "WWW-Authenticate", `Bearer realm="fob"`}},
		"a bad token":                   {errInvalidToken, row{401, "invalid_token", "WWW-Authenticate", `Bearer realm="fob", error="invalid_token"`}},
		"a token without a scope":       {errInsufficientScope("a b"), row{403, "insufficient_scope", "WWW-Authenticate", `Bearer realm="fob", error="insufficient_scope", scope="a b"`}},
		"a token of the wrong kind":     {errNeedsRefreshToken, row{403, "unsupported_token_type", "WWW-Authenticate", `Bearer realm="fob", error="unsupported_token_type"`}},
		"a bad request of a resource":   {refuseResource(oauth.InvalidRequest, "why"), row{400, "invalid_request", "WWW-Authenticate", `Bearer realm="fob", error="invalid_request"`}},
		"a method of a resource":        {errMethodNotIn("GET", "DELETE"), row{405, "invalid_request", "Allow", "GET, DELETE"}},
		"doubt next to a resource's":    {errors.Join(errInvalidToken, oauth.ErrUnavailable), row{503, "temporarily_unavailable", "Retry-After", "2"}},
		"nobody judged for the gateway": {errNoAuthorizer, row{500, "server_error", "", ""}},
	} {
		r := refusalOf(c.err)
		if diff := cmp.Diff(row{r.status, r.code, r.header, r.value}, c.want); diff != "" {
			t.Errorf("%s: got -, want +:\n%s", name, diff)
		}
		fixed := map[int]string{500: "internal error", 503: "temporarily unavailable, try again", 401: "client authentication failed"}
		if want, isFixed := fixed[r.status]; isFixed && r.description != want && !strings.HasPrefix(r.value, "Bearer") {
			t.Errorf("%s: description %q, want %q", name, r.description, want)
		}
	}
}

func TestDescriptionOutsideTheGrammarIsLeftOut(t *testing.T) {
	for _, description := range []string{`a "quote"`, `back\slash`, "new\nline", "\u00fcber", "\x7f"} {
		rec := httptest.NewRecorder()
		endpoint{}.respond(rec, false, answer{}, &oauth.Error{Code: oauth.InvalidRequest, Description: description})
		if got, want := rec.Body.String(), `{"error":"invalid_request"}`; got != want {
			t.Errorf("%q: body %s, want %s", description, got, want)
		}
	}
}

// N08: TestDescriptions reads every description out of the source: those that are
// written down must fit the grammar, and none may be put together at run time.
func TestDescriptions(t *testing.T) {
	const domain = "../oauth"
	count := map[string]int{}
	for _, dir := range []string{domain, "."} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		fset := token.NewFileSet()
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				f, ok := call.Fun.(*ast.Ident)
				if !ok || f.Name != "refuse" && f.Name != "invalidRequest" && f.Name != "refuseResource" {
					return true
				}
				where := fset.Position(call.Pos()).String()
				text, isFixed := call.Args[len(call.Args)-1].(*ast.BasicLit)
				if !isFixed {
					// Those of package scope, which TestScopeDescriptions looks at, and faults of
					// bodies, which TestBodiesOfUsers looks at.
					if !slices.Contains([]string{"grant.go", "scope_policy.go", "json_body.go"}, filepath.Base(name)) {
						t.Errorf("%s: the description is not fixed", where)
					}
					return true
				}
				description, err := strconv.Unquote(text.Value)
				if err != nil || description == "" || strings.ContainsFunc(description, notInDescription) {
					t.Errorf("%s: description %s", where, text.Value)
				}
				count[dir]++
				return true
			})
		}
	}
	if count[domain] < 10 || count["."] < 17 {
		t.Errorf("found %v: the search does not see them", count)
	}
}

// N08
func TestScopeDescriptions(t *testing.T) {
	for _, bad := range []string{
		"  ", `"CANARY`, "device_", "device_CANARY!", "device_CANARY device_CANARY2",
		strings.Repeat("C", scope.MaxLength+1), strings.Repeat("C ", scope.MaxCount) + "C",
	} {
		_, err := scope.Parse(bad)
		if err == nil {
			t.Errorf("%q is a scope", bad)
			continue
		}
		if text := err.Error(); strings.ContainsFunc(text, notInDescription) || strings.Contains(text, "CANARY") {
			t.Errorf("%q: description %q", bad, text)
		}
	}
}
