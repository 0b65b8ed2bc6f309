package apigw

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/wire"
)

// A simple answer is kept under the values of the identity sources. Where they do
// not tell routes apart, a yes for one would open another.
func TestAuthorizerLooksAtTheCachesKey(t *testing.T) {
	access := known{token: "good", says: ada(t)}
	byRoute := wire.NewAuthorizer(access, wire.Policy{Routes: map[string]scope.Set{"GET /orders/{id}": set(t, "read")}}, wire.Options{})
	plain := wire.NewAuthorizer(access, wire.Policy{}, wire.Options{})
	const route, method, both = "add $context.routeKey to", "add $context.httpMethod to", "add $context.routeKey and $context.httpMethod to"
	for _, c := range []struct{ routeKey, sources, missing string }{
		{"ANY /orders/{id}", `["TOKEN", "ANY /orders/{id}", "GET"]`, ""},
		{"ANY /orders/{id}", `["GET", "x", "ANY /orders/{id}"]`, ""},
		{"ANY /orders/{id}", `["TOKEN", "ANY /orders/{id}"]`, method},
		{"ANY /orders/{id}", `["TOKEN", "GET"]`, route},
		{"ANY /orders/{id}", `["TOKEN"]`, both},
		{"ANY /orders/{id}", `["TOKEN", "ANY /orders", "get"]`, both},
		{"GET /orders/{id}", `["TOKEN", "GET /orders/{id}"]`, ""},
		{"GET /orders/{id}", `["TOKEN", "GET"]`, route},
		{"$default", `["TOKEN", "$default", "GET"]`, ""},
		{"$default", `["TOKEN", "$default"]`, method},
		{"$default", `["TOKEN"]`, both},
		// Nothing is kept.
		{"ANY /orders/{id}", `[]`, ""},
		{"ANY /orders/{id}", `null`, ""},
		// A value that is not a list says nothing.
		{"GET /orders/{id}", `"TOKEN"`, route},
		{"GET /orders/{id}", `[1]`, route},
	} {
		question := strings.NewReplacer(`["TOKEN", "ANY /orders/{id}", "GET"]`, c.sources, `"routeKey": "ANY /orders/{id}"`, `"routeKey": "`+c.routeKey+`"`).Replace(question2)
		text := json.RawMessage(strings.ReplaceAll(question, "TOKEN", "Bearer good"))
		o, log := logged()
		answer, err := Authorizer(byRoute, o)(t.Context(), text)
		if (c.missing == "") != (err == nil) || err != nil && !errors.Is(err, errNotJudged) {
			t.Errorf("%s, %s: %v, %v", c.routeKey, c.sources, answer, err)
		}
		if c.missing != "" {
			if line := oneFault(t, log); !strings.Contains(line["error"].(string), c.missing) || strings.Contains(log.String(), "good") {
				t.Errorf("%s, %s: logged %s", c.routeKey, c.sources, log)
			}
		}
		if _, err := Authorizer(plain, wire.Options{})(t.Context(), text); err != nil {
			t.Errorf("%s, %s: a judgement of the token alone: %v", c.routeKey, c.sources, err)
		}
	}
	without := strings.Replace(question2, `"identitySource": ["TOKEN", "ANY /orders/{id}", "GET"],`, "", 1)
	if _, err := answerOf(t, byRoute, without, "Bearer good"); err != nil || without == question2 {
		t.Errorf("no identity source: %v", err)
	}
}

// The values of the cache's key have no names. A client that sends the name of the
// route itself must not make up for a source that is missing, and must not ring the
// alarm.
func TestAuthorizerIsNotToldTheCachesKey(t *testing.T) {
	byRoute := wire.NewAuthorizer(known{token: "good", says: ada(t)}, wire.Policy{Routes: map[string]scope.Set{"GET /orders/{id}": set(t, "read")}}, wire.Options{})
	for _, c := range []struct{ sources, header, cookies, query string }{
		{`["TOKEN", "ANY /orders/{id}", "GET"]`, "ANY /orders/{id}", "", ""}, // from the header X, and not from the route
		{`["TOKEN", "ANY /orders/{id}", "GET"]`, "GET", "", ""},
		{`["TOKEN", "GET", "ANY /orders/{id}"]`, " GET ", "", ""},
		{`["TOKEN", "ANY /orders/{id}", "GET"]`, "x, GET", "", ""}, // sent twice
		{`["TOKEN", "ANY /orders/{id}", "GET"]`, "", "ANY /orders/{id}", ""},
		{`["TOKEN", "ANY /orders/{id}", "GET"]`, "", "a=b; GET", ""},
		{`["TOKEN", "ANY /orders/{id}", "GET"]`, "", "", "ANY /orders/{id}"},
		{`["TOKEN", "ANY /orders/{id}", "GET"]`, "", "", "1,GET"},
	} {
		question := strings.Replace(question2, `["TOKEN", "ANY /orders/{id}", "GET"],`, c.sources+`, "cookies": ["`+c.cookies+`"], "queryStringParameters": {"q": "`+c.query+`"},`, 1)
		question = strings.Replace(question, `"accept": "*/*"`, `"x": "`+c.header+`"`, 1)
		o, log := logged()
		answer, err := Authorizer(byRoute, o)(t.Context(), json.RawMessage(strings.ReplaceAll(question, "TOKEN", "Bearer good")))
		if answer != nil || !errors.Is(err, errNotJudged) {
			t.Errorf("%+v: %v, %v", c, answer, err)
		}
		if line := log.String(); !strings.Contains(line, "WARN") || strings.Contains(line, "failed") || strings.Contains(line, "good") || strings.Contains(line, "orders") {
			t.Errorf("%+v: logged %s", c, line)
		}
	}
	o, _ := logged()
	uncached := strings.NewReplacer(`["TOKEN", "ANY /orders/{id}", "GET"]`, "[]", `"accept": "*/*"`, `"x": "GET"`, "TOKEN", "Bearer good").Replace(question2)
	if _, err := Authorizer(byRoute, o)(t.Context(), json.RawMessage(uncached)); err != nil {
		t.Errorf("without a cache: %v", err)
	}
	for _, header := range []string{"ANY /orders", "GETS", "FORGET", "ANY /orders/{id}/x"} {
		question := strings.NewReplacer(`"accept": "*/*"`, `"x": "`+header+`"`, "TOKEN", "Bearer good").Replace(question2)
		if _, err := Authorizer(byRoute, o)(t.Context(), json.RawMessage(question)); err != nil {
			t.Errorf("%s: %v", header, err)
		}
	}
}
