// Command account is the Lambda function behind /account, where signed-in users change their
// password and leave, and behind PATCH of /devices, where they label a device. It reads and writes Users, and Tokens, where it keeps the sign-in that
// asks and ends the others; it reads Clients and the check keys. It hashes and compares
// passwords, and can mint nothing.
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
	"github.com/fob-oauth/fob/internal/wire"
)

func main() {
	if apigw.Serve(newHandler) != nil {
		os.Exit(1)
	}
}

func newHandler(ctx context.Context, o wire.Options) (http.Handler, error) {
	c, err := config.Read[config.Account]()
	if err != nil {
		return nil, err
	}
	o.Edge = c.Edge
	verifier, db, err := compose.Verifying(ctx, c.Base, o.Log)
	if err != nil {
		return nil, err
	}
	tokens, users := dynamo.NewTokens(db, c.TokensTable), dynamo.NewUsers(db, c.UsersTable)
	return wire.AccountAndDeviceLabels(verifier, &oauth.Account{
		Logins:    users,
		SignIns:   verifier.SignIns(tokens),
		Registrar: &oauth.UserRegistrar{Users: users, Subjects: tokens, Tokens: tokens, Passwords: password.Hasher{}, OwnUsersMode: compose.OwnUsersMode(c.OwnUsers), Now: verifier.Now},
	}, o), nil
}
