package oauth_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
)

// Rights that were given do not outlive the scope, or the role, that they came from
// (docs/decisions/0031-old-rights-end.md).

func (w *world) registrar() *oauth.Registrar {
	return &oauth.Registrar{Clients: w.clients, Now: time.Now}
}

func (w *world) userRegistrar() *oauth.UserRegistrar {
	return &oauth.UserRegistrar{Users: w.users, Subjects: w.tokens, Tokens: w.tokens, Registry: w.tokens, Passwords: w.hasher, OwnUsersMode: w.issuer.OwnUsersMode, Now: time.Now}
}

// scopes changes the registry, which the caches learn within ten seconds.
func (w *world) scopes(change func(*oauth.Registrar) error) {
	w.t.Helper()
	w.must(change(w.registrar()))
	w.advance(10)
}

func bind(name string, roles ...string) func(*oauth.Registrar) error {
	return func(r *oauth.Registrar) error { return r.AddScope(context.Background(), name, roles, true) }
}

func remove(name string) func(*oauth.Registrar) error {
	return func(r *oauth.Registrar) error { return r.RemoveScope(context.Background(), name, true) }
}

func TestBindingAScopeEndsWhatHasIt(t *testing.T) {
	const ends, stays = true, false
	for name, tt := range map[string]struct {
		from, to []string
		want     bool
	}{
		"bound":                  {nil, []string{"boss"}, ends},
		"another role":           {[]string{"root"}, []string{"boss"}, ends},
		"a role less":            {[]string{"boss", "root"}, []string{"boss"}, ends},
		"one less, one more":     {[]string{"root", "staff"}, []string{"boss", "staff"}, ends},
		"a role more":            {[]string{"boss"}, []string{"root", "boss"}, stays},
		"for everybody":          {[]string{"boss"}, nil, stays},
		"the same roles, turned": {[]string{"boss", "root"}, []string{"root", "boss"}, stays},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.addUser("carol", "root", "staff", "boss")
			w.scopes(bind("write", tt.from...))
			with, without := w.login("app", "carol", "write device_a"), w.login("app", "carol", "read device_a")
			own, err := w.token("other", "grant_type", "client_credentials", "scope", "read")
			w.must(err)
			w.scopes(bind("write", tt.to...))

			w.wantActive("api", with.AccessToken, !tt.want)
			if tt.want && w.event.Reason != oauth.ReasonScope {
				t.Errorf("reason %q", w.event.Reason)
			}
			_, err = w.refresh("app", with.RefreshToken)
			if tt.want {
				wantCode(t, err, oauth.InvalidGrant)
				if w.event.Reason != oauth.ReasonScope || w.event.Outcome == oauth.Replayed {
					t.Errorf("refresh: %s, reason %q", w.event.Outcome, w.event.Reason)
				}
			} else {
				w.must(err)
			}
			// Nothing else ends, and who may have the scope has it after a login, and keeps it.
			w.wantActive("api", without.AccessToken, true)
			w.wantActive("other", own.AccessToken, true)
			again := w.login("app", "carol", "write device_a")
			if w.wantActive("api", again.AccessToken, true); same(again.AccessToken, with.AccessToken) == tt.want {
				t.Errorf("the token from before: %v", !tt.want)
			}
			if third := w.login("app", "carol", "write device_a"); !same(third.AccessToken, again.AccessToken) || w.event.Outcome != oauth.Returned {
				t.Error("the next login gets another token")
			}
			_, err = w.refresh("app", again.RefreshToken)
			w.must(err)
			// A change of another scope does not change this one.
			w.scopes(bind("read", "boss"))
			w.wantActive("api", again.AccessToken, true)
		})
	}
}

// A scope that was removed is in no token, and one that is added again is another one.
func TestRemovedScopeIsInNoToken(t *testing.T) {
	w := newWorld(t)
	with := w.login("backend", "alice", "admin read device_a")
	only := w.login("backend", "alice", "admin")
	says := func(r ledger.Answer, want string) {
		t.Helper()
		for _, b := range []oauth.Introspection{w.introspect("backend", r.AccessToken), w.introspect("backend", r.RefreshToken), w.caller(r)} {
			if !b.Active || b.Scope.String() != want || b.Scope.Contains("admin") {
				t.Errorf("active %v with %q, want %q", b.Active, b.Scope, want)
			}
		}
	}
	w.scopes(remove("admin"))
	says(with, "read device_a")
	says(only, "")
	page, _, err := w.signIns().Places(t.Context(), w.userSubject("alice"), oauth.Position{}, 10)
	w.must(err)
	for _, place := range page {
		if slices.Contains(place.Scopes, "admin") {
			t.Errorf("listed with %q", place.Scopes)
		}
	}
	_, err = w.refresh("backend", with.RefreshToken)
	wantCode(t, err, oauth.InvalidGrant)

	w.scopes(bind("admin")) // for everybody, even
	for _, r := range []ledger.Answer{with, only} {
		w.wantActive("api", r.AccessToken, false)
		_, err := w.refresh("backend", r.RefreshToken)
		wantCode(t, err, oauth.InvalidGrant)
	}
	again := w.introspect("api", w.login("backend", "alice", "admin read device_a").AccessToken)
	if !again.Scope.Contains("admin") {
		t.Errorf("after a login: %q", again.Scope)
	}
}

// The caches of two instances differ for ten seconds. A verifier that knows less than
// the login reads anew, and a login that knew less does not count for the others.
func TestScopesOfTwoInstances(t *testing.T) {
	w := newWorld(t)
	w.wantActive("api", w.login("backend", "alice", "read").AccessToken, true) // all caches are warm
	w.must(w.registrar().AddScope(t.Context(), "new", nil, false))
	w.editClient("backend", func(c *oauth.Client) { c.Scopes = oauthtest.Scopes(t, "admin new read write") })
	fresh := *w.issuer
	fresh.Clients = oauth.NewClientCache(w.clients, fresh.Now)
	stale := w.issuer
	w.issuer = &fresh
	r := w.login("backend", "alice", "new device_a")
	if got := w.introspect("api", r.AccessToken).Scope.String(); got != "new device_a" {
		t.Errorf("a verifier with an older registry says %q", got)
	}
	w.issuer = stale
	_, err := w.refresh("backend", r.RefreshToken)
	if err != nil {
		t.Errorf("refreshed by an older registry: %v", err)
	}

	w = newWorld(t)
	w.login("app", "bob", "read device_b")
	w.must(w.registrar().AddScope(t.Context(), "write", []string{"boss"}, true))
	late := w.login("app", "bob", "write device_a") // the instance does not know yet
	w.advance(10)
	w.wantActive("api", late.AccessToken, false)
	_, err = w.refresh("app", late.RefreshToken)
	wantCode(t, err, oauth.InvalidGrant)
}

// The Clients table came back from a backup: what a later registry granted has ended, and
// the next login heals it.
func TestRegistryOlderThanItsTokens(t *testing.T) {
	w := newWorld(t)
	r := w.login("backend", "alice", "write device_a")
	device := w.login("other", "bob", "device_b")
	w.edit(w.records(w.userSubject("alice"))[0], func(r *ledger.Record) { r.ScopesVersion += 1000 })
	w.wantActive("backend", r.AccessToken, false)
	if w.event.Reason != oauth.ReasonScope {
		t.Errorf("reason %q", w.event.Reason)
	}
	w.wantActive("backend", w.login("backend", "alice", "write device_a").AccessToken, true)
	w.wantActive("other", device.AccessToken, true)
}

// An outage is not an answer.
func TestScopesUnknown(t *testing.T) {
	w := newWorld(t)
	r := w.login("backend", "alice", "write device_a")
	for _, breaks := range []bool{false, true} {
		w.verifier.Clients = oauth.NewClientCache(&noScopes{w.clients, breaks}, w.clock.Now)
		i, err := w.verifier.Introspect(w.context(), oauthtest.Credentials("backend"), r.AccessToken)
		if i.Active == breaks || errors.Is(err, oauth.ErrUnavailable) != breaks {
			t.Errorf("registry down %v: active %v, %v", breaks, i.Active, err)
		}
		if i, err = w.verifier.Caller(w.context(), r.AccessToken); i.Active == breaks || errors.Is(err, oauth.ErrUnavailable) != breaks {
			t.Errorf("registry down %v, resource: active %v, %v", breaks, i.Active, err)
		}
	}
}

// The registry says with each change from which version on grants of a scope count.
func TestSince(t *testing.T) {
	w := newWorld(t)
	since := func() map[string]uint64 {
		s, err := w.clients.ResourceScopes(t.Context())
		w.must(err)
		for name, version := range s.Since {
			s.Since[name] = s.Version - version // how old it is
		}
		return s.Since
	}
	if got := since(); len(got) > 0 {
		t.Errorf("from before: %v", got)
	}
	w.scopes(bind("write", "boss"))
	if got := since(); !maps.Equal(got, map[string]uint64{"write": 0}) {
		t.Errorf("bound: %v", got)
	}
	w.scopes(bind("more"))
	if got := since(); len(got) != 2 || got["more"] != 0 || got["write"] == 0 {
		t.Errorf("another was added: %v", got)
	}
	w.scopes(remove("write"))
	if got := since(); len(got) != 1 {
		t.Errorf("removed: %v", got)
	}
}

// noScopes is a registry whose resource scopes cannot be read if it is down.
type noScopes struct {
	oauth.Clients
	down bool
}

func (n *noScopes) ResourceScopes(ctx context.Context) (oauth.ResourceScopes, error) {
	if n.down {
		return oauth.ResourceScopes{}, oauth.Unavailable("read the resource scopes", errors.New("reset"))
	}
	return n.Clients.ResourceScopes(ctx)
}

func (w *world) caller(r ledger.Answer) oauth.Introspection {
	w.t.Helper()
	i, err := w.verifier.Caller(w.context(), r.AccessToken)
	w.must(err)
	return i
}
