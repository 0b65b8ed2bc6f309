// Command users is the Lambda function behind /users and /sign-out, where back ends look
// after users. It reads and writes Users, lists, deletes and raises epochs in Tokens, and
// reads Clients and the check keys; it hashes passwords, compares none, and can mint
// nothing.
package main

import (
	"context"
	"net/http"
	"os"

	"github.com/fob-oauth/fob/internal/apigw"
	"github.com/fob-oauth/fob/internal/compose"
	"github.com/fob-oauth/fob/internal/config"
	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/password"
	"github.com/fob-oauth/fob/internal/userimport"
	"github.com/fob-oauth/fob/internal/wire"
)

func main() {
	if apigw.Serve(newHandler) != nil {
		os.Exit(1)
	}
}

func newHandler(ctx context.Context, o wire.Options) (http.Handler, error) {
	c, err := config.Read[config.Users]()
	if err != nil {
		return nil, err
	}
	o.Edge, o.Issuer = c.Edge, c.Issuer
	verifier, db, err := compose.Verifying(ctx, c.Base, o.Log)
	if err != nil {
		return nil, err
	}
	tokens, users := dynamo.NewTokens(db, c.TokensTable), dynamo.NewUsers(db, c.UsersTable)
	return wire.UsersAndSignOut(wire.UserResources{
		Verifier:  verifier,
		Registrar: &oauth.UserRegistrar{Users: users, Subjects: tokens, Tokens: tokens, Passwords: password.Hasher{}, OwnUsersMode: compose.OwnUsersMode(c.OwnUsers), Now: verifier.Now},
		SignIns:   verifier.SignIns(tokens),
		Issuers:   dynamo.NewIssuers(db, c.ClientsTable),
		NewUser:   userimport.ParseUser,
	}, o), nil
}
