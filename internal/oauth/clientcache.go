package oauth

import (
	"context"
	"sync"
	"time"
)

// cacheLife bounds how long a registration that was changed or removed is still
// believed by a warm function.
const cacheLife = 10 * time.Second

// ClientCache keeps the registrations that a warm function met in the last ten
// seconds, so that a request costs no read for them. It remembers no misses: a
// client works at once after it was added. Its memory is bounded by the number
// of registered clients.
type ClientCache struct {
	clients Clients
	now     func() time.Time

	mu      sync.Mutex // guards what follows; never held during a read
	entries map[ClientID]cached[Client]
	scopes  cached[ResourceScopes]
}

type cached[T any] struct {
	value T
	until time.Time
}

// NewClientCache caches clients by the wall clock now.
func NewClientCache(clients Clients, now func() time.Time) *ClientCache {
	return &ClientCache{clients: clients, now: now, entries: map[ClientID]cached[Client]{}}
}

// Client returns a registration that is at most ten seconds old.
func (c *ClientCache) Client(ctx context.Context, id ClientID) (Client, bool, error) {
	c.mu.Lock()
	entry, ok := c.entries[id]
	c.mu.Unlock()
	if ok && c.fresh(entry.until) {
		return entry.value, true, nil
	}
	return c.FreshClient(ctx, id)
}

// FreshClient reads past the cache.
func (c *ClientCache) FreshClient(ctx context.Context, id ClientID) (Client, bool, error) {
	until := c.expiry() // taken before the read: age counts from when it was true
	client, found, err := c.clients.Client(ctx, id)
	if err != nil {
		return Client{}, false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !found {
		delete(c.entries, id)
		return Client{}, false, nil
	}
	c.entries[id] = cached[Client]{client, until}
	return client, true, nil
}

// ResourceScopes returns scopes that are at most ten seconds old.
func (c *ClientCache) ResourceScopes(ctx context.Context) (ResourceScopes, error) {
	c.mu.Lock()
	entry := c.scopes
	c.mu.Unlock()
	if c.fresh(entry.until) {
		return entry.value, nil
	}
	until := c.expiry()
	scopes, err := c.clients.ResourceScopes(ctx)
	if err != nil {
		return ResourceScopes{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scopes = cached[ResourceScopes]{scopes, until}
	return scopes, nil
}

// The monotonic clock stands still while a function is frozen, so it is stripped
// and the wall clock decides. An entry from the future, after the clock was set
// back, is not believed either.
func (c *ClientCache) expiry() time.Time { return c.now().Round(0).Add(cacheLife) }

func (c *ClientCache) fresh(until time.Time) bool {
	left := until.Sub(c.now().Round(0))
	return 0 < left && left <= cacheLife
}
