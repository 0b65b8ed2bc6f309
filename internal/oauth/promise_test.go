package oauth_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/secret"
)

// The promise, end to end; and the cases A01 to A16 of docs/cases.md.

func TestPromise(t *testing.T) {
	w := newWorld(t)
	a := w.login("backend", "alice", "device_ipad")
	w.advance(100)
	again := w.login("backend", "alice", "device_ipad")
	if !same(a.AccessToken, again.AccessToken) || !same(a.RefreshToken, again.RefreshToken) || again.ExpiresIn != a.ExpiresIn-100 {
		t.Error("asked again while A is active, and did not get A with the seconds that are left")
	}
	b := w.login("backend", "alice", "device_iphone")
	if same(a.AccessToken, b.AccessToken) || same(a.RefreshToken, b.RefreshToken) {
		t.Error("two devices share a token")
	}
	w.must(w.revoke("backend", a.AccessToken))
	w.wantActive("backend", a.AccessToken, false)
	w.wantActive("backend", a.RefreshToken, false)
	w.wantActive("backend", b.AccessToken, true)
	w.wantActive("backend", b.RefreshToken, true)
	next := w.login("backend", "alice", "device_ipad")
	if same(next.AccessToken, a.AccessToken) || same(next.RefreshToken, a.RefreshToken) {
		t.Error("after a revocation the old token came back")
	}
	w.wantActive("backend", a.AccessToken, false)
	w.wantActive("backend", next.AccessToken, true)
}

// A01
func TestSameRequestSameToken(t *testing.T) {
	w := newWorld(t)
	form := []string{"grant_type", "client_credentials", "scope", "read"}
	first, err := w.token("backend", form...)
	w.must(err)
	if w.event.Outcome != oauth.Issued || first.RefreshToken.Len() > 0 {
		t.Errorf("first: %s, refresh token of %d characters", w.event.Outcome, first.RefreshToken.Len())
	}
	before := w.records(oauth.Subject{Kind: oauth.ClientSubject, ID: "backend"})
	w.advance(1)
	second, err := w.token("backend", form...)
	w.must(err)
	after := w.records(oauth.Subject{Kind: oauth.ClientSubject, ID: "backend"})
	if !same(first.AccessToken, second.AccessToken) || second.ExpiresIn != first.ExpiresIn-1 || w.event.Outcome != oauth.Returned {
		t.Errorf("second: %s, %d s", w.event.Outcome, second.ExpiresIn)
	}
	if len(before) != 1 || len(after) != 1 || before[0].Nonce != after[0].Nonce {
		t.Errorf("%d and %d items, or one was written", len(before), len(after))
	}
}

// A02, A03
func TestScopesHaveNoOrder(t *testing.T) {
	w := newWorld(t)
	want := w.login("backend", "alice", "read write device_x")
	for _, s := range []string{"write read device_x", "device_x read write", "read read write device_x device_x"} {
		if got := w.login("backend", "alice", s); !same(got.AccessToken, want.AccessToken) || got.Scope != want.Scope {
			t.Errorf("scope %q: another token", s)
		}
	}
	if !same(w.login("backend", "alice", "").AccessToken, w.login("backend", "alice", "read").AccessToken) {
		t.Error("the default scope named and left out are two tokens")
	}
	if !same(w.login("backend", "alice", "device_x").AccessToken, w.login("backend", "alice", "device_x read").AccessToken) {
		t.Error("a device alone does not mean the default scope on that device")
	}
}

// A04
func TestLiveTokenNeverAnswersAWrongSecret(t *testing.T) {
	w := newWorld(t)
	w.login("backend", "alice", "read")
	r, err := w.token("backend", "grant_type", "password", "username", "alice", "password", "wrong", "scope", "read")
	wantCode(t, err, oauth.InvalidGrant)
	if r.AccessToken.Len() > 0 {
		t.Error("a token came with the error")
	}
	_, err = w.issuer.Token(w.context(), oauth.TokenRequest{
		Credentials: oauth.Credentials{Method: oauth.SecretBasic, ID: "backend", Secret: secret.New("wrong")},
		Form:        formOf(w.passwordForm("alice", "read")),
	})
	wantCode(t, err, oauth.InvalidClient)
}

// A05
func TestDifferentAuthorizationsDifferentTokens(t *testing.T) {
	w := newWorld(t)
	tokens := map[string]string{}
	add := func(what string, r oauth.TokenResponse, err error) {
		t.Helper()
		w.must(err)
		if other, met := tokens[r.AccessToken.Reveal()]; met {
			t.Errorf("%s and %s share a token", what, other)
		}
		tokens[r.AccessToken.Reveal()] = what
	}
	for _, client := range []oauth.ClientID{"backend", "other", "app"} {
		for _, user := range []string{"alice", "bob"} {
			for _, s := range []string{"read", "write", "read write", "read device_a", "read device_b"} {
				r, err := w.token(client, w.passwordForm(user, s)...)
				add(fmt.Sprintf("%s for %s, %s", client, user, s), r, err)
			}
		}
	}
	r, err := w.token("backend", "grant_type", "client_credentials", "scope", "read")
	add("backend for itself", r, err)
	w.editClient("backend", func(c *oauth.Client) { c.Audiences = []string{"https://api.example.com"} })
	w.advance(10)
	r, err = w.token("backend", w.passwordForm("alice", "read")...)
	add("another audience", r, err)
}

// A06
func TestDevicesAreApart(t *testing.T) {
	w := newWorld(t)
	ipad, iphone, none := w.login("app", "alice", "device_ipad"), w.login("app", "alice", "device_iphone"), w.login("app", "alice", "")
	if same(ipad.AccessToken, iphone.AccessToken) || same(ipad.AccessToken, none.AccessToken) || same(iphone.AccessToken, none.AccessToken) {
		t.Fatal("two of three share a token")
	}
	w.must(w.revoke("app", ipad.AccessToken))
	w.wantActive("api", ipad.AccessToken, false)
	w.wantActive("api", iphone.AccessToken, true)
	w.wantActive("api", none.AccessToken, true)
	// Case A47: a login on one device never gives out another's refresh token.
	if w.login("app", "alice", "device_ipad").RefreshToken.Equal(iphone.RefreshToken.Text) {
		t.Error("a device got another's refresh token")
	}
}

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
	w.editClient("backend", func(c *oauth.Client) { c.DefaultScopes = scopes(t, "read admin") })
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
	_, err = w.refresh("backend", want.RefreshToken, "tokenBindingId", "iphone") // ignored at refresh
	w.must(err)
}

// A09
func TestCap(t *testing.T) {
	w := newWorld(t)
	w.editClient("backend", func(c *oauth.Client) { c.MaxAuthorizations = 5 })
	var all []oauth.TokenResponse
	for i := range 6 {
		all = append(all, w.login("backend", "alice", fmt.Sprintf("device_%d", i)))
		w.advance(1)
	}
	w.wantActive("backend", all[0].AccessToken, false)
	for _, r := range all[1:] {
		w.wantActive("backend", r.AccessToken, true)
	}
	if n := len(w.records(w.userSubject("alice"))); n != 5 {
		t.Errorf("%d records stand, want 5", n)
	}
	// Another client and another user have room of their own.
	w.login("other", "alice", "device_0")
	w.login("backend", "bob", "device_0")
	w.wantActive("backend", all[1].AccessToken, true)
	// A returned token makes no room for itself.
	w.login("backend", "alice", "device_1")
	w.wantActive("backend", all[2].AccessToken, true)
	// The cap was lowered: the next new one repairs it.
	w.editClient("backend", func(c *oauth.Client) { c.MaxAuthorizations = 2 })
	w.advance(10)
	w.login("backend", "alice", "device_new")
	for i, want := range []bool{false, false, false, false, false, true} {
		w.wantActive("backend", all[i].AccessToken, want)
	}
}

// A09: A cap that was lowered by far is reached in steps: one request makes only so
// many deletes before it is answered.
func TestLoweredCapInSteps(t *testing.T) {
	w := newWorld(t)
	for i := range 25 {
		w.login("backend", "alice", fmt.Sprintf("device_%d", i))
		w.advance(1)
	}
	w.editClient("backend", func(c *oauth.Client) { c.MaxAuthorizations = 3 })
	w.advance(10)
	for i, want := range []int{16, 7, 3, 3} {
		newest := w.login("backend", "alice", fmt.Sprintf("device_new%d", i))
		if n := len(w.records(w.userSubject("alice"))); n != want {
			t.Errorf("after %d new ones %d records stand, want %d", i+1, n, want)
		}
		w.wantActive("backend", newest.AccessToken, true)
	}
}

// A10
func TestReservedNames(t *testing.T) {
	for _, id := range []oauth.ClientID{"device_x", "u_x", "", "a b"} {
		if err := (oauth.Client{ID: id, Public: true}).Validate(); err == nil {
			t.Errorf("client id %q was accepted", id)
		}
	}
	for _, name := range []string{"device_x", "device_", "a b", "", strings.Repeat("x", 129)} {
		if err := (oauth.ResourceScopes{Roles: map[string][]string{name: nil}}).Validate(); err == nil {
			t.Errorf("resource scope %q was accepted", name)
		}
	}
	if err := (oauth.ResourceScopes{Roles: map[string][]string{"a": {"device_x"}}}).Validate(); err == nil {
		t.Error("role device_x was accepted")
	}
	if err := (oauth.Client{ID: "a", Public: true, Scopes: scopes(t, "read device_x")}).Validate(); err == nil {
		t.Error("a client registered a device")
	}
}

// A11, A12
func TestLifetimes(t *testing.T) {
	w := newWorld(t)
	first := w.login("backend", "alice", "read")
	w.advance(3600 - 360)
	if r := w.login("backend", "alice", "read"); !same(r.AccessToken, first.AccessToken) || r.ExpiresIn != 360 {
		t.Errorf("at the floor: %d s of another token", r.ExpiresIn)
	}
	w.advance(1)
	second := w.login("backend", "alice", "read")
	if same(second.AccessToken, first.AccessToken) || second.ExpiresIn != 3600 {
		t.Errorf("below the floor: %d s", second.ExpiresIn)
	}
	w.wantActive("backend", first.AccessToken, true)
	w.advance(359)
	w.wantActive("backend", first.AccessToken, false)
	w.wantActive("backend", second.AccessToken, true)
}

// A13
func TestShortLifetimes(t *testing.T) {
	for _, lifetime := range []int64{60, 119} {
		w := newWorld(t)
		w.editClient("backend", func(c *oauth.Client) { c.AccessLifetime = lifetime })
		first := w.login("backend", "alice", "read")
		w.advance(lifetime / 2)
		if r := w.login("backend", "alice", "read"); !same(r.AccessToken, first.AccessToken) {
			t.Errorf("%d: at half of its life the token was not returned", lifetime)
		}
	}
}

// A15
func TestScopeTakenFromTheClient(t *testing.T) {
	w := newWorld(t)
	r := w.login("backend", "alice", "write")
	w.editClient("backend", func(c *oauth.Client) { c.Scopes = scopes(t, "read") })
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

// A37
func TestRefreshTokensOnlyWhereTheyMayBe(t *testing.T) {
	w := newWorld(t)
	w.editClient("other", func(c *oauth.Client) { c.Grants = []oauth.GrantType{oauth.PasswordGrant} })
	for _, tt := range []struct {
		client oauth.ClientID
		scope  string
		want   bool
	}{{"backend", "read", true}, {"backend", "device_a", true}, {"app", "device_a", true}, {"app", "read", false}, {"other", "device_a", false}} {
		if got := w.login(tt.client, "alice", tt.scope).RefreshToken.Len() > 0; got != tt.want {
			t.Errorf("%s, %s: refresh token %v, want %v", tt.client, tt.scope, got, tt.want)
		}
	}
}

func TestGrantErrors(t *testing.T) {
	w := newWorld(t)
	w.editClient("other", func(c *oauth.Client) { c.Grants = nil })
	for _, tt := range []struct {
		client oauth.ClientID
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
// registered for and whatever the request says. What it once gave lives on.
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

// N12
func TestClientAuthentication(t *testing.T) {
	w := newWorld(t)
	w.editClient("other", func(c *oauth.Client) { c.Disabled = true })
	right := func(id oauth.ClientID) secret.Text { return secret.New("secret-of-" + string(id)) }
	var texts []string
	for what, cred := range map[string]oauth.Credentials{
		"none":                          {},
		"no id":                         {Method: oauth.SecretBasic, Secret: right("backend")},
		"unknown":                       {Method: oauth.SecretBasic, ID: "nobody", Secret: right("nobody")},
		"disabled":                      {Method: oauth.SecretBasic, ID: "other", Secret: right("other")},
		"wrong secret":                  {Method: oauth.SecretPost, ID: "backend", Secret: right("other")},
		"empty secret":                  {Method: oauth.SecretBasic, ID: "backend"},
		"confidential client, id alone": {Method: oauth.ClientIDOnly, ID: "backend"},
		"public client with a secret":   {Method: oauth.SecretPost, ID: "app", Secret: right("app")},
		"public client through Basic":   {Method: oauth.SecretBasic, ID: "app"},
		"id that no client can have":    {Method: oauth.SecretBasic, ID: "a b", Secret: right("backend")},
		"very long id":                  {Method: oauth.SecretBasic, ID: oauth.ClientID(make([]byte, 4000))},
	} {
		_, err := w.issuer.Token(w.context(), oauth.TokenRequest{Credentials: cred, Form: formOf(w.passwordForm("alice", "read"))})
		wantCode(t, err, oauth.InvalidClient)
		texts = append(texts, err.Error())
		if err := w.verifier.Revoke(w.context(), oauth.RevokeRequest{Credentials: cred, Token: bearer.FromClient("x")}); err == nil || err.Error() != texts[0] {
			t.Errorf("%s: revoke = %v", what, err)
		}
		if _, err := w.verifier.Introspect(w.context(), oauth.IntrospectRequest{Credentials: cred, Token: bearer.FromClient("x")}); err == nil || err.Error() != texts[0] {
			t.Errorf("%s: introspect = %v", what, err)
		}
	}
	for _, text := range texts {
		if text != texts[0] {
			t.Errorf("failures can be told apart: %q, %q", text, texts[0])
		}
	}
}

// Case A60.
func TestTwoClientSecrets(t *testing.T) {
	w := newWorld(t)
	w.editClient("backend", func(c *oauth.Client) {
		c.Secrets = append(c.Secrets, oauth.ClientSecret{Hash: oauth.HashClientSecret(secret.New("new"))})
	})
	try := func(s string) error {
		_, err := w.issuer.Token(w.context(), oauth.TokenRequest{
			Credentials: oauth.Credentials{Method: oauth.SecretPost, ID: "backend", Secret: secret.New(s)},
			Form:        oauth.Form{"grant_type": "client_credentials"},
		})
		return err
	}
	w.must(try("secret-of-backend"))
	w.must(try("new"))
	w.editClient("backend", func(c *oauth.Client) { c.Secrets = c.Secrets[1:] })
	w.advance(10)
	wantCode(t, try("secret-of-backend"), oauth.InvalidClient)
	w.must(try("new"))
}

// Case A80, in one process.
func TestParallelFirstRequests(t *testing.T) {
	w := newWorld(t)
	const n = 64
	for _, client := range []oauth.ClientID{"backend", "app"} {
		texts := make([]string, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				r, err := w.issuer.Token(t.Context(), oauth.TokenRequest{
					Credentials: w.credentials(client), Form: formOf(w.passwordForm("alice", "device_race")), Source: "192.0.2.1",
				})
				if err != nil {
					t.Error(err)
				}
				texts[i] = r.AccessToken.Reveal() + r.RefreshToken.Reveal()
			})
		}
		wg.Wait()
		for _, text := range texts {
			if text != texts[0] || text == "" {
				t.Fatalf("%s: parallel requests got different tokens", client)
			}
		}
		items, err := w.tokens.List(t.Context(), w.userSubject("alice"), client)
		if err != nil || len(items) != 1 {
			t.Errorf("%s: %d items, %v", client, len(items), err)
		}
	}
}
