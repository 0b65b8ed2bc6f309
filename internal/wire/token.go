package wire

import (
	"net/http"

	"github.com/fob-oauth/fob/internal/oauth"
)

// Token is the token endpoint (RFC 6749 §3.2).
func Token(issuer *oauth.Issuer, o Options) http.Handler {
	return newHandler("token", o, func(w http.ResponseWriter, r *http.Request) (answer, error) {
		form, credentials, err := readRequest(w, r)
		if err != nil {
			return answer{}, err
		}
		user, err := userSourceOf(form)
		if err != nil {
			return answer{}, err
		}
		t, err := issuer.Token(r.Context(), oauth.TokenRequest{
			Credentials: credentials, Form: form, Issuer: o.issuerOf(r), Source: o.sourceOf(r).counted, UserSource: user,
		})
		if err != nil {
			return answer{}, err
		}
		body := tokenJSON{
			AccessToken:      t.AccessToken.Reveal(),
			TokenType:        "Bearer",
			ExpiresIn:        t.ExpiresIn,
			RefreshToken:     t.RefreshToken.Reveal(),
			RefreshExpiresIn: t.RefreshExpiresIn,
			Scope:            t.Scope.String(),
		}
		if form.GrantType() == oauth.TokenExchangeGrant {
			body.IssuedTokenType = oauth.AccessTokenType
		}
		return jsonAnswer(body)
	})
}

// tokenJSON is the body of RFC 6749 §5.1. Here the tokens leave on purpose.
type tokenJSON struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	// RefreshExpiresIn has no RFC; it is the name that other servers and clients use. An
	// app can warn before the login ends.
	RefreshExpiresIn int64  `json:"refresh_token_expires_in,omitempty"`
	Scope            string `json:"scope,omitempty"`

	IssuedTokenType string `json:"issued_token_type,omitempty"` // RFC 8693 §2.2.1 requires it
}
