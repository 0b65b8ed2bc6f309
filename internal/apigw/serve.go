package apigw

import (
	"bytes"
	"context"
	"encoding/json"
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
func ServeAuthorizer(compose func(context.Context, wire.Options) (wire.Authorizer, error)) error {
	stdlog.SetOutput(exceptUnauthorized{stdlog.Writer()})
	return serve(compose, Authorizer)
}

func serve[H any](compose func(context.Context, wire.Options) (H, error), function func(H, wire.Options) Function) error {
	// Lambda takes standard output for the log, and finds the metrics in it.
	o := wire.Options{Function: lambdacontext.FunctionName, Log: slog.New(slog.NewJSONHandler(os.Stdout, nil))}
	handler, err := composed(compose, o)
	if err != nil {
		o.LogFailure(context.Background(), "start", err)
		return err
	}
	lambda.Start(function(handler, o))
	return nil
}

// composed is what compose returns, or its panic as an error: Go would print the
// value of it.
func composed[H any](compose func(context.Context, wire.Options) (H, error), o wire.Options) (handler H, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = wire.PanicError(v)
		}
	}()
	return compose(context.Background(), o)
}

// exceptUnauthorized drops one line of the runtime, which prints every error that it
// is handed: each 401 is one, and the line of the request has reported it.
type exceptUnauthorized struct{ to io.Writer }

func (w exceptUnauthorized) Write(line []byte) (int, error) {
	var said struct {
		ErrorMessage string `json:"errorMessage"`
	}
	// A prefix, such as the time, has no brace.
	if at := bytes.IndexByte(line, '{'); at >= 0 && json.Unmarshal(line[at:], &said) == nil && said.ErrorMessage == errUnauthorized.Error() {
		return len(line), nil
	}
	return w.to.Write(line)
}
