// Command metadata is the Lambda function behind
// /.well-known/oauth-authorization-server (RFC 8414), /.well-known/openid-configuration and
// /.well-known/oauth-protected-resource (RFC 9728). It asks nobody and knows no
// key: what it says is its configuration.
package main

import (
	"context"
	"net/http"
	"os"

	"github.com/fob-oauth/fob/internal/apigw"
	"github.com/fob-oauth/fob/internal/config"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/wire"
)

func main() {
	if apigw.Serve(newHandler) != nil {
		os.Exit(1)
	}
}

func newHandler(_ context.Context, o wire.Options) (http.Handler, error) {
	c, err := config.Read[config.Metadata]()
	if err != nil {
		return nil, err
	}
	o.Issuer = c.Issuer
	return wire.Metadata(oauth.OfferedGrants(c.PasswordGrant), o), nil
}
