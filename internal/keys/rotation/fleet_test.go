package rotation

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
)

// Lives of the fleet's tokens, in seconds: short, so that tokens of every age are
// about while the key turns.
const (
	fleetAccess  = 120
	fleetRefresh = 240
)

// fleet is three instances of fob over one store. They see the ring as it was 0,
// 30 and 60 seconds ago, and asking again gives them no newer one: that is as
// bad as it gets. The clock is the test's.
type fleet struct {
	t         *testing.T
	now       time.Time
	vault     *memoryVault
	instances []*instance
	phones    map[string]phone // by user
	steps     int
	live      map[string]*issued // what was issued and has not run out
	lost      []string           // what was not active, or refused, and should not have been
}

// phone is a public client's only copy of its refresh token.
type phone struct {
	refresh bearer.Bearer
	expiry  time.Time
}

type instance struct {
	behind   time.Duration
	issuer   *oauth.Issuer
	verifier *oauth.Verifier
}

type issued struct {
	bearer bearer.Bearer
	kind   bearer.Kind
	expiry time.Time
	by     time.Duration // how far behind the instance was
	kid    uint8         // the active one, for that instance
}

// memoryVault remembers what the two secrets were.
type memoryVault struct {
	now     func() time.Time
	history []written
}

type written struct {
	at          time.Time
	mint, check []byte
	ring        *bearer.MintRing
}

func (v *memoryVault) Read(context.Context) (Document, error) {
	last := v.history[len(v.history)-1]
	d, err := parseDocument(last.mint, last.check, last.at)
	d.from = len(v.history)
	return d, err
}

func (v *memoryVault) Write(_ context.Context, d Document) (Document, error) {
	if d.from != len(v.history) {
		return Document{}, oauth.ErrConflict
	}
	mint, check, err := d.texts()
	if err != nil {
		return Document{}, err
	}
	ring, err := bearer.ParseMintRing(mint, check)
	if err != nil {
		return Document{}, err
	}
	v.history = append(v.history, written{v.now(), mint, check, ring})
	d.from, d.newMint = len(v.history), false
	return d, nil
}

// asOf is the ring that was in force at a time.
func (v *memoryVault) asOf(at time.Time) *bearer.MintRing {
	for i := len(v.history) - 1; i > 0; i-- {
		if !v.history[i].at.After(at) {
			return v.history[i].ring
		}
	}
	return v.history[0].ring
}

// late is oauth.Keys with the ring as it was.
type late[R any] struct{ ring func() R }

func (l late[R]) Ring(context.Context) (R, error)                { return l.ring(), nil }
func (l late[R]) Reload(context.Context) (R, error)              { return l.ring(), nil }
func (l late[R]) ReloadForUnknownKey(context.Context) (R, error) { return l.ring(), nil }

var fleetUsers = []string{"ann", "bob", "eve"}

func newVault(t *testing.T, now func() time.Time, states ...bearer.State) *memoryVault {
	t.Helper()
	mint, check := secretsOf(t, 0, states...)
	ring, err := bearer.ParseMintRing(mint, check)
	if err != nil {
		t.Fatal(err)
	}
	return &memoryVault{now: now, history: []written{{began.Add(-48 * time.Hour), mint, check, ring}}}
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{t: t, now: began, phones: map[string]phone{}, live: map[string]*issued{}}
	now := func() time.Time { return f.now }
	f.vault = newVault(t, now, bearer.Active)

	tokens, clients, users := memory.NewTokens(), memory.NewClients(), memory.NewUsers()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(clients.SaveResourceScopes(t.Context(), oauth.ResourceScopes{Roles: map[string][]string{"read": nil}}))
	for _, c := range []oauth.Client{
		{ID: "backend", Grants: oauth.GrantTypes()},
		{ID: "app", Public: true, Grants: []oauth.GrantType{oauth.PasswordGrant, oauth.RefreshTokenGrant}},
		{ID: "api", Introspects: []string{"api"}},
	} {
		c.Scopes, c.DefaultScopes, c.Audiences = oauthtest.Scopes(t, "read"), oauthtest.Scopes(t, "read"), []string{"api"}
		c.AccessLifetime, c.RefreshIdle, c.RefreshAbsolute = fleetAccess, fleetRefresh, fleetRefresh
		c.MaxAuthorizations = 1000
		oauthtest.SaveClient(t, clients, c, began.Unix())
	}
	for _, name := range fleetUsers {
		oauthtest.SaveUser(t, users, oauth.User{Username: name, ID: oauth.NewUserID()}, oauthtest.Password(name))
	}
	for _, behind := range []time.Duration{0, 30 * time.Second, keys.MaxAge} {
		ring := func() *bearer.MintRing { return f.vault.asOf(f.now.Add(-behind)) }
		cache := oauth.NewClientCache(clients, now)
		f.instances = append(f.instances, &instance{
			behind: behind,
			issuer: &oauth.Issuer{
				Tokens: tokens, Clients: cache, Users: users, Passwords: new(oauthtest.Passwords), Now: now,
				Keys: late[*bearer.MintRing]{ring},
			},
			verifier: &oauth.Verifier{
				Tokens: tokens, Clients: cache, Now: now,
				Keys: late[*bearer.CheckRing]{func() *bearer.CheckRing { return ring().CheckRing }},
			},
		})
	}
	return f
}

func (f *fleet) ask(i *instance, client ledger.ClientID, form oauth.Form) (ledger.Answer, error) {
	r, err := i.issuer.Token(oauth.WithEvent(f.t.Context(), new(oauth.Event)),
		oauth.TokenRequest{Credentials: oauthtest.Credentials(client), Form: form, Source: "192.0.2.1"})
	if err != nil {
		return r, err
	}
	f.note(i, bearer.Access, r.AccessToken, time.Duration(r.ExpiresIn)*time.Second)
	return r, nil
}

func (f *fleet) note(i *instance, kind bearer.Kind, b bearer.Bearer, life time.Duration) {
	if _, known := f.live[b.Reveal()]; b.Len() > 0 && !known {
		f.live[b.Reveal()] = &issued{b, kind, f.now.Add(life), i.behind, f.vault.asOf(f.now.Add(-i.behind)).ActiveKID()}
	}
}

func (f *fleet) lose(format string, args ...any) {
	f.lost = append(f.lost, f.now.Sub(began).String()+": "+fmt.Sprintf(format, args...))
}

// work is what clients do in one moment, at each of the instances.
func (f *fleet) work() {
	f.steps++
	// Somebody new, so that there are tokens of every age.
	f.login(f.instances[f.steps%3], "backend", "ann", fmt.Sprintf("read device_%d", f.steps%200))
	for _, i := range f.instances {
		if _, err := f.ask(i, "backend", oauth.Form{"grant_type": "client_credentials"}); err != nil {
			f.lose("an instance %v behind refused its client: %v", i.behind, err)
		}
		for _, user := range fleetUsers {
			f.login(i, "backend", user, "read device_phone")
		}
	}
	// Each phone gets around in another order.
	for n, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {2, 1, 0}} {
		for _, at := range order {
			f.phone(f.instances[at], fleetUsers[n])
		}
	}
}

func (f *fleet) login(i *instance, client ledger.ClientID, user, scope string) ledger.Answer {
	r, err := f.ask(i, client, oauth.Form{"grant_type": "password", "username": user, "password": oauthtest.Password(user), "scope": scope})
	if err != nil {
		f.lose("an instance %v behind refused a login: %v", i.behind, err)
	}
	if client != "app" {
		f.note(i, bearer.Refresh, r.RefreshToken, fleetRefresh*time.Second)
	}
	return r
}

// phone logs in once, and refreshes from then on.
func (f *fleet) phone(i *instance, user string) {
	p, loggedIn := f.phones[user]
	if loggedIn && f.now.Before(p.expiry) {
		r, err := f.ask(i, "app", oauth.Form{"grant_type": "refresh_token", "refresh_token": p.refresh.Reveal()})
		if err == nil {
			f.phones[user] = phone{r.RefreshToken, p.expiry}
			return
		}
		f.lose("an instance %v behind refused a phone's refresh token: %v", i.behind, err)
	}
	r := f.login(i, "app", user, "read device_phone")
	f.phones[user] = phone{r.RefreshToken, f.now.Add(fleetRefresh * time.Second)}
}

// check asks each instance for every token that is in its life.
func (f *fleet) check() {
	for text, token := range f.live {
		if !f.now.Before(token.expiry) {
			delete(f.live, text)
			continue
		}
		for _, i := range f.instances {
			if !f.active(i, token) {
				f.lose("a token of kind %v by an instance %v behind is not active at one %v behind", token.kind, token.by, i.behind)
			}
		}
	}
}

// active asks in the way that the token is used. A confidential client's refresh
// token does not rotate.
func (f *fleet) active(i *instance, token *issued) bool {
	if token.kind == bearer.Refresh {
		_, err := f.ask(i, "backend", oauth.Form{"grant_type": "refresh_token", "refresh_token": token.bearer.Reveal()})
		return err == nil
	}
	found, err := i.verifier.Introspect(oauth.WithEvent(f.t.Context(), new(oauth.Event)),
		oauthtest.Credentials("api"), token.bearer)
	return err == nil && found.Active
}

// run is the life of the fleet for a time.
func (f *fleet) run(d time.Duration) {
	const step = 3 * time.Second
	for end := f.now.Add(d); f.now.Before(end); f.now = f.now.Add(step) {
		f.work()
		f.check()
	}
}

// rotation is one by an operator whose clock is right.
func (f *fleet) rotation() Rotation {
	return Rotation{
		Vault: f.vault,
		Now:   func() time.Time { return f.now },
		Sleep: func(_ context.Context, d time.Duration) error { f.run(d); return nil },
		Longest: func(context.Context) (time.Duration, error) {
			return max(fleetAccess, fleetRefresh) * time.Second, nil
		},
		Say: func(line string) { f.t.Log(f.now.Sub(began), line) },
	}
}

func (f *fleet) wantLosses(want bool) {
	f.t.Helper()
	switch lost := f.lost; {
	case want && len(lost) == 0:
		f.t.Error("nothing was lost: this test cannot fail")
	case !want && len(lost) > 0:
		f.t.Errorf("%d losses, first %s", len(lost), strings.Join(lost[:min(3, len(lost))], "\n"))
	}
}
