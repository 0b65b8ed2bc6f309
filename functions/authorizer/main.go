// Command authorizer is the Lambda function that API Gateway asks whether a
// request may pass (RFC 6750). It reads Tokens and Clients and the check keys; it
// can mint nothing and write nothing.
package main

import (
	"context"
	"os"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"github.com/fob-oauth/fob/internal/apigw"
	"github.com/fob-oauth/fob/internal/config"
	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/warm"
	"github.com/fob-oauth/fob/internal/wire"
)

func main() {
	if apigw.ServeAuthorizer(compose) != nil {
		os.Exit(1)
	}
}

func compose(ctx context.Context, o wire.Options) (wire.Guard, error) {
	c, err := config.Read[config.Authorizer]()
	if err != nil {
		return wire.Guard{}, err
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return wire.Guard{}, err
	}
	db := dynamo.NewClient(cfg)
	ring := keys.NewCache(keys.CheckSource(cfg, c.KeysFile, c.CheckSecret), time.Now)
	clients := oauth.NewClientCache(dynamo.NewClients(db, c.ClientsTable), time.Now)
	verifier := &oauth.Verifier{Tokens: dynamo.NewTokens(db, c.TokensTable), Clients: clients, Keys: ring, Now: time.Now}
	guard := wire.Authorize(verifier, wire.Policy{Audience: c.Audience, Routes: c.RouteScopes}, o)
	return guard, warm.Up(ctx, o.Log, clients, ring)
}
