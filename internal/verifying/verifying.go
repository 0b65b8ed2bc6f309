// Package verifying composes what the functions have in common that verify tokens
// and mint none: the tables, the check keys, and their connections.
//
// It exists so that each of their mains says only what is its own. The token
// function composes by itself: it alone holds mint keys and users.
package verifying

import (
	"context"
	"log/slog"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"github.com/fob-oauth/fob/internal/config"
	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/warm"
)

// Parts are what a function is made of.
type Parts struct {
	*oauth.Verifier
	Tokens *dynamo.Tokens // the Verifier's
}

// Compose returns the parts, with warm connections. An error means that the
// function must not start; an outage is none, see warm.Up.
func Compose(ctx context.Context, c config.Base, log *slog.Logger) (Parts, error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return Parts{}, err
	}
	db := dynamo.NewClient(cfg)
	ring := keys.NewCache(keys.CheckSource(cfg, c.KeysFile, c.CheckSecret), time.Now)
	clients := oauth.NewClientCache(dynamo.NewClients(db, c.ClientsTable), time.Now)
	tokens := dynamo.NewTokens(db, c.TokensTable)
	verifier := &oauth.Verifier{Tokens: tokens, Clients: clients, Keys: ring, Now: time.Now}
	return Parts{verifier, tokens}, warm.Up(ctx, log, clients, ring)
}
