// Command devices is the Lambda function behind /devices, where users look after
// their own devices. It lists and deletes in Tokens, and reads Clients and the
// check keys; it can mint nothing and knows no passwords.
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
	c, err := config.Read[config.Devices]()
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
	tokens := dynamo.NewTokens(db, c.TokensTable)
	verifier := &oauth.Verifier{Tokens: tokens, Clients: clients, Keys: ring, Now: time.Now}
	directory := &oauth.Directory{Tokens: tokens, Subjects: tokens, Clients: clients, Keys: ring, Now: time.Now}
	return wire.Devices(verifier, directory, o), warm.Up(ctx, o.Log, clients, ring)
}
