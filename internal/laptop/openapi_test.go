package laptop_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/docs"
	"github.com/fob-oauth/fob/internal/assertion"
	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/laptop"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/openapitest"
	"github.com/fob-oauth/fob/internal/password"
	"github.com/fob-oauth/fob/internal/storetest"
	"github.com/fob-oauth/fob/internal/wire"
)

// The document has the routes of fob serve and their methods, and no others.
func TestOpenAPIRoutes(t *testing.T) {
	w := newWorld(t)
	documented := openapitest.Routes(t)
	rec := w.do(t, request{method: http.MethodGet, path: "/nothing"})
	var refused struct {
		Description string `json:"error_description"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &refused); err != nil {
		t.Fatal(err)
	}
	if got := rec.Header().Get("X-Content-Type-Options"); got != "nosniff" {
		t.Errorf("X-Content-Type-Options is %q", got)
	}
	served, found := strings.CutPrefix(refused.Description, "fob serves ")
	if !found {
		t.Fatalf("no list of routes in %s", rec.Body)
	}
	for route := range strings.SplitSeq(served, ", ") {
		want, found := documented[route]
		if !found {
			t.Errorf("%s is served and not documented", route)
			continue
		}
		delete(documented, route)
		var got []string
		for _, method := range []string{"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"} {
			rec := w.do(t, request{method: method, path: strings.NewReplacer("{device}", "ipad", "{id}", "u_nobody").Replace(route)})
			if rec.Code != http.StatusMethodNotAllowed {
				got = append(got, method)
				continue
			}
			allow := strings.Split(rec.Header().Get("Allow"), ", ")
			slices.Sort(allow)
			if diff := gocmp.Diff(want, allow); diff != "" {
				t.Errorf("%s %s: Allow (-documented +got):\n%s", method, route, diff)
			}
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("methods of %s (-documented +served):\n%s", route, diff)
		}
	}
	for route := range documented {
		t.Errorf("%s is documented and not served", route)
	}
}

func TestOpenAPIIsServed(t *testing.T) {
	w := newWorld(t)
	rec := w.do(t, request{method: http.MethodGet, path: laptop.OpenAPIPath})
	if rec.Code != http.StatusOK || !bytes.Equal(rec.Body.Bytes(), docs.OpenAPI) || rec.Header().Get("Content-Type") != "application/yaml" {
		t.Errorf("status %d, %v, %d bytes", rec.Code, rec.Header(), rec.Body.Len())
	}
}

// request is one of the demo's clients or of its user.
type request struct {
	method, path, route string // an empty route is the path without its query
	header              map[string]string
	form                string
	noHost              bool
}

func (r request) as(authorization string) request {
	return r.with("Authorization", authorization)
}

func (r request) with(name, value string) request {
	r.header = maps.Clone(r.header)
	if r.header == nil {
		r.header = map[string]string{}
	}
	r.header[name] = value
	return r
}

// world is fob serve in memory, with its demo.
type world struct {
	handler http.Handler
	stores  *storetest.Faulty
	tokens  *memory.Tokens
	issuers *memory.Issuers
	demo    *laptop.DemoJSON
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldWith(t, func(*laptop.Stores) {})
}

func newWorldWith(t *testing.T, change func(*laptop.Stores)) *world {
	t.Helper()
	ring, err := keys.Generate(false)
	if err != nil {
		t.Fatal(err)
	}
	clients, issuers, tokens, users := memory.NewClients(), memory.NewIssuers(), memory.NewTokens(), memory.NewUsers()
	demo := laptop.NewDemo(keys.NewText(), 0)
	r := &oauth.Registrar{Clients: clients, Issuers: issuers, Assertions: assertion.New(time.Now, nil), Now: time.Now}
	people := &oauth.UserRegistrar{Users: users, Subjects: tokens, Tokens: tokens, Registry: tokens, Passwords: password.Hasher{}, Now: time.Now}
	if err := demo.Seed(t.Context(), r, people); err != nil {
		t.Fatal(err)
	}
	addBackEnd(t, r)
	addAccounts(t, r, ledger.ClientID(demo.JSON().ClientID))
	faulty := storetest.NewFaulty(storetest.Stores{Tokens: tokens, Subjects: tokens, Clients: clients, Issuers: issuers, Users: users})
	s := laptop.Stores{Tokens: faulty, Subjects: faulty, Clients: faulty, Issuers: faulty, Users: faulty, People: users}
	change(&s)
	fetch := func(context.Context) (*bearer.MintRing, error) { return ring, nil }
	return &world{laptop.Handler(s, fetch, wire.Options{}), faulty, tokens, issuers, demo.JSON()}
}

func (w *world) do(t *testing.T, r request) *httptest.ResponseRecorder {
	t.Helper()
	sent := httptest.NewRequestWithContext(t.Context(), r.method, r.path, strings.NewReader(r.form))
	if r.form != "" {
		sent.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range r.header {
		sent.Header.Set(name, value)
	}
	if r.noHost {
		sent.Host = ""
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, sent)
	return rec
}

// token is the access token and the refresh token of a login.
func (w *world) token(t *testing.T, form string) (access, refresh string) {
	t.Helper()
	rec := w.do(t, request{method: http.MethodPost, path: wire.TokenPath, form: form}.as(w.client()))
	var body struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil || body.Access == "" {
		t.Fatalf("%v, status %d: %s", err, rec.Code, rec.Body)
	}
	return "Bearer " + body.Access, "Bearer " + body.Refresh
}

func basic(id, password string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(password))
	return r.Header.Get("Authorization")
}

func (w *world) client() string { return basic(w.demo.ClientID, w.demo.ClientSecret) }
func (w *world) api() string    { return basic(w.demo.ResourceClientID, w.demo.ResourceClientSecret) }

func (w *world) login(scope string) string {
	return url.Values{"grant_type": {"password"}, "username": {w.demo.Username}, "password": {w.demo.Password}, "scope": {scope}}.Encode()
}

// row is a request, the answer to it, and what breaks the stores meanwhile.
type row struct {
	request
	status int
	code   oauth.Code
	broken error
}

// Each answer that the document has is one that fob gives, and each that fob gives here is
// as the document says.
func TestOpenAPIAnswers(t *testing.T) {
	w := newWorld(t)
	left := map[openapitest.Answer]bool{}
	for _, a := range openapitest.Answers(t) {
		left[a] = true
	}
	for _, row := range w.rows(t) {
		if row.broken != nil {
			w.stores.Intercept(func(context.Context) error { return row.broken })
		}
		rec := w.do(t, row.request)
		w.stores.Intercept(nil)
		path, _, _ := strings.Cut(row.path, "?")
		route := cmp.Or(row.route, path)
		got := openapitest.Check(t, row.method, route, rec.Code, rec.Header(), rec.Body.String())
		if want := (openapitest.Answer{Method: row.method, Route: route, Status: row.status, Code: string(row.code)}); got != want {
			t.Errorf("got %v, want %v: %s", got, want, rec.Body)
		}
		delete(left, got)
	}
	for a := range left {
		t.Errorf("documented, and not reached: %v", a)
	}
}

var errDefect = errors.New("a fault of the store that nobody foresaw")

func (w *world) rows(t *testing.T) (rows []row) {
	large := "x=" + strings.Repeat("x", 16<<10)
	outage := oauth.Unavailable("read", errDefect)
	access, refresh := w.token(t, w.login("read devices device_ipad"))
	plain, _ := w.token(t, w.login("read"))
	signedOut, _ := w.token(t, w.login("devices device_sign-out"))
	own, _ := w.token(t, "grant_type=client_credentials&scope=devices")
	tokenOf := func(authorization string) string {
		_, token, _ := strings.Cut(authorization, " ")
		return "token=" + token
	}

	for path, form := range map[string]string{wire.TokenPath: w.login("read"), wire.RevokePath: tokenOf(access), wire.IntrospectPath: tokenOf(access)} {
		good := request{method: http.MethodPost, path: path, form: form}.as(w.client())
		bad := good
		bad.form += "&token=1&token=2"
		big := good
		big.form = large
		rows = append(rows,
			row{request: bad, status: 400, code: oauth.InvalidRequest},
			row{request: good.as(basic(w.demo.ClientID, "wrong")), status: 401, code: oauth.InvalidClient},
			row{request: big, status: 413, code: oauth.InvalidRequest},
			row{request: good.with("Content-Encoding", "gzip"), status: 415, code: oauth.InvalidRequest},
			row{request: good, status: 500, code: oauth.ServerError, broken: errDefect},
			row{request: good, status: 503, code: oauth.TemporarilyUnavailable, broken: outage},
		)
	}

	ask := func(form string) request {
		return request{method: http.MethodPost, path: wire.TokenPath, form: form}.as(w.client())
	}
	public := request{method: http.MethodPost, path: wire.TokenPath, form: "grant_type=client_credentials&client_id=" + w.demo.PublicClientID}
	introspect := request{method: http.MethodPost, path: wire.IntrospectPath, form: tokenOf(access)}.as(w.api())
	inactive := introspect
	inactive.form = "token=unknown"
	rows = append(rows,
		row{request: ask(w.login("read device_ipad")), status: 200},
		row{request: ask("grant_type=client_credentials&scope=read"), status: 200},
		row{request: ask("grant_type=refresh_token&refresh_token=unknown"), status: 400, code: oauth.InvalidGrant},
		row{request: ask(w.login("unknown")), status: 400, code: oauth.InvalidScope},
		row{request: ask(w.login("read") + "&resource=unknown"), status: 400, code: oauth.InvalidTarget},
		row{request: public, status: 400, code: oauth.UnauthorizedClient},
		row{request: ask("grant_type=unknown"), status: 400, code: oauth.UnsupportedGrantType},

		row{request: introspect, status: 200},
		row{request: inactive, status: 200},
		row{request: request{method: http.MethodPost, path: wire.RevokePath, form: tokenOf(plain)}.as(w.api()), status: 400, code: oauth.InvalidGrant},
	)

	sameDevice := request{method: http.MethodDelete, path: "/devices/ipad", route: wire.DevicePath}
	list := request{method: http.MethodGet, path: wire.DevicesPath}
	signOut := request{method: http.MethodPost, path: wire.SignOutPath, form: "which=others"}
	called := request{method: http.MethodDelete, path: wire.SignOutPath}
	me := request{method: http.MethodGet, path: wire.MePath}
	label := request{method: http.MethodPatch, path: "/devices/ipad", route: wire.DevicePath, form: `{"label":"x"}`}.with("Content-Type", "application/json")
	labelCalled := label
	labelCalled.path, labelCalled.route = wire.SignOutPath, wire.SignOutPath
	for _, r := range []request{sameDevice, list, signOut, called, label, labelCalled, me} {
		good := r.as(refresh)
		if r.path == wire.MePath {
			good = r.as(access)
		} else {
			rows = append(rows, row{request: r.as(own), status: 403, code: oauth.InsufficientScope}, row{request: r.as(plain), status: 403, code: oauth.InsufficientScope})
		}
		bad := good
		bad.path += "?access_token=1"
		big := good.with("Content-Type", "application/x-www-form-urlencoded")
		big.form = large
		coded := big.with("Content-Encoding", "gzip")
		coded.form = "which=others"
		rows = append(rows,
			row{request: bad, status: 400, code: oauth.InvalidRequest},
			row{request: r, status: 401, code: oauth.InvalidToken},
			row{request: r.as("Bearer unknown"), status: 401, code: oauth.InvalidToken},
			row{request: big, status: 413, code: oauth.InvalidRequest},
			row{request: coded, status: 415, code: oauth.InvalidRequest},
			row{request: good, status: 500, code: oauth.ServerError, broken: errDefect},
			row{request: good, status: 503, code: oauth.TemporarilyUnavailable, broken: outage},
		)
	}
	other := sameDevice
	other.path = "/devices/watch"
	slash := sameDevice
	slash.path = "/devices/a%2Fb"
	otherLabel, slashLabel := label, label
	otherLabel.path, slashLabel.path = "/devices/watch", "/devices/a%2Fb"
	for _, r := range []request{other, signOut, called, otherLabel, labelCalled} {
		rows = append(rows, row{request: r.as(access), status: 403, code: oauth.UnsupportedTokenType})
	}
	rows = append(rows,
		row{request: list.as(access), status: 200},
		row{request: me.as(access), status: 200},
		row{request: me.as(own), status: 200},
		row{request: slash.as(refresh), status: 404, code: oauth.InvalidRequest},
		row{request: slashLabel.as(refresh), status: 404, code: oauth.InvalidRequest},
		row{request: label.as(access), status: 204},
		row{request: otherLabel.as(refresh), status: 404, code: oauth.NotFound},
		row{request: labelCalled.as(signedOut), status: 204},
		row{request: called.as(refresh), status: 204},
		row{request: labelCalled.as(refresh), status: 404, code: oauth.NotFound},
	)
	for _, path := range []string{wire.MetadataPath, wire.OpenIDMetadataPath, wire.MeMetadataPath, wire.DevicesMetadataPath} {
		r := request{method: http.MethodGet, path: path}
		rows = append(rows, row{request: r, status: 200})
		r.noHost = true
		rows = append(rows, row{request: r, status: 400, code: oauth.InvalidRequest})
	}
	return append(append(rows, slices.Concat(w.eventRows(t), w.userRows(t), w.accountRows(t))...),
		row{request: request{method: http.MethodGet, path: laptop.OpenAPIPath}, status: 200},
		row{request: request{method: http.MethodGet, path: wire.KeySetPath}, status: 200},
		// They end the tokens of the requests above.
		row{request: signOut.as(refresh), status: 204},
		row{request: sameDevice.as(refresh), status: 204},
		row{request: request{method: http.MethodPost, path: wire.RevokePath, form: tokenOf(access)}.as(w.client()), status: 200},
	)
}
