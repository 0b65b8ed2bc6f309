// Command events is the Lambda function behind /events, where issuers push security
// events about their users. It reads Clients, raises epochs in Tokens, and fetches the keys
// of issuers; it has no key of fob, can mint nothing and knows no passwords.
package main

import (
	"context"
	"net/http"
	"os"
	"time"

	"github.com/fob-oauth/fob/internal/apigw"
	"github.com/fob-oauth/fob/internal/assertion"
	"github.com/fob-oauth/fob/internal/compose"
	"github.com/fob-oauth/fob/internal/config"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/wire"
)

func main() {
	if apigw.Serve(newHandler) != nil {
		os.Exit(1)
	}
}

func newHandler(ctx context.Context, o wire.Options) (http.Handler, error) {
	c, err := config.Read[config.Events]()
	if err != nil {
		return nil, err
	}
	o.Edge = c.Edge
	issuers, subjects, err := compose.Receiving(ctx, c, o.Log)
	if err != nil {
		return nil, err
	}
	return wire.Events(&oauth.Receiver{
		Issuers:    oauth.NewIssuerCache(issuers, time.Now),
		Assertions: assertion.New(time.Now, nil),
		Subjects:   subjects,
	}, o), nil
}
