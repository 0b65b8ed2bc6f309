// Command introspect is the Lambda function behind /introspect (RFC 7662) and
// /.well-known/jwks.json (RFC 7517). It
// reads Tokens and Clients and the check keys; it can mint nothing and write
// nothing.
package main

import (
	"context"
	"net/http"
	"os"

	"github.com/fob-oauth/fob/internal/apigw"
	"github.com/fob-oauth/fob/internal/compose"
	"github.com/fob-oauth/fob/internal/config"
	"github.com/fob-oauth/fob/internal/wire"
)

func main() {
	if apigw.Serve(newHandler) != nil {
		os.Exit(1)
	}
}

func newHandler(ctx context.Context, o wire.Options) (http.Handler, error) {
	c, err := config.Read[config.Introspect]()
	if err != nil {
		return nil, err
	}
	o.Edge = c.Edge
	verifier, _, err := compose.Verifying(ctx, c.Base, o.Log)
	if err != nil {
		return nil, err
	}
	o.Issuer = c.Issuer
	return wire.IntrospectAndKeySet(verifier, o), nil
}
