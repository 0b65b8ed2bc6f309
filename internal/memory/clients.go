package memory

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fob-oauth/fob/internal/oauth"
)

// Clients is oauth.ClientRegistry.
type Clients struct {
	mu      sync.Mutex // guards what follows
	clients map[oauth.ClientID]oauth.Client
	scopes  oauth.ResourceScopes
}

var _ oauth.ClientRegistry = (*Clients)(nil)

// NewClients returns an empty store.
func NewClients() *Clients { return &Clients{clients: map[oauth.ClientID]oauth.Client{}} }

// Client implements oauth.Clients.
func (c *Clients) Client(ctx context.Context, id oauth.ClientID) (oauth.Client, bool, error) {
	if err := begin(ctx, "read a client"); err != nil {
		return oauth.Client{}, false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	client, found := c.clients[id]
	return copyClient(client), found, nil
}

// ResourceScopes implements oauth.Clients.
func (c *Clients) ResourceScopes(ctx context.Context) (oauth.ResourceScopes, error) {
	if err := begin(ctx, "read the resource scopes"); err != nil {
		return oauth.ResourceScopes{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return copyResourceScopes(c.scopes), nil
}

// SaveClient implements oauth.ClientRegistry.
func (c *Clients) SaveClient(ctx context.Context, client oauth.Client) (oauth.Client, error) {
	if err := begin(ctx, "save a client"); err != nil {
		return oauth.Client{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// The Version of one that is not there is zero.
	if c.clients[client.ID].Version != client.Version {
		return oauth.Client{}, oauth.ErrConflict
	}
	client.Version = oauth.NextVersion(client.Version, time.Now())
	c.clients[client.ID] = copyClient(client)
	return client, nil
}

// RemoveClient implements oauth.ClientRegistry.
func (c *Clients) RemoveClient(ctx context.Context, id oauth.ClientID) (existed bool, err error) {
	if err := begin(ctx, "remove a client"); err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, existed = c.clients[id]
	delete(c.clients, id)
	return existed, nil
}

// ListClients implements oauth.ClientRegistry.
func (c *Clients) ListClients(ctx context.Context) ([]oauth.Client, error) {
	if err := begin(ctx, "list the clients"); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var clients []oauth.Client
	for _, client := range c.clients {
		clients = append(clients, copyClient(client))
	}
	slices.SortFunc(clients, func(a, b oauth.Client) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return clients, nil
}

// SaveResourceScopes implements oauth.ClientRegistry.
func (c *Clients) SaveResourceScopes(ctx context.Context, s oauth.ResourceScopes) error {
	if err := begin(ctx, "save the resource scopes"); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.scopes.Version != s.Version {
		return oauth.ErrConflict
	}
	c.scopes = copyResourceScopes(s)
	c.scopes.Version = oauth.NextVersion(s.Version, time.Now())
	return nil
}

func copyClient(c oauth.Client) oauth.Client {
	c.Secrets = slices.Clone(c.Secrets)
	c.Grants = slices.Clone(c.Grants)
	c.Audiences = slices.Clone(c.Audiences)
	c.Introspects = slices.Clone(c.Introspects)
	return c
}

func copyResourceScopes(s oauth.ResourceScopes) oauth.ResourceScopes {
	roles := make(map[string][]string, len(s.Roles))
	for name, r := range s.Roles {
		roles[name] = slices.Clone(r)
	}
	s.Roles = roles
	return s
}
