// Command devices is the Lambda function behind /devices, where users look after
// their own devices. It lists and deletes in Tokens, and reads Clients and the
// check keys; it can mint nothing and knows no passwords.
package main

import (
	"context"
	"net/http"
	"os"

	"github.com/fob-oauth/fob/internal/apigw"
	"github.com/fob-oauth/fob/internal/compose"
	"github.com/fob-oauth/fob/internal/config"
	"github.com/fob-oauth/fob/internal/dynamo"
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
	verifier, db, err := compose.Verifying(ctx, c, o.Log)
	if err != nil {
		return nil, err
	}
	return wire.Devices(verifier, verifier.SignIns(dynamo.NewTokens(db, c.TokensTable)), o), nil
}
