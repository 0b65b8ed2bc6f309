// Package apigw serves an http.Handler to API Gateway: it turns an event of an
// HTTP API, payload format 2.0, into an http.Request and the answer back. Events
// of function URLs have the same shape.
//
// What it promises: the handler sees the request as the client sent it, and what
// the gateway itself vouches for (the address, the peer, the request id) only
// from the event's requestContext, never from a header that anybody can send.
// Whatever the client did wrong is left to the handler, so that all answers and
// all log lines are made in one place: a body that does not decode reaches it as
// a body that cannot be read, and too little time as a context that has ended.
// An error is returned only for events that are no such requests.
//
// What it refuses to know: OAuth, and cookies, which no endpoint of fob uses.
package apigw

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/fob-oauth/fob/internal/wire"
)

// reserve is how long before the function's deadline a request must have been
// answered. A function that is killed answers nothing and starts cold again.
const reserve = 300 * time.Millisecond

// Handler returns what lambda.Start takes. Events that it cannot serve are
// logged here as one JSON line with the request's id, which the runtime's own word
// of them is not.
func Handler(h http.Handler, log *slog.Logger) func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	return func(ctx context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		if deadline, ok := ctx.Deadline(); ok {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, deadline.Add(-reserve))
			defer cancel()
		}
		r, err := request(ctx, e)
		if err != nil {
			log.ErrorContext(ctx, "event not served", "error", err.Error(), "request_id", requestID(ctx, e))
			return events.APIGatewayV2HTTPResponse{}, err
		}
		rec := recorder{header: http.Header{}}
		h.ServeHTTP(&rec, r)
		if r.Method == http.MethodHead {
			rec.body.Reset() // handlers rely on it, as with net/http
		}
		return rec.response(), nil
	}
}

// request makes the http.Request that the client sent to the gateway.
func request(ctx context.Context, e events.APIGatewayV2HTTPRequest) (*http.Request, error) {
	if e.Version != "2.0" {
		return nil, fmt.Errorf("event of payload format %.8q, not 2.0: set PayloadFormatVersion to \"2.0\" on the route of an HTTP API (a REST API has no such format)", e.Version)
	}
	if e.RequestContext.HTTP.Method == "" {
		return nil, errors.New("event without requestContext.http.method: not a request of an HTTP API or function URL")
	}

	var body io.Reader = strings.NewReader(e.Body)
	length := int64(len(e.Body))
	if e.IsBase64Encoded {
		decoded, err := base64.StdEncoding.Strict().DecodeString(e.Body)
		if err != nil {
			body, length = brokenBody{}, -1
		} else {
			body, length = bytes.NewReader(decoded), int64(len(decoded))
		}
	}

	// Names come in lower case, and what was repeated is joined with commas.
	header := make(http.Header, len(e.Headers))
	for name, value := range e.Headers {
		header.Add(name, value)
	}

	at := e.RequestContext
	r := &http.Request{
		Method:        at.HTTP.Method,
		URL:           &url.URL{Path: e.RawPath, RawQuery: e.RawQueryString},
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          io.NopCloser(body),
		ContentLength: length,
		Host:          at.DomainName,
		RemoteAddr:    net.JoinHostPort(at.HTTP.SourceIP, "0"), // the port is not told
		TLS:           &tls.ConnectionState{},                  // the gateway speaks nothing else
	}
	gateway := wire.Gateway{RequestID: requestID(ctx, e)}
	if at.DomainName != "" {
		gateway.BaseURL = "https://" + at.DomainName + basePath(e)
	}
	return r.WithContext(wire.WithGateway(ctx, gateway)), nil
}

// basePath is what stands in the path before the route: the stage, or the
// mapping of a custom domain. The route "ANY /token" that was reached as
// /prod/token has /prod. $default and routes with variables tell nothing.
func basePath(e events.APIGatewayV2HTTPRequest) string {
	_, route, ok := strings.Cut(e.RouteKey, " ")
	if !ok || !strings.HasPrefix(route, "/") {
		return ""
	}
	base, ok := strings.CutSuffix(strings.TrimRight(e.RawPath, "/"), strings.TrimRight(route, "/"))
	if !ok {
		return ""
	}
	return (&url.URL{Path: strings.TrimRight(base, "/")}).EscapedPath()
}

// requestID is Lambda's, which stands in every line that the platform writes, or
// else the gateway's.
func requestID(ctx context.Context, e events.APIGatewayV2HTTPRequest) string {
	if lc, ok := lambdacontext.FromContext(ctx); ok && lc.AwsRequestID != "" {
		return lc.AwsRequestID
	}
	return e.RequestContext.RequestID
}

// brokenBody is the body of a request whose base64 does not decode.
type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, errors.New("the event's body is not base64") }

// recorder keeps what a handler writes.
type recorder struct {
	header http.Header
	sent   http.Header // header as it was when the status was written
	status int
	body   strings.Builder
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status != 0 {
		return // the first one stands, as in net/http
	}
	r.status, r.sent = status, r.header.Clone()
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

func (r *recorder) response() events.APIGatewayV2HTTPResponse {
	r.WriteHeader(http.StatusOK)
	headers := make(map[string]string, len(r.sent))
	for name, values := range r.sent {
		headers[name] = strings.Join(values, ", ")
	}
	return events.APIGatewayV2HTTPResponse{StatusCode: r.status, Headers: headers, Body: r.body.String()}
}
