package wire

import (
	"cmp"
	"net/http"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
)

// Introspect is the introspection endpoint (RFC 7662).
func Introspect(verifier *oauth.Verifier, o Options) http.Handler {
	return newHandler("introspect", o, func(w http.ResponseWriter, r *http.Request) (answer, error) {
		form, credentials, err := readRequest(w, r)
		if err != nil {
			return answer{}, err
		}
		i, err := verifier.Introspect(r.Context(), credentials, bearer.FromClient(form[paramToken]))
		switch {
		case err != nil:
			return answer{}, err
		case !i.Active:
			return jsonAnswer(introspectionJSON{}) // says nothing else (RFC 7662 §2.2)
		}
		tokenType := "Bearer"
		if i.Kind == bearer.Refresh {
			// WSO2's word. With Bearer, a resource server that looks at nothing but
			// active would take a refresh token for an access token.
			tokenType = "Refresh"
		}
		return jsonAnswer(introspectionJSON{
			Active:    true,
			Scope:     i.Scope.String(),
			ClientID:  string(i.ClientID),
			Username:  i.Username,
			TokenType: tokenType,
			Expiry:    i.Expiry,
			IssuedAt:  i.IssuedAt,
			Subject:   i.Subject.ID,
			Audience:  i.Audiences,
			Issuer:    cmp.Or(i.Issuer, o.issuerOf(r)),
			ID:        i.ID,
			Device:    string(i.Scope.Device()),
		})
	})
}

// introspectionJSON is the body of RFC 7662 §2.2. There is no nbf: with clocks
// that differ it would make a token inactive at birth.
type introspectionJSON struct {
	Active    bool     `json:"active"`
	Scope     string   `json:"scope,omitempty"`
	ClientID  string   `json:"client_id,omitempty"`
	Username  string   `json:"username,omitempty"`
	TokenType string   `json:"token_type,omitempty"`
	Expiry    int64    `json:"exp,omitempty"`
	IssuedAt  int64    `json:"iat,omitempty"`
	Subject   string   `json:"sub,omitempty"`
	Audience  []string `json:"aud,omitempty"` // an array also for one
	Issuer    string   `json:"iss,omitempty"`
	ID        string   `json:"jti,omitempty"`
	Device    string   `json:"device,omitempty"`
}
