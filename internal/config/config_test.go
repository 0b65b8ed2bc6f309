package config

import (
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"
)

var complete = map[string]string{
	"FOB_TOKENS_TABLE": "t", "FOB_CLIENTS_TABLE": "c", "FOB_USERS_TABLE": "u",
	"FOB_CHECK_SECRET": "arn:check", "FOB_MINT_SECRET": "arn:mint",
}

func with(changes map[string]string) map[string]string {
	m := maps.Clone(complete)
	maps.Copy(m, changes)
	return m
}

func TestRead(t *testing.T) {
	c, err := read[Token](complete)
	if err != nil || c.TokensTable != "t" || c.ClientsTable != "c" || c.UsersTable != "u" || c.CheckSecret != "arn:check" || c.MintSecret != "arn:mint" {
		t.Errorf("read[Token] = %+v, %v", c, err)
	}
	if c, err := read[Base](complete); err != nil || c.CheckSecret != "arn:check" {
		t.Errorf("read[Base] = %+v, %v", c, err)
	}
	if _, err := read[Base](with(map[string]string{"FOB_CHECK_SECRET": ""})); err == nil {
		t.Error("read[Base] does without keys")
	}
	i, err := read[Introspect](with(map[string]string{"FOB_ISSUER": "https://id.example.com/prod"}))
	if err != nil || i.Issuer != "https://id.example.com/prod" {
		t.Errorf("read[Introspect] = %+v, %v", i, err)
	}
	f, err := read[Token](with(map[string]string{"FOB_CHECK_SECRET": "", "FOB_MINT_SECRET": "", "FOB_KEYS_FILE": "keys.json"}))
	if err != nil || f.KeysFile != "keys.json" {
		t.Errorf("read[Token] with a key file = %+v, %v", f, err)
	}
}

// A deployment that lacks several settings hears of all of them at once.
func TestReadReportsEveryFault(t *testing.T) {
	_, err := read[Token](map[string]string{"FOB_TOKENS_TABLE": ""})
	if err == nil {
		t.Fatal("read[Token] accepted an empty environment")
	}
	for _, name := range []string{"FOB_TOKENS_TABLE", "FOB_CLIENTS_TABLE", "FOB_USERS_TABLE", "FOB_CHECK_SECRET", "FOB_MINT_SECRET"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("no word of %s in: %v", name, err)
		}
	}
}

func TestReadRefusesIssuer(t *testing.T) {
	for _, issuer := range []string{"http://id.example.com", "id.example.com", "https://", "https://h/?q", "https://h/#f", "https://h?", "https://u@h", "::"} {
		if _, err := read[Introspect](with(map[string]string{"FOB_ISSUER": issuer})); err == nil {
			t.Errorf("FOB_ISSUER %q was accepted", issuer)
		}
		if _, err := read[Token](with(map[string]string{"FOB_ISSUER": issuer})); err == nil {
			t.Errorf("FOB_ISSUER %q was accepted by token", issuer)
		}
	}
}

func TestReadRouteScopes(t *testing.T) {
	c, err := read[Authorizer](with(map[string]string{
		"FOB_AUDIENCE":     "https://api.example",
		"FOB_ROUTE_SCOPES": " GET /orders=orders:read;ANY /orders/{id} = orders:write  orders:read ;\n*=a=b;",
	}))
	if err != nil || c.Audience != "https://api.example" {
		t.Fatalf("read[Authorizer] = %+v, %v", c, err)
	}
	got := map[string]string{}
	for route, set := range c.RouteScopes {
		got[route] = set.String()
	}
	want := map[string]string{"GET /orders": "orders:read", "ANY /orders/{id}": "orders:read orders:write", "*": "a=b"}
	if !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	c, err = read[Authorizer](with(map[string]string{"FOB_ROUTE_SCOPES": "GET /ping; *"}))
	for _, route := range []string{"GET /ping", "*"} {
		if set, named := c.RouteScopes[route]; err != nil || !named || !set.IsEmpty() {
			t.Errorf("%s: %v, %v, %v", route, set, named, err)
		}
	}
	for _, empty := range []string{"", " ", ";", " ; "} {
		c, err := read[Authorizer](with(map[string]string{"FOB_ROUTE_SCOPES": empty}))
		if err != nil || len(c.RouteScopes) > 0 {
			t.Errorf("%q: %v, %v", empty, c.RouteScopes, err)
		}
	}
}

// The template refuses the bad ones by its pattern, before there is a function that
// could: TestTemplate in internal/repotest reads the same lists.
func TestReadRouteScopesOfTheTemplate(t *testing.T) {
	text, err := os.ReadFile("testdata/route-scopes.json")
	if err != nil {
		t.Fatal(err)
	}
	var lists map[string][]string
	if err := json.Unmarshal(text, &lists); err != nil || len(lists["good"]) == 0 || len(lists["bad"]) == 0 {
		t.Fatalf("%v, %d lists", err, len(lists))
	}
	for list, entries := range lists {
		for _, entry := range entries {
			c, err := read[Authorizer](with(map[string]string{"FOB_ROUTE_SCOPES": entry}))
			if good := err == nil; good != (list == "good") || good && entry != "" && len(c.RouteScopes) == 0 {
				t.Errorf("%s: %q is read as %v, %v", list, entry, c.RouteScopes, err)
			}
		}
	}
}

// Every fault, next to those of other variables. No value is repeated.
func TestReadRouteScopesReportsEveryFault(t *testing.T) {
	_, err := read[Authorizer](map[string]string{"FOB_ROUTE_SCOPES": strings.Join([]string{
		"GET /a=b", "CANARY", "get /a=b", "GET a=b", "/a=b", "GET /a?b=c", "GET  /a=b", "LIST /a=b", "** =b",
		"GET /c=", "GET /d=\"", "GET /e=device_ipad", "GET /f=b device_", "GET /a=c",
	}, ";")})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		"FOB_TOKENS_TABLE", "FOB_CLIENTS_TABLE", "FOB_CHECK_SECRET",
		"entry 2: the route", "entry 3: the route", "entry 4: the route", "entry 5: the route", "entry 6: the route", "entry 7: the route", "entry 8: the route", "entry 9: the route",
		"entry 10: names no scope", "entry 11: invalid scope", "entry 12: a device", "entry 13: invalid scope", "entry 14: the route is there twice",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q in: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "entry 1:") || strings.Contains(err.Error(), "CANARY") {
		t.Errorf("too much in: %v", err)
	}
}

// The password grant is there unless somebody turned it off: so it was before there
// was a setting.
func TestPasswordGrant(t *testing.T) {
	for value, want := range map[string]bool{"": true, "true": true, "false": false} {
		c, err := read[Metadata](map[string]string{"FOB_PASSWORD_GRANT": value, "FOB_ISSUER": "https://id.example.com"})
		if err != nil || c.PasswordGrant != want || c.Issuer != "https://id.example.com" {
			t.Errorf("with %q: %+v, %v", value, c, err)
		}
		token, err := read[Token](with(map[string]string{"FOB_PASSWORD_GRANT": value}))
		if err != nil || token.PasswordGrant != want {
			t.Errorf("token with %q: %+v, %v", value, token, err)
		}
	}
	if c, err := read[Metadata](map[string]string{}); err != nil || !c.PasswordGrant {
		t.Errorf("unset: %+v, %v", c, err)
	}
	for _, environment := range []map[string]string{{"FOB_PASSWORD_GRANT": "off"}, {"FOB_ISSUER": "http://id.example.com"}} {
		if _, err := read[Metadata](environment); err == nil {
			t.Errorf("%v was accepted", environment)
		}
	}
}

func TestReadEdge(t *testing.T) {
	hash := strings.Repeat("0a", 32)
	for text, want := range map[string]int{"": 0, hash: 1, hash + "," + hash: 2} {
		if c, err := read[Base](with(map[string]string{"FOB_EDGE_HASH": text})); err != nil || len(c.Edge) != want {
			t.Errorf("%q: %d hashes, %v", text, len(c.Edge), err)
		}
	}
	// The secret in the wrong place is not repeated.
	const secret = "CANARYnotarealsecretofanedge1234"
	for _, text := range []string{secret, hash[:62], hash + "00", hash + ", " + hash, hash + ",", hash + "," + hash + "," + hash} {
		_, err := read[Base](with(map[string]string{"FOB_EDGE_HASH": text}))
		if err == nil || !strings.Contains(err.Error(), "FOB_EDGE_HASH") || strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
