package apigw

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"

	"github.com/fob-oauth/fob/internal/wire"
)

// request1 reads an event of payload format 1.0.
func request1(ctx context.Context, e *requestEvent) (*http.Request, error) {
	at := e.RequestContext
	if at.HTTPMethod == "" { // a load balancer's has the rest
		return nil, errors.New("event without requestContext.httpMethod: not a request of a REST API or HTTP API")
	}
	gateway := wire.Gateway{RequestID: at.RequestID, Route: route1(e.HTTPMethod, e.Resource)}
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
	gateway.Authorizer = at.Authorizer
	if lambda, ok := at.Authorizer["lambda"].(map[string]any); ok {
		gateway.Authorizer = lambda
	}
	return requestParts{
		method: e.HTTPMethod, path: path, query: query1(e.Query, e.MultiQuery),
		header: header1(e.Headers, e.MultiHeaders),
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

// valuesOf joins the two maps of an event. The map of single values has only the
// last value of each name, and is for events that have no other.
func valuesOf(single map[string]string, multi map[string][]string) map[string][]string {
	all := make(map[string][]string, len(single)+len(multi))
	for name, value := range single {
		all[name] = []string{value}
	}
	maps.Copy(all, multi)
	return all
}

// header1 takes each header as often as it came.
func header1(single map[string]string, multi map[string][]string) http.Header {
	header := http.Header{}
	for name, values := range valuesOf(single, multi) {
		for _, value := range values {
			header.Add(name, value)
		}
	}
	return header
}

// query1 writes the raw query anew, sorted. Parameters come decoded, and are
// escaped as a client would, so that they mean what they mean in format 2.0.
//
// The event does not say how the client wrote them: a semicolon may have separated
// names, as some readers hold, and a name may still be escaped where the gateway did
// not decode it. So every name that a reader could see in a name or value is
// repeated behind question marks, in a parameter that nothing reads: a search for
// the names of secrets in the query finds it there.
func query1(single map[string]string, multi map[string][]string) string {
	all := valuesOf(single, multi)
	var pairs []string
	var hidden []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		values := all[name]
		if len(values) == 0 {
			values = []string{""}
		}
		for _, value := range values {
			pairs = append(pairs, url.QueryEscape(name)+"="+url.QueryEscape(value))
			if at := strings.IndexAny(value, separators); at >= 0 {
				hidden = append(hidden, names(value[at:])...)
			}
		}
		if strings.ContainsAny(name, separators+"%+") {
			hidden = append(hidden, names(name)...)
		}
	}
	if len(hidden) > 0 {
		pairs = append(pairs, "?"+strings.Join(hidden, "?"))
	}
	return strings.Join(pairs, "&")
}

// separators of parameters, to some.
const separators = ";?"

// names are those of the parameters that a text may be to a reader of another mind,
// escaped anew.
func names(text string) (found []string) {
	for pair := range strings.FieldsFuncSeq(text, func(c rune) bool { return strings.ContainsRune(separators, c) }) {
		name, _, _ := strings.Cut(pair, "=")
		if name, err := url.QueryUnescape(name); err == nil && utf8.ValidString(name) && !strings.ContainsRune(name, 0) {
			found = append(found, url.QueryEscape(name))
		}
	}
	return found
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
