package laptop

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

// DemoIssuer is the name of the demo's issuer, whose ID tokens [DemoApp] exchanges.
const DemoIssuer = "demo-issuer"

// SeedIssuer adds [DemoIssuer], or gives it another key, and returns an ID token of it, which can be exchanged for
// [oauth.MaxAssertionAge] seconds. The key that signs it is forgotten: there is never a
// second one. So this is for stores in memory, which end with the process.
func SeedIssuer(ctx context.Context, r *oauth.Registrar) (secret.Text, error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return secret.Text{}, err
	}
	const id = "demo"
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public, KeyID: id, Algorithm: string(jose.EdDSA), Use: "sig"}}})
	if err != nil {
		return secret.Text{}, err
	}
	_, err = r.AddIssuer(ctx, oauth.TrustedIssuer{
		Signer: oauth.Signer{
			Name: DemoIssuer, Audiences: []string{DemoApp}, Algorithms: []string{string(jose.EdDSA)}, JWKS: string(set),
		},
		UsernameClaim: "preferred_username",
	})
	if oauth.IsChange(err, oauth.EntryExists) { // of a start before on these stores
		_, err = r.EditIssuer(ctx, DemoIssuer, func(i *oauth.TrustedIssuer) error {
			i.JWKS = string(set)
			return nil
		})
	}
	if err != nil {
		return secret.Text{}, fmt.Errorf("add %s: %w", DemoIssuer, err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: private, KeyID: id}}, nil)
	if err != nil {
		return secret.Text{}, err
	}
	now := r.Now().Unix()
	token, err := jwt.Signed(signer).Claims(map[string]any{
		"iss": DemoIssuer, "aud": DemoApp, "sub": "1", "iat": now, "exp": now + oauth.MaxAssertionAge, "preferred_username": "demo-visitor",
	}).Serialize()
	return secret.New(token), err
}
