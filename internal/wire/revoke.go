package wire

import (
	"net/http"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
)

// Revoke is the revocation endpoint (RFC 7009). Its 200 has no body: the client
// ignores it anyway (§2.2). token_type_hint is not looked at: a bearer says of
// itself what it is.
func Revoke(verifier *oauth.Verifier, o Options) http.Handler {
	return newHandler("revoke", o, func(w http.ResponseWriter, r *http.Request) (answer, error) {
		form, credentials, err := readRequest(w, r)
		if err != nil {
			return answer{}, err
		}
		return answer{}, verifier.Revoke(r.Context(), oauth.RevokeRequest{
			Credentials: credentials,
			Token:       bearer.FromClient(form[paramToken]),
		})
	})
}
