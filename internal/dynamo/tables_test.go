package dynamo_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/oauth"
)

func text(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	}
	return ""
}

func newTables() dynamo.Tables {
	id := rand.Text()
	return dynamo.Tables{Tokens: "t-" + id, Clients: "c-" + id, Users: "u-" + id}
}

func TestEnsureTables(t *testing.T) {
	onEngines(t, func(t *testing.T, endpoint string) {
		db := dynamo.NewClient(dynamotest.Config(endpoint))
		tables := newTables()
		errs := make([]error, 8)
		var all sync.WaitGroup
		for i := range errs { // laptops and test binaries that start at once
			all.Go(func() { errs[i] = dynamo.EnsureTables(t.Context(), db, tables) })
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if err := dynamo.EnsureTables(t.Context(), db, tables); err != nil {
			t.Errorf("once more: %v", err)
		}

		type table struct{ Keys, Status, Billing, Sweeps string }
		got := map[string]table{}
		for _, name := range []string{tables.Tokens, tables.Clients, tables.Users} {
			out, err := db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &name})
			if err != nil {
				t.Fatal(err)
			}
			ttl, err := db.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &name})
			if err != nil {
				t.Fatal(err)
			}
			d := table{Status: string(out.Table.TableStatus), Billing: string(out.Table.BillingModeSummary.BillingMode)}
			for _, k := range out.Table.KeySchema {
				d.Keys += aws.ToString(k.AttributeName) + " " + string(k.KeyType) + " "
			}
			d.Sweeps = aws.ToString(ttl.TimeToLiveDescription.AttributeName)
			got[name[:1]] = d
		}
		want := map[string]table{
			"t": {"pk HASH sk RANGE ", "ACTIVE", "PAY_PER_REQUEST", "ttl"},
			"c": {"pk HASH ", "ACTIVE", "PAY_PER_REQUEST", ""},
			"u": {"pk HASH ", "ACTIVE", "PAY_PER_REQUEST", "ttl"},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("tables (-want +got):\n%s", d)
		}
	})
}

func TestEnsureTablesLeavesStrangersAlone(t *testing.T) {
	onEngines(t, func(t *testing.T, endpoint string) {
		db := dynamo.NewClient(dynamotest.Config(endpoint))
		tables := newTables()
		swapped := tables
		swapped.Tokens, swapped.Clients = tables.Clients, tables.Tokens
		if err := dynamo.EnsureTables(t.Context(), db, tables); err != nil {
			t.Fatal(err)
		}
		if err := dynamo.EnsureTables(t.Context(), db, swapped); err == nil {
			t.Error("a table with another key was taken")
		}

		// One that sweeps by something else would never sweep by ours.
		other := newTables()
		for _, s := range other.Schemas() {
			if _, err := db.CreateTable(t.Context(), s.Create); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := db.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
			TableName:               &other.Users,
			TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("expires"), Enabled: aws.Bool(true)},
		}); err != nil {
			t.Fatal(err)
		}
		err := dynamo.EnsureTables(t.Context(), db, other)
		if err == nil {
			t.Error("a table that sweeps by another attribute was taken")
		}
		if e, ok := errors.AsType[*dynamo.TableError](err); !ok || e.Table != other.Users {
			t.Errorf("EnsureTables = %v; want it to be about %s", err, other.Users)
		}
	})
}

func TestEnsureTablesWhenTheEngineIsDown(t *testing.T) {
	inBubble(t, func(t *testing.T, ctx context.Context, _ *oauth.Event) {
		cfg := dynamotest.Config("http://dynamodb.invalid")
		cfg.HTTPClient = &http.Client{Transport: &script{answers: []answer{isDown}}}
		if err := dynamo.EnsureTables(ctx, dynamo.NewClient(cfg), newTables()); !errors.Is(err, oauth.ErrUnavailable) {
			t.Errorf("EnsureTables = %v; want ErrUnavailable", err)
		}
	})
}

// Others do this meanwhile, in an order that no engine gives on request.
func TestEnsureTablesBesideOthers(t *testing.T) {
	const tokensKey = `"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}]`
	const key = `"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}]`
	table := func(status, key string) answer { return ok(`{"Table":{"TableStatus":"` + status + `",` + key + `}}`) }
	sweeps := func(status string) answer {
		return ok(`{"TimeToLiveDescription":{"TimeToLiveStatus":"` + status + `","AttributeName":"ttl"}}`)
	}
	made := []answer{
		fails("ResourceNotFoundException"), fails("ResourceInUseException"), // made by another between the two
		table("CREATING", tokensKey), table("ACTIVE", tokensKey),
		sweeps("DISABLED"), fails("ValidationException"), // turned on by another between the two
	}
	rest := []answer{table("ACTIVE", key), table("ACTIVE", key), sweeps("ENABLED")}
	for _, c := range []struct {
		name    string
		answers []answer
		ok      bool
	}{
		{"they were faster", slices.Concat(made, []answer{sweeps("ENABLING")}, rest), true},
		{"they were not, and the sweep stays off", slices.Concat(made, []answer{sweeps("DISABLED")}, rest), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, ctx context.Context, _ *oauth.Event) {
				network := &script{answers: c.answers}
				cfg := dynamotest.Config("http://dynamodb.invalid")
				cfg.HTTPClient = &http.Client{Transport: network}
				err := dynamo.EnsureTables(ctx, dynamo.NewClient(cfg), newTables())
				if (err == nil) != c.ok {
					t.Errorf("EnsureTables = %v; want it to succeed: %v", err, c.ok)
				}
				if c.ok && len(network.requests) != len(c.answers) {
					t.Errorf("%d requests, want %d", len(network.requests), len(c.answers))
				}
			})
		})
	}
}
