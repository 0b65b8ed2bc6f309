package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
)

// The two policies of docs/operating.md allow on the tables what the commands do there,
// and no more. internal/repotest holds both together to what the program links.
func TestOperatorPolicies(t *testing.T) {
	engine := dynamotest.Engine(t)
	f := dynamotest.New(t, engine)
	tables := map[string]string{f.Tables.Tokens: "TOKENS_TABLE_ARN", f.Tables.Clients: "CLIENTS_TABLE_ARN", f.Tables.Users: "USERS_TABLE_ARN"}
	file := filepath.Join(t.TempDir(), "users.jsonl")
	if err := os.WriteFile(file, []byte(`{"username": "bob@example.com", "password_hash": "$2b$08$ExampleSaltExampleSaleVwt8ENgsJvYjsqbO1kh25lIRvU4ryOO"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	all := func(lines string) map[string]map[string]bool {
		t.Helper()
		done := map[string]map[string]bool{}
		at := recording(t, engine, func(operation, table string) {
			arn := tables[table]
			if done[arn] == nil {
				done[arn] = map[string]bool{}
			}
			done[arn]["dynamodb:"+operation] = true
		})
		for line := range strings.Lines(lines) {
			words := strings.Fields(line)
			for i := range words {
				words[i] = strings.NewReplacer("FILE", file).Replace(words[i])
			}
			if code, out, said := fobAt(t, at, "correct horse battery", f, words...); code != 0 {
				t.Fatalf("fob %s: %d\n%s%s", strings.TrimSpace(line), code, out, said)
			}
		}
		return done
	}
	rest := all(`scope add orders
scope add refunds --role support
client add --id app --public --grant password --scope orders
client add --id other --public --grant password --scope orders
client list
client show app
client set app --access-lifetime 15m
client add --id nightly --grant client_credentials --scope orders
client rotate-secret nightly
client rotate-secret nightly --finish
client sign-out app
client disable app
client enable app
client remove other
scope list
scope remove refunds
issuer add https://appleid.apple.com --audience com.example.shop
issuer set https://appleid.apple.com --audience com.example.shop2
issuer list
issuer show https://appleid.apple.com
issuer remove https://appleid.apple.com`)
	users := all(`user add ann@example.com
user list
user show ann@example.com
user roles ann@example.com --role support
user passwd ann@example.com
user disable ann@example.com
user enable ann@example.com
user import FILE
device list --user ann@example.com
device list --client app
device end --user ann@example.com --device iphone
device end --client app --device kiosk --everybody
subject sign-out --user ann@example.com
user remove ann@example.com`)
	if diff := cmp.Diff(policyOf(t, 0), users); diff != "" {
		t.Errorf("users: (-allowed +done)\n%s", diff)
	}
	if diff := cmp.Diff(policyOf(t, 1), rest); diff != "" {
		t.Errorf("the rest: (-allowed +done)\n%s", diff)
	}
}

// policyOf are the operations on tables that a policy of docs/operating.md allows.
func policyOf(t *testing.T, n int) map[string]map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllSubmatch(text, -1)
	if len(blocks) != 2 {
		t.Fatalf("%d policies", len(blocks))
	}
	var policy struct {
		Statement []struct {
			Action   any
			Resource any
		}
	}
	if err := json.Unmarshal(blocks[n][1], &policy); err != nil {
		t.Fatal(err)
	}
	if text := string(blocks[n][1]); n == 0 && strings.Contains(text, "secretsmanager") {
		t.Errorf("who looks after users may read keys: %s", text)
	}
	allowed := map[string]map[string]bool{}
	for _, s := range policy.Statement {
		actions, _ := s.Action.([]any)
		if one, ok := s.Action.(string); ok {
			actions = []any{one}
		}
		for _, a := range actions {
			if action, _ := a.(string); strings.HasPrefix(action, "dynamodb:") {
				arn, _ := s.Resource.(string) // one for each statement
				if allowed[arn] == nil {
					allowed[arn] = map[string]bool{}
				}
				allowed[arn][action] = true
			}
		}
	}
	return allowed
}

// recording is an engine that reports each operation with each table that it is about.
func recording(t *testing.T, engine string, report func(operation, table string)) string {
	t.Helper()
	target, err := url.Parse(engine)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		var about struct {
			TableName    string
			RequestItems map[string]any
		}
		if err := json.Unmarshal(body, &about); err != nil {
			t.Error(err)
		}
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		mu.Lock()
		defer mu.Unlock()
		for table := range about.RequestItems {
			report(operation, table)
		}
		if about.TableName != "" {
			report(operation, about.TableName)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}
