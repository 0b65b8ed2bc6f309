// Command revoke is the Lambda function behind /revoke (RFC 7009). It deletes from
// Tokens and reads Clients and the check keys; it can mint nothing.
package main

import (
	"context"
	"net/http"
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
	if apigw.Serve(compose) != nil {
		os.Exit(1)
	}
}

func compose(ctx context.Context, o wire.Options) (http.Handler, error) {
	c, err := config.Read[config.Revoke]()
	if err != nil {
		return nil, err
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	db := dynamo.NewClient(cfg)
	ring := keys.NewCache(keys.CheckSource(cfg, c.KeysFile, c.CheckSecret), time.Now)
	clients := oauth.NewClientCache(dynamo.NewClients(db, c.ClientsTable), time.Now)
	verifier := &oauth.Verifier{Tokens: dynamo.NewTokens(db, c.TokensTable), Clients: clients, Keys: ring, Now: time.Now}
	return wire.Revoke(verifier, o), warm.Up(ctx, o.Log, clients, ring)
}
