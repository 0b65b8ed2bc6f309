// Command token is the Lambda function behind /token (RFC 6749 §3.2). It alone
// holds the mint keys and reads Users.
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
	"github.com/fob-oauth/fob/internal/password"
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
	c, err := config.Read[config.Token]()
	if err != nil {
		return nil, err
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	db := dynamo.NewClient(cfg)
	ring := keys.NewCache(keys.MintSource(cfg, c.KeysFile, c.MintSecret, c.CheckSecret), time.Now)
	clients := oauth.NewClientCache(dynamo.NewClients(db, c.ClientsTable), time.Now)
	issuer := &oauth.Issuer{
		Tokens:    dynamo.NewTokens(db, c.TokensTable),
		Clients:   clients,
		Users:     dynamo.NewUsers(db, c.UsersTable),
		Passwords: password.Hasher{},
		Keys:      ring,
		Now:       time.Now,
	}
	return wire.Token(issuer, wire.Options{Function: lambdacontext.FunctionName, Log: log}), warm.Up(ctx, log, clients, ring)
}
