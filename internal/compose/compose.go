// Package compose builds what a Lambda function runs, once, before its first
// request.
//
// [Verifying] is for the functions that verify tokens and mint none, [Receiving] for the
// one that takes events. The token function composes itself, because it alone may link mint
// keys, and opens its connections with [Warm].
package compose

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/config"
	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/oauth"
)

// Verifying returns a Verifier with warm connections, and the way to the tables for other
// stores. An error means that the function must not start; see [Warm].
func Verifying(ctx context.Context, c config.Base, log *slog.Logger) (*oauth.Verifier, *dynamodb.Client, error) {
	cfg, err := AWS()
	if err != nil {
		return nil, nil, err
	}
	db := dynamo.NewClient(cfg)
	ring := keys.NewCache(keys.CheckSource(cfg, c.KeysFile, c.CheckSecret), time.Now)
	clients := oauth.NewClientCache(dynamo.NewClients(db, c.ClientsTable), time.Now)
	verifier := &oauth.Verifier{Tokens: dynamo.NewTokens(db, c.TokensTable), Clients: clients, Keys: ring, Now: time.Now}
	return verifier, db, Warm(ctx, log, clients, ring)
}

// OwnUsersMode is when the deployment asks its team's own users.
func OwnUsersMode(c config.OwnUsers) oauth.OwnUsersMode {
	switch {
	case c.Function == "":
		return oauth.NeverAsked
	case c.Mode.Keeps():
		return oauth.AskedUntilFirst
	}
	return oauth.AskedAtEach
}

// Receiving returns the stores of events. Its connection to DynamoDB is warm, or an outage
// is logged, as [Warm] does.
func Receiving(ctx context.Context, c config.Events, log *slog.Logger) (*dynamo.Issuers, *dynamo.Tokens, error) {
	cfg, err := AWS()
	if err != nil {
		return nil, nil, err
	}
	db := dynamo.NewClient(cfg)
	warm, cancel := context.WithTimeout(ctx, warmLimit)
	defer cancel()
	if _, err := dynamo.NewClients(db, c.ClientsTable).ResourceScopes(warm); err != nil {
		logCold(ctx, log, err)
	}
	return dynamo.NewIssuers(db, c.ClientsTable), dynamo.NewTokens(db, c.TokensTable), nil
}

// warmLimit is well within the ten seconds that Lambda gives to a start.
const warmLimit = 8 * time.Second

// Warm fetches the key ring and at the same time makes one real read of the
// tables. Lambda gives a full core while a function starts and a fraction of one
// afterwards, so the TLS handshakes and the code paths of the first calls belong
// in the start.
//
// Warm returns an error only for a ring that must not be served with. It logs an
// outage and returns nil: if a function does not start, the gateway answers with a
// body that is not an OAuth error; a function that did start answers 503 until the
// outage is over.
func Warm[R any](ctx context.Context, log *slog.Logger, clients *oauth.ClientCache, ring oauth.Keys[R]) error {
	ctx, cancel := context.WithTimeout(ctx, warmLimit)
	defer cancel()
	var wg sync.WaitGroup
	var readErr error
	wg.Go(func() { _, readErr = clients.ResourceScopes(ctx) })
	_, ringErr := ring.Ring(ctx)
	wg.Wait()
	if errors.Is(ringErr, bearer.ErrBadRing) {
		return ringErr
	}
	if err := errors.Join(ringErr, readErr); err != nil {
		logCold(ctx, log, err)
	}
	return nil
}

func logCold(ctx context.Context, log *slog.Logger, err error) {
	log.ErrorContext(ctx, "started without warm connections", "error", err)
}
