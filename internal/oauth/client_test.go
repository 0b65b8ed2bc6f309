package oauth_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/secret"
)

// While a client changes over, the line of each request says which of its two
// secrets it used.
func TestOlderSecretShows(t *testing.T) {
	w := newWorld(t)
	w.editClient("backend", func(c *oauth.Client) {
		c.Secrets = append(c.Secrets, oauth.ClientSecret{Hash: oauth.HashClientSecret(secret.New("newer-secret")), Created: 1})
	})
	older := oauthtest.Credentials("backend")
	newer := older
	newer.Secret = secret.New("newer-secret")
	wrong := older
	wrong.Secret = secret.New("neither")
	ask := func(c oauth.Credentials) error {
		_, err := w.issuer.Token(w.context(), oauth.TokenRequest{Credentials: c, Form: oauth.Form{"grant_type": "client_credentials"}})
		return err
	}
	for _, test := range []struct {
		credentials oauth.Credentials
		older, ok   bool
	}{{older, true, true}, {newer, false, true}, {wrong, false, false}} {
		if err := ask(test.credentials); (err == nil) != test.ok {
			t.Errorf("%v, want served: %v", err, test.ok)
		}
		if w.event.OlderSecret != test.older {
			t.Errorf("older secret: %v, want %v", w.event.OlderSecret, test.older)
		}
	}
	// A client's only secret is not an older one.
	w.editClient("backend", func(c *oauth.Client) { c.Secrets = c.Secrets[1:] })
	w.advance(10)
	w.must(ask(newer))
	if w.event.OlderSecret {
		t.Error("the only secret counts as an older one")
	}
	wantCode(t, ask(older), oauth.InvalidClient)
}

// meeting lets the first readers go on only when all of them have read.
type meeting struct {
	oauth.Tokens
	mu      sync.Mutex // guards missing
	missing int
	met     chan struct{}
}

func newMeeting(tokens oauth.Tokens, n int) *meeting {
	return &meeting{Tokens: tokens, missing: n, met: make(chan struct{})}
}

func (m *meeting) Read(ctx context.Context, l bearer.Locator) (oauth.Reading, error) {
	r, err := m.Tokens.Read(ctx, l)
	m.mu.Lock()
	if m.missing--; m.missing == 0 {
		close(m.met)
	}
	m.mu.Unlock()
	<-m.met
	return r, err
}

// together asks n times at once, and every request has read the record before
// one of them writes it.
func (w *world) together(n int, client ledger.ClientID, form ...string) []ledger.Answer {
	w.t.Helper()
	issuer := *w.issuer
	issuer.Tokens = newMeeting(w.tokens, n)
	answers := make([]ledger.Answer, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			var err error
			answers[i], err = issuer.Token(w.t.Context(), oauth.TokenRequest{
				Credentials: oauthtest.Credentials(client), Form: formOf(form), Source: "192.0.2.1",
			})
			if err != nil {
				w.t.Errorf("%s, request %d of %d at once: %v", client, i, n, err)
			}
		})
	}
	wg.Wait()
	return answers
}

// A10
func TestReservedNames(t *testing.T) {
	for _, id := range []ledger.ClientID{"device_x", "u_x", "", "a b"} {
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
	if err := (oauth.Client{ID: "a", Public: true, Scopes: oauthtest.Scopes(t, "read device_x")}).Validate(); err == nil {
		t.Error("a client registered a device")
	}
}

// N12
func TestClientAuthentication(t *testing.T) {
	w := newWorld(t)
	w.editClient("other", func(c *oauth.Client) { c.Disabled = true })
	right := func(id ledger.ClientID) secret.Text { return secret.New(oauthtest.Secret(id)) }
	var texts []string
	for what, cred := range map[string]oauth.Credentials{
		"none":                          {},
		"no id":                         {Secret: right("backend")},
		"unknown":                       {ID: "nobody", Secret: right("nobody")},
		"disabled":                      {ID: "other", Secret: right("other")},
		"wrong secret":                  {ID: "backend", Secret: right("other")},
		"confidential client, id alone": {ID: "backend"},
		"public client with a secret":   {ID: "app", Secret: right("app")},
		"id that no client can have":    {ID: "a b", Secret: right("backend")},
		"very long id":                  {ID: ledger.ClientID(make([]byte, 4000))},
	} {
		_, err := w.issuer.Token(w.context(), oauth.TokenRequest{Credentials: cred, Form: formOf(w.passwordForm("alice", "read"))})
		wantCode(t, err, oauth.InvalidClient)
		texts = append(texts, err.Error())
		if err := w.verifier.Revoke(w.context(), cred, bearer.FromClient("x")); err == nil || err.Error() != texts[0] {
			t.Errorf("%s: revoke = %v", what, err)
		}
		if _, err := w.verifier.Introspect(w.context(), cred, bearer.FromClient("x")); err == nil || err.Error() != texts[0] {
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
			Credentials: oauth.Credentials{ID: "backend", Secret: secret.New(s)},
			Form:        oauth.Form{"grant_type": "client_credentials"},
		})
		return err
	}
	w.must(try(oauthtest.Secret("backend")))
	w.must(try("new"))
	w.editClient("backend", func(c *oauth.Client) { c.Secrets = c.Secrets[1:] })
	w.advance(10)
	wantCode(t, try(oauthtest.Secret("backend")), oauth.InvalidClient)
	w.must(try("new"))
}

// The predecessor of a refresh token lives as long as the client's setting says, and a
// client from before the setting has the default.
func TestRefreshGraceOfClient(t *testing.T) {
	for set, grace := range map[int64]int64{0: 60, 30: 30, 600: 600} {
		w := newWorld(t)
		w.editClient("app", func(c *oauth.Client) { c.RefreshGrace = set })
		first := w.login("app", "alice", "device_phone").RefreshToken
		second, err := w.refresh("app", first)
		w.must(err)
		w.advance(grace)
		again, err := w.refresh("app", first)
		w.must(err)
		if !again.RefreshToken.Equal(second.RefreshToken.Text) {
			t.Errorf("grace %d: another successor", set)
		}
		w.advance(1)
		_, err = w.refresh("app", first)
		wantCode(t, err, oauth.InvalidGrant)
	}
}

// Every fault of a registration is reported at once.
func TestClientValidate(t *testing.T) {
	c := oauth.Client{
		ID: "u_x", Public: true, Secrets: oauthtest.Hashes(oauthtest.Secret("x")), Grants: []oauth.GrantType{"client_credentials", "implicit"},
		Scopes: oauthtest.Scopes(t, "a"), DefaultScopes: oauthtest.Scopes(t, "a b"), Introspects: []string{"x y"},
		AccessLifetime: -1, RefreshIdle: 1 << 40, RefreshAbsolute: -5, MaxAuthorizations: 1 << 20,
	}
	err := c.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"u_", "no secret", `"implicit"`, "client_credentials", `"b"`, "introspect", "audience", "lifetime", "idle", "live authorizations"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %s in:\n%v", want, err)
		}
	}
	// Idle while its user still works with an access token.
	for idle, ok := range map[int64]bool{3600: true, 3599: false} {
		c := oauth.Client{ID: "c", Public: true, AccessLifetime: 3600, RefreshIdle: idle}
		if err := c.Validate(); (err == nil) != ok {
			t.Errorf("idle time of %d s with access tokens of an hour: %v", idle, err)
		}
	}
	for grace, ok := range map[int64]bool{-1: false, 0: true, 1: false, 29: false, 30: true, 600: true, 601: false} {
		if err := (oauth.Client{ID: "c", Public: true, RefreshGrace: grace}).Validate(); (err == nil) != ok {
			t.Errorf("a grace of %d s: %v", grace, err)
		}
	}
	for _, n := range []int{0, 3} {
		c := oauth.Client{ID: "c", Secrets: make([]oauth.ClientSecret, n)}
		if err := c.Validate(); err == nil {
			t.Errorf("a confidential client with %d secrets was accepted", n)
		}
	}
}
