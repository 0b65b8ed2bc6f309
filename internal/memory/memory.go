// Package memory keeps tokens, clients and users in maps: the stores of package
// oauth without a database.
//
// It is for `fob serve` on a laptop and for tests; no deployed function links it.
// Locks replace the atomic conditional writes of a database, so callers may rely
// on no more than the contract of the stores says. Values are copied deeply on their
// way in and out. Nothing is swept: a process does not live that long.
package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/fob-oauth/fob/internal/oauth"
)

// store is the lock of a store, and what every call has in common.
type store struct{ mu sync.Mutex }

// do counts the call and runs f under the lock. A call whose time is up is refused,
// as a database would.
func (s *store) do(ctx context.Context, doing string, f func()) error {
	oauth.EventOf(ctx).StoreCalls++
	if ctx.Err() != nil {
		return oauth.Unavailable(doing, context.Cause(ctx))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	return nil
}

// table is a map of values that have a version.
type table[K cmp.Ordered, V any] struct {
	store
	rows    map[K]V
	version func(*V) *uint64
	clone   func(V) V
	taken   func(V) bool // whether another row keeps a new value out; nil if none can
}

func newTable[K cmp.Ordered, V any](version func(*V) *uint64, clone func(V) V) *table[K, V] {
	return &table[K, V]{rows: map[K]V{}, version: version, clone: clone}
}

func (t *table[K, V]) get(ctx context.Context, doing string, key K) (v V, found bool, err error) {
	err = t.do(ctx, doing, func() {
		v, found = t.rows[key]
		v = t.clone(v)
	})
	return v, found, err
}

// save returns v with its next version, or oauth.ErrConflict if another version is
// there. The version of a value that is not there is zero.
func (t *table[K, V]) save(ctx context.Context, doing string, key K, v V) (saved V, err error) {
	conflict := false
	err = t.do(ctx, doing, func() {
		there, version := t.rows[key], t.version(&v)
		conflict = *t.version(&there) != *version || *version == 0 && t.taken != nil && t.taken(v)
		if conflict {
			return
		}
		*version = oauth.NextVersion(*version, time.Now())
		t.rows[key] = t.clone(v)
		saved = v
	})
	if conflict {
		err = oauth.ErrConflict
	}
	return saved, err
}

// remove deletes the value of key if it is the one that is meant.
func (t *table[K, V]) remove(ctx context.Context, doing string, key K, meant func(V) bool) (existed bool, err error) {
	err = t.do(ctx, doing, func() {
		v, found := t.rows[key]
		if existed = found && meant(v); existed {
			delete(t.rows, key)
		}
	})
	return existed, err
}

// list is sorted by key.
func (t *table[K, V]) list(ctx context.Context, doing string) (all []V, err error) {
	err = t.do(ctx, doing, func() {
		for _, key := range slices.Sorted(maps.Keys(t.rows)) {
			all = append(all, t.clone(t.rows[key]))
		}
	})
	return all, err
}
