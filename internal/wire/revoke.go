package wire

import (
	"net/http"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
)

// Revoke is the revocation endpoint (RFC 7009). Its 200 is an empty JSON object:
// clients ignore it (§2.2), but for libraries that take every answer for JSON.
// token_type_hint is not read: a bearer says itself what it is.
func Revoke(verifier *oauth.Verifier, o Options) http.Handler {
	return newHandler("revoke", o, func(w http.ResponseWriter, r *http.Request) (answer, error) {
		form, credentials, err := readRequest(w, r)
		if err != nil {
			return answer{}, err
		}
		err = verifier.Revoke(r.Context(), credentials, bearer.FromClient(form[paramToken]))
		if err != nil {
			return answer{}, err
		}
		return jsonAnswer(struct{}{})
	})
}
