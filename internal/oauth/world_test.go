package oauth_test

import (
	"context"
	"errors"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
)

// world is a whole fob on the memory store, with a clock that stands still.
type world struct {
	t       testing.TB
	tokens  *memory.Tokens
	clients *memory.Clients
	users   *memory.Users
	hasher  *oauthtest.Passwords
	ring    *ring
	clock   oauthtest.Clock
	name    string // of the service, as requests reach it

	// through is the back end by which a user's attempt comes: its client, its own source,
	// and what it says of the user's. Nil is none.
	through func(user string) (client, source, userSource string)

	issuer   *oauth.Issuer
	verifier *oauth.Verifier
	event    *oauth.Event // of the last call
}

func newWorld(t testing.TB) *world {
	w := &world{
		t: t, tokens: memory.NewTokens(), clients: memory.NewClients(), users: memory.NewUsers(),
		hasher: new(oauthtest.Passwords), ring: newRing(t),
	}
	w.clock.Store(1_800_000_000)
	now := w.clock.Now
	w.issuer = &oauth.Issuer{
		Tokens: w.tokens, Clients: oauth.NewClientCache(w.clients, now), Users: w.users,
		Passwords: w.hasher, Keys: mintKeys{w.ring}, Now: now,
	}
	w.verifier = &oauth.Verifier{
		Tokens: w.tokens, Clients: oauth.NewClientCache(w.clients, now), Keys: checkKeys{w.ring}, Now: now,
	}

	w.must(w.clients.SaveResourceScopes(t.Context(), oauth.ResourceScopes{Roles: map[string][]string{
		"read": nil, "write": nil, "admin": {"boss", "root"},
	}}))
	for _, c := range []oauth.Client{
		{ID: "backend", Grants: oauth.GrantTypes(), Scopes: oauthtest.Scopes(t, "read write admin"), DefaultScopes: oauthtest.Scopes(t, "read")},
		{ID: "other", Grants: oauth.GrantTypes(), Scopes: oauthtest.Scopes(t, "read write"), DefaultScopes: oauthtest.Scopes(t, "read")},
		{ID: "app", Public: true, Grants: []oauth.GrantType{oauth.PasswordGrant, oauth.RefreshTokenGrant}, Scopes: oauthtest.Scopes(t, "read write"), DefaultScopes: oauthtest.Scopes(t, "read")},
		{ID: "api", Introspects: []string{"backend", "app"}},
		{ID: "stranger", Introspects: []string{"elsewhere"}},
	} {
		w.saveClient(c)
	}
	w.addUser("alice", "boss")
	w.addUser("bob")
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) saveClient(c oauth.Client) {
	w.t.Helper()
	oauthtest.SaveClient(w.t, w.clients, c, w.clock.Load())
}

// editClient changes a registration, which the caches learn within ten seconds.
func (w *world) editClient(id ledger.ClientID, edit func(*oauth.Client)) {
	w.t.Helper()
	c, found, err := w.clients.Client(w.t.Context(), id)
	w.must(err)
	if !found {
		w.t.Fatalf("no client %s", id)
	}
	edit(&c)
	_, err = w.clients.SaveClient(w.t.Context(), c)
	w.must(err)
}

func (w *world) addUser(name string, roles ...string) {
	w.t.Helper()
	oauthtest.SaveUser(w.t, w.users, oauth.User{Username: name, ID: oauth.NewUserID(), Roles: roles}, oauthtest.Password(name))
}

func (w *world) user(name string) oauth.User {
	w.t.Helper()
	u, found, err := w.users.User(w.t.Context(), name)
	w.must(err)
	if !found {
		w.t.Fatalf("no user %s", name)
	}
	return u
}

// disable disables a user as an operator does.
func (w *world) disable(name string) oauth.User {
	w.t.Helper()
	u := w.user(name)
	u.Disabled = true
	u, err := w.users.SaveUser(w.t.Context(), u)
	w.must(err)
	w.must(w.tokens.Raise(w.t.Context(), w.userSubject(name), oauth.StateChange{Disabled: new(true)}))
	return u
}

func (w *world) advance(seconds int64) { w.clock.Add(seconds) }

func (w *world) context() context.Context {
	w.event = new(oauth.Event)
	return oauth.WithEvent(w.t.Context(), w.event)
}

// token asks for a token; form is pairs of name and value.
func (w *world) token(client ledger.ClientID, form ...string) (ledger.Answer, error) {
	w.t.Helper()
	return w.issuer.Token(w.context(), oauth.TokenRequest{Credentials: oauthtest.Credentials(client), Form: formOf(form), Issuer: w.name, Source: "192.0.2.1"})
}

func formOf(pairs []string) oauth.Form {
	f := oauth.Form{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			f[pairs[i]] = pairs[i+1]
		}
	}
	return f
}

func (w *world) passwordForm(user, scope string, more ...string) []string {
	return append([]string{"grant_type", "password", "username", user, "password", oauthtest.Password(user), "scope", scope}, more...)
}

// login is a password grant that must succeed.
func (w *world) login(client ledger.ClientID, user, scope string) ledger.Answer {
	w.t.Helper()
	r, err := w.token(client, w.passwordForm(user, scope)...)
	w.must(err)
	if r.AccessToken.Len() == 0 || r.ExpiresIn < 1 {
		w.t.Fatalf("login answered %+v", r)
	}
	return r
}

func (w *world) refresh(client ledger.ClientID, b bearer.Bearer, more ...string) (ledger.Answer, error) {
	w.t.Helper()
	return w.token(client, append([]string{"grant_type", "refresh_token", "refresh_token", b.Reveal()}, more...)...)
}

func (w *world) revoke(client ledger.ClientID, b bearer.Bearer) error {
	return w.verifier.Revoke(w.context(), oauthtest.Credentials(client), b)
}

func (w *world) introspect(client ledger.ClientID, b bearer.Bearer) oauth.Introspection {
	w.t.Helper()
	i, err := w.verifier.Introspect(w.context(), oauthtest.Credentials(client), b)
	w.must(err)
	return i
}

func (w *world) wantActive(client ledger.ClientID, b bearer.Bearer, want bool) {
	w.t.Helper()
	if got := w.introspect(client, b); got.Active != want {
		w.t.Errorf("active = %v for %s, want %v", got.Active, client, want)
	}
}

func wantCode(t testing.TB, err error, want oauth.Code) {
	t.Helper()
	e, ok := errors.AsType[*oauth.Error](err)
	if !ok || e.Code != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func same(a, b bearer.Bearer) bool { return a.Equal(b.Text) }

// records are all of a subject.
func (w *world) records(s ledger.Subject) []ledger.Record {
	w.t.Helper()
	all, err := w.tokens.List(w.t.Context(), s, "")
	w.must(err)
	return all
}

func (w *world) userSubject(name string) ledger.Subject {
	return ledger.Subject{Kind: ledger.UserSubject, ID: w.user(name).ID}
}

// edit changes a record in the store behind fob's back.
func (w *world) edit(r ledger.Record, change func(*ledger.Record)) {
	w.t.Helper()
	seen := r.Nonce
	change(&r)
	r.Nonce[0]++
	_, _, err := w.tokens.Save(w.t.Context(), r, seen)
	w.must(err)
}
