package wire

import (
	"context"
	"net/http"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
)

// Revoke is the revocation endpoint (RFC 7009). Its 200 has no body: the client
// ignores it anyway (§2.2). token_type_hint is not looked at: a bearer says of
// itself what it is.
func Revoke(verifier *oauth.Verifier, o Options) http.Handler {
	return newEndpoint("revoke", o, func(ctx context.Context, r request) (any, error) {
		return nil, verifier.Revoke(ctx, oauth.RevokeRequest{
			Credentials: r.credentials,
			Token:       bearer.FromClient(r.form[paramToken]),
		})
	})
}
