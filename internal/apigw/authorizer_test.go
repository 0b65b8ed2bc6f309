package apigw

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/wire"
)

// The three questions of API Gateway, as it writes them. TOKEN stands for what
// the client sent.
const (
	question2 = `{
		"version": "2.0", "type": "REQUEST",
		"routeArn": "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/$default/GET/orders/7",
		"identitySource": ["TOKEN", "ANY /orders/{id}", "GET"],
		"routeKey": "ANY /orders/{id}", "rawPath": "/orders/7", "rawQueryString": "",
		"headers": {"accept": "*/*", "authorization": "TOKEN", "host": "api.example"},
		"requestContext": {
			"accountId": "123456789012", "apiId": "a1b2c3d4e5", "domainName": "api.example", "domainPrefix": "api",
			"http": {"method": "GET", "path": "/orders/7", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "curl/8"},
			"requestId": "JKJaXmPLvHcESHA=", "routeKey": "ANY /orders/{id}", "stage": "$default"
		},
		"pathParameters": {"id": "7"}
	}`
	questionREST = `{
		"type": "REQUEST",
		"methodArn": "arn:aws:execute-api:eu-central-1:123456789012:f6g7h8i9j0/prod/GET/orders/7",
		"resource": "/orders/{id}", "path": "/orders/7", "httpMethod": "GET",
		"headers": {"Accept": "*/*", "Authorization": "TOKEN"},
		"multiValueHeaders": {"Accept": ["*/*"], "Authorization": ["TOKEN"]},
		"queryStringParameters": {}, "multiValueQueryStringParameters": {}, "pathParameters": {"id": "7"}, "stageVariables": {},
		"requestContext": {
			"resourceId": "05c7jb", "resourcePath": "/orders/{id}", "httpMethod": "GET", "path": "/prod/orders/7", "stage": "prod",
			"requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", "identity": {"sourceIp": "192.0.2.1"}, "apiId": "f6g7h8i9j0"
		}
	}`
	question1 = `{
		"version": "1.0", "type": "REQUEST",
		"methodArn": "arn:aws:execute-api:eu-central-1:123456789012:f6g7h8i9j0/$default/GET/orders/7",
		"identitySource": "TOKEN", "authorizationToken": "TOKEN",
		"resource": "/orders/{id}", "path": "/orders/7", "httpMethod": "GET",
		"headers": {"Accept": "*/*", "Authorization": "TOKEN"}, "queryStringParameters": {},
		"requestContext": {"httpMethod": "GET", "resourcePath": "/orders/{id}", "requestId": "JKJaXmPLvHcESHA=", "identity": {"sourceIp": "192.0.2.1"}}
	}`
	questionToken = `{"type": "TOKEN", "authorizationToken": "TOKEN", "methodArn": "arn:aws:execute-api:eu-central-1:123456789012:f6g7h8i9j0/prod/GET/orders/7"}`
)

// known is a wire.CallerSource of one token.
type known struct {
	token string
	says  oauth.Introspection
	err   error
	slow  bool
}

func (k known) Caller(ctx context.Context, token bearer.Bearer, _ ...string) (oauth.Introspection, error) {
	if k.slow {
		<-ctx.Done()
		return oauth.Introspection{}, ctx.Err()
	}
	if k.err != nil || token.Reveal() != k.token {
		return oauth.Introspection{}, k.err
	}
	return k.says, nil
}

func ada(t *testing.T) oauth.Introspection {
	t.Helper()
	return oauth.Introspection{
		Active: true, Kind: bearer.Access, Scope: set(t, "read device_ipad"), ClientID: "app", Username: "ada",
		Subject: ledger.Subject{Kind: ledger.UserSubject, ID: "u_ada"},
	}
}

func set(t testing.TB, s string) scope.Set {
	t.Helper()
	set, err := scope.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// answerOf asks with a token, and returns the answer as JSON.
func answerOf(t *testing.T, a wire.Authorizer, question, authorization string) (string, error) {
	t.Helper()
	answer, err := Authorizer(a, discard)(t.Context(), json.RawMessage(strings.ReplaceAll(question, "TOKEN\"", authorization+"\"")))
	if err != nil {
		if answer != nil {
			t.Errorf("an error and %v", answer)
		}
		return "", err
	}
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), nil
}

// questions with the type kept, which the replacement of TOKEN would touch.
var questions = map[string]string{
	"2.0": question2, "REST": questionREST, "1.0": question1, "token": strings.Replace(questionToken, `"TOKEN"`, `"TOKE\u004e"`, 1),
}

const (
	adaSays    = `{"client_id":"app","device":"ipad","scope":"read device_ipad","sub":"u_ada","username":"ada"}`
	lacksWrite = `{"challenge":"Bearer realm=\"fob\", error=\"insufficient_scope\", scope=\"write\""}`
	prod       = "arn:aws:execute-api:eu-central-1:123456789012:f6g7h8i9j0/prod/"
	dflt       = "arn:aws:execute-api:eu-central-1:123456789012:f6g7h8i9j0/$default/"
)

func policyAnswer(principal, effect, resource, context string) string {
	return `{"principalId":"` + principal + `","policyDocument":{"Version":"2012-10-17","Statement":[{"Action":["execute-api:Invoke"],"Effect":"` + effect +
		`","Resource":["` + resource + `"]}]},"context":` + context + `}`
}

func sameJSON(t *testing.T, what, got, want string) {
	t.Helper()
	var g, w any
	if json.Unmarshal([]byte(got), &g) != nil || json.Unmarshal([]byte(want), &w) != nil {
		t.Fatalf("%s: %s or %s is not JSON", what, got, want)
	}
	if diff := cmp.Diff(g, w); diff != "" {
		t.Errorf("%s: got -, want +:\n%s", what, diff)
	}
}

func TestAuthorizer(t *testing.T) {
	access := known{token: "good", says: ada(t)}
	plain := wire.NewAuthorizer(access, wire.Policy{}, wire.Options{})
	passes := wire.NewAuthorizer(access, wire.Policy{Routes: map[string]scope.Set{"GET /orders/{id}": set(t, "read")}}, wire.Options{})
	lacks := wire.NewAuthorizer(access, wire.Policy{Routes: map[string]scope.Set{"GET /orders/{id}": set(t, "write")}}, wire.Options{})
	for _, c := range []struct {
		question string
		by       wire.Authorizer
		want     string
	}{
		{"2.0", plain, `{"isAuthorized":true,"context":` + adaSays + `}`},
		{"2.0", passes, `{"isAuthorized":true,"context":` + adaSays + `}`},
		{"2.0", lacks, `{"isAuthorized":false,"context":` + lacksWrite + `}`},
		// The token is judged for the whole stage, a scope for one method and path.
		{"REST", plain, policyAnswer("u_ada", "Allow", prod+"*", adaSays)},
		{"REST", passes, policyAnswer("u_ada", "Allow", prod+"GET/orders/7", adaSays)},
		{"REST", lacks, policyAnswer("denied", "Deny", prod+"GET/orders/7", lacksWrite)},
		{"1.0", plain, policyAnswer("u_ada", "Allow", dflt+"*", adaSays)},
		{"1.0", passes, policyAnswer("u_ada", "Allow", dflt+"GET/orders/7", adaSays)},
		{"1.0", lacks, policyAnswer("denied", "Deny", dflt+"GET/orders/7", lacksWrite)},
		{"token", plain, policyAnswer("u_ada", "Allow", prod+"*", adaSays)},
	} {
		got, err := answerOf(t, c.by, questions[c.question], "Bearer good")
		if err != nil {
			t.Fatalf("%s: %v", c.question, err)
		}
		sameJSON(t, c.question, got, c.want)
		if strings.Contains(got, "good") {
			t.Errorf("%s: the token is in the answer: %s", c.question, got)
		}
	}
	if _, err := answerOf(t, passes, questions["token"], "Bearer good"); !errors.Is(err, errNotJudged) {
		t.Errorf("scopes by route without a route: %v", err)
	}
}

// 401 is for what is wrong with the token, by the one error that the gateway
// knows, which it does not keep.
func TestAuthorizerRefuses(t *testing.T) {
	g := wire.NewAuthorizer(known{token: "good", says: ada(t)}, wire.Policy{}, wire.Options{})
	for name, question := range questions {
		for _, authorization := range []string{"", "Bearer", "Bearer bad", "Basic Z29vZA==", "good", "Bearer good, Bearer good", "Bearer good x"} {
			if answer, err := answerOf(t, g, question, authorization); err == nil || err.Error() != "Unauthorized" {
				t.Errorf("%s with %q: %s, %v", name, authorization, answer, err)
			}
		}
	}
	for name, question := range map[string]string{
		"none, 2.0":         strings.Replace(question2, `"authorization": "TOKEN", `, "", 1),
		"none, REST":        strings.NewReplacer(`, "Authorization": "TOKEN"`, "", `, "Authorization": ["TOKEN"]`, "").Replace(questionREST),
		"twice, REST":       strings.Replace(questionREST, `["TOKEN"]`, `["Bearer good", "TOKEN"]`, 1),
		"in the query, 2.0": strings.Replace(question2, `"rawQueryString": ""`, `"rawQueryString": "access_token=x"`, 1),
		"in the query":      strings.Replace(questionREST, `"queryStringParameters": {}`, `"queryStringParameters": {"access_token": "x"}`, 1),
		"in the query too":  strings.Replace(questionREST, `"multiValueQueryStringParameters": {}`, `"multiValueQueryStringParameters": {"access_token": ["x"]}`, 1),
	} {
		if question == question2 || question == questionREST {
			t.Fatalf("%s: nothing was replaced", name)
		}
		if answer, err := answerOf(t, g, question, "Bearer good"); err == nil || err.Error() != "Unauthorized" {
			t.Errorf("%s: %s, %v", name, answer, err)
		}
	}
}

// An outage is not a yes, and not a 401 either.
func TestAuthorizerInDoubt(t *testing.T) {
	for name, access := range map[string]known{
		"outage": {err: oauth.Unavailable("read", errors.New("reset"))},
		"defect": {err: errors.New("CANARY")},
		"no sub": {token: "good", says: oauth.Introspection{Active: true}},
	} {
		for format, question := range questions {
			answer, err := answerOf(t, wire.NewAuthorizer(access, wire.Policy{}, wire.Options{}), question, "Bearer good")
			if !errors.Is(err, errNotJudged) || strings.Contains(err.Error(), "Unauthorized") || strings.Contains(err.Error(), "CANARY") {
				t.Errorf("%s, %s: %s, %v", name, format, answer, err)
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		g := wire.NewAuthorizer(known{slow: true}, wire.Policy{}, wire.Options{})
		text := strings.ReplaceAll(question2, "TOKEN", "Bearer good")
		if answer, err := Authorizer(g, discard)(ctx, json.RawMessage(text)); !errors.Is(err, errNotJudged) {
			t.Errorf("%v, %v", answer, err)
		}
		if took := time.Since(began); took != 9700*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

// A path that is a pattern to a policy would widen a judgement that is kept.
func TestAuthorizerJudgesNoPatterns(t *testing.T) {
	access := known{token: "good", says: ada(t)}
	byRoute := wire.NewAuthorizer(access, wire.Policy{Routes: map[string]scope.Set{"GET /orders/{id}": set(t, "read")}}, wire.Options{})
	for _, path := range []string{
		"GET/orders/*", "GET/orders/a*", "GET/orders/?", "GET/orders/${aws:x}", "GET/orders/x/*/y",
		"G*T/orders/7", "*/orders/7", // a method may have a * (RFC 9110 §5.6.2)
	} {
		question := strings.Replace(questionREST, "GET/orders/7\"", path+"\"", 1)
		o, log := logged()
		answer, err := Authorizer(byRoute, o)(t.Context(), json.RawMessage(strings.ReplaceAll(question, "TOKEN", "Bearer good")))
		if answer != nil || !errors.Is(err, errNotJudged) {
			t.Errorf("%s: %v, %v", path, answer, err)
		}
		// A client wrote it, and so it rings nobody.
		if !strings.Contains(log.String(), `"level":"WARN"`) || strings.Contains(log.String(), "_aws") || !strings.Contains(log.String(), `"gateway_request_id":"c6af9ac6-7b61-11e6-9a41-93e8deadbeef"`) {
			t.Errorf("%s: logged %s", path, log)
		}
		if _, err := answerOf(t, wire.NewAuthorizer(access, wire.Policy{}, wire.Options{}), question, "Bearer good"); err != nil {
			t.Errorf("%s, where the policy does not name it: %v", path, err)
		}
	}
}

func TestOtherQuestionsAreErrors(t *testing.T) {
	for name, text := range map[string]string{
		"empty": `{}`, "no object": `["CANARY"]`, "no JSON": `CANARY`, "another shape": `{"version": "2.0", "headers": ["CANARY"]}`,
		"no method":  `{"version": "2.0", "type": "REQUEST", "headers": {"authorization": "Bearer CANARY"}}`,
		"no ARN":     `{"type": "REQUEST", "httpMethod": "GET", "headers": {"authorization": "Bearer CANARY"}}`,
		"no token":   `{"type": "TOKEN", "methodArn": "CANARY"}`,
		"other type": `{"type": "CANARYCANARY", "methodArn": "x", "authorizationToken": "Bearer CANARY"}`,
		"a request":  event1,
	} {
		var log bytes.Buffer
		g := wire.Authorizer{Judge: func(*http.Request) (j wire.Judgement) { t.Errorf("%s: judged", name); return j }}
		answer, err := Authorizer(g, wire.Options{Function: "fn", Log: slog.New(slog.NewJSONHandler(&log, nil))})(t.Context(), json.RawMessage(text))
		if answer != nil || !errors.Is(err, errNotJudged) {
			t.Errorf("%s: %v, %v", name, answer, err)
		}
		line := map[string]any{}
		if json.Unmarshal(log.Bytes(), &line) != nil || line["level"] != "ERROR" || line["error"] == "" || line["failed"] != 1.0 || line["function"] != "fn" || strings.Contains(log.String(), "CANARYCANARY") {
			t.Errorf("%s: logged %s", name, &log)
		}
	}
}

// Whatever the gateway asks, there is no panic, and a yes only for the token that
// is good, which is not repeated.
func FuzzQuestion(f *testing.F) {
	for _, question := range questions {
		f.Add([]byte(strings.ReplaceAll(question, "TOKEN\"", "Bearer good\"")))
		f.Add([]byte(question))
	}
	for _, text := range []string{`{}`, `{"version":"2.0"}`, `{"type":"TOKEN","authorizationToken":"Bearer good","methodArn":"/"}`} {
		f.Add([]byte(text))
	}
	f.Add([]byte(strings.NewReplacer("TOKEN", "Bearer good", `"GET"`, `"HEAD"`).Replace(question2)))
	f.Add([]byte(strings.NewReplacer("TOKEN", "Bearer good", "orders/7", "orders/*").Replace(questionREST)))
	access := known{token: "good", says: oauth.Introspection{Active: true, ClientID: "c", Subject: ledger.Subject{ID: "s"}, Scope: set(f, "read")}}
	guards := []wire.Authorizer{
		wire.NewAuthorizer(access, wire.Policy{}, wire.Options{}),
		wire.NewAuthorizer(access, wire.Policy{Routes: map[string]scope.Set{"GET /orders/{id}": set(f, "read"), "*": set(f, "write")}}, wire.Options{}),
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, g := range guards {
			judgeFuzzed(t, g, text)
		}
	})
}

func judgeFuzzed(t *testing.T, a wire.Authorizer, text []byte) {
	t.Helper()
	answer, err := Authorizer(a, discard)(t.Context(), text)
	if err != nil {
		if answer != nil || !errors.Is(err, errUnauthorized) && !errors.Is(err, errNotJudged) {
			t.Errorf("%v, %v", answer, err)
		}
		return
	}
	again, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	yes := bytes.Contains(again, []byte(`"isAuthorized":true`)) || bytes.Contains(again, []byte(`"Effect":"Allow"`))
	if !yes {
		return
	}
	var e struct{ AuthorizationToken, Headers, MultiValueHeaders json.RawMessage }
	_ = json.Unmarshal(text, &e)
	decoded, _ := json.Marshal([]any{e.AuthorizationToken, e.Headers, e.MultiValueHeaders}) // escapes undone
	var plain any
	_ = json.Unmarshal(decoded, &plain)
	decoded, _ = json.Marshal(plain)
	if !bytes.Contains(decoded, []byte("good")) {
		t.Errorf("%s passes: %s", text, again)
	}
	if !a.ByRoute {
		return
	}
	// The token has the scope of one route, which HEAD shares, and the answer is
	// about no more.
	var at struct{ RouteKey, Resource string }
	_ = json.Unmarshal(text, &at)
	if !strings.HasSuffix(at.RouteKey, " /orders/{id}") && at.Resource != "/orders/{id}" {
		t.Errorf("%s passes by another route: %s", text, again)
	}
	if policy, ok := answer.(events.APIGatewayCustomAuthorizerResponse); ok {
		if resource := policy.PolicyDocument.Statement[0].Resource[0]; strings.Contains(strings.SplitN(resource+"///", "/", 4)[3], "*") {
			t.Errorf("%s passes for %s", text, resource)
		}
	}
}
