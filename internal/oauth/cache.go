package oauth

import (
	"context"
	"sync"
	"time"

	"github.com/fob-oauth/fob/internal/ledger"
)

// cacheLife bounds how long a registration that was changed or removed is still
// believed by a warm function.
const cacheLife = 10 * time.Second

// ClientCache keeps the registrations that a warm function read in the last ten
// seconds. It does not remember misses: a client works at once after it was added.
// Its memory is bounded by the number of registered clients.
type ClientCache struct {
	clients Clients
	now     func() time.Time

	mu      sync.Mutex // guards what follows; never held during a read
	entries map[ledger.ClientID]cached[Client]
	scopes  cached[ResourceScopes]
}

type cached[T any] struct {
	value T
	read  time.Time // the time before the read, so that age is never understated
}

// NewClientCache caches clients by the wall clock now.
func NewClientCache(clients Clients, now func() time.Time) *ClientCache {
	return &ClientCache{clients: clients, now: now, entries: map[ledger.ClientID]cached[Client]{}}
}

// Client returns a registration that is at most ten seconds old.
func (c *ClientCache) Client(ctx context.Context, id ledger.ClientID) (Client, bool, error) {
	c.mu.Lock()
	entry, ok := c.entries[id]
	c.mu.Unlock()
	if ok && Recent(entry.read, c.now(), cacheLife) {
		return entry.value, true, nil
	}
	return c.FreshClient(ctx, id)
}

// read is Client, or FreshClient with fresh.
func (c *ClientCache) read(ctx context.Context, id ledger.ClientID, fresh bool) (Client, bool, error) {
	if fresh {
		return c.FreshClient(ctx, id)
	}
	return c.Client(ctx, id)
}

// FreshClient reads past the cache.
func (c *ClientCache) FreshClient(ctx context.Context, id ledger.ClientID) (Client, bool, error) {
	read := c.now()
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
	c.entries[id] = cached[Client]{client, read}
	return client, true, nil
}

// ResourceScopes returns scopes that are at most ten seconds old.
func (c *ClientCache) ResourceScopes(ctx context.Context) (ResourceScopes, error) {
	return c.readScopes(ctx, false)
}

// readScopes is ResourceScopes, or past the cache with fresh.
func (c *ClientCache) readScopes(ctx context.Context, fresh bool) (ResourceScopes, error) {
	c.mu.Lock()
	entry := c.scopes
	c.mu.Unlock()
	if !fresh && Recent(entry.read, c.now(), cacheLife) {
		return entry.value, nil
	}
	read := c.now()
	scopes, err := c.clients.ResourceScopes(ctx)
	if err != nil {
		return ResourceScopes{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scopes = cached[ResourceScopes]{scopes, read}
	return scopes, nil
}

// Recent reports whether then lies less than d before now, by the wall clock. The
// monotonic clock does not run while a function is frozen, so it is ignored. A time
// in the future, after the clock was set back, is not recent. Nor is the zero time.
func Recent(then, now time.Time, d time.Duration) bool {
	age := now.Round(0).Sub(then.Round(0))
	return 0 <= age && age < d
}
