package wire_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/wire"
)

// The fixtures. What must not be found anywhere afterwards has CANARY in it, and
// so have the inputs that tests plant.
const (
	shopSecret     = "CANARY-not-a-real-secret-of-shop"
	shopOldSecret  = "CANARY-not-a-real-secret-of-shop-before"
	resourceSecret = "CANARY-not-a-real-secret-of-resource"
	oddID          = "odd:id%+&=;,?/"
	oddSecret      = "CANARY odd:%+&=;,?/\"\\ \u00fc\u20ac"
	username       = "ada&=%:+\u00fc@example.com"
	password       = "CANARY correct horse&=%:+ \u00fc\u20ac"

	shopAudience = "https://api.example"
	began        = 1_700_000_000

	checkKeys = `{"issuer_epoch": 0, "states": {"1": "active"}, "1": "CANARY check key text of the wire tests"}`
)

// world is the real domain over the memory stores, behind the three handlers.
type world struct {
	handlers map[string]http.Handler // by endpoint
	verifier *oauth.Verifier
	tokens   *tokens
	registry *memory.Clients
	subjects *memory.Tokens
	users    *memory.Users
	issuer   *oauth.Issuer
	options  wire.Options
	now      atomic.Int64 // Unix seconds
	log      bytes.Buffer // read between requests only
}

// tokens is the memory store with a door for faults.
type tokens struct {
	oauth.Tokens
	fault func(ctx context.Context) error // before each call, if not nil
}

func (s *tokens) before(ctx context.Context) error {
	if s.fault == nil {
		return nil
	}
	return s.fault(ctx)
}

func (s *tokens) Read(ctx context.Context, loc bearer.Locator) (oauth.Reading, error) {
	if err := s.before(ctx); err != nil {
		return oauth.Reading{}, err
	}
	return s.Tokens.Read(ctx, loc)
}

func (s *tokens) End(ctx context.Context, loc bearer.Locator, when oauth.EndCondition) (oauth.Record, bool, error) {
	if err := s.before(ctx); err != nil {
		return oauth.Record{}, false, err
	}
	return s.Tokens.End(ctx, loc, when)
}

func (s *tokens) List(ctx context.Context, subject oauth.Subject, client oauth.ClientID) ([]oauth.Record, error) {
	if err := s.before(ctx); err != nil {
		return nil, err
	}
	return s.Tokens.List(ctx, subject, client)
}

// subjects is the memory store behind the same door.
type subjects struct {
	oauth.Subjects
	door *tokens
}

func (s subjects) Raise(ctx context.Context, subject oauth.Subject, change oauth.StateChange) error {
	if err := s.door.before(ctx); err != nil {
		return err
	}
	return s.Subjects.Raise(ctx, subject, change)
}

// ringOf is oauth.Keys with one ring for ever.
type ringOf[R any] struct{ ring R }

func (k ringOf[R]) Ring(context.Context) (R, error) { return k.ring, nil }

func (k ringOf[R]) Reload(context.Context) (R, error) { return k.ring, nil }

func (k ringOf[R]) ReloadForUnknownKey(context.Context) (R, error) { return k.ring, nil }

// quickly is oauth.Passwords without the slowness.
type quickly struct{}

func (quickly) Hash(p secret.Text) (secret.Text, error) {
	return secret.New("hash of " + p.Reveal()), nil
}

func (quickly) Verify(p, hash secret.Text) (ok, outdated bool, err error) {
	return hash.Equal(secret.New("hash of " + p.Reveal())), false, nil
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ring, err := bearer.ParseMintRing([]byte(`{"1": "CANARY mint key text of the wire tests"}`), []byte(checkKeys))
	must(t, err)
	w := &world{registry: memory.NewClients(), subjects: memory.NewTokens()}
	w.tokens = &tokens{Tokens: w.subjects}
	w.now.Store(began)
	now := func() time.Time { return time.Unix(w.now.Load(), 0).UTC() }
	cache := oauth.NewClientCache(w.registry, now)
	users := memory.NewUsers()
	w.users = users

	all := oauth.GrantTypes()
	byUser := []oauth.GrantType{oauth.PasswordGrant, oauth.RefreshTokenGrant}
	readWrite, read := scopes(t, "read write"), scopes(t, "read")
	withDevices := scopes(t, "read write devices")
	for _, c := range []oauth.Client{
		{ID: "shop", Secrets: hashes(shopSecret, shopOldSecret), Grants: all, Scopes: withDevices, DefaultScopes: read, Audiences: []string{shopAudience}},
		{ID: "other", Secrets: hashes(shopSecret), Grants: byUser, Scopes: withDevices, DefaultScopes: read},
		{ID: oddID, Secrets: hashes(oddSecret), Grants: all, Scopes: readWrite, DefaultScopes: read},
		{ID: "app", Public: true, Grants: byUser, Scopes: withDevices, DefaultScopes: read, Audiences: []string{shopAudience}},
		{ID: "resource", Secrets: hashes(resourceSecret), Introspects: []string{shopAudience}},
		{ID: "elsewhere", Secrets: hashes(resourceSecret), Introspects: []string{"https://elsewhere.example"}},
		{ID: "disabled", Disabled: true, Secrets: hashes(shopSecret), Grants: all, Scopes: readWrite},
		{ID: "bare", Secrets: hashes(shopSecret), Grants: all},
	} {
		c.Created, c.Epoch = began, began
		must(t, c.Validate())
		_, err := w.registry.SaveClient(t.Context(), c)
		must(t, err)
	}
	must(t, w.registry.SaveResourceScopes(t.Context(), oauth.ResourceScopes{Roles: map[string][]string{"read": nil, "write": {"writer"}, "admin": nil, oauth.DevicesScope: nil}}))
	hash, err := quickly{}.Hash(secret.New(password))
	must(t, err)
	user := oauth.User{Username: username, ID: "u_ada", PasswordHash: hash, Roles: []string{"writer"}, Created: began}
	must(t, user.Validate())
	_, err = users.SaveUser(t.Context(), user)
	must(t, err)

	issuer := &oauth.Issuer{Tokens: w.tokens, Clients: cache, Users: users, Passwords: quickly{}, Keys: ringOf[*bearer.MintRing]{ring}, Now: now}
	verifier := &oauth.Verifier{Tokens: w.tokens, Clients: cache, Keys: ringOf[*bearer.CheckRing]{ring.CheckRing}, Now: now}
	w.verifier = verifier
	directory := &oauth.Directory{Tokens: w.tokens, Subjects: subjects{w.subjects, w.tokens}, Clients: cache, Keys: verifier.Keys, Now: now}
	w.issuer = issuer
	options := wire.Options{Log: slog.New(slog.NewJSONHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	w.options = options
	w.handlers = map[string]http.Handler{
		"token":      wire.Token(issuer, options),
		"revoke":     wire.Revoke(verifier, options),
		"introspect": wire.Introspect(verifier, options),
		"me":         wire.Me(verifier, options),
		"devices":    wire.Devices(verifier, directory, options),
		"metadata":   wire.Metadata(oauth.GrantTypes(), options),
	}
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func scopes(t *testing.T, s string) scope.Set {
	t.Helper()
	set, err := scope.Parse(s)
	must(t, err)
	return set
}

func hashes(secrets ...string) (s []oauth.ClientSecret) {
	for _, text := range secrets {
		s = append(s, oauth.ClientSecret{Hash: oauth.HashClientSecret(secret.New(text)), Created: began})
	}
	return s
}

// asShop is a call of the confidential client.
func asShop(endpoint string, pairs ...string) call {
	return call{endpoint: endpoint, header: basic("shop", shopSecret), body: form(pairs...)}
}

// asApp is a call of the public client.
func asApp(endpoint string, pairs ...string) call {
	return call{endpoint: endpoint, body: form(append([]string{"client_id", "app"}, pairs...)...)}
}

// login asks for tokens by password and returns them.
func (w *world) login(t *testing.T, by transport, as func(string, ...string) call, scope string) answer {
	t.Helper()
	return w.expect(t, by, step{
		call:   as("token", "grant_type", "password", "username", username, "password", password, "scope", scope),
		status: http.StatusOK,
	})
}

// isActive asks as the resource server.
func (w *world) isActive(t *testing.T, by transport, token string) bool {
	t.Helper()
	a := w.expect(t, by, step{
		call:   call{endpoint: "introspect", header: basic("resource", resourceSecret), body: form("token", token)},
		status: http.StatusOK,
	})
	active, isBool := a.json("active").(bool)
	if !isBool {
		t.Fatalf("introspection says %s", a.body)
	}
	return active
}
