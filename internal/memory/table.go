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

// table is a map of values that have a version.
type table[K cmp.Ordered, V any] struct {
	version func(*V) *uint64
	clone   func(V) V

	mu   sync.Mutex
	rows map[K]V // guarded by mu
}

func newTable[K cmp.Ordered, V any](version func(*V) *uint64, clone func(V) V) table[K, V] {
	return table[K, V]{version: version, clone: clone, rows: map[K]V{}}
}

func (t *table[K, V]) get(ctx context.Context, doing string, key K) (V, bool, error) {
	if err := begin(ctx, doing); err != nil {
		var none V
		return none, false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	v, found := t.rows[key]
	return t.clone(v), found, nil
}

// save returns v with its next version, or oauth.ErrConflict if another version is
// there. The version of a value that is not there is zero.
func (t *table[K, V]) save(ctx context.Context, doing string, key K, v V) (V, error) {
	var none V
	if err := begin(ctx, doing); err != nil {
		return none, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	stands := t.rows[key]
	if *t.version(&stands) != *t.version(&v) {
		return none, oauth.ErrConflict
	}
	*t.version(&v) = oauth.NextVersion(*t.version(&v), time.Now())
	t.rows[key] = t.clone(v)
	return v, nil
}

// remove deletes the value of key if it is the one that is meant.
func (t *table[K, V]) remove(ctx context.Context, doing string, key K, meant func(V) bool) (existed bool, err error) {
	if err := begin(ctx, doing); err != nil {
		return false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if v, found := t.rows[key]; !found || !meant(v) {
		return false, nil
	}
	delete(t.rows, key)
	return true, nil
}

// list is sorted by key.
func (t *table[K, V]) list(ctx context.Context, doing string) ([]V, error) {
	if err := begin(ctx, doing); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []V
	for _, key := range slices.Sorted(maps.Keys(t.rows)) {
		all = append(all, t.clone(t.rows[key]))
	}
	return all, nil
}
