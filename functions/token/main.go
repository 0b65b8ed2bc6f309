// Command token is the Lambda function behind /token (RFC 6749 §3.2). It alone
// holds the mint keys and reads Users.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/fob-oauth/fob/internal/apigw"
	"github.com/fob-oauth/fob/internal/assertion"
	"github.com/fob-oauth/fob/internal/compose"
	"github.com/fob-oauth/fob/internal/config"
	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/ownusers"
	"github.com/fob-oauth/fob/internal/password"
	"github.com/fob-oauth/fob/internal/wire"
)

func main() {
	if apigw.Serve(newHandler) != nil {
		os.Exit(1)
	}
}

func newHandler(ctx context.Context, o wire.Options) (http.Handler, error) {
	c, err := config.Read[config.Token]()
	if err != nil {
		return nil, err
	}
	o.Edge, o.Issuer = c.Edge, c.Issuer
	hide, err := password.ParseKind(c.HideKind)
	if err != nil {
		return nil, fmt.Errorf("configuration: FOB_HIDE_KIND: %w", err)
	}
	cfg, err := compose.AWS()
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
		Passwords: password.Hasher{Hide: hide},

		Issuers:    oauth.NewIssuerCache(dynamo.NewIssuers(db, c.ClientsTable), time.Now),
		Assertions: assertion.New(time.Now, nil),

		Keys:   ring,
		Now:    time.Now,
		Grants: oauth.OfferedGrants(c.PasswordGrant),
	}
	if c.OwnUsers.Function != "" {
		own, err := ownusers.AtLambda(c.OwnUsers.Function, c.LambdaEndpoint, cfg.Credentials)
		if err != nil {
			return nil, fmt.Errorf("configuration: FOB_OWN_USERS: %w", err)
		}
		issuer.OwnUsers, issuer.OwnUsersMode = own, compose.OwnUsersMode(c.OwnUsers)
	}
	if err := compose.Warm(ctx, o.Log, clients, ring); err != nil {
		return nil, err
	}
	if r, err := ring.Ring(ctx); err == nil { // Warm has logged an outage
		o.LogKeyAge(ctx, r.ActiveKID(), r.ActiveSince(), time.Now())
	}
	return wire.Token(issuer, o), nil
}
