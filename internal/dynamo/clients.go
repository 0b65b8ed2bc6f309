package dynamo

import (
	"cmp"
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fob-oauth/fob/internal/oauth"
)

// Clients is the clients table: oauth.ClientRegistry.
type Clients struct{ table table }

var _ oauth.ClientRegistry = (*Clients)(nil)

// NewClients takes a client of NewClient.
func NewClients(db *dynamodb.Client, tableName string) *Clients {
	return &Clients{table{db, tableName}}
}

// Client implements oauth.Clients.
func (c *Clients) Client(ctx context.Context, id oauth.ClientID) (oauth.Client, bool, error) {
	key, ok := clientKey(id)
	if !ok {
		return oauth.Client{}, false, nil
	}
	return readOne(ctx, c.table, "read a client", key, decodeClient)
}

// ResourceScopes implements oauth.Clients.
func (c *Clients) ResourceScopes(ctx context.Context) (oauth.ResourceScopes, error) {
	scopes, found, err := readOne(ctx, c.table, "read the resource scopes", resourceScopesKey(), decodeResourceScopes)
	if err == nil && !found {
		scopes.Roles = map[string][]string{}
	}
	return scopes, err
}

// SaveClient implements oauth.ClientRegistry.
func (c *Clients) SaveClient(ctx context.Context, client oauth.Client) (oauth.Client, error) {
	key, ok := clientKey(client.ID)
	if !ok {
		return oauth.Client{}, errors.New("save a client: its id is longer than a key or not UTF-8")
	}
	version, err := c.table.putVersion(ctx, "save a client", encodeClient(client, key), client.Version)
	if err != nil {
		return oauth.Client{}, err
	}
	client.Version = version
	return client, nil
}

// RemoveClient implements oauth.ClientRegistry.
func (c *Clients) RemoveClient(ctx context.Context, id oauth.ClientID) (existed bool, err error) {
	key, ok := clientKey(id)
	if !ok {
		return false, nil
	}
	out, err := call(ctx, c.table.name, "remove a client", c.table.db.DeleteItem, &dynamodb.DeleteItemInput{
		TableName:              &c.table.name,
		Key:                    key,
		ReturnValues:           types.ReturnValueAllOld,
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	})
	if err != nil {
		return false, err
	}
	return len(out.Attributes) > 0, nil
}

// ListClients implements oauth.ClientRegistry with a scan.
func (c *Clients) ListClients(ctx context.Context) ([]oauth.Client, error) {
	return readAll(ctx, c.table, "list the clients", clientPrefix, decodeClient,
		func(a, b oauth.Client) int { return cmp.Compare(a.ID, b.ID) })
}

// SaveResourceScopes implements oauth.ClientRegistry.
func (c *Clients) SaveResourceScopes(ctx context.Context, s oauth.ResourceScopes) error {
	_, err := c.table.putVersion(ctx, "save the resource scopes", encodeResourceScopes(s), s.Version)
	return err
}
