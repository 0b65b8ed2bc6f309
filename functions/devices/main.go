// Command devices is the Lambda function behind /devices, where users look after
// their own devices. It lists and deletes in Tokens, and reads Clients and the
// check keys; it can mint nothing and knows no passwords.
package main

import (
	"context"
	"net/http"
	"os"

	"github.com/fob-oauth/fob/internal/apigw"
	"github.com/fob-oauth/fob/internal/config"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/verifying"
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
	parts, err := verifying.Compose(ctx, c.Base, o.Log)
	if err != nil {
		return nil, err
	}
	directory := &oauth.Directory{Tokens: parts.Tokens, Subjects: parts.Tokens, Clients: parts.Clients, Keys: parts.Keys, Now: parts.Now}
	return wire.Devices(parts.Verifier, directory, o), nil
}
