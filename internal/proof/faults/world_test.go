package faults

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/storetest"
	"github.com/fob-oauth/fob/internal/wire"
)

// began is when the tests' clocks start, in Unix seconds: later than today,
// so that an engine that sweeps leaves their items alone.
const began = 2_000_000_000

// audience is in every token of the clients below; the client "api" may
// introspect it.
const audience = "https://api.example"

// world is one instance of fob: the three endpoints over given stores, with
// caches of its own. All worlds share one key ring.
type world struct {
	issuer   *oauth.Issuer
	verifier *oauth.Verifier
	handlers map[string]http.Handler // token, revoke, introspect
}

// requestStores are what requests see of a backend.
type requestStores struct {
	Tokens  oauth.Tokens
	Clients oauth.Clients
	Users   oauth.Users
}

// newWorld composes the endpoints. It seeds nothing, see seed; a nil log
// discards.
func newWorld(t testing.TB, s requestStores, now func() time.Time, log *slog.Logger) *world {
	t.Helper()
	ring, err := keyRing()
	if err != nil {
		t.Fatal(err)
	}
	cache := oauth.NewClientCache(s.Clients, now)
	w := &world{
		issuer: &oauth.Issuer{
			Tokens: s.Tokens, Clients: cache, Users: s.Users, Passwords: fastPasswords{},
			Keys: constantKeys[*bearer.MintRing]{ring}, Now: now,
		},
		verifier: &oauth.Verifier{Tokens: s.Tokens, Clients: cache, Keys: constantKeys[*bearer.CheckRing]{ring.CheckRing}, Now: now},
	}
	o := wire.Options{Issuer: "https://fob.example", Log: log}
	w.handlers = map[string]http.Handler{
		"token":      wire.Token(w.issuer, o),
		"revoke":     wire.Revoke(w.verifier, o),
		"introspect": wire.Introspect(w.verifier, o),
	}
	return w
}

// seed makes the scopes read and write, the confidential client backend,
// the public client app, the resource server api, and the user ann.
func seed(t testing.TB, s storetest.Stores) {
	t.Helper()
	if err := s.Clients.SaveResourceScopes(t.Context(), oauth.ResourceScopes{Roles: map[string][]string{"read": nil, "write": nil}}); err != nil {
		t.Fatalf("seed the scopes: %v", err)
	}
	saveClient(t, s, oauth.Client{ID: "backend"})
	saveClient(t, s, oauth.Client{ID: "app", Public: true})
	saveClient(t, s, oauth.Client{ID: "api", Introspects: []string{audience}})
	saveUser(t, s, "ann")
}

// saveClient registers c with what it leaves open: every grant that fits,
// the scopes read and write, and the secret of secretOf.
func saveClient(t testing.TB, s storetest.Stores, c oauth.Client) {
	t.Helper()
	readWrite, errBoth := scope.Of("read", "write")
	read, errRead := scope.Of("read")
	if errBoth != nil || errRead != nil {
		t.Fatal(errBoth, errRead)
	}
	c.Created, c.Epoch = began, began
	c.Scopes, c.DefaultScopes, c.Audiences = readWrite, read, []string{audience}
	c.Grants = []oauth.GrantType{oauth.PasswordGrant, oauth.RefreshTokenGrant}
	if !c.Public {
		c.Grants = oauth.GrantTypes()
		c.Secrets = []oauth.ClientSecret{{Hash: oauth.HashClientSecret(secret.New(secretOf(c.ID))), Created: began}}
	}
	if err := c.Validate(); err != nil {
		t.Fatalf("seed the client %s: %v", c.ID, err)
	}
	if _, err := s.Clients.SaveClient(t.Context(), c); err != nil {
		t.Fatalf("seed the client %s: %v", c.ID, err)
	}
}

// saveUser makes the user u_<name>, whose password is passwordOf.
func saveUser(t testing.TB, s storetest.Stores, name string) {
	t.Helper()
	hash, _ := fastPasswords{}.Hash(secret.New(passwordOf(name)))
	u := oauth.User{Username: name, ID: "u_" + name, PasswordHash: hash, Created: began}
	if _, err := s.UserRegistry.SaveUser(t.Context(), u); err != nil {
		t.Fatalf("seed the user %s: %v", name, err)
	}
}

func secretOf(id oauth.ClientID) string { return "test-secret-of-" + string(id) }
func passwordOf(name string) string     { return "test-password-of-" + name }

var keyRing = sync.OnceValues(func() (*bearer.MintRing, error) {
	return bearer.ParseMintRing(
		[]byte(`{"1": "mint key text of the tests in proof"}`),
		[]byte(`{"issuer_epoch": 0, "states": {"1": "active"}, "1": "check key text of the tests in proof"}`))
})

// constantKeys is oauth.Keys with one ring for ever.
type constantKeys[R any] struct{ ring R }

func (k constantKeys[R]) Ring(context.Context) (R, error)                { return k.ring, nil }
func (k constantKeys[R]) Reload(context.Context) (R, error)              { return k.ring, nil }
func (k constantKeys[R]) ReloadForUnknownKey(context.Context) (R, error) { return k.ring, nil }

// fastPasswords is oauth.Passwords without the slowness. A hash that begins
// with "old " is outdated.
type fastPasswords struct{}

func (fastPasswords) Hash(p secret.Text) (secret.Text, error) {
	return secret.New("new " + p.Reveal()), nil
}

func (fastPasswords) Verify(p, hash secret.Text) (ok, outdated bool, err error) {
	if hash.Equal(secret.New("old " + p.Reveal())) {
		return true, true, nil
	}
	return hash.Equal(secret.New("new " + p.Reveal())), false, nil
}
