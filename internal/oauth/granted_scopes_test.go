package oauth_test

import (
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/scope"
)

// A07, A08
func TestScopePolicy(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		user, scope string
		want        oauth.Code
		granted     string
	}{
		{"alice", "admin device_x", "", "admin device_x"},
		{"bob", "admin device_x", oauth.InvalidScope, ""},
		{"bob", "device_x admin", oauth.InvalidScope, ""},
		{"bob", "unknown", oauth.InvalidScope, ""},
		{"bob", "read unknown", oauth.InvalidScope, ""},
		{"bob", "Device_x", oauth.InvalidScope, ""},
		{"bob", "device_", oauth.InvalidScope, ""},
		{"bob", "device_\u00e9", oauth.InvalidScope, ""},
		{"bob", "device_a device_b", oauth.InvalidScope, ""},
		{"bob", "read ", oauth.InvalidScope, ""},
		{"bob", "", "", "read"},
		{"bob", "device_x", "", "read device_x"},
	} {
		r, err := w.token("backend", w.passwordForm(tt.user, tt.scope)...)
		if tt.want != "" {
			wantCode(t, err, tt.want)
			continue
		}
		w.must(err)
		if r.Scope.String() != tt.granted {
			t.Errorf("%s, %q: granted %q, want %q", tt.user, tt.scope, r.Scope, tt.granted)
		}
	}
	_, err := w.token("backend", "grant_type", "client_credentials", "scope", "admin")
	wantCode(t, err, oauth.InvalidScope) // a scope with roles is never for a client itself
}

// Nobody asked for the default scopes, so what the user may not have is left out
// of them instead of refused.
func TestDefaultScopesFollowRoles(t *testing.T) {
	w := newWorld(t)
	w.editClient("backend", func(c *oauth.Client) { c.DefaultScopes = oauthtest.Scopes(t, "read admin") })
	for user, want := range map[string]string{"alice": "admin read", "bob": "read"} {
		if got := w.login("backend", user, "").Scope.String(); got != want {
			t.Errorf("%s got %q, want %q", user, got, want)
		}
	}
	w.editClient("other", func(c *oauth.Client) { c.DefaultScopes = scope.Set{} })
	if r := w.login("other", "bob", ""); !r.Scope.IsEmpty() {
		t.Errorf("without defaults: %q", r.Scope)
	}
	if r := w.login("other", "bob", "device_x"); r.Scope.String() != "device_x" {
		t.Errorf("without defaults, on a device: %q", r.Scope)
	}
}

// A15
func TestScopeTakenFromTheClient(t *testing.T) {
	w := newWorld(t)
	r := w.login("backend", "alice", "write")
	w.editClient("backend", func(c *oauth.Client) { c.Scopes = oauthtest.Scopes(t, "read") })
	w.advance(10)
	_, err := w.token("backend", w.passwordForm("alice", "write")...)
	wantCode(t, err, oauth.InvalidScope)
	_, err = w.refresh("backend", r.RefreshToken)
	wantCode(t, err, oauth.InvalidGrant)
}

// A scope that was removed from the registry is gone, not free for all.
func TestRemovedScopeIsGone(t *testing.T) {
	w := newWorld(t)
	r := w.login("backend", "alice", "admin")
	registered, err := w.clients.ResourceScopes(t.Context())
	w.must(err)
	delete(registered.Roles, "admin")
	w.must(w.clients.SaveResourceScopes(t.Context(), registered))
	w.advance(10)
	for _, user := range []string{"alice", "bob"} {
		_, err = w.token("backend", w.passwordForm(user, "admin")...)
		wantCode(t, err, oauth.InvalidScope)
	}
	_, err = w.refresh("backend", r.RefreshToken)
	wantCode(t, err, oauth.InvalidGrant)
}
