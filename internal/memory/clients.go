package memory

import (
	"context"
	"maps"
	"slices"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// Clients is oauth.ClientRegistry.
type Clients struct {
	clients *table[ledger.ClientID, oauth.Client]
	scopes  *table[string, oauth.ResourceScopes] // by scopesKey
}

const scopesKey = "scopes"

var _ oauth.ClientRegistry = (*Clients)(nil)

// NewClients returns an empty store.
func NewClients() *Clients {
	return &Clients{
		clients: newTable[ledger.ClientID](func(c *oauth.Client) *uint64 { return &c.Version }, copyClient),
		scopes:  newTable[string](func(s *oauth.ResourceScopes) *uint64 { return &s.Version }, copyResourceScopes),
	}
}

// Client implements oauth.Clients.
func (c *Clients) Client(ctx context.Context, id ledger.ClientID) (oauth.Client, bool, error) {
	return c.clients.get(ctx, "read a client", id)
}

// ResourceScopes implements oauth.Clients.
func (c *Clients) ResourceScopes(ctx context.Context) (oauth.ResourceScopes, error) {
	scopes, _, err := c.scopes.get(ctx, "read the resource scopes", scopesKey)
	return scopes, err
}

// SaveClient implements oauth.ClientRegistry.
func (c *Clients) SaveClient(ctx context.Context, client oauth.Client) (oauth.Client, error) {
	return c.clients.save(ctx, "save a client", client.ID, client)
}

// RemoveClient implements oauth.ClientRegistry.
func (c *Clients) RemoveClient(ctx context.Context, id ledger.ClientID) (existed bool, err error) {
	return c.clients.remove(ctx, "remove a client", id, func(oauth.Client) bool { return true })
}

// ListClients implements oauth.ClientRegistry.
func (c *Clients) ListClients(ctx context.Context) ([]oauth.Client, error) {
	return c.clients.list(ctx, "list the clients")
}

// SaveResourceScopes implements oauth.ClientRegistry.
func (c *Clients) SaveResourceScopes(ctx context.Context, s oauth.ResourceScopes) error {
	_, err := c.scopes.save(ctx, "save the resource scopes", scopesKey, s)
	return err
}

func copyClient(c oauth.Client) oauth.Client {
	c.Secrets = slices.Clone(c.Secrets)
	c.Grants = slices.Clone(c.Grants)
	c.Audiences = slices.Clone(c.Audiences)
	c.Introspects = slices.Clone(c.Introspects)
	c.LoginAudiences = slices.Clone(c.LoginAudiences)
	return c
}

func copyResourceScopes(s oauth.ResourceScopes) oauth.ResourceScopes {
	roles := make(map[string][]string, len(s.Roles))
	for name, r := range s.Roles {
		roles[name] = slices.Clone(r)
	}
	s.Roles, s.Since = roles, maps.Clone(s.Since)
	return s
}
