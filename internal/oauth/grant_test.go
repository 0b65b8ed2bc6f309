package oauth_test

import (
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

func TestTokenBindingID(t *testing.T) {
	w := newWorld(t)
	want := w.login("backend", "alice", "device_ipad")
	r, err := w.token("backend", w.passwordForm("alice", "", "tokenBindingId", "ipad")...)
	w.must(err)
	if !same(r.AccessToken, want.AccessToken) || r.Scope.String() != "read device_ipad" {
		t.Errorf("tokenBindingId=ipad is not device_ipad: %q", r.Scope)
	}
	r, err = w.token("backend", w.passwordForm("alice", "device_ipad", "tokenBindingId", "ipad")...)
	w.must(err)
	if !same(r.AccessToken, want.AccessToken) {
		t.Error("both spellings together are another token")
	}
	for _, form := range [][]string{
		w.passwordForm("alice", "device_iphone", "tokenBindingId", "ipad"),
		w.passwordForm("alice", "", "tokenBindingId", "i pad"),
		w.passwordForm("alice", "", "tokenBindingId", string(make([]byte, 65))),
	} {
		_, err := w.token("backend", form...)
		wantCode(t, err, oauth.InvalidRequest)
	}
	// A refresh is read as a login is.
	for _, form := range [][]string{
		{"tokenBindingId", "ipad"}, {"scope", "device_ipad"}, {"scope", "device_ipad", "tokenBindingId", "ipad"},
		{"scope", "read", "tokenBindingId", "ipad"}, {"scope", "read device_ipad"},
	} {
		_, err = w.refresh("backend", want.RefreshToken, form...)
		w.must(err)
	}
	_, err = w.refresh("backend", want.RefreshToken, "tokenBindingId", "iphone")
	wantCode(t, err, oauth.InvalidScope)
	_, err = w.refresh("backend", want.RefreshToken, "scope", "device_iphone", "tokenBindingId", "ipad")
	wantCode(t, err, oauth.InvalidRequest)
}

func TestGrantErrors(t *testing.T) {
	w := newWorld(t)
	w.editClient("other", func(c *oauth.Client) { c.Grants = nil })
	for _, tt := range []struct {
		client ledger.ClientID
		form   []string
		want   oauth.Code
	}{
		{"backend", nil, oauth.InvalidRequest},
		{"backend", []string{"grant_type", "authorization_code"}, oauth.UnsupportedGrantType},
		{"backend", []string{"grant_type", "Password"}, oauth.UnsupportedGrantType},
		{"backend", []string{"grant_type", "password", "username", "alice"}, oauth.InvalidRequest},
		{"backend", []string{"grant_type", "password", "password", "x"}, oauth.InvalidRequest},
		{"backend", []string{"grant_type", "refresh_token"}, oauth.InvalidRequest},
		{"backend", []string{"grant_type", "refresh_token", "refresh_token", "garbage"}, oauth.InvalidGrant},
		{"other", []string{"grant_type", "client_credentials"}, oauth.UnauthorizedClient},
		{"other", w.passwordForm("alice", "read"), oauth.UnauthorizedClient},
		{"other", []string{"grant_type", "refresh_token", "refresh_token", "garbage"}, oauth.UnauthorizedClient},
		{"app", []string{"grant_type", "client_credentials"}, oauth.UnauthorizedClient},
		{"nobody", []string{"grant_type", "client_credentials"}, oauth.InvalidClient},
	} {
		r, err := w.token(tt.client, tt.form...)
		wantCode(t, err, tt.want)
		if r.AccessToken.Len() > 0 {
			t.Errorf("%s %q: a token came with the error", tt.client, tt.form)
		}
	}
}

// A grant that the deployment does not offer is not there, whatever the client is
// registered for and whatever the request says. Tokens that it once gave live on.
func TestGrantsThatAreNotOffered(t *testing.T) {
	w := newWorld(t)
	before := w.login("backend", "alice", "device_ipad")
	w.issuer.Grants = oauth.OfferedGrants(false)
	for _, form := range [][]string{
		w.passwordForm("alice", "read"),
		{"grant_type", "password"}, // not "username is missing"
	} {
		_, err := w.token("backend", form...)
		wantCode(t, err, oauth.UnsupportedGrantType)
		if w.event.StoreCalls != 0 {
			t.Errorf("it cost %d calls", w.event.StoreCalls)
		}
	}
	_, err := w.refresh("backend", before.RefreshToken)
	w.must(err)
	_, err = w.token("backend", "grant_type", "client_credentials")
	w.must(err)
	w.issuer.Grants = oauth.OfferedGrants(true)
	w.login("backend", "alice", "read")
}
