package wire_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/storetest"
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
	issuerName   = "https://login.example"
	backEndName  = "https://back-end.example" // which names users of fob
	// The client signer has keys alone.
	signerAssertion     = `{"iss":"signer","sub":"signer","jti":"1"}`
	clientAssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	idToken             = `{"iss":"https://login.example","sub":"ada"}` // see oauthtest.Assertions
	began               = 1_700_000_000
)

// world is the real domain over the memory stores, behind the three handlers.
type world struct {
	handlers   map[string]http.Handler // by endpoint
	verifier   *oauth.Verifier
	tokens     *storetest.Faulty // what requests see of subjects
	registry   *memory.Clients
	subjects   *memory.Tokens
	users      *memory.Users
	issuer     *oauth.Issuer
	assertions *oauthtest.Assertions
	options    wire.Options
	now        oauthtest.Clock
	log        bytes.Buffer // read between requests only
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ring := oauthtest.Ring(t, "")
	w := &world{registry: memory.NewClients(), subjects: memory.NewTokens(), users: memory.NewUsers()}
	w.tokens = storetest.NewFaulty(storetest.Stores{Tokens: w.subjects, Subjects: w.subjects})
	w.now.Store(began)
	cache := oauth.NewClientCache(w.registry, w.now.Now)

	all := oauth.GrantTypes()
	byUser := []oauth.GrantType{oauth.PasswordGrant, oauth.RefreshTokenGrant, oauth.TokenExchangeGrant, oauth.JWTBearerGrant}
	readWrite, read := oauthtest.Scopes(t, "read write"), oauthtest.Scopes(t, "read")
	withDevices := oauthtest.Scopes(t, "read write devices account")
	for _, c := range []oauth.Client{
		{ID: "shop", Secrets: oauthtest.Hashes(shopSecret, shopOldSecret), Grants: all, Scopes: withDevices, DefaultScopes: read, Audiences: []string{shopAudience}},
		{ID: "other", Secrets: oauthtest.Hashes(shopSecret), Grants: byUser, Scopes: withDevices, DefaultScopes: read},
		{ID: oddID, Secrets: oauthtest.Hashes(oddSecret), Grants: all, Scopes: readWrite, DefaultScopes: read},
		{ID: "app", Public: true, Grants: byUser, Scopes: withDevices, DefaultScopes: read, Audiences: []string{shopAudience}},
		{ID: "resource", Secrets: oauthtest.Hashes(resourceSecret), Introspects: []string{shopAudience}},
		{ID: "elsewhere", Secrets: oauthtest.Hashes(resourceSecret), Introspects: []string{"https://elsewhere.example"}},
		{ID: "disabled", Disabled: true, Secrets: oauthtest.Hashes(shopSecret), Grants: all, Scopes: readWrite},
		{ID: "signer", Secrets: []oauth.ClientSecret{}, JWKS: "keys", Grants: all, Scopes: withDevices, DefaultScopes: read, Audiences: []string{shopAudience}},
		{ID: "crm", Secrets: oauthtest.Hashes(shopSecret), Grants: all, Scopes: oauthtest.Scopes(t, "read users sign-out"), DefaultScopes: read},
		{ID: "bare", Secrets: oauthtest.Hashes(shopSecret), Grants: all},
	} {
		oauthtest.SaveClient(t, w.registry, c, began)
	}
	must(t, w.registry.SaveResourceScopes(t.Context(), oauth.ResourceScopes{Roles: map[string][]string{"read": nil, "write": {"writer"}, "admin": nil, oauth.DevicesScope: nil, oauth.AccountScope: nil, oauth.UsersScope: nil, oauth.SignOutScope: nil}}))
	oauthtest.SaveUser(t, w.users, oauth.User{Username: username, ID: "u_ada", Roles: []string{"writer"}, Created: began}, password)

	issuers := memory.NewIssuers()
	for _, i := range []oauth.TrustedIssuer{{Signer: oauth.Signer{Name: issuerName}, Events: true}, {Signer: oauth.Signer{Name: backEndName}, Subjects: oauth.NamedSubjects}} {
		_, err := issuers.SaveIssuer(t.Context(), i)
		must(t, err)
	}
	w.assertions = new(oauthtest.Assertions)
	w.issuer = &oauth.Issuer{
		Tokens: w.tokens, Clients: cache, Users: w.users, Passwords: new(oauthtest.Passwords),
		Issuers: oauth.NewIssuerCache(issuers, w.now.Now), Assertions: w.assertions,
		Keys: oauthtest.Keys[*bearer.MintRing]{Always: ring}, Now: w.now.Now,
	}
	w.verifier = &oauth.Verifier{Tokens: w.tokens, Clients: cache, Keys: oauthtest.Keys[*bearer.CheckRing]{Always: ring.CheckRing}, Now: w.now.Now}
	signIns := w.verifier.SignIns(w.tokens)
	options := wire.Options{Log: slog.New(slog.NewJSONHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	w.options = options
	people := w.people(signIns, issuers)
	w.handlers = map[string]http.Handler{
		"token":      wire.Token(w.issuer, options),
		"revoke":     wire.Revoke(w.verifier, options),
		"introspect": wire.Introspect(w.verifier, options),
		"me":         wire.Me(w.verifier, options),
		"devices":    wire.Devices(w.verifier, signIns, options),
		"events":     wire.Events(&oauth.Receiver{Issuers: w.issuer.Issuers, Assertions: w.assertions, Subjects: w.tokens}, options),
		"labels":     wire.DeviceLabels(w.verifier, signIns, options),
		"account":    wire.Account(w.verifier, &oauth.Account{Logins: w.users, Registrar: people.Registrar, SignIns: signIns}, options),
		"users":      wire.Users(people, options),
		"sign-out":   wire.SignOut(people, options),
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
