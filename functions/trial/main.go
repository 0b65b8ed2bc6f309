// Command trial is the Lambda function that tries new versions of token, revoke and
// introspect before they get traffic. CodeDeploy calls it, in each deployment. It adds and
// removes a client of its own, and reads no token and no key.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	lambdasdk "github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/fob-oauth/fob/internal/compose"
	"github.com/fob-oauth/fob/internal/config"
	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/smoke"
	"github.com/fob-oauth/fob/internal/trial"
	"github.com/fob-oauth/fob/internal/wire"
)

func main() {
	o := wire.Options{Function: lambdacontext.FunctionName, Log: slog.New(slog.NewJSONHandler(os.Stdout, nil))}
	lambda.Start(func(ctx context.Context, event trial.Event) error {
		cfg, err := compose.AWS()
		if err != nil {
			return fmt.Errorf("configuration of the AWS SDK: %w", err)
		}
		return trial.Handle(ctx, event, codedeploy.NewFromConfig(cfg), o, func(ctx context.Context) (smoke.View, error) {
			c, err := config.Read[config.Trial]()
			if err != nil {
				return smoke.View{}, err
			}
			return smoke.Try(ctx, smoke.Deployment{
				Registrar: &oauth.Registrar{Clients: dynamo.NewClients(dynamo.NewClient(cfg), c.ClientsTable), Now: time.Now},
				Transport: trial.Transport{Lambda: lambdasdk.NewFromConfig(cfg), Versions: map[string]string{
					wire.TokenPath: c.TokenVersion, wire.RevokePath: c.RevokeVersion, wire.IntrospectPath: c.IntrospectVersion,
				}},
			}, trial.Base)
		})
	})
}
