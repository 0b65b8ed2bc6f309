package wire

import (
	"net/http"
	"strings"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
)

// keySetAge is for how long the key set may be kept, in seconds. A key is published for
// longer before it signs (rotation.PublicationWait), but for the first one: so an empty
// set is not kept.
const keySetAge = 300

// KeySet is the JWK Set with the public keys of JWT access tokens (RFC 7517 §5). It is
// empty where no client gets JWTs. It needs keys and a clock of the verifier.
func KeySet(verifier *oauth.Verifier, o Options) http.Handler {
	return newHandler("jwks", o, func(_ http.ResponseWriter, r *http.Request) (answer, error) {
		if !isRead(r.Method) {
			return answer{}, errMethodNotIn(reads...)
		}
		ring, err := verifier.Keys.Ring(r.Context())
		if err != nil {
			return answer{}, err
		}
		oauth.EventOf(r.Context()).Outcome = oauth.Described
		set := keySetJSON{ring.JWKS(verifier.Now().Unix())}
		a, err := jsonAnswer(set)
		if len(set.Keys) > 0 {
			a.maxAge = keySetAge
		}
		return a, err
	})
}

type keySetJSON struct {
	Keys []bearer.JWK `json:"keys"`
}

// IntrospectAndKeySet is both endpoints of the function that introspects, which holds the
// check keys anyway.
func IntrospectAndKeySet(verifier *oauth.Verifier, o Options) http.Handler {
	introspect, keySet := Introspect(verifier, o), KeySet(verifier, o)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, KeySetPath) { // below a stage or a mapping as well
			keySet.ServeHTTP(w, r)
			return
		}
		introspect.ServeHTTP(w, r)
	})
}
