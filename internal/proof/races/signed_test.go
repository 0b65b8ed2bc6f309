package races

import (
	"math/rand/v2"
	"testing"

	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
)

// Logins that another issuer proves, and a client that signs in the place of a secret. The
// driver holds the key of all three.

const (
	fobName  = "https://fob.example"
	backEnd  = "https://back-end.example" // logs in users of fob
	provider = "https://provider.example" // has users of its own
	appID    = "com.example.app"          // whom the tokens of both are for
	billing  = "https://billing.example"  // a second audience of the client signer

	signerClient ledger.ClientID = "signer"
)

// seedSigned registers the issuers and the client signer.
func seedSigned(t *testing.T, f *dynamotest.Fixture, accessLifetime int64) assertiontest.Key {
	t.Helper()
	key := assertiontest.NewKey(t, "EdDSA")
	keys := assertiontest.JWKS(t, key)
	for name, subjects := range map[string]oauth.SubjectRule{backEnd: oauth.NamedSubjects, provider: oauth.HashedSubjects} {
		_, err := f.Issuers.SaveIssuer(t.Context(), oauth.TrustedIssuer{Subjects: subjects, Events: subjects == oauth.HashedSubjects, Signer: oauth.Signer{
			Name: name, Audiences: []string{appID}, Algorithms: oauth.Algorithms(), JWKS: keys,
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	oauthtest.SaveClient(t, f.Clients, oauth.Client{
		ID: signerClient, Grants: oauth.GrantTypes(), JWKS: keys, Audiences: []string{string(signerClient), billing},
		Scopes: oauthtest.Scopes(t, "read"), DefaultScopes: oauthtest.Scopes(t, "read"), AccessLifetime: accessLifetime,
	}, 1)
	return key
}

// prove chooses how the user of an Authorization logs in: users of the provider by what it
// signs, those of fob also by their password.
func (d *driver) prove(t *testing.T, a *authorization, now int64) (by oauth.GrantType, assertion string) {
	switch ways := rand.IntN(3); {
	case a.user == "":
		return oauth.ClientCredentialsGrant, ""
	case ways == 0 && !a.isOfProvider():
		return oauth.PasswordGrant, ""
	case ways == 1:
		by = oauth.TokenExchangeGrant
	default:
		by = oauth.JWTBearerGrant
	}
	issuer := backEnd
	if a.isOfProvider() {
		issuer = provider
	}
	return by, sign(t, d.key, issuer, a.user, appID, now)
}

// signEvent makes an event of the provider about a user of its own.
func signEvent(t *testing.T, key assertiontest.Key, user string, dated int64) string {
	return key.Sign(t, nil, assertiontest.Members{
		"iss": provider, "sub": user, "aud": appID, "jti": "1", "iat": dated,
		"events": assertiontest.Members{"https://schemas.openid.net/secevent/caep/event-type/session-revoked": assertiontest.Members{}},
	})
}

// sign makes a JWT for a minute.
func sign(t *testing.T, key assertiontest.Key, issuer, subject, audience string, now int64) string {
	return key.Sign(t, nil, assertiontest.Members{"iss": issuer, "sub": subject, "aud": audience, "jti": "1", "iat": now, "exp": now + 60})
}

// isOfProvider: fob knows the user by a hash alone, and no password.
func (a *authorization) isOfProvider() bool {
	return a.subject.ID == oauth.HashedUserID(provider, a.user)
}
