// Command authorizer is the Lambda function that API Gateway asks whether a
// request may pass (RFC 6750). It reads Tokens and Clients and the check keys; it
// can mint nothing and write nothing.
package main

import (
	"context"
	"os"

	"github.com/fob-oauth/fob/internal/apigw"
	"github.com/fob-oauth/fob/internal/compose"
	"github.com/fob-oauth/fob/internal/config"
	"github.com/fob-oauth/fob/internal/wire"
)

func main() {
	if apigw.ServeAuthorizer(newHandler) != nil {
		os.Exit(1)
	}
}

func newHandler(ctx context.Context, o wire.Options) (wire.Authorizer, error) {
	c, err := config.Read[config.Authorizer]()
	if err != nil {
		return wire.Authorizer{}, err
	}
	o.Edge = c.Edge
	verifier, _, err := compose.Verifying(ctx, c.Base, o.Log)
	if err != nil {
		return wire.Authorizer{}, err
	}
	return wire.NewAuthorizer(verifier, wire.Policy{Audience: c.Audience, Routes: c.RouteScopes}, o), nil
}
