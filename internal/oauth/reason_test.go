package oauth_test

import (
	"fmt"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
)

// The line of a token that is inactive says why, with the word of the cause that
// lies deepest: a token of a disabled user is not called ended.
func TestReasonOfAnInactiveToken(t *testing.T) {
	raise := func(change oauth.StateChange) func(*world, ledger.Answer) {
		return func(w *world, _ ledger.Answer) {
			w.must(w.tokens.Raise(w.t.Context(), w.userSubject("alice"), change))
		}
	}
	nothing := func(*world, ledger.Answer) {}
	for name, tt := range map[string]struct {
		by      ledger.ClientID // who introspects, or refreshes
		happens func(*world, ledger.Answer)
		refresh bool // the token is the refresh token
		want    oauth.Reason
	}{
		"revoked":          {"backend", func(w *world, r ledger.Answer) { w.must(w.revoke("backend", r.AccessToken)) }, false, oauth.ReasonEnded},
		"revoked, refresh": {"backend", func(w *world, r ledger.Answer) { w.must(w.revoke("backend", r.AccessToken)) }, true, oauth.ReasonEnded},
		"replaced": {"backend", func(w *world, r ledger.Answer) {
			w.must(w.revoke("backend", r.AccessToken))
			w.login("backend", "alice", "device_a")
		}, false, oauth.ReasonEnded},
		"expired":                {"backend", func(w *world, _ ledger.Answer) { w.advance(3600) }, false, oauth.ReasonExpired},
		"idle":                   {"backend", func(w *world, _ ledger.Answer) { w.advance(oauth.DefaultRefreshIdle) }, true, oauth.ReasonExpired},
		"user disabled":          {"backend", raise(oauth.StateChange{Disabled: new(true)}), false, oauth.ReasonDisabled},
		"user disabled, refresh": {"backend", raise(oauth.StateChange{Disabled: new(true)}), true, oauth.ReasonDisabled},
		"client disabled": {"api", func(w *world, _ ledger.Answer) {
			w.editClient("backend", func(c *oauth.Client) { c.Disabled = true })
			w.advance(10)
		}, false, oauth.ReasonDisabled},
		"signed out everywhere": {"backend", raise(oauth.StateChange{}), false, oauth.ReasonEpoch},
		"signed out, refresh":   {"backend", raise(oauth.StateChange{}), true, oauth.ReasonEpoch},
		"client signed out": {"api", func(w *world, _ ledger.Answer) {
			w.editClient("backend", func(c *oauth.Client) { c.Epoch++ })
			w.advance(10)
		}, false, oauth.ReasonEpoch},
		"another audience":     {"stranger", nothing, false, oauth.ReasonAudience},
		"no audience":          {"other", nothing, false, oauth.ReasonAudience},
		"another's refresh":    {"other", nothing, true, oauth.ReasonClient},
		"edited":               {"backend", func(w *world, _ ledger.Answer) { w.tamper() }, false, oauth.ReasonTampered},
		"edited, refresh":      {"backend", func(w *world, _ ledger.Answer) { w.tamper() }, true, oauth.ReasonTampered},
		"key retired":          {"backend", func(w *world, _ ledger.Answer) { w.retireKey() }, false, oauth.ReasonKey},
		"key retired, refresh": {"backend", func(w *world, _ ledger.Answer) { w.retireKey() }, true, oauth.ReasonKey},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := w.login("backend", "alice", "device_a")
			tt.happens(w, r)
			token := r.AccessToken
			if tt.refresh {
				token = r.RefreshToken
			}
			w.wantActive(tt.by, token, false)
			if w.event.Reason != tt.want || w.event.Outcome != oauth.Inactive {
				t.Errorf("introspection: %s, reason %q, want %q", w.event.Outcome, w.event.Reason, tt.want)
			}
			if tt.refresh {
				_, err := w.refresh(tt.by, token)
				wantCode(t, err, oauth.InvalidGrant)
				if w.event.Reason != tt.want {
					t.Errorf("refresh: reason %q, want %q", w.event.Reason, tt.want)
				}
			}
		})
	}
}

func TestReasonOfAForgedToken(t *testing.T) {
	w := newWorld(t)
	r := w.login("backend", "alice", "device_a")
	w.wantActive("backend", r.AccessToken, true)
	if w.event.Reason != "" {
		t.Errorf("an active token has the reason %q", w.event.Reason)
	}
	forged := bearer.FromClient(r.AccessToken.Reveal() + "A")
	w.wantActive("backend", forged, false)
	if w.event.Reason != oauth.ReasonUnknown {
		t.Errorf("reason %q", w.event.Reason)
	}
	_, err := w.refresh("backend", r.AccessToken)
	wantCode(t, err, oauth.InvalidGrant)
	if w.event.Reason != oauth.ReasonKind {
		t.Errorf("an access token that is refreshed: reason %q", w.event.Reason)
	}
	if i, err := w.verifier.Caller(w.context(), r.RefreshToken); err != nil || i.Active || w.event.Reason != oauth.ReasonKind {
		t.Errorf("a refresh token at a resource: %v, %v, reason %q", i.Active, err, w.event.Reason)
	}
	if i, err := w.verifier.Caller(w.context(), r.AccessToken, "elsewhere"); err != nil || i.Active || w.event.Reason != oauth.ReasonAudience {
		t.Errorf("another audience at a resource: %v, %v, reason %q", i.Active, err, w.event.Reason)
	}
	wantCode(t, w.revoke("other", r.AccessToken), oauth.InvalidGrant)
	if w.event.Reason != oauth.ReasonClient {
		t.Errorf("another's token at revocation: reason %q", w.event.Reason)
	}
}

// tamper edits each record as it is read.
func (w *world) tamper() {
	store := &edited{Tokens: w.tokens, edit: func(r *ledger.Record) { r.Authorization.Audiences = []string{"elsewhere"} }}
	w.verifier.Tokens, w.issuer.Tokens = store, store
}

func (w *world) retireKey() {
	w.ring.set(w.t, func(r *ring) { r.states["1"], r.states["2"] = bearer.Retired, bearer.Active })
	w.ring.publish()
}

// The log names the scope that was refused, and why. The answer says which of those that
// were sent, reads alike for all causes, and repeats nothing.
func TestReasonOfARefusedScope(t *testing.T) {
	w := newWorld(t)
	w.editClient("app", func(c *oauth.Client) { c.Scopes = oauthtest.Scopes(t, "admin read write") })
	for _, tt := range []struct {
		client      ledger.ClientID
		user, scope string
		why         oauth.Reason
		logged      string
		number      int
	}{
		{"backend", "alice", "read none", oauth.ReasonScopeUnknown, "number 2", 2},
		{"backend", "alice", "CANARY read", oauth.ReasonScopeUnknown, "number 1", 1}, // a secret in the wrong field
		{"other", "alice", "read admin", oauth.ReasonScopeClient, "admin", 2},
		{"backend", "bob", "device_a write read admin", oauth.ReasonScopeRole, "admin", 4},
		{"app", "bob", "admin", oauth.ReasonScopeRole, "admin", 1},
		{"app", "bob", "none", oauth.ReasonScopeUnknown, "number 1", 1},
	} {
		_, err := w.token(tt.client, w.passwordForm(tt.user, tt.scope)...)
		want := fmt.Sprintf("invalid_scope: scope number %d is unknown or not allowed for this client or user", tt.number)
		if err == nil || err.Error() != want || w.event.Reason != tt.why || w.event.Scope != tt.logged {
			t.Errorf("%s, %s: %v, want %s; logged %q %q", tt.client, tt.scope, err, want, w.event.Reason, w.event.Scope)
		}
		_, err = w.token(tt.client, "grant_type", "password", "username", tt.user, "password", "wrong", "scope", tt.scope)
		wantCode(t, err, oauth.InvalidGrant)
		if w.event.Reason != oauth.ReasonPassword || w.event.Scope != "" {
			t.Errorf("a wrong password: logged %q %q", w.event.Reason, w.event.Scope)
		}
	}

	r := w.login("backend", "alice", "admin device_a")
	_, err := w.refresh("backend", r.RefreshToken, "scope", "read")
	wantCode(t, err, oauth.InvalidScope)
	if w.event.Reason != oauth.ReasonScopeOther {
		t.Errorf("another scope at refresh: reason %q", w.event.Reason)
	}
	w.editClient("backend", func(c *oauth.Client) { c.Scopes = oauthtest.Scopes(t, "read") })
	w.advance(10)
	_, err = w.refresh("backend", r.RefreshToken)
	wantCode(t, err, oauth.InvalidGrant)
	if w.event.Reason != oauth.ReasonScopeClient || w.event.Scope != "admin" {
		t.Errorf("a scope that the client lost: logged %q %q", w.event.Reason, w.event.Scope)
	}
}
