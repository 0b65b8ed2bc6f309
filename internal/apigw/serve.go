package apigw

import (
	"context"
	"io"
	stdlog "log"
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
	return serve(compose, Handler)
}

// ServeAuthorizer is Serve for a Lambda authorizer.
func ServeAuthorizer(compose func(context.Context, wire.Options) (wire.Guard, error)) error {
	// The runtime prints every error that it is handed, and here each 401 is one. The
	// line of the request has told it.
	stdlog.SetOutput(io.Discard)
	return serve(compose, Authorizer)
}

func serve[H, F any](compose func(context.Context, wire.Options) (H, error), function func(H, *slog.Logger) F) error {
	// Lambda takes standard output for the log, and finds the metrics in it.
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	handler, err := compose(context.Background(), wire.Options{Function: lambdacontext.FunctionName, Log: log})
	if err != nil {
		log.Error("start", "error", err)
		return err
	}
	lambda.Start(function(handler, log))
	return nil
}
