package oauth_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/assertion"
	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/secret"
)

const fobName = "https://fob.example/prod"

// keyWorld has the client signer, which has keys alone.
type keyWorld struct {
	*world
	key assertiontest.Key
}

func newKeyWorld(t *testing.T) keyWorld {
	w := keyWorld{newWorld(t), assertiontest.NewKey(t, "ES256")}
	w.issuer.Assertions = assertion.New(w.clock.Now, nil)
	for id, key := range map[ledger.ClientID]assertiontest.Key{"signer": w.key, "twin": assertiontest.NewKey(t, "ES256")} {
		w.saveClient(oauth.Client{
			ID: id, Secrets: []oauth.ClientSecret{}, JWKS: assertiontest.JWKS(t, key),
			Grants: oauth.GrantTypes(), Scopes: oauthtest.Scopes(t, "read"), DefaultScopes: oauthtest.Scopes(t, "read"),
		})
	}
	return w
}

func (w keyWorld) claims(change assertiontest.Members) assertiontest.Members {
	now := w.clock.Load()
	all := assertiontest.Members{"iss": "signer", "sub": "signer", "aud": fobName, "jti": "1", "iat": now, "exp": now + 60}
	for name, value := range change {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	return all
}

func (w keyWorld) ask(id ledger.ClientID, token string) error {
	_, err := w.issuer.Token(w.context(), oauth.TokenRequest{
		Credentials: oauth.Credentials{ID: id, Assertion: secret.New(token)},
		Issuer:      fobName,
		Form:        oauth.Form{"grant_type": "client_credentials"},
	})
	return err
}

func TestClientAssertion(t *testing.T) {
	w := newKeyWorld(t)
	for _, algorithm := range oauth.Algorithms() {
		key := assertiontest.NewKey(t, algorithm)
		w.editClient("signer", func(c *oauth.Client) { c.JWKS = assertiontest.JWKS(t, key) })
		w.advance(11)
		for _, id := range []ledger.ClientID{"", "signer"} {
			if err := w.ask(id, key.Sign(t, nil, w.claims(nil))); err != nil || w.event.Client != "signer" || w.event.Claimed != "" {
				t.Errorf("%s, id %q: %v, event %+v", algorithm, id, err, w.event)
			}
		}
		w.key = key
	}
	// Replays are bounded by iat alone, however far ahead exp is: decision 44. Libraries set
	// it five minutes or an hour ahead.
	token := w.key.Sign(t, nil, w.claims(assertiontest.Members{"exp": w.clock.Load() + 3600}))
	for range 2 {
		w.must(w.ask("", token))
	}
	w.advance(120)
	w.must(w.ask("", token))
	w.advance(1)
	wantInvalidClient(t, "121 seconds later", w.ask("", token))
}

func wantInvalidClient(t *testing.T, what string, err error) {
	t.Helper()
	if err != oauth.ErrInvalidClient { //nolint:errorlint // this one and no other: all read alike
		t.Errorf("%s: %v", what, err)
	}
}

func TestHostileClientAssertions(t *testing.T) {
	w := newKeyWorld(t)
	now := w.clock.Load()
	forger := assertiontest.NewKey(t, "ES256")
	stolen := forger
	stolen.ID = w.key.ID
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	good := w.key.Sign(t, nil, w.claims(nil))
	payload := strings.Split(good, ".")[1]
	input := part(`{"alg":"HS256","kid":"`+w.key.ID+`"}`) + "." + payload
	mac := hmac.New(sha256.New, []byte(assertiontest.JWKS(t, w.key)))
	mac.Write([]byte(input))

	w.must(w.ask("", good))
	for what, token := range map[string]string{
		"alg none":                part(`{"alg":"none"}`) + "." + payload + ".AA",
		"HMAC of the public keys": input + "." + part(string(mac.Sum(nil))),
		"a forger's key":          forger.Sign(t, nil, w.claims(nil)),
		"a forger's key, our id":  stolen.Sign(t, nil, w.claims(nil)),
		"another client's name":   w.key.Sign(t, nil, w.claims(assertiontest.Members{"iss": "twin", "sub": "twin"})),
		"sub is another client":   w.key.Sign(t, nil, w.claims(assertiontest.Members{"sub": "twin"})),
		"a client with a secret":  w.key.Sign(t, nil, w.claims(assertiontest.Members{"iss": "backend", "sub": "backend"})),
		"a public client":         w.key.Sign(t, nil, w.claims(assertiontest.Members{"iss": "app", "sub": "app"})),
		"nobody":                  w.key.Sign(t, nil, w.claims(assertiontest.Members{"iss": "nobody", "sub": "nobody"})),
		"for the token endpoint":  w.key.Sign(t, nil, w.claims(assertiontest.Members{"aud": fobName + "/token"})),
		"for another server too":  w.key.Sign(t, nil, w.claims(assertiontest.Members{"aud": []string{fobName, "https://evil.example"}})),
		"expired":                 w.key.Sign(t, nil, w.claims(assertiontest.Members{"exp": now - 60})),
		"far exp without iat":     w.key.Sign(t, nil, w.claims(assertiontest.Members{"exp": now + 121, "iat": nil})),
		"old iat":                 w.key.Sign(t, nil, w.claims(assertiontest.Members{"iat": now - 121})),
		"without jti":             w.key.Sign(t, nil, w.claims(assertiontest.Members{"jti": nil})),
		"without exp":             w.key.Sign(t, nil, w.claims(assertiontest.Members{"exp": nil})),
		"not a JWT":               "CANARY",
	} {
		wantInvalidClient(t, what, w.ask("", token))
		if w.event.Client != "" || w.event.Refusal == "" {
			t.Errorf("%s: event %+v", what, w.event)
		}
	}
	wantInvalidClient(t, "client_id is another client", w.ask("twin", good))
	w.editClient("signer", func(c *oauth.Client) { c.Disabled = true })
	w.advance(11)
	wantInvalidClient(t, "disabled", w.ask("", w.key.Sign(t, nil, w.claims(nil))))

	w.issuer.Assertions = &oauthtest.Assertions{Err: oauth.ErrUnavailable}
	if err := w.ask("", good); err == nil || oauth.ErrInvalidClient == err { //nolint:errorlint // as above
		t.Errorf("an outage is %v", err)
	}
	w.issuer.Assertions = nil
	wantInvalidClient(t, "without a verifier", w.ask("", good))
}

// Revocation and introspection have no verifier. A public client needs no secret there, so an
// assertion must not count as none.
func TestClientAssertionElsewhere(t *testing.T) {
	w := newKeyWorld(t)
	token := w.key.Sign(t, nil, w.claims(nil))
	for _, id := range []ledger.ClientID{"", "signer", "app"} {
		cred := oauth.Credentials{ID: id, Assertion: secret.New(token)}
		wantInvalidClient(t, "revoke as "+string(id), w.verifier.Revoke(w.context(), cred, bearer.FromClient("x")))
		_, err := w.verifier.Introspect(w.context(), cred, bearer.FromClient("x"))
		wantInvalidClient(t, "introspect as "+string(id), err)
	}
}

func TestKeysOfClients(t *testing.T) {
	key := assertiontest.JWKS(t, assertiontest.NewKey(t, "EdDSA"))
	r := &oauth.Registrar{Clients: memory.NewClients(), Assertions: assertion.New(time.Now, nil), Now: time.Now}
	grants := []oauth.GrantType{oauth.ClientCredentialsGrant}
	for what, c := range map[string]oauth.Client{
		"public":        {ID: "a", Public: true, Grants: []oauth.GrantType{oauth.PasswordGrant}, JWKS: key},
		"not a key set": {ID: "a", Grants: grants, JWKS: "CANARY"},
		"no key":        {ID: "a", Grants: grants, JWKS: `{"keys":[]}`},
		"a private key": {ID: "a", Grants: grants, JWKS: strings.Replace(key, `"x":`, `"d":"AA","x":`, 1)},
		"long":          {ID: "a", Grants: grants, JWKS: key + strings.Repeat(" ", 4096)},
		"introspects":   {ID: "a", Introspects: []string{"b"}, JWKS: key},
	} {
		_, err := r.AddClient(t.Context(), c, secret.Text{})
		wantChange(t, what, err, oauth.InvalidEntry)
	}
	for _, s := range []string{"", "CANARY-of-20-characters"} {
		_, err := r.AddClient(t.Context(), oauth.Client{Grants: grants, JWKS: key}, secret.New(s))
		if err != nil {
			t.Errorf("with the secret %q: %v", s, err)
		}
	}
}
