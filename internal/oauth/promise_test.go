package oauth_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/secret"
)

// The promise, end to end (A01 to A16).

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
	before := w.records(ledger.Subject{Kind: ledger.ClientSubject, ID: "backend"})
	w.advance(1)
	second, err := w.token("backend", form...)
	w.must(err)
	after := w.records(ledger.Subject{Kind: ledger.ClientSubject, ID: "backend"})
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
		Credentials: oauth.Credentials{ID: "backend", Secret: secret.New("wrong")},
		Form:        formOf(w.passwordForm("alice", "read")),
	})
	wantCode(t, err, oauth.InvalidClient)
}

// A05
func TestDifferentAuthorizationsDifferentTokens(t *testing.T) {
	w := newWorld(t)
	tokens := map[string]string{}
	add := func(what string, r ledger.Answer, err error) {
		t.Helper()
		w.must(err)
		if other, met := tokens[r.AccessToken.Reveal()]; met {
			t.Errorf("%s and %s share a token", what, other)
		}
		tokens[r.AccessToken.Reveal()] = what
	}
	for _, client := range []ledger.ClientID{"backend", "other", "app"} {
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

// Case A80, in one process.
func TestParallelFirstRequests(t *testing.T) {
	w := newWorld(t)
	const n = 64
	for _, client := range []ledger.ClientID{"backend", "app"} {
		texts := make([]string, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				r, err := w.issuer.Token(t.Context(), oauth.TokenRequest{
					Credentials: oauthtest.Credentials(client), Form: formOf(w.passwordForm("alice", "device_race")), Source: "192.0.2.1",
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
