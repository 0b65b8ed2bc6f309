// Command announce is the Lambda function that reads the stream of the tokens table and
// puts what happens to users on an event bus. No request reaches it. It reads no table, has
// no key of fob and no secret, and makes one call: PutEvents.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/fob-oauth/fob/internal/compose"
	"github.com/fob-oauth/fob/internal/config"
	"github.com/fob-oauth/fob/internal/eventbridge"
	"github.com/fob-oauth/fob/internal/wire"
)

func main() {
	o := wire.Options{Function: lambdacontext.FunctionName, Log: slog.New(slog.NewJSONHandler(os.Stdout, nil))}
	a, err := newAnnouncer(o)
	if err != nil {
		o.LogFailure(context.Background(), "start", err)
		os.Exit(1)
	}
	lambda.Start(a.Handle)
}

func newAnnouncer(o wire.Options) (*eventbridge.Announcer, error) {
	c, err := config.Read[config.Announce]()
	if err != nil {
		return nil, err
	}
	cfg, err := compose.AWS()
	if err != nil {
		return nil, err
	}
	client, err := eventbridge.NewClient(cfg, c.Bus)
	if err != nil {
		return nil, err
	}
	return &eventbridge.Announcer{Client: client, Bus: c.Bus, Options: o}, nil
}
