package oauth_test

import (
	"context"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/scope"
)

// Introspection: the cases A28 to A35 and N50 to N56.

// A28, A29
func TestWhoMayIntrospect(t *testing.T) {
	w := newWorld(t)
	r := w.login("backend", "alice", "device_a")
	for _, tt := range []struct {
		caller          ledger.ClientID
		access, refresh bool
	}{{"backend", true, true}, {"api", true, false}, {"stranger", false, false}, {"other", false, false}} {
		w.wantActive(tt.caller, r.AccessToken, tt.access)
		w.wantActive(tt.caller, r.RefreshToken, tt.refresh)
	}
	_, err := w.verifier.Introspect(w.context(), oauthtest.Credentials("app"), r.AccessToken)
	wantCode(t, err, oauth.InvalidClient) // a public client
}

// N53
func TestIntrospectionSaysWhatWasGranted(t *testing.T) {
	w := newWorld(t)
	iat := w.clock.Load()
	r := w.login("backend", "alice", "write device_a")
	got := w.introspect("api", r.AccessToken)
	want := oauth.Introspection{
		Active: true, Kind: bearer.Access, Scope: r.Scope, ClientID: "backend", Username: "alice",
		Subject: w.userSubject("alice"), Audiences: []string{"backend"}, IssuedAt: iat, Expiry: iat + 3600,
	}
	id := got.ID
	if got.ID = ""; got.Scope != want.Scope || got.ClientID != want.ClientID || got.Username != want.Username || got.Subject != want.Subject ||
		len(got.Audiences) != 1 || got.Audiences[0] != "backend" || got.IssuedAt != want.IssuedAt || got.Expiry != want.Expiry || got.Kind != want.Kind {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if again := w.introspect("backend", r.AccessToken); id == "" || again.ID != id {
		t.Errorf("jti %q, then %q", id, again.ID)
	}
	if record := w.records(w.userSubject("alice"))[0]; strings.Contains(id, string(record.RID[:])) || w.introspect("backend", r.RefreshToken).ID == id {
		t.Error("jti says too much, or is not of the token")
	}
	refresh := w.introspect("backend", r.RefreshToken)
	if refresh.Kind != bearer.Refresh || refresh.Expiry != iat+oauth.DefaultRefreshIdle {
		t.Errorf("refresh token: %+v; want the earlier of idle and absolute", refresh)
	}

	own, err := w.token("backend", "grant_type", "client_credentials")
	w.must(err)
	if i := w.introspect("backend", own.AccessToken); i.Username != "" || i.Subject != (ledger.Subject{Kind: ledger.ClientSubject, ID: "backend"}) {
		t.Errorf("the client's own token: %+v", i)
	}
}

// A30
func TestExpiredIsInactive(t *testing.T) {
	w := newWorld(t)
	r := w.login("backend", "alice", "device_a")
	w.advance(3599)
	w.wantActive("backend", r.AccessToken, true)
	w.advance(1)
	w.wantActive("backend", r.AccessToken, false)
	w.wantActive("backend", r.RefreshToken, true)
	if n := len(w.records(w.userSubject("alice"))); n != 1 {
		t.Errorf("%d items; the sweep is not part of this", n)
	}
}

// A31
func TestKillSwitches(t *testing.T) {
	yes := true
	for what, tt := range map[string]struct {
		kill  func(*world)
		after int64 // seconds until it holds
	}{
		"user disabled": {func(w *world) {
			w.must(w.tokens.Raise(w.t.Context(), w.userSubject("alice"), oauth.StateChange{Disabled: &yes}))
		}, 0},
		"signed out everywhere": {func(w *world) {
			w.must(w.tokens.Raise(w.t.Context(), w.userSubject("alice"), oauth.StateChange{}))
		}, 0},
		"client disabled": {func(w *world) {
			w.editClient("backend", func(c *oauth.Client) { c.Disabled = true })
		}, 10},
		"client epoch raised": {func(w *world) {
			w.editClient("backend", func(c *oauth.Client) { c.Epoch++ })
		}, 10},
		"client removed": {func(w *world) {
			_, err := w.clients.RemoveClient(w.t.Context(), "backend")
			w.must(err)
		}, 10},
		"issuer epoch raised": {func(w *world) { w.ring.set(w.t, func(r *ring) { r.epoch++ }); w.ring.publish() }, 0},
		"key retired": {func(w *world) {
			w.ring.set(w.t, func(r *ring) { r.states["1"], r.states["2"] = bearer.Retired, bearer.Active })
			w.ring.publish()
		}, 0},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			w.editClient("api", func(c *oauth.Client) { c.Introspects = []string{"backend"} })
			r := w.login("backend", "alice", "device_a")
			w.wantActive("api", r.AccessToken, true)
			tt.kill(w)
			w.advance(tt.after)
			w.wantActive("api", r.AccessToken, false)
			if resp, err := w.refresh("backend", r.RefreshToken); err == nil {
				t.Errorf("case A46: refreshed into %v", resp.Scope)
			}
			if again, err := w.token("backend", w.passwordForm("alice", "device_a")...); err == nil {
				if same(again.AccessToken, r.AccessToken) || same(again.RefreshToken, r.RefreshToken) {
					t.Error("a login brought the old token back")
				}
				w.wantActive("api", again.AccessToken, true)
				w.wantActive("api", r.AccessToken, false)
			} else if what == "signed out everywhere" || strings.HasPrefix(what, "issuer") || strings.HasPrefix(what, "key") {
				t.Errorf("login afterwards: %v", err)
			}
		})
	}
}

// A35
func TestEditedItemIsInactive(t *testing.T) {
	for what, edit := range map[string]func(*ledger.Record){
		"scope":    func(r *ledger.Record) { r.Authorization.Scope = oauthtest.Scopes(t, "admin device_a") },
		"device":   func(r *ledger.Record) { r.Authorization.Scope = r.Authorization.Scope.WithDevice("b") },
		"no scope": func(r *ledger.Record) { r.Authorization.Scope = scope.Set{} },
		"client":   func(r *ledger.Record) { r.Authorization.Client = "other" },
		"audience": func(r *ledger.Record) { r.Authorization.Audiences = []string{"elsewhere"} },
		"subject":  func(r *ledger.Record) { r.Authorization.Subject.ID = "u_other" },
	} {
		w := newWorld(t)
		r := w.login("backend", "alice", "device_a")
		store := &edited{Tokens: w.tokens, edit: edit}
		w.verifier.Tokens, w.issuer.Tokens = store, store
		w.wantActive("backend", r.AccessToken, false)
		if w.event.Tampered != 1 {
			t.Errorf("%s: tampered counted %d times", what, w.event.Tampered)
		}
		_, err := w.refresh("backend", r.RefreshToken)
		wantCode(t, err, oauth.InvalidGrant)
		if w.event.Tampered != 1 {
			t.Errorf("%s, refresh: tampered counted %d times", what, w.event.Tampered)
		}
		again, err := w.token("backend", w.passwordForm("alice", "device_a")...)
		w.must(err)
		if same(again.AccessToken, r.AccessToken) || w.event.Tampered != 1 {
			t.Errorf("%s: a login returned a token of the edited item", what)
		}
	}
}

// edited shows each record as somebody edited it in the table.
type edited struct {
	oauth.Tokens
	edit func(*ledger.Record)
}

func (e *edited) Read(ctx context.Context, l bearer.Locator) (oauth.Reading, error) {
	r, err := e.Tokens.Read(ctx, l)
	e.edit(&r.Record)
	return r, err
}

// A31: disabling raises the epoch too, and each of the two is enough.
func TestDisabledIsEnough(t *testing.T) {
	w := newWorld(t)
	r := w.login("backend", "alice", "device_a")
	w.must(w.tokens.Raise(t.Context(), w.userSubject("alice"), oauth.StateChange{Disabled: new(true)}))
	w.edit(w.records(w.userSubject("alice"))[0], func(r *ledger.Record) { r.Epochs.Subject++ })
	w.wantActive("backend", r.AccessToken, false)
	w.wantActive("api", r.AccessToken, false)
	_, err := w.refresh("backend", r.RefreshToken)
	wantCode(t, err, oauth.InvalidGrant)
	// The control: it was the flag.
	w.must(w.tokens.Raise(t.Context(), w.userSubject("alice"), oauth.StateChange{Disabled: new(false)}))
	w.edit(w.records(w.userSubject("alice"))[0], func(r *ledger.Record) { r.Epochs.Subject++ })
	w.wantActive("api", r.AccessToken, true)
}
