// Package dynamotest starts DynamoDB engines for tests ([Engine], [Local]) and
// gives each test fresh tables on one of them ([New]). engines.sh installs the
// engines.
package dynamotest

import (
	"crypto/rand"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/storetest"
)

// Fixture is three tables of one test's own, and the stores on them.
type Fixture struct {
	DB     *dynamodb.Client
	Tables dynamo.Tables

	Tokens  *dynamo.Tokens
	Clients *dynamo.Clients
	Issuers *dynamo.Issuers
	Users   *dynamo.Users
}

// New makes the tables. Their names are unique, so tests and test binaries may
// share an engine; they go with it.
func New(t testing.TB, endpoint string) *Fixture {
	t.Helper()
	db := dynamo.NewClient(Config(endpoint))
	id := rand.Text()
	tables := dynamo.Tables{Tokens: "tokens-" + id, Clients: "clients-" + id, Users: "users-" + id}
	if err := dynamo.EnsureTables(t.Context(), db, tables); err != nil {
		t.Fatalf("make tables at %s: %v", endpoint, err)
	}
	return &Fixture{
		DB:      db,
		Tables:  tables,
		Tokens:  dynamo.NewTokens(db, tables.Tokens),
		Clients: dynamo.NewClients(db, tables.Clients),
		Issuers: dynamo.NewIssuers(db, tables.Clients),
		Users:   dynamo.NewUsers(db, tables.Users),
	}
}

// answerTimeout is for an engine on a machine that is busy with other tests. DynamoDB has a
// second, which DynamoDB Local passed three times in a row.
const answerTimeout = 30 * time.Second

// Config is for an engine at the endpoint. The engines take any credentials and
// keep their tables by access key and region.
func Config(endpoint string) aws.Config {
	patient := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.ResponseHeaderTimeout = answerTimeout })
	return aws.Config{
		HTTPClient:   patient,
		Region:       "eu-central-1",
		BaseEndpoint: &endpoint,
		Credentials:  credentials.NewStaticCredentialsProvider("fixture", "fixture", ""),
	}
}

// Stores are the fixture's for storetest.
func (f *Fixture) Stores() storetest.Stores {
	return storetest.Stores{
		Tokens: f.Tokens, Subjects: f.Tokens, Registry: f.Tokens, Clients: f.Clients, Issuers: f.Issuers, Users: f.Users, UserRegistry: f.Users,
		Damage: f.damage,
	}
}

func (f *Fixture) damage(t *testing.T, loc bearer.Locator) {
	t.Helper()
	reading, err := f.Tokens.Read(t.Context(), loc)
	if err != nil || !reading.Found {
		t.Fatalf("nothing to damage: found %v, %v", reading.Found, err)
	}
	for _, item := range f.Items(t, f.Tables.Tokens) {
		nonce, ok := item["wn"].(*types.AttributeValueMemberB)
		if !ok || !slices.Equal(nonce.Value, reading.Record.Nonce[:]) {
			continue
		}
		// Fields of another type, and fields that are gone.
		item["cl"] = &types.AttributeValueMemberN{Value: "1"}
		item["at"] = &types.AttributeValueMemberBOOL{Value: true}
		item["sc"] = &types.AttributeValueMemberS{Value: " not a scope"}
		delete(item, "rid")
		delete(item, "fm")
		f.Put(t, f.Tables.Tokens, item)
		return
	}
	t.Fatal("the record is not in the table")
}

// Items returns all that is in a table, as it lies there.
func (f *Fixture) Items(t testing.TB, table string) []map[string]types.AttributeValue {
	t.Helper()
	var items []map[string]types.AttributeValue
	pages := dynamodb.NewScanPaginator(f.DB, &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatalf("scan %s: %v", table, err)
		}
		items = append(items, page.Items...)
	}
	return items
}

// Put puts an item into a table past the stores.
func (f *Fixture) Put(t testing.TB, table string, item map[string]types.AttributeValue) {
	t.Helper()
	if _, err := f.DB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
		t.Fatalf("put into %s: %v", table, err)
	}
}
