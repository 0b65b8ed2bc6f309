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
	clients *entryCache[ledger.ClientID, Client]
	scopes  *entryCache[struct{}, ResourceScopes]
}

// NewClientCache caches clients by the wall clock now.
func NewClientCache(clients Clients, now func() time.Time) *ClientCache {
	return &ClientCache{
		clients: newEntryCache(clients.Client, now),
		scopes: newEntryCache(func(ctx context.Context, _ struct{}) (ResourceScopes, bool, error) {
			scopes, err := clients.ResourceScopes(ctx)
			return scopes, true, err
		}, now),
	}
}

// Client returns a registration that is at most ten seconds old.
func (c *ClientCache) Client(ctx context.Context, id ledger.ClientID) (Client, bool, error) {
	return c.read(ctx, id, false)
}

// read is Client, or past the cache with fresh.
func (c *ClientCache) read(ctx context.Context, id ledger.ClientID, fresh bool) (Client, bool, error) {
	return c.clients.get(ctx, id, fresh)
}

// ResourceScopes returns scopes that are at most ten seconds old.
func (c *ClientCache) ResourceScopes(ctx context.Context) (ResourceScopes, error) {
	return c.readScopes(ctx, false)
}

// readScopes is ResourceScopes, or past the cache with fresh.
func (c *ClientCache) readScopes(ctx context.Context, fresh bool) (ResourceScopes, error) {
	scopes, _, err := c.scopes.get(ctx, struct{}{}, fresh)
	return scopes, err
}

// IssuerCache keeps the issuers that a warm function read in the last ten seconds. It
// does not remember misses, so its memory is bounded by the number of registered
// issuers.
type IssuerCache struct {
	issuers *entryCache[string, TrustedIssuer]
}

// NewIssuerCache caches issuers by the wall clock now.
func NewIssuerCache(issuers Issuers, now func() time.Time) *IssuerCache {
	return &IssuerCache{newEntryCache(issuers.TrustedIssuer, now)}
}

// TrustedIssuer returns a registration that is at most ten seconds old.
func (c *IssuerCache) TrustedIssuer(ctx context.Context, name string) (TrustedIssuer, bool, error) {
	return c.issuers.get(ctx, name, false)
}

// entryCache keeps what read found in the last ten seconds.
type entryCache[K comparable, V any] struct {
	read func(context.Context, K) (V, bool, error)
	now  func() time.Time

	mu      sync.Mutex // guards what follows; never held during a read
	entries map[K]cached[V]
}

type cached[V any] struct {
	value V
	read  time.Time // the time before the read, so that age is never understated
}

func newEntryCache[K comparable, V any](read func(context.Context, K) (V, bool, error), now func() time.Time) *entryCache[K, V] {
	return &entryCache[K, V]{read: read, now: now, entries: map[K]cached[V]{}}
}

// get reads past the cache with fresh.
func (c *entryCache[K, V]) get(ctx context.Context, key K, fresh bool) (V, bool, error) {
	c.mu.Lock()
	entry, ok := c.entries[key]
	c.mu.Unlock()
	if ok && !fresh && Recent(entry.read, c.now(), cacheLife) {
		return entry.value, true, nil
	}
	read := c.now()
	value, found, err := c.read(ctx, key)
	if err != nil {
		return *new(V), false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !found {
		delete(c.entries, key)
		return *new(V), false, nil
	}
	c.entries[key] = cached[V]{value, read}
	return value, true, nil
}

// Recent reports whether then lies less than d before now, by the wall clock. The
// monotonic clock does not run while a function is frozen, so it is ignored. A time
// in the future, after the clock was set back, is not recent. Nor is the zero time.
func Recent(then, now time.Time, d time.Duration) bool {
	age := now.Round(0).Sub(then.Round(0))
	return 0 <= age && age < d
}
