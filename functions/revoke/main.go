// Command revoke is the Lambda function behind /revoke (RFC 7009). It deletes from
// Tokens and reads Clients and the check keys; it can mint nothing.
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
	c, err := config.Read[config.Base]()
	if err != nil {
		return nil, err
	}
	o.Edge = c.Edge
	verifier, _, err := compose.Verifying(ctx, c, o.Log)
	if err != nil {
		return nil, err
	}
	return wire.Revoke(verifier, o), nil
}
