package functions_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/oauth"
)

// What the samples of logins and clients with signatures name: an issuer, which `fob serve`
// has too, and a client with keys in the place of a secret.
const (
	demoIssuer = "demo-issuer"
	demoSigner = "demo-signer"
)

// signedPlaceholder is what a sample has in the place of a JWT.
var signedPlaceholder = regexp.MustCompile(`replace-me-with-an?-(id-token|assertion|client-assertion|event)`)

// addSigners registers both with one key, and returns it.
func (s *stage) addSigners(t *testing.T) assertiontest.Key {
	t.Helper()
	key := assertiontest.NewKey(t, "ES256")
	keys := assertiontest.JWKS(t, key)
	_, err := s.fixture.Issuers.SaveIssuer(t.Context(), oauth.TrustedIssuer{Signer: oauth.Signer{
		Name: demoIssuer, Audiences: []string{demoApp, httpAddress}, Algorithms: oauth.Algorithms(), JWKS: keys,
	}, Events: true})
	must(t, err)
	now := time.Now().Unix()
	app, found, err := s.fixture.Clients.Client(t.Context(), demoApp)
	if must(t, err); !found {
		t.Fatal("the stage has no app")
	}
	app.Grants = append(app.Grants, oauth.TokenExchangeGrant)
	for _, c := range []oauth.Client{app, {
		ID: demoSigner, JWKS: keys, Grants: []oauth.GrantType{oauth.ClientCredentialsGrant}, Audiences: []string{demoAPI},
		Scopes: app.Scopes, DefaultScopes: app.DefaultScopes, Created: now, Epoch: uint64(now),
	}} {
		must(t, c.Validate())
		_, err := s.fixture.Clients.SaveClient(t.Context(), c)
		must(t, err)
	}
	return key
}

// signed puts JWTs in the place of their placeholders.
func (s *stage) signed(t *testing.T, key assertiontest.Key, text string) string {
	t.Helper()
	now := time.Now().Unix()
	return signedPlaceholder.ReplaceAllStringFunc(text, func(place string) string {
		claims := assertiontest.Members{"iss": demoIssuer, "aud": demoApp, "sub": "1", "iat": now, "exp": now + 60}
		switch signedPlaceholder.FindStringSubmatch(place)[1] {
		case "event":
			claims["sub"] = "2" // it ends what the issuer proved in this second and before
			claims["jti"], claims["events"] = "1", assertiontest.Members{"https://schemas.openid.net/secevent/risc/event-type/account-disabled": assertiontest.Members{}}
		case "assertion":
			claims["aud"] = httpAddress
		case "client-assertion":
			claims["aud"], claims["iss"], claims["sub"], claims["jti"] = httpAddress, demoSigner, demoSigner, "1"
		}
		token := key.Sign(t, nil, claims)
		s.know("JWT", token)
		return token
	})
}
