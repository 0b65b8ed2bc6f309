package page_test

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/laptop"
	"github.com/fob-oauth/fob/internal/laptop/page"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/password"
	"github.com/fob-oauth/fob/internal/wire"
)

// origin is one that may read the answers of the endpoints.
const origin = "https://app.example.com"

// world is fob serve with its demo and the page.
type world struct {
	http.Handler
	demo *laptop.DemoJSON
}

func inMemory(t *testing.T) world {
	t.Helper()
	tokens, users := memory.NewTokens(), memory.NewUsers()
	return newWorld(t, laptop.Stores{Tokens: tokens, Subjects: tokens, Issuers: memory.NewIssuers(), Users: users, People: users}, memory.NewClients(), tokens)
}

func newWorld(t *testing.T, s laptop.Stores, clients oauth.ClientRegistry, records oauth.TokenRegistry) world {
	t.Helper()
	s.Clients = clients
	demo := laptop.NewDemo(keys.NewText(), 0)
	err := demo.Seed(t.Context(), &oauth.Registrar{Clients: clients, Now: time.Now}, &oauth.UserRegistrar{
		Users: s.People, Subjects: s.Subjects, Tokens: s.Tokens, Registry: records, Passwords: password.Hasher{}, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Generate(false)
	if err != nil {
		t.Fatal(err)
	}
	allow, err := laptop.AllowOrigins([]string{origin})
	if err != nil {
		t.Fatal(err)
	}
	p := page.New(demo, records)
	fetch := func(context.Context) (*bearer.MintRing, error) { return ring, nil }
	return world{p.Over(allow(laptop.Handler(s, fetch, wire.Options{Log: slog.New(p.Log()), NoMetrics: true}))), demo.JSON()}
}

// In memory the page shows what it would show of a table: as many calls for each request,
// and the attributes of the items.
func TestShowsWhatDynamoDBWould(t *testing.T) {
	f := dynamotest.New(t, dynamotest.Engine(t))
	there := newWorld(t, laptop.Stores{Tokens: f.Tokens, Subjects: f.Tokens, Issuers: f.Issuers, Users: f.Users, People: f.Users}, f.Clients, f.Tokens)
	here := inMemory(t)
	there.story(t)
	here.story(t)
	got, _ := here.state(t)
	want, _ := there.state(t)
	if diff := cmp.Diff(want.Requests, got.Requests); diff != "" {
		t.Errorf("requests (-in DynamoDB +in memory):\n%s", diff)
	}

	items := f.Items(t, f.Tables.Tokens)
	if len(items) != 1 || len(want.Items) != 1 || len(got.Items) != 1 {
		t.Fatalf("%d items in the table, %d and %d shown", len(items), len(want.Items), len(got.Items))
	}
	if diff := cmp.Diff(plain(items[0]), want.Items[0]); diff != "" {
		t.Errorf("the item (-in the table +shown):\n%s", diff)
	}
	for name := range want.Items[0] {
		if _, found := got.Items[0][name]; !found {
			t.Errorf("in memory there is no attribute %s", name)
		}
	}
}

// plain is an item as the page has it.
func plain(item map[string]types.AttributeValue) map[string]any {
	shown := map[string]any{}
	for name, value := range item {
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			shown[name] = v.Value
		case *types.AttributeValueMemberN:
			shown[name] = v.Value
		case *types.AttributeValueMemberB:
			shown[name] = base64.RawURLEncoding.EncodeToString(v.Value)
		case *types.AttributeValueMemberM:
			shown[name] = plain(v.Value)
		case *types.AttributeValueMemberL:
			var list []any
			for _, text := range v.Value {
				list = append(list, text.(*types.AttributeValueMemberS).Value)
			}
			shown[name] = list
		}
	}
	return shown
}
