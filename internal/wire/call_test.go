package wire_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/fob-oauth/fob/internal/apigw"
	"github.com/fob-oauth/fob/internal/openapitest"
	"github.com/fob-oauth/fob/internal/wire"
)

// call is one request as a client would write it.
type call struct {
	endpoint string
	method   string // empty is POST
	path     string // empty is any, which most do not look at
	route    string // of the gateway, without a method; empty is the template's
	query    string // raw
	// Each header once for each value. Content-Type is added unless it is here.
	header map[string][]string
	body   string // raw
}

// matched is the route that the gateway matched.
func (c call) matched() string {
	switch {
	case c.route != "":
		return c.route
	case c.endpoint == "devices", c.endpoint == "labels":
		return devicesRoute(c.path)
	case c.endpoint == "users":
		return usersRoute(c.path)
	case c.endpoint == "account":
		return accountRoute(c.path)
	}
	return "/" + c.endpoint
}

func routeKey(route string) string {
	if route == "$default" {
		return route
	}
	return "ANY " + route
}

// answer is what came back, with the line that was logged.
type answer struct {
	status int
	header http.Header
	body   string
	line   map[string]any
}

// json returns a member of the body, or nil.
func (a answer) json(name string) any {
	members := map[string]any{}
	if json.Unmarshal([]byte(a.body), &members) != nil {
		return nil
	}
	return members[name]
}

func (a answer) text(name string) string {
	s, _ := a.json(name).(string)
	return s
}

// transport is a way from the client to the handler.
type transport struct {
	name string
	send func(t *testing.T, h http.Handler, c call) answer
}

// transports are all of them: whatever is tested goes through net/http and as an
// event of either payload format with either kind of body (A50).
var transports = []transport{
	{"http", sendHTTP},
	{"event base64", func(t *testing.T, h http.Handler, c call) answer {
		return sendEvent(t, t.Context(), h, eventOf(c, true))
	}},
	{"event plain", func(t *testing.T, h http.Handler, c call) answer {
		return sendEvent(t, t.Context(), h, eventOf(c, false))
	}},
	{"event 1.0 base64", func(t *testing.T, h http.Handler, c call) answer {
		return sendEvent(t, t.Context(), h, eventOf1(c, true))
	}},
	{"event 1.0 plain", func(t *testing.T, h http.Handler, c call) answer {
		return sendEvent(t, t.Context(), h, eventOf1(c, false))
	}},
}

func sendHTTP(t *testing.T, h http.Handler, c call) answer {
	t.Helper()
	// The client may have its answer before the handler wrote its line.
	var handled sync.WaitGroup
	handled.Add(1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer handled.Done()
		h.ServeHTTP(w, r)
	}))
	defer server.Close()
	path := cmp.Or(c.path, "/any/path")
	r, err := http.NewRequestWithContext(t.Context(), c.method, server.URL+path+"?"+c.query, strings.NewReader(c.body))
	must(t, err)
	r.Header = c.header
	resp, err := server.Client().Do(r)
	must(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	handled.Wait()
	return answer{status: resp.StatusCode, header: resp.Header, body: string(body)}
}

// eventOf is the call as the gateway passes it on: names in lower case, what was
// repeated joined with commas.
func eventOf(c call, encode bool) events.APIGatewayV2HTTPRequest {
	e := events.APIGatewayV2HTTPRequest{
		Version:        "2.0",
		RouteKey:       routeKey(c.matched()),
		RawPath:        cmp.Or(c.path, "/"+c.endpoint),
		RawQueryString: c.query,
		Headers:        map[string]string{},
		Body:           c.body,
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			DomainName: "fob.example",
			RequestID:  "gateway-request-1",
			HTTP:       events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: c.method, SourceIP: "192.0.2.1"},
		},
	}
	for name, values := range c.header {
		e.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	if encode {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(c.body)), true
	}
	return e
}

// eventOf1 is the call as a REST API passes it on: headers as often as they came,
// and parameters decoded as far as they can be.
func eventOf1(c call, encode bool) events.APIGatewayProxyRequest {
	e := events.APIGatewayProxyRequest{
		Resource:                        c.matched(),
		Path:                            cmp.Or(c.path, "/"+c.endpoint),
		HTTPMethod:                      c.method,
		Headers:                         map[string]string{},
		MultiValueHeaders:               c.header,
		QueryStringParameters:           map[string]string{},
		MultiValueQueryStringParameters: map[string][]string{},
		Body:                            c.body,
		RequestContext: events.APIGatewayProxyRequestContext{
			DomainName: "fob.example",
			Path:       cmp.Or(c.path, "/"+c.endpoint),
			Stage:      "prod",
			HTTPMethod: c.method,
			RequestID:  "gateway-request-1",
			Identity:   events.APIGatewayRequestIdentity{SourceIP: "192.0.2.1"},
		},
	}
	for name, values := range c.header {
		if len(values) > 0 {
			e.Headers[name] = values[len(values)-1]
		}
	}
	decoded := func(s string) string {
		if text, err := url.QueryUnescape(s); err == nil {
			return text
		}
		return s
	}
	for pair := range strings.SplitSeq(c.query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, value = decoded(name), decoded(value)
		e.QueryStringParameters[name] = value
		e.MultiValueQueryStringParameters[name] = append(e.MultiValueQueryStringParameters[name], value)
	}
	if encode {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(c.body)), true
	}
	return e
}

// sendEvent hands the handler an event through JSON, as the function gets it.
func sendEvent(t *testing.T, ctx context.Context, h http.Handler, event any) answer {
	t.Helper()
	text, err := json.Marshal(event)
	must(t, err)
	out, err := apigw.Handler(h, wire.Options{})(ctx, text)
	must(t, err)
	// Both formats write an answer of one value for each header alike.
	text, err = json.Marshal(out)
	must(t, err)
	var resp events.APIGatewayProxyResponse
	must(t, json.Unmarshal(text, &resp))
	if len(resp.MultiValueHeaders) > 0 {
		t.Errorf("headers of many values: %v", resp.MultiValueHeaders)
	}
	header := http.Header{}
	for name, value := range resp.Headers {
		header.Set(name, value)
	}
	return answer{status: resp.StatusCode, header: header, body: resp.Body}
}

// send sends the call and holds the answer to what must be true of all answers.
func (w *world) send(t *testing.T, by transport, c call) answer {
	t.Helper()
	return w.check(t, c, func(c call) answer { return by.send(t, w.handlers[c.endpoint], c) })
}

func (w *world) check(t *testing.T, c call, send func(call) answer) answer {
	t.Helper()
	if c.method == "" {
		c.method = http.MethodPost
	}
	header := map[string][]string{"Content-Type": {"application/x-www-form-urlencoded"}}
	for name, values := range c.header {
		header[name] = values
	}
	c.header = header
	w.log.Reset()
	a := send(c)
	if route := c.documented(); route != "" {
		openapitest.Check(t, c.method, route, a.status, a.header, a.body)
	}

	a.line = w.line(t)
	headers := map[string]string{
		"Cache-Control":          "no-store",
		"Pragma":                 "no-cache",
		"X-Content-Type-Options": "nosniff",
	}
	if c.endpoint == "metadata" && a.status == http.StatusOK {
		headers["Cache-Control"], headers["Pragma"] = "public, max-age=3600", ""
	}
	for name, want := range headers {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	if got := a.header.Get("Content-Type"); a.body != "" && got != "application/json" {
		t.Errorf("Content-Type is %q", got)
	}
	if a.status == http.StatusNoContent && a.body != "" {
		t.Errorf("204 with a body: %s", a.body)
	}
	if a.status >= 300 && c.method != http.MethodHead {
		if err := checkErrorBody(c.endpoint, a.body); err != nil {
			t.Errorf("%v: %s", err, a.body)
		}
		if strings.Contains(a.body, "CANARY") {
			t.Errorf("the answer repeats the input: %s", a.body)
		}
	}
	return a
}

// line is the one line that a request wrote.
func (w *world) line(t *testing.T) (line map[string]any) {
	t.Helper()
	text := bytes.TrimSuffix(w.log.Bytes(), []byte("\n"))
	if err := json.Unmarshal(text, &line); err != nil || bytes.Contains(text, []byte("\n")) {
		t.Errorf("the log is not one line of JSON: %q", text)
	}
	if found := leaks(string(text)); found != "" {
		t.Errorf("the log has %s: %s", found, text)
	}
	atBegan(t, line)
	return line
}

// leaks names what of a text must not be in a log: a planted secret in any
// encoding that a form or a header gives it, or the beginning of a bearer.
func leaks(text string) string {
	for _, planted := range []string{
		"CANARY", "fob_at_", "fob_rt_", username, url.QueryEscape(username),
		base64.StdEncoding.EncodeToString([]byte("CANARY")), base64.StdEncoding.EncodeToString([]byte("shop:CANA")),
	} {
		if strings.Contains(text, planted) {
			return planted
		}
	}
	return ""
}

// errorName is the member with the code of an error.
func errorName(endpoint string) string {
	if endpoint == "events" {
		return "err"
	}
	return "error"
}

// step is a call and the status and error that it must get. An empty error is a
// 200.
type step struct {
	name   string
	call   call
	status int
	error  string
	// idle says that no store may have been asked.
	idle bool
	and  func(t *testing.T, a answer)
}

// run sends each step to a new world, by each transport.
func run(t *testing.T, steps []step) {
	t.Helper()
	for _, by := range transports {
		t.Run(by.name, func(t *testing.T) {
			for _, s := range steps {
				t.Run(s.name, func(t *testing.T) { newWorld(t).expect(t, by, s) })
			}
		})
	}
}

func (w *world) expect(t *testing.T, by transport, s step) answer {
	t.Helper()
	a := w.send(t, by, s.call)
	if a.status != s.status {
		t.Errorf("status %d, want %d: %s", a.status, s.status, a.body)
	}
	if s.call.method != http.MethodHead && a.text(errorName(s.call.endpoint)) != s.error {
		t.Errorf("error %q, want %q: %s", a.text(errorName(s.call.endpoint)), s.error, a.body)
	}
	if got := a.line["store_calls"]; s.idle && got != 0.0 {
		t.Errorf("%v calls to the store, want none", got)
	}
	if s.and != nil {
		s.and(t, a)
	}
	return a
}

// each gives a scenario of several steps its own world for each transport.
func each(t *testing.T, scenario func(t *testing.T, w *world, by transport)) {
	t.Helper()
	for _, by := range transports {
		t.Run(by.name, func(t *testing.T) { scenario(t, newWorld(t), by) })
	}
}

// form writes a body from names and values.
func form(pairs ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(pairs[i]) + "=" + url.QueryEscape(pairs[i+1]))
	}
	return b.String()
}

// basic is the header of RFC 6749 §2.3.1.
func basic(id, password string) map[string][]string {
	return rawBasic(url.QueryEscape(id) + ":" + url.QueryEscape(password))
}

func rawBasic(pair string) map[string][]string {
	return authorization("Basic " + base64.StdEncoding.EncodeToString([]byte(pair)))
}

func authorization(values ...string) map[string][]string {
	return map[string][]string{"Authorization": values}
}
