package apigw

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/fob-oauth/fob/internal/wire"
)

// request2 reads an event of payload format 2.0.
func request2(ctx context.Context, e *requestEvent) (*http.Request, error) {
	at := e.RequestContext
	if at.HTTP.Method == "" {
		return nil, errors.New("event without requestContext.http.method: not a request of an HTTP API or function URL")
	}
	_, path, _ := strings.Cut(e.RouteKey, " ")
	gateway := wire.Gateway{RequestID: at.RequestID, Route: route2(at.HTTP.Method, e.RouteKey)}
	if at.DomainName != "" {
		base, _ := basePath(path, e.RawPath)
		gateway.BaseURL = "https://" + at.DomainName + base
	}
	gateway.Authorizer, _ = at.Authorizer["lambda"].(map[string]any)
	return requestParts{
		method: at.HTTP.Method, path: e.RawPath, query: e.RawQueryString,
		header: header2(e.Headers),
		body:   e.Body, isBase64: e.IsBase64Encoded,
		domain: at.DomainName, sourceIP: at.HTTP.SourceIP,
		gateway: gateway,
	}.request(ctx), nil
}

// header2 makes one slice for the values of all headers. Names come in lower case, and
// what was repeated is joined with commas.
func header2(headers map[string]string) http.Header {
	header, values := make(http.Header, len(headers)), make([]string, 0, len(headers))
	for name, value := range headers {
		if name = http.CanonicalHeaderKey(name); header[name] != nil { // in two spellings
			header.Add(name, value)
			continue
		}
		values = append(values, value)
		header[name] = values[len(values)-1 : len(values) : len(values)]
	}
	return header
}

// defaultRoute is the route of an HTTP API for all that no other one matches.
const defaultRoute = "$default"

// route2 is the route with the method that it was reached by, where its key may
// have ANY.
func route2(method, key string) string {
	if _, path, ok := strings.Cut(key, " "); ok {
		return method + " " + path
	}
	if key == defaultRoute {
		return defaultRoute
	}
	return ""
}

func response2(r *recorder) any {
	headers := make(map[string]string, len(r.sent))
	for name, values := range r.sent {
		headers[name] = strings.Join(values, ", ")
	}
	return events.APIGatewayV2HTTPResponse{StatusCode: r.status, Headers: headers, Body: r.body.String()}
}
