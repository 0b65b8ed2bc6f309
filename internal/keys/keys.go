// Package keys fetches the key ring, from AWS Secrets Manager or from a file,
// and keeps it for at most a minute.
//
// It knows where the texts lie and how old they may be; package bearer knows their
// meaning. No key text appears in its errors.
package keys

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fob-oauth/fob/internal/oauth"
)

const (
	// MaxAge is how long a ring is believed: a retired key or a raised issuer
	// epoch takes effect within it.
	MaxAge = 60 * time.Second
	// renewAge is when a ring is fetched anew. In the time between the two a source
	// that is down for a moment goes unnoticed.
	renewAge = 45 * time.Second
	// patience bounds a fetch, and retryAfter is the pause after one that failed: a
	// source that hangs must neither eat up the time of the request that asks it,
	// nor make every request wait and so fill the account with functions.
	patience   = 2 * time.Second
	retryAfter = 5 * time.Second
	// unknownKeyPause is the least time between two fetches for the sake of key
	// ids that the ring lacks: anybody can send one.
	unknownKeyPause = time.Minute
)

var errFetchFailed = errors.New("the last fetch of the ring failed")

// Ring is a *bearer.CheckRing or a *bearer.MintRing.
type Ring interface{ IssuerEpoch() uint64 }

// Cache implements oauth.Keys over a function that fetches the ring.
//
// A ring with a lower issuer epoch than one that it has seen is an old copy:
// Secrets Manager may give one out for a moment after a change. It counts as a
// failed fetch, or tokens that were ended would be active again.
type Cache[R Ring] struct {
	fetch func(context.Context) (R, error)
	now   func() time.Time

	// turn is held while fields below are used, fetches included: requests that
	// need a ring while one is fetched wait for it instead of fetching too. A
	// channel, because waiting must end with the request's context.
	turn    chan struct{}
	ring    R         // the last one; none before it had a higher issuer epoch
	fetched time.Time // taken before the fetch; zero if there is no ring
	failed  time.Time // when the last fetch that failed had failed
	unknown time.Time // of the last fetch for an unknown key id
}

// NewCache returns a cache that has fetched nothing yet.
func NewCache[R Ring](fetch func(context.Context) (R, error), now func() time.Time) *Cache[R] {
	return &Cache[R]{fetch: fetch, now: now, turn: make(chan struct{}, 1)}
}

// Ring returns a ring that is at most 60 seconds old by the wall clock.
func (c *Cache[R]) Ring(ctx context.Context) (R, error) {
	return c.inTurn(ctx, func() error {
		now := c.now()
		if oauth.Recent(c.fetched, now, renewAge) {
			return nil
		}
		err := errFetchFailed
		if !oauth.Recent(c.failed, now, retryAfter) {
			err = c.load(ctx)
		}
		if err != nil && !oauth.Recent(c.fetched, now, MaxAge) {
			return oauth.Unavailable("get the key ring", err)
		}
		return nil
	})
}

// Reload fetches the ring now. A failed fetch is an error even if there is a young
// ring: the caller knows more than that ring.
func (c *Cache[R]) Reload(ctx context.Context) (R, error) {
	return c.inTurn(ctx, func() error { return c.load(ctx) })
}

// ReloadForUnknownKey fetches the ring unless it did so within a minute; then it
// returns the ring at hand. If that one fetch failed and none has succeeded
// since, the answer is still not known.
func (c *Cache[R]) ReloadForUnknownKey(ctx context.Context) (R, error) {
	return c.inTurn(ctx, func() error {
		now := c.now()
		if oauth.Recent(c.unknown, now, unknownKeyPause) {
			if c.fetched.Before(c.unknown) {
				return oauth.Unavailable("look for an unknown key", errFetchFailed)
			}
			return nil
		}
		c.unknown = now
		return c.load(ctx)
	})
}

// inTurn returns the ring after renew, which has the turn.
func (c *Cache[R]) inTurn(ctx context.Context, renew func() error) (R, error) {
	var none R
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return none, oauth.Unavailable("wait for the key ring", ctx.Err())
	}
	if err := renew(); err != nil {
		return none, err
	}
	return c.ring, nil
}

// load needs the turn.
func (c *Cache[R]) load(request context.Context) error {
	ctx, cancel := context.WithTimeout(request, patience)
	defer cancel()
	now := c.now()
	ring, err := c.fetch(ctx)
	if err == nil && !c.fetched.IsZero() && ring.IssuerEpoch() < c.ring.IssuerEpoch() {
		err = fmt.Errorf("an old copy: its issuer epoch is %d, and %d was seen before", ring.IssuerEpoch(), c.ring.IssuerEpoch())
	}
	if err != nil {
		if request.Err() == nil { // one that gave up says nothing about the source
			c.failed = c.now()
		}
		return oauth.Unavailable("fetch the key ring", err)
	}
	c.ring, c.fetched = ring, now
	return nil
}
