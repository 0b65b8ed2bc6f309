// Command revoke is the Lambda function behind /revoke (RFC 7009). It deletes from
// Tokens and reads Clients and the check keys; it can mint nothing.
package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
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
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	handler, err := compose(context.Background(), log)
	if err != nil {
		log.Error("start", "error", err)
		os.Exit(1)
	}
	lambda.Start(apigw.Handler(handler, log))
}

func compose(ctx context.Context, log *slog.Logger) (http.Handler, error) {
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
	return wire.Revoke(verifier, wire.Options{Function: lambdacontext.FunctionName, Log: log}), warm.Up(ctx, log, clients, ring)
}
