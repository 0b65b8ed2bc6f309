package apigw

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/wire"
)

// event1 is one of a REST API as the gateway writes it, members that nobody reads
// included.
const event1 = `{
	"resource": "/token",
	"path": "/token",
	"httpMethod": "POST",
	"headers": {
		"Authorization": "Basic two",
		"Content-Type": "application/x-www-form-urlencoded",
		"Host": "evil.example",
		"X-Forwarded-For": "198.51.100.9",
		"X-Forwarded-Proto": "http"
	},
	"multiValueHeaders": {
		"Authorization": ["Basic one", "Basic two"],
		"Content-Type": ["application/x-www-form-urlencoded"],
		"Host": ["evil.example"],
		"X-Forwarded-For": ["198.51.100.9"],
		"X-Forwarded-Proto": ["http"]
	},
	"queryStringParameters": {"a": " b", "c": ""},
	"multiValueQueryStringParameters": {"a": ["x", " b"], "c": [""]},
	"pathParameters": null,
	"stageVariables": null,
	"requestContext": {
		"resourceId": "05c7jb",
		"resourcePath": "/token",
		"httpMethod": "POST",
		"extendedRequestId": "JKJaXmPLvHcESHA=",
		"requestTime": "10/Mar/2024:05:16:23 +0000",
		"path": "/prod/token",
		"accountId": "123456789012",
		"protocol": "HTTP/1.1",
		"stage": "prod",
		"domainPrefix": "a1b2c3d4e5",
		"requestTimeEpoch": 1583348638390,
		"requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
		"identity": {
			"cognitoIdentityPoolId": null, "accountId": null, "caller": null, "sourceIp": "2001:db8::7",
			"accessKey": null, "userAgent": "curl/8", "user": null
		},
		"domainName": "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
		"apiId": "a1b2c3d4e5"
	},
	"body": "Z3JhbnRfdHlwZT14",
	"isBase64Encoded": true
}`

func TestRequestOfFormat1(t *testing.T) {
	want := seen{
		Method: "POST", Path: "/prod/token", Query: "a=x&a=+b&c=",
		Host:       "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
		RemoteAddr: "[2001:db8::7]:0",
		Header: http.Header{
			"Authorization":     {"Basic one", "Basic two"},
			"Content-Type":      {"application/x-www-form-urlencoded"},
			"Host":              {"evil.example"},
			"X-Forwarded-For":   {"198.51.100.9"},
			"X-Forwarded-Proto": {"http"},
		},
		Length: 12, Body: "grant_type=x", TLS: true,
	}
	var version map[string]any
	if err := json.Unmarshal([]byte(event1), &version); err != nil {
		t.Fatal(err)
	}
	version["version"] = "1.0" // of an HTTP API
	ofHTTPAPI, err := json.Marshal(version)
	if err != nil {
		t.Fatal(err)
	}
	version["body"], version["isBase64Encoded"] = "grant_type=x", false
	plain, err := json.Marshal(version)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"REST API": event1, "HTTP API": string(ofHTTPAPI), "plain": string(plain)} {
		var got seen
		var gateway wire.Gateway
		h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			got = seen{r.Method, r.URL.Path, r.URL.RawQuery, r.Host, r.RemoteAddr, r.Header, r.ContentLength, string(body), r.TLS != nil}
			gateway = wire.GatewayOf(r.Context())
		})
		if _, err := Handler(h, discard)(t.Context(), json.RawMessage(text)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("%s: got -, want +:\n%s", name, diff)
		}
		if diff := cmp.Diff(gateway, wire.Gateway{
			BaseURL:   "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/prod",
			RequestID: "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
			Route:     "POST /token",
		}); diff != "" {
			t.Errorf("%s: got -, want +:\n%s", name, diff)
		}
	}
}

func TestBodyOfFormat1ThatIsNoBase64(t *testing.T) {
	for _, body := range []string{"!", "Z3JhbnRfdHlwZT14=", "Z3JhbnRfdHlwZT1", "Z3JhbnRfdHlwZT14-_"} {
		e := events.APIGatewayProxyRequest{
			HTTPMethod: "POST", Headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, Body: body, IsBase64Encoded: true,
		}
		e.RequestContext.HTTPMethod = "POST"
		resp := serve1(t, wire.Introspect(nil, wire.Options{}), e)
		if want := `{"error":"invalid_request","error_description":"the body cannot be read"}`; resp.StatusCode != 400 || resp.Body != want {
			t.Errorf("%q: %d %s", body, resp.StatusCode, resp.Body)
		}
	}
}

func serve1(t *testing.T, h http.Handler, e events.APIGatewayProxyRequest) events.APIGatewayProxyResponse {
	t.Helper()
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := Handler(h, discard)(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	return answer.(events.APIGatewayProxyResponse)
}

// The address that clients call: with the stage, or with the base path of a custom
// domain, or with neither.
func TestBasePathOfFormat1(t *testing.T) {
	for _, c := range []struct{ resource, path, called, want string }{
		{"/token", "/token", "/prod/token", "/prod"},
		{"/token", "/token", "/prod/token/", "/prod"},
		{"/token", "/token", "/token", ""},                // a custom domain
		{"/token", "/auth/token", "/auth/token", "/auth"}, // with a base path
		{"/a/{b}", "/a/x", "/prod/a/x", "/prod"},
		{"/{proxy+}", "/token", "/prod/token", "/prod"},
		{"/auth/{proxy+}", "/auth/token", "/prod/auth/token", "/prod"},
		{"/{proxy+}", "/auth/token", "/auth/token", ""}, // the event does not have it
		{"/token", "/token", "", ""},
		{"$default", "/token", "/prod/token", "/prod"},
		{"", "", "/prod/token", ""},
	} {
		e := events.APIGatewayProxyRequest{Resource: c.resource, Path: c.path, HTTPMethod: "POST"}
		e.RequestContext.HTTPMethod, e.RequestContext.Path, e.RequestContext.DomainName = "POST", c.called, "d"
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, wire.GatewayOf(r.Context()).BaseURL)
		})
		if got := serve1(t, h, e).Body; got != "https://d"+c.want {
			t.Errorf("%q at %q, called %q: %q, want %q", c.resource, c.path, c.called, got, c.want)
		}
	}
}

// A secret's name is found however the client wrote it, and whether or not the
// gateway decoded it.
func TestQueryOfFormat1(t *testing.T) {
	for _, c := range []struct {
		single map[string]string
		multi  map[string][]string
		want   string
	}{
		{nil, nil, ""},
		{map[string]string{"a": "1"}, nil, "a=1"},
		{map[string]string{"a": "2"}, map[string][]string{"a": {"1", "2"}, "b": {}}, "a=1&a=2&b="},
		{map[string]string{"b": "1"}, map[string][]string{"a": {"1"}}, "a=1&b=1"},
		{map[string]string{"a&token": "1", "b=c#": "d&e=#"}, nil, "a%26token=1&b%3Dc%23=d%26e%3D%23"},
		// Characters that have to be escaped are.
		{map[string]string{"x": "100%", "y": "a+b c", "z": "\u00fc&="}, nil, "x=100%25&y=a%2Bb+c&z=%C3%BC%26%3D"},
		// Names that somebody may see are shown, and read as no parameter.
		{map[string]string{"%74oken": "1", "a;token": "%zz", "+token": "x?y"}, nil, "%2574oken=1&%2Btoken=x%3Fy&a%3Btoken=%25zz&?token?y?+token?a?token"},
		{map[string]string{"a": "b;%74oken=x;limit?%zz;%ff;%00;;"}, nil, "a=b%3B%2574oken%3Dx%3Blimit%3F%25zz%3B%25ff%3B%2500%3B%3B&?token?limit"},
	} {
		if got := query1(c.single, c.multi); got != c.want {
			t.Errorf("%v %v: %q, want %q", c.single, c.multi, got, c.want)
		}
	}
	for _, name := range []string{"token", "%74oken", "a;token", "?token", " token", "+token", "Password"} {
		e := events.APIGatewayProxyRequest{HTTPMethod: "POST", QueryStringParameters: map[string]string{name: "CANARY"}}
		e.RequestContext.HTTPMethod = "POST"
		resp := serve1(t, wire.Introspect(nil, wire.Options{}), e)
		if want := `{"error":"invalid_request","error_description":"credentials and tokens must not be in the URL; change those that were"}`; resp.Body != want {
			t.Errorf("%q: %s", name, resp.Body)
		}
	}
}

// A query is judged as in format 2.0, where it comes as the client wrote it.
func TestQueriesAreJudgedAlike(t *testing.T) {
	a := wire.NewAuthorizer(known{token: "good", says: ada(t)}, wire.Policy{}, wire.Options{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(a.Judge(r).Status) })
	for raw, status := range map[string]int{
		"x=100%25": 200, "x=%2B1&y=a+b": 200, "x=%25zz": 200, "x=%3F%26%3D": 200, "token=x": 200, "x=access_token": 200,
		"access_token=x": 400, "%61ccess_token=x": 400, "x=1;access_token=y": 400, "x=1;access_token": 400, "x=1?access_token=y": 400,
		"x;access_token=y": 400, "+access_token=x": 400, "x=1&Access_Token=": 400,
	} {
		e2 := events.APIGatewayV2HTTPRequest{Version: "2.0", RawQueryString: raw, Headers: map[string]string{"authorization": "Bearer good"}}
		e2.RequestContext.HTTP.Method = "GET"
		e1 := events.APIGatewayProxyRequest{HTTPMethod: "GET", Headers: map[string]string{"Authorization": "Bearer good"}, MultiValueQueryStringParameters: map[string][]string{}}
		e1.RequestContext.HTTPMethod = "GET"
		for pair := range strings.SplitSeq(raw, "&") {
			name, value, _ := strings.Cut(pair, "=")
			name, _ = url.QueryUnescape(name)
			value, _ = url.QueryUnescape(value)
			e1.MultiValueQueryStringParameters[name] = append(e1.MultiValueQueryStringParameters[name], value)
		}
		two, err := serve2(t, t.Context(), h, discard, e2)
		if err != nil {
			t.Fatal(err)
		}
		if one := serve1(t, h, e1); one.StatusCode != status || two.StatusCode != status {
			t.Errorf("%q: format 1.0 %d, format 2.0 %d, want %d", raw, one.StatusCode, two.StatusCode, status)
		}
	}
}

func TestResponseOfFormat1(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("X-Many", "1")
		w.Header().Add("X-Many", "2")
		w.Header().Set("Allow", "POST")
		w.WriteHeader(405)
		_, _ = io.WriteString(w, "{}")
	})
	answer, err := Handler(h, discard)(t.Context(), json.RawMessage(event1))
	if err != nil {
		t.Fatal(err)
	}
	want := events.APIGatewayProxyResponse{
		StatusCode: 405, Headers: map[string]string{"Allow": "POST"}, MultiValueHeaders: map[string][]string{"X-Many": {"1", "2"}}, Body: "{}",
	}
	if diff := cmp.Diff(answer, any(want)); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}

// An authorizer's answer reaches the resource in all three places where a gateway
// puts it, and from nowhere else.
func TestWhatTheAuthorizerSaid(t *testing.T) {
	const said = `{"sub": "u_ada", "client_id": "app", "scope": "read device_ipad", "device": "ipad", "username": "ada", "principalId": "u_ada", "integrationLatency": 7, "claims": null}`
	const want = `{"sub":"u_ada","client_id":"app","scope":"read device_ipad","device":"ipad","username":"ada"}`
	const one = `{"httpMethod": "GET", "headers": {"Authorization": "Bearer x"}, "requestContext": {"httpMethod": "GET", "authorizer": `
	const two = `{"version": "2.0", "headers": {"authorization": "Bearer x"}, "requestContext": {"http": {"method": "GET"}, "authorizer": `
	me := wire.Me(wire.GatewayCaller{}, wire.Options{})
	ask := func(text string) (int, string) {
		t.Helper()
		answer, err := Handler(me, discard)(t.Context(), json.RawMessage(text))
		if err != nil {
			t.Fatal(err)
		}
		switch a := answer.(type) {
		case events.APIGatewayProxyResponse:
			return a.StatusCode, a.Body
		case events.APIGatewayV2HTTPResponse:
			return a.StatusCode, a.Body
		}
		return 0, ""
	}
	for name, text := range map[string]string{
		"REST API":             one + said + "}}",
		"HTTP API, format 1.0": one + `{"lambda": ` + said + "}}}",
		"HTTP API":             two + `{"lambda": ` + said + "}}}",
	} {
		if status, body := ask(text); status != 200 || body != want {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	for name, text := range map[string]string{
		"none, REST API":   one + "null}}",
		"none, HTTP API":   two + "null}}",
		"a JWT authorizer": two + `{"jwt": {"claims": {"sub": "u_ada", "client_id": "app"}}}}}`,
		"IAM":              two + `{"iam": {"userId": "u_ada"}}}}`,
		"numbers":          two + `{"lambda": {"sub": 1, "client_id": 2}}}}`,
		"in a header":      `{"version": "2.0", "headers": {"authorization": "Bearer x", "sub": "u_ada", "client_id": "app"}, "requestContext": {"http": {"method": "GET"}}}`,
		"next to it":       `{"httpMethod": "GET", "authorizer": ` + said + `, "headers": {"Authorization": "Bearer x"}, "requestContext": {"httpMethod": "GET"}}`,
	} {
		if status, body := ask(text); status != 500 {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}
