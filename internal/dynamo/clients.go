package dynamo

import (
	"context"
	"errors"
	"slices"
	"strings"

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
	const doing = "read a client"
	key, ok := clientKey(id)
	if !ok {
		return oauth.Client{}, false, nil
	}
	it, err := c.table.get(ctx, doing, key)
	if err != nil || it == nil {
		return oauth.Client{}, false, err
	}
	client, err := decodeClient(it)
	if err != nil {
		return oauth.Client{}, false, oauth.Unavailable(doing, err)
	}
	return client, true, nil
}

// ResourceScopes implements oauth.Clients.
func (c *Clients) ResourceScopes(ctx context.Context) (oauth.ResourceScopes, error) {
	const doing = "read the resource scopes"
	it, err := c.table.get(ctx, doing, resourceScopesKey())
	if err != nil {
		return oauth.ResourceScopes{}, err
	}
	if it == nil {
		return oauth.ResourceScopes{Roles: map[string][]string{}}, nil
	}
	scopes, err := decodeResourceScopes(it)
	if err != nil {
		return oauth.ResourceScopes{}, oauth.Unavailable(doing, err)
	}
	return scopes, nil
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
	const doing = "list the clients"
	clients := []oauth.Client{}
	err := c.table.scan(ctx, doing, partitionKey, clientPrefix, func(it item) error {
		client, err := decodeClient(it)
		if err != nil {
			return oauth.Unavailable(doing, err)
		}
		clients = append(clients, client)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(clients, func(a, b oauth.Client) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return clients, nil
}

// SaveResourceScopes implements oauth.ClientRegistry.
func (c *Clients) SaveResourceScopes(ctx context.Context, s oauth.ResourceScopes) error {
	_, err := c.table.putVersion(ctx, "save the resource scopes", encodeResourceScopes(s), s.Version)
	return err
}
