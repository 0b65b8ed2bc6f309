package wire

import (
	"context"
	"net/http"
)

// Me is the resource that tells a client for whom its token speaks, and on which
// device: a sample of what stands behind the authorizer.
func Me(access Access, o Options) http.Handler {
	return newResource("me", o, access, []string{http.MethodGet}, func(_ context.Context, r resourceRequest) (any, error) {
		return newCaller(r.caller), nil
	})
}
