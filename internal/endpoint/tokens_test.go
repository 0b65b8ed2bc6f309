package endpoint_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/assertion"
	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/endpoint"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/laptop"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/password"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/wire"
)

// deployment is a fob with its demo, and what went over the wire.
type deployment struct {
	base    string
	demo    *laptop.DemoJSON
	idToken secret.Text
	app     *endpoint.Client // public
	shop    *endpoint.Client // confidential
	api     *endpoint.Client // introspects
	bodies  map[string][]byte
}

func (d *deployment) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	d.bodies[req.URL.Path] = body
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, err
}

func newDeployment(t *testing.T) *deployment {
	t.Helper()
	ring, err := keys.Generate(false)
	if err != nil {
		t.Fatal(err)
	}
	tokens, clients, issuers, users := memory.NewTokens(), memory.NewClients(), memory.NewIssuers(), memory.NewUsers()
	r := &oauth.Registrar{Clients: clients, Issuers: issuers, Assertions: assertion.New(time.Now, nil), Now: time.Now}
	u := &oauth.UserRegistrar{Users: users, Subjects: tokens, Tokens: tokens, Registry: tokens, Passwords: password.Hasher{}, Now: time.Now}
	demo := laptop.NewDemo(secret.New("example-seed"), 0)
	if err := demo.Seed(t.Context(), r, u); err != nil {
		t.Fatal(err)
	}
	if demo.IDToken, err = laptop.SeedIssuer(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	fetch := func(context.Context) (*bearer.MintRing, error) { return ring, nil }
	server := httptest.NewServer(laptop.Handler(laptop.Stores{Tokens: tokens, Subjects: tokens, Clients: clients, Issuers: issuers, Users: users, People: users}, fetch, wire.Options{}))
	t.Cleanup(server.Close)
	d := &deployment{base: server.URL, demo: demo.JSON(), idToken: demo.IDToken, bodies: map[string][]byte{}}
	d.app = endpoint.New(d.base, d.demo.PublicClientID, secret.Text{}, d)
	d.shop = endpoint.New(d.base, d.demo.ClientID, secret.New(d.demo.ClientSecret), d)
	d.api = endpoint.New(d.base, d.demo.ResourceClientID, secret.New(d.demo.ResourceClientSecret), d)
	return d
}

func (d *deployment) login(scopes ...string) endpoint.Login {
	return endpoint.Login{Username: d.demo.Username, Password: secret.New(d.demo.Password), Scopes: scopes}
}

// knowsAll fails if the last answer at path has a member that a has no field for.
func knowsAll[T any](t *testing.T, d *deployment, path string, a T) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(d.bodies[path]))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&a); err != nil {
		t.Errorf("the answer of %s: %v", path, err)
	}
}

func TestLifeOfAToken(t *testing.T) {
	d := newDeployment(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ipad, err := d.app.Get(t.Context(), d.login("read", "device_ipad"))
	must(err)
	knowsAll(t, d, wire.TokenPath, ipad)
	if ipad.Scope != "read device_ipad" || ipad.TokenType != "Bearer" || ipad.ExpiresIn < 3590 || ipad.RefreshToken.Len() == 0 {
		t.Errorf("got %+v", ipad)
	}
	again, err := d.app.Get(t.Context(), d.login("read", "device_ipad"))
	must(err)
	if !again.AccessToken.Equal(ipad.AccessToken) {
		t.Error("the second login has another token")
	}
	next, err := d.app.Refresh(t.Context(), ipad.RefreshToken)
	must(err)
	if !next.AccessToken.Equal(ipad.AccessToken) || next.RefreshToken.Equal(ipad.RefreshToken) {
		t.Error("a refresh has another access token, or the same refresh token")
	}
	active, err := d.api.Introspect(t.Context(), ipad.AccessToken)
	must(err)
	knowsAll(t, d, wire.IntrospectPath, active)
	if !active.Active || active.Device != "ipad" || active.Username != d.demo.Username || active.ClientID != d.demo.PublicClientID {
		t.Errorf("introspected %+v", active)
	}
	must(d.app.Revoke(t.Context(), next.RefreshToken))
	ended, err := d.api.Introspect(t.Context(), ipad.AccessToken)
	must(err)
	if ended.Active {
		t.Error("a revoked token is active")
	}
	for _, shown := range []string{fmt.Sprint(ipad), fmt.Sprintf("%+v", ipad), fmt.Sprintf("%#v", ipad), fmt.Sprint(d.login())} {
		if strings.Contains(shown, "fob_") || strings.Contains(shown, d.demo.Password) {
			t.Errorf("it prints a secret: %s", shown)
		}
	}
}

// Each way to log in is the grant that fob takes it for.
func TestLogins(t *testing.T) {
	d := newDeployment(t)
	for name, login := range map[string]endpoint.Login{
		"a password":            d.login(),
		"an ID token":           {IDToken: d.idToken, Scopes: []string{"device_watch"}},
		"nobody but the client": {Resource: d.demo.ResourceClientID},
	} {
		got, err := d.shop.Get(t.Context(), login)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		knowsAll(t, d, wire.TokenPath, got)
		active, err := d.api.Introspect(t.Context(), got.AccessToken)
		if err != nil || !active.Active {
			t.Errorf("%s: %v, %v", name, active, err)
		}
	}
	for name, test := range map[string]struct {
		login endpoint.Login
		want  string
	}{
		"an assertion of nobody":  {endpoint.Login{Assertion: secret.New("a.b.c")}, "the assertion is not accepted"},
		"an audience of somebody": {endpoint.Login{Resource: "https://other.example.com"}, "invalid_target"},
	} {
		if _, err := d.shop.Get(t.Context(), test.login); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
