package faults

import (
	"crypto/x509"
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/assertion"
	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/storetest"
	"github.com/fob-oauth/fob/internal/userimport"
	"github.com/fob-oauth/fob/internal/wire"
)

// began is when the tests' clocks start, in Unix seconds: later than today,
// so that an engine that sweeps leaves their items alone.
const began = 2_000_000_000

// audience is in every token of the clients below; the client "api" may
// introspect it.
const audience = "https://api.example"

// requestStores are what requests see of a backend.
type requestStores struct {
	Tokens   oauth.Tokens
	Subjects oauth.Subjects
	Clients  oauth.Clients
	Users    oauth.Users
	People   oauth.UserRegistry // the same users, for back ends
	Issuers  oauth.Issuers
}

// storesOf is what an instance without faults sees.
func storesOf(s storetest.Stores) requestStores {
	return requestStores{s.Tokens, s.Subjects, s.Clients, s.Users, s.UserRegistry, s.Issuers}
}

// failing is what an instance sees whose stores fail as f is told.
func failing(f *storetest.Faulty) requestStores {
	return requestStores{f, f, f, f, storetest.FaultyRegistry{Faulty: f}, f}
}

// endpoints composes one instance with caches of its own, which fetches keys of others
// from addresses that roots vouch for. It seeds nothing, see seed. All instances share one
// key ring.
func endpoints(t testing.TB, s requestStores, roots *x509.CertPool, now func() time.Time, log *slog.Logger) map[string]http.Handler {
	t.Helper()
	ring := oauthtest.Ring(t, "")
	cache := oauth.NewClientCache(s.Clients, now)
	issuer := &oauth.Issuer{
		Tokens: s.Tokens, Clients: cache, Users: s.Users, Passwords: new(oauthtest.Passwords),
		Issuers: oauth.NewIssuerCache(s.Issuers, now), Assertions: assertion.New(now, roots),
		Keys: oauthtest.Keys[*bearer.MintRing]{Always: ring}, Now: now,
	}
	verifier := &oauth.Verifier{
		Tokens: s.Tokens, Clients: cache, Keys: oauthtest.Keys[*bearer.CheckRing]{Always: ring.CheckRing}, Now: now,
	}
	backEnds := wire.UserResources{
		Verifier: verifier, Issuers: issuer.Issuers, NewUser: userimport.ParseUser,
		Registrar: &oauth.UserRegistrar{Users: s.People, Subjects: s.Subjects, Tokens: s.Tokens, Passwords: issuer.Passwords, Now: now},
		SignIns:   verifier.SignIns(s.Subjects),
	}
	o := wire.Options{Issuer: fobName, Log: log}
	return map[string]http.Handler{
		"token":      wire.Token(issuer, o),
		"revoke":     wire.Revoke(verifier, o),
		"introspect": wire.Introspect(verifier, o),
		"users":      wire.UsersAndSignOut(backEnds, o),
		"account":    wire.Account(verifier, &oauth.Account{Logins: s.Users, Registrar: backEnds.Registrar, SignIns: backEnds.SignIns}, o),
		"labels":     wire.DeviceLabels(verifier, backEnds.SignIns, o),
		"devices":    wire.Devices(verifier, backEnds.SignIns, o),
	}
}

// seed makes the scopes, the resource server api, and the back end crm.
func seed(t testing.TB, s storetest.Stores) {
	t.Helper()
	if err := s.Clients.SaveResourceScopes(t.Context(), oauth.ResourceScopes{Roles: map[string][]string{"read": nil, "write": nil, oauth.UsersScope: nil, oauth.SignOutScope: nil, oauth.AccountScope: nil, "devices": nil}}); err != nil {
		t.Fatalf("seed the scopes: %v", err)
	}
	saveClient(t, s, oauth.Client{ID: "api", Introspects: []string{audience}})
	oauthtest.SaveClient(t, s.Clients, oauth.Client{ID: crm, Scopes: oauthtest.Scopes(t, crmScope), Grants: []oauth.GrantType{oauth.ClientCredentialsGrant}}, began)
}

// saveClient registers c with what it leaves open: every grant that fits, and the
// scopes read, write, account and devices.
func saveClient(t testing.TB, s storetest.Stores, c oauth.Client) {
	t.Helper()
	c.Scopes, c.DefaultScopes = oauthtest.Scopes(t, "read write account devices"), oauthtest.Scopes(t, "read")
	if c.Audiences == nil {
		c.Audiences = []string{audience}
	}
	c.Grants = slices.DeleteFunc(oauth.GrantTypes(), func(g oauth.GrantType) bool { return c.Public && g == oauth.ClientCredentialsGrant })
	oauthtest.SaveClient(t, s.Clients, c, began)
}
