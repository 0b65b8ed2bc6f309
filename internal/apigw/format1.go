package apigw

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/fob-oauth/fob/internal/wire"
)

// request1 reads an event of payload format 1.0.
func request1(ctx context.Context, e events.APIGatewayProxyRequest) (*http.Request, error) {
	at := e.RequestContext
	if at.HTTPMethod == "" { // a load balancer's has the rest
		return nil, errors.New("event without requestContext.httpMethod: not a request of a REST API or HTTP API")
	}
	gateway := wire.Gateway{RequestID: requestID(ctx, at.RequestID), Route: route1(e.HTTPMethod, e.Resource)}
	// The path of the event lacks the stage, the one of its context has what the
	// client called.
	path := at.Path
	if path == "" {
		path = e.Path
	}
	if at.DomainName != "" {
		base, found := basePath(e.Resource, path)
		if !found {
			base, _ = basePath(e.Path, path)
		}
		gateway.BaseURL = "https://" + at.DomainName + base
	}
	if at.Authorizer != nil {
		said := at.Authorizer
		if lambda, ok := said["lambda"].(map[string]any); ok {
			said = lambda
		}
		gateway.Authorizer = texts(said)
	}
	return arrived{
		method: e.HTTPMethod, path: path, query: query1(e.QueryStringParameters, e.MultiValueQueryStringParameters),
		header: header1(e.Headers, e.MultiValueHeaders),
		body:   e.Body, isBase64: e.IsBase64Encoded,
		domain: at.DomainName, sourceIP: at.Identity.SourceIP,
		gateway: gateway,
	}.request(ctx), nil
}

// route1 names a route as format 2.0 does.
func route1(method, resource string) string {
	switch {
	case resource == defaultRoute:
		return defaultRoute
	case strings.HasPrefix(resource, "/"):
		return method + " " + resource
	}
	return ""
}

// header1 takes each header as often as it came. The map of single values has
// only the last of them, and is for events that have no other.
func header1(single map[string]string, multi map[string][]string) http.Header {
	header := make(http.Header, len(multi))
	for name, values := range multi {
		for _, value := range values {
			header.Add(name, value)
		}
	}
	for name, value := range single {
		if _, has := multi[name]; !has {
			header.Add(name, value)
		}
	}
	return header
}

// Parameters come decoded. They are written again with no more escapes than it
// takes to tell them apart, so that a secret's name is found in whatever way the
// client wrote it, and also if a gateway did not decode it.
var (
	escapeName  = strings.NewReplacer("&", "%26", "=", "%3D", "#", "%23")
	escapeValue = strings.NewReplacer("&", "%26", "#", "%23")
)

// query1 writes the raw query anew, sorted.
func query1(single map[string]string, multi map[string][]string) string {
	all := maps.Clone(multi)
	if all == nil {
		all = map[string][]string{}
	}
	for name, value := range single {
		if _, has := all[name]; !has {
			all[name] = []string{value}
		}
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		values := all[name]
		if len(values) == 0 {
			values = []string{""}
		}
		for _, value := range values {
			pairs = append(pairs, escapeName.Replace(name)+"="+escapeValue.Replace(value))
		}
	}
	return strings.Join(pairs, "&")
}

// response1 uses the map of many values where there are many: WAF and mappings
// look at the other.
func response1(r *recorder) any {
	out := events.APIGatewayProxyResponse{StatusCode: r.status, Headers: map[string]string{}, Body: r.body.String()}
	for name, values := range r.sent {
		if len(values) == 1 {
			out.Headers[name] = values[0]
			continue
		}
		if out.MultiValueHeaders == nil {
			out.MultiValueHeaders = map[string][]string{}
		}
		out.MultiValueHeaders[name] = values
	}
	return out
}
