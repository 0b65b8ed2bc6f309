package apigw

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/wire"
)

var discard = wire.Options{}

// event is one of an HTTP API as the gateway writes it, members that nobody reads
// included.
const event = `{
	"version": "2.0",
	"routeKey": "ANY /token",
	"rawPath": "/prod/token",
	"rawQueryString": "a=%20b&c",
	"headers": {
		"authorization": "Basic one,Basic two",
		"content-length": "12",
		"content-type": "application/x-www-form-urlencoded",
		"host": "evil.example",
		"x-forwarded-for": "198.51.100.9",
		"x-forwarded-proto": "http"
	},
	"requestContext": {
		"accountId": "123456789012",
		"apiId": "a1b2c3d4e5",
		"domainName": "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
		"domainPrefix": "a1b2c3d4e5",
		"http": {
			"method": "POST",
			"path": "/prod/token",
			"protocol": "HTTP/1.1",
			"sourceIp": "2001:db8::7",
			"userAgent": "curl/8"
		},
		"requestId": "JKJaXmPLvHcESHA=",
		"routeKey": "ANY /token",
		"stage": "prod",
		"time": "10/Mar/2024:05:16:23 +0000",
		"timeEpoch": 1583348638390
	},
	"body": "Z3JhbnRfdHlwZT14",
	"isBase64Encoded": true
}`

func parse(t *testing.T, text string) (e events.APIGatewayV2HTTPRequest) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// serve2 hands a handler an event of format 2.0.
func serve2(t *testing.T, ctx context.Context, h http.Handler, o wire.Options, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	t.Helper()
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := Handler(h, o)(ctx, text)
	if err != nil {
		return events.APIGatewayV2HTTPResponse{}, err
	}
	return answer.(events.APIGatewayV2HTTPResponse), nil
}

// seen is what a handler saw of a request.
type seen struct {
	Method, Path, Query, Host, RemoteAddr string
	Header                                http.Header
	Length                                int64
	Body                                  string
	TLS                                   bool
}

// look serves e to a handler that keeps what it saw.
func look(t *testing.T, ctx context.Context, e events.APIGatewayV2HTTPRequest) (s seen, readErr error) {
	t.Helper()
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body []byte
		body, readErr = io.ReadAll(r.Body)
		s = seen{r.Method, r.URL.Path, r.URL.RawQuery, r.Host, r.RemoteAddr, r.Header, r.ContentLength, string(body), r.TLS != nil}
	})
	if _, err := serve2(t, ctx, h, discard, e); err != nil {
		t.Fatal(err)
	}
	return s, readErr
}

func TestOtherEventsAreErrors(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":           {`{}`, `not a request of`},
		"no object":       {`["CANARY"]`, "not of the shape"},
		"no JSON":         {`CANARY`, "not of the shape"},
		"long":            {`{"version": "` + strings.Repeat("CANARY", 100) + `"}`, `not a request of`},
		"other version":   {`{"version": "3.0", "httpMethod": "POST", "requestContext": {"httpMethod": "POST"}}`, `not a request of`},
		"no http":         {`{"version": "2.0", "body": "CANARY"}`, "not a request of an HTTP API"},
		"another shape":   {`{"version": "2.0", "headers": ["CANARY"]}`, "not of the shape"},
		"another shape 1": {`{"httpMethod": "POST", "headers": ["CANARY"]}`, "not of the shape"},
		"load balancer":   {`{"httpMethod": "POST", "path": "/token", "requestContext": {"elb": {}}, "body": "CANARY"}`, "not a request of a REST API"},
		"queue":           {`{"Records": [{"body": "CANARY"}]}`, `not a request of`},
	} {
		var log bytes.Buffer
		h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Errorf("%s: served", name) })
		resp, err := Handler(h, wire.Options{Function: "fn", Log: slog.New(slog.NewJSONHandler(&log, nil))})(t.Context(), json.RawMessage(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 200 {
			t.Fatalf("%s: error %v", name, err)
		}
		if resp != nil {
			t.Errorf("%s: an error and an answer: %v", name, resp)
		}
		line := map[string]any{}
		if json.Unmarshal(log.Bytes(), &line) != nil || line["level"] != "ERROR" || line["error"] != err.Error() || line["failed"] != 1.0 || line["function"] != "fn" {
			t.Errorf("%s: logged %s", name, &log)
		}
		if strings.Contains(log.String(), "CANARYCANARY") || strings.Contains(log.String(), `"body"`) {
			t.Errorf("%s: the event is in the log: %s", name, &log)
		}
	}
}

func TestBasePath(t *testing.T) {
	for _, c := range []struct{ route, path, want string }{
		{"ANY /token", "/token", ""},
		{"ANY /token", "/token/", ""},
		{"ANY /token", "/prod/token", "/prod"},
		{"ANY /token", "/prod/token/", "/prod"},
		{"ANY /token/", "/prod/token", "/prod"},
		{"POST /a/b", "/x/y/a/b", "/x/y"},
		{"ANY /token", "/my api/token", "/my%20api"},
		{"ANY /token", "/prod/mytoken", ""},
		{"ANY /token", "/prod/TOKEN", ""},
		{"ANY /", "/prod/", "/prod"},
		{"ANY /{proxy+}", "/prod/token", ""},
		{"$default", "/prod/token", ""},
		{"", "/prod/token", ""},
		{"ANY token", "/prod/token", ""},
		{"ANY /devices/{device}", "/devices/ipad", ""},
		{"ANY /devices/{device}", "/prod/devices/ipad", "/prod"},
		{"ANY /devices/{device}/x", "/devices/devices/ipad/x", "/devices"},
		{"ANY /devices/{device}", "/devices", ""},
		{"ANY /{device}", "/", ""},
	} {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, wire.GatewayOf(r.Context()).BaseURL)
		})
		e := events.APIGatewayV2HTTPRequest{Version: "2.0", RouteKey: c.route, RawPath: c.path}
		e.RequestContext.DomainName, e.RequestContext.HTTP.Method = "d", "POST"
		if got, err := serve2(t, t.Context(), h, discard, e); err != nil || got.Body != "https://d"+c.want {
			t.Errorf("%q at %q: %q, %v, want %q", c.route, c.path, got.Body, err, c.want)
		}
	}
}

// The line of a request can be found by its line in the gateway's access log, and by
// what the platform writes.
func TestBothIDs(t *testing.T) {
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "8b2f"})
	for _, c := range []struct {
		ctx  context.Context
		want wire.Gateway
	}{
		{ctx, wire.Gateway{RequestID: "JKJaXmPLvHcESHA=", InvocationID: "8b2f"}},
		{t.Context(), wire.Gateway{RequestID: "JKJaXmPLvHcESHA="}},
	} {
		var got wire.Gateway
		h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = wire.GatewayOf(r.Context()) })
		if _, err := serve2(t, c.ctx, h, discard, parse(t, event)); err != nil {
			t.Fatal(err)
		}
		if got.RequestID != c.want.RequestID || got.InvocationID != c.want.InvocationID {
			t.Errorf("got %+v, want %+v", got, c.want)
		}
	}
}

// A76: a handler that heeds its context has answered 300 ms before the function
// is killed.
func TestHandlerGivesUpInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		if _, err := serve2(t, ctx, h, discard, parse(t, event)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 9700*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

// A76: with less than that at the start, the domain (here one that would panic)
// is not asked.
func TestTooLittleTimeAtTheStart(t *testing.T) {
	e := parse(t, event)
	e.RawQueryString = ""
	e.Headers = map[string]string{"content-type": "application/x-www-form-urlencoded"}
	e.Body = base64.StdEncoding.EncodeToString([]byte("grant_type=client_credentials&client_id=shop&client_secret=CANARY"))
	for left, want := range map[time.Duration]int{300 * time.Millisecond: 503, 301 * time.Millisecond: 500} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), left)
			defer cancel()
			resp, err := serve2(t, ctx, wire.Token(&oauth.Issuer{}, wire.Options{}), discard, e)
			if err != nil || resp.StatusCode != want {
				t.Errorf("%v left: %d, %v", left, resp.StatusCode, err)
			}
			if want == 503 && (resp.Headers["Retry-After"] == "" || !strings.Contains(resp.Body, "temporarily_unavailable")) {
				t.Errorf("%v left: %v %s", left, resp.Headers, resp.Body)
			}
		})
	}
}

// Whatever an event holds, there is no panic, and either an error alone or a
// request that says what the event says.
func FuzzEvent(f *testing.F) {
	f.Add([]byte(event))
	for _, text := range []string{
		`{}`, `{"version":"1.0"}`, `{"version":"2.0"}`,
		`{"version":"2.0","requestContext":{"http":{"method":"POST"}}}`,
		`{"version":"2.0","rawPath":"%zz","rawQueryString":"%zz;","requestContext":{"domainName":"a b","http":{"method":"\u0000","sourceIp":"x"}},"body":"a\ud800"}`,
		`{"version":"2.0","routeKey":"ANY /x","rawPath":"//x","headers":{"":"","A":"b","a":"c","\n":"\r\n"},"requestContext":{"domainName":"d","http":{"method":"GET"}},"body":"====","isBase64Encoded":true}`,
	} {
		f.Add([]byte(text))
	}
	f.Add([]byte(event1))
	for _, text := range []string{
		`{"httpMethod":"POST","requestContext":{"httpMethod":"POST"}}`,
		`{"version":"1.0","httpMethod":"\u0000","path":"%zz","multiValueQueryStringParameters":{"%zz;":["&#="],"":[]},"multiValueHeaders":{"A":["b","c"],"\n":[]},"headers":{"a":"d"},"requestContext":{"httpMethod":"x","path":"//","domainName":"a b"},"body":"a\ud800"}`,
		`{"httpMethod":"GET","resource":"/{proxy+}","requestContext":{"httpMethod":"GET","authorizer":{"lambda":{"sub":1}}},"body":"====","isBase64Encoded":true}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var of struct {
			Version         string              `json:"version"`
			HTTPMethod      string              `json:"httpMethod"`
			Body            string              `json:"body"`
			IsBase64Encoded bool                `json:"isBase64Encoded"`
			RawQueryString  string              `json:"rawQueryString"`
			Query           map[string]string   `json:"queryStringParameters"`
			Queries         map[string][]string `json:"multiValueQueryStringParameters"`
			Headers         map[string]string   `json:"headers"`
			ManyHeaders     map[string][]string `json:"multiValueHeaders"`
			RequestContext  struct {
				HTTP struct {
					Method string `json:"method"`
				} `json:"http"`
			} `json:"requestContext"`
		}
		if json.Unmarshal(text, &of) != nil {
			return
		}
		served := false
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			served = true
			body, err := io.ReadAll(r.Body)
			again := string(body)
			if of.IsBase64Encoded {
				again = base64.StdEncoding.EncodeToString(body)
			}
			// Line breaks within base64 are the one thing that is lost.
			if given := strings.NewReplacer("\r", "", "\n", "").Replace(of.Body); err == nil && again != given && again != of.Body {
				t.Errorf("body %q became %q", of.Body, again)
			}
			if err == nil && r.ContentLength != int64(len(body)) {
				t.Errorf("%d bytes called %d", len(body), r.ContentLength)
			}
			values, want := 0, len(of.Headers)
			for v := range maps.Values(r.Header) {
				values += len(v)
			}
			if of.Version != "2.0" {
				for name, many := range of.ManyHeaders {
					want += len(many)
					if _, both := of.Headers[name]; both {
						want--
					}
				}
			}
			if values != want {
				t.Errorf("%d headers became %v", want, r.Header)
			}
			if method := of.HTTPMethod; of.Version == "2.0" && (r.Method != of.RequestContext.HTTP.Method || r.URL.RawQuery != of.RawQueryString) || of.Version != "2.0" && r.Method != method {
				t.Errorf("%s became %+v", text, r)
			}
			// A part that a gateway decoded is found again, and a secret's name by its reader.
			if of.Version != "2.0" {
				if got := strings.Count(r.URL.RawQuery, "&") + 1; got < len(of.Queries) || got < len(of.Query) {
					t.Errorf("%d and %d parameters became %q", len(of.Query), len(of.Queries), r.URL.RawQuery)
				}
			}
			wire.Token(&oauth.Issuer{}, wire.Options{}).ServeHTTP(w, r)
		})
		answer, err := Handler(h, discard)(t.Context(), text)
		if served == (err != nil) {
			t.Errorf("served %v with error %v", served, err)
		}
		if err != nil {
			if answer != nil {
				t.Errorf("an error and %+v", answer)
			}
			return
		}
		again, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		var resp events.APIGatewayProxyResponse
		if err := json.Unmarshal(again, &resp); err != nil {
			t.Fatal(err)
		}
		if resp.Headers["Cache-Control"] != "no-store" || resp.StatusCode < 400 || !json.Valid([]byte(resp.Body)) {
			t.Errorf("%+v", resp)
		}
	})
}
