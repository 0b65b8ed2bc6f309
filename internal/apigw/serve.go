package apigw

import (
	"context"
	"log/slog"
	"net/http"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/fob-oauth/fob/internal/wire"
)

// Serve is what the main of a Lambda function does: compose the handler, once,
// and serve events until Lambda ends the process. It returns only if compose
// fails, after logging why; the caller then exits.
func Serve(compose func(context.Context, wire.Options) (http.Handler, error)) error {
	// Lambda takes standard output for the log, and finds the metrics in it.
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	handler, err := compose(context.Background(), wire.Options{Function: lambdacontext.FunctionName, Log: log})
	if err != nil {
		log.Error("start", "error", err)
		return err
	}
	lambda.Start(Handler(handler, log))
	return nil
}
