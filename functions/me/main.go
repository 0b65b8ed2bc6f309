// Command me is the Lambda function behind /me: for whom a token speaks, and on
// which device. It is behind the authorizer, believes what that says, and
// does not call AWS.
package main

import (
	"context"
	"net/http"
	"os"

	"github.com/fob-oauth/fob/internal/apigw"
	"github.com/fob-oauth/fob/internal/wire"
)

func main() {
	if apigw.Serve(newHandler) != nil {
		os.Exit(1)
	}
}

func newHandler(_ context.Context, o wire.Options) (http.Handler, error) {
	return wire.Me(wire.GatewayCaller{}, o), nil
}
