// Package apigw serves an http.Handler to API Gateway ([Serve]), and a [wire.Authorizer]
// as its Lambda authorizer ([ServeAuthorizer]), in payload formats 1.0 and 2.0. The
// handler sees the request as the client sent it. Facts that the gateway vouches for come
// from the event's requestContext alone, never from a header, which anybody can send.
//
// The package does not know what is asked. An error is for an event that is not a
// request, for a panic, and for the 401 and the doubt of an authorizer.
package apigw

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/fob-oauth/fob/internal/wire"
)

// reserve is how long before the function's deadline a request must have been
// answered. A function that is killed answers nothing and starts cold again.
const reserve = 300 * time.Millisecond

// Function is what lambda.Start takes.
type Function func(ctx context.Context, event json.RawMessage) (answer any, err error)

// Invoke implements [lambda.Handler]. Otherwise the library would call f by reflection,
// and read each event twice before.
func (f Function) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	answer, err := f(ctx, event)
	if err != nil {
		return nil, err
	}
	return json.Marshal(answer)
}

var _ lambda.Handler = Function(nil)

// Handler returns the function that serves h. It logs an event that it cannot serve as
// one JSON line with the request's id: the runtime would log text without the id.
// It recovers panics, because the runtime would print their values.
func Handler(h http.Handler, o wire.Options) Function {
	return func(ctx context.Context, event json.RawMessage) (answer any, err error) {
		defer func() {
			if v := recover(); v != nil {
				answer, err = nil, wire.PanicError(v)
			}
			if err != nil {
				o.LogFailure(ctx, "event not served", err, ids(ctx, "")...)
			}
		}()
		ctx, cancel := withReserve(ctx)
		defer cancel()
		r, format, err := request(ctx, event)
		if err != nil {
			return nil, err
		}
		rec := &recorder{header: http.Header{}}
		h.ServeHTTP(rec, r)
		rec.WriteHeader(http.StatusOK)
		if r.Method == http.MethodHead {
			rec.body.Reset() // handlers rely on it, as with net/http
		}
		return format(rec), nil
	}
}

// ids are what joins the line of an event that was not answered with other logs.
func ids(ctx context.Context, gateways string) []slog.Attr {
	attrs := []slog.Attr{slog.String("request_id", invocationID(ctx))}
	if gateways != "" {
		attrs = append(attrs, slog.String("gateway_request_id", gateways))
	}
	return attrs
}

// withReserve ends ctx the reserve before its deadline.
func withReserve(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, deadline.Add(-reserve))
}

// requestEvent is a request in format 2.0 or 1.0, with what is read of it. The library's types
// have three times as many members, and one has to read the version before them.
type requestEvent struct {
	Version         string              `json:"version"`
	RouteKey        string              `json:"routeKey"`       // 2.0
	RawPath         string              `json:"rawPath"`        // 2.0
	RawQueryString  string              `json:"rawQueryString"` // 2.0
	Resource        string              `json:"resource"`       // 1.0
	Path            string              `json:"path"`           // 1.0
	HTTPMethod      string              `json:"httpMethod"`     // 1.0
	Headers         texts               `json:"headers"`
	MultiHeaders    map[string][]string `json:"multiValueHeaders"`               // 1.0
	Query           texts               `json:"queryStringParameters"`           // 1.0
	MultiQuery      map[string][]string `json:"multiValueQueryStringParameters"` // 1.0
	Body            string              `json:"body"`
	IsBase64Encoded bool                `json:"isBase64Encoded"`
	RequestContext  struct {
		RequestID  string         `json:"requestId"`
		DomainName string         `json:"domainName"`
		Authorizer map[string]any `json:"authorizer"`
		HTTP       struct {
			Method   string `json:"method"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"` // 2.0
		Path       string `json:"path"`       // 1.0
		HTTPMethod string `json:"httpMethod"` // 1.0
		Identity   struct {
			SourceIP string `json:"sourceIp"`
		} `json:"identity"` // 1.0
	} `json:"requestContext"`
}

// texts are the headers or the parameters of an event: an object of JSON whose values are
// strings. encoding/json would allocate three times for each member.
type texts map[string]string

// UnmarshalJSON implements [json.Unmarshaler]. It decodes as encoding/json would, and
// leaves to encoding/json all that is not plain. So it does if the event has the member a
// second time: then the map is there, and encoding/json adds to it.
func (t *texts) UnmarshalJSON(text []byte) error {
	if *t == nil {
		if plain, ok := cut(string(text)); ok {
			*t = plain
			return nil
		}
	}
	return json.Unmarshal(text, (*map[string]string)(t))
}

// cut cuts an object at its quotation marks, if all its values are strings and a string
// means what it says: without escapes, in UTF-8. The text must be valid JSON, as every
// text is that encoding/json gives to a [json.Unmarshaler].
func cut(object string) (texts, bool) {
	if !strings.HasPrefix(object, "{") || strings.Contains(object, `\`) || !utf8.ValidString(object) {
		return nil, false
	}
	parts := strings.Split(object, `"`) // {, name, colon, value, comma, name, colon, value, }
	all := make(texts, len(parts)/4)
	for i := 1; i < len(parts); i += 4 {
		if strings.TrimSpace(parts[i+1]) != ":" {
			return nil, false
		}
		all[parts[i]] = parts[i+2]
	}
	return all, true
}

// request returns the http.Request that the client sent to the gateway, and the way
// in which the gateway wants the answer written.
func request(ctx context.Context, text json.RawMessage) (*http.Request, func(*recorder) any, error) {
	var e requestEvent
	if json.Unmarshal(text, &e) != nil {
		return nil, nil, errShape
	}
	switch {
	case e.Version == "2.0":
		r, err := request2(ctx, &e)
		return r, response2, err
	case e.HTTPMethod != "" && (e.Version == "" || e.Version == "1.0"):
		r, err := request1(ctx, &e)
		return r, response1, err
	}
	return nil, nil, fmt.Errorf("event of version %.8q: not a request of an HTTP API, a REST API or a function URL", e.Version)
}

// errShape says nothing of what the event holds.
var errShape = errors.New("the event is not of the shape that API Gateway sends")

// requestParts are the parts of a request, of whatever format.
type requestParts struct {
	method, path, query string
	header              http.Header
	body                string
	isBase64            bool
	domain, sourceIP    string
	gateway             wire.Gateway
}

func (p requestParts) request(ctx context.Context) *http.Request {
	var body io.Reader = strings.NewReader(p.body)
	length := int64(len(p.body))
	if p.isBase64 {
		decoded, err := base64.StdEncoding.Strict().DecodeString(p.body)
		if err != nil {
			body, length = brokenBody{}, -1
		} else {
			body, length = bytes.NewReader(decoded), int64(len(decoded))
		}
	}
	r := &http.Request{
		Method:        p.method,
		URL:           &url.URL{Path: p.path, RawQuery: p.query},
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        p.header,
		Body:          io.NopCloser(body),
		ContentLength: length,
		Host:          p.domain,
		RemoteAddr:    net.JoinHostPort(p.sourceIP, "0"), // the port is not known
		TLS:           &tls.ConnectionState{},            // the gateway speaks nothing else
	}
	p.gateway.InvocationID = invocationID(ctx)
	return r.WithContext(wire.WithGateway(ctx, p.gateway))
}

// basePath is the part of a path before the route: the stage, or the mapping
// of a custom domain. The route /token that was reached as /prod/token has /prod.
// It is not found for a route of any depth, such as /{proxy+}.
func basePath(route, path string) (base string, found bool) {
	if !strings.HasPrefix(route, "/") || strings.Contains(route, "+}") {
		return "", false
	}
	base = strings.TrimRight(path, "/")
	parts := strings.Split(strings.Trim(route, "/"), "/")
	for _, part := range slices.Backward(parts) {
		if part == "" { // the route /
			continue
		}
		cut := strings.LastIndexByte(base, '/')
		if cut < 0 || !strings.HasPrefix(part, "{") && base[cut+1:] != part {
			return "", false
		}
		base = base[:cut]
	}
	return (&url.URL{Path: strings.TrimRight(base, "/")}).EscapedPath(), true
}

// invocationID is Lambda's, which is in every line that the platform writes. It is
// empty outside Lambda.
func invocationID(ctx context.Context) string {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.AwsRequestID
	}
	return ""
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
		return // the first one counts, as in net/http
	}
	r.status, r.sent = status, r.header.Clone()
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}
