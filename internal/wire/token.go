package wire

import (
	"context"
	"net/http"

	"github.com/fob-oauth/fob/internal/oauth"
)

// Token is the token endpoint (RFC 6749 §3.2).
func Token(issuer *oauth.Issuer, o Options) http.Handler {
	return newEndpoint("token", o, func(ctx context.Context, r request) (any, error) {
		t, err := issuer.Token(ctx, oauth.TokenRequest{Credentials: r.credentials, Form: r.form, Source: r.source})
		if err != nil {
			return nil, err
		}
		return tokenJSON{
			AccessToken:  t.AccessToken.Reveal(),
			TokenType:    "Bearer",
			ExpiresIn:    t.ExpiresIn,
			RefreshToken: t.RefreshToken.Reveal(),
			Scope:        t.Scope.String(),
		}, nil
	})
}

// tokenJSON is the body of RFC 6749 §5.1. Here the tokens leave on purpose.
type tokenJSON struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
}
