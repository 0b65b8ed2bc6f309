package assertion

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/fob-oauth/fob/internal/oauth"
)

const (
	// renewAge is when keys are fetched anew, so it bounds how long a key is believed
	// that its issuer withdrew. keepAge is how long they are used while that fails.
	renewAge = 10 * time.Minute
	keepAge  = time.Hour
	// patience bounds a fetch, discovery included. A function has ten seconds.
	patience = 3 * time.Second
	// fetchPause is the least time between two fetches while there are keys: anybody
	// can send a key id that the issuer lacks. retryAfter is the pause after a failed
	// fetch while there are none, so that not every request waits for a source that hangs.
	fetchPause = time.Minute
	retryAfter = 5 * time.Second
	// maxTurns bounds how often one request looks at keys that others replace.
	maxTurns = 4
)

var errFetchLater = errors.New("the keys were fetched a moment ago, and the token is younger")

// source keeps the keys of one place. Its times are of the wall clock: the monotonic
// one does not run while a function is frozen.
type source struct {
	fetch func(context.Context) (keySet, error)
	now   func() time.Time

	mu      sync.Mutex // guards what follows; never held during a fetch
	keys    keySet
	fetched time.Time // when the fetch of keys began; zero if there are none
	begun   time.Time // when the latest fetch began
	failure error     // of the latest fetch that ended
	flight  *flight   // nil if no fetch runs
}

// flight is a fetch that runs. It belongs to no request: one that is cancelled must
// not fail the others that wait.
type flight struct {
	begun time.Time
	done  chan struct{}
	err   error // to be read after done
}

func newSource(fetch func(context.Context) (keySet, error), now func() time.Time) *source {
	return &source{fetch: fetch, now: now}
}

// keysFor returns the keys that may have made the signature of t, and refuses t if
// the issuer certainly has none. If the set at hand is older than the token, and it is
// too early to fetch another, the answer is not known: the issuer may have a new key.
func (s *source) keysFor(ctx context.Context, t parsed) ([]jose.JSONWebKey, error) {
	came := s.now()
	for range maxTurns {
		keys, f, err := s.look(ctx, t, came)
		if f == nil {
			return keys, err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, oauth.Unavailable("wait for the keys of an issuer", ctx.Err())
		}
		switch {
		case f.err == nil: // look again
		case len(keys) > 0:
			return keys, nil // old ones, see look
		default:
			return nil, oauth.Unavailable("fetch the keys of an issuer", f.err)
		}
	}
	return nil, oauth.Unavailable("fetch the keys of an issuer", errFetchLater)
}

// look returns the answer if it is known. Otherwise it returns the fetch to wait for,
// with keys that may be used if that fails.
func (s *source) look(ctx context.Context, t parsed, came time.Time) ([]jose.JSONWebKey, *flight, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	var keys []jose.JSONWebKey
	usable := oauth.Recent(s.fetched, now, keepAge)
	if usable {
		keys = s.keys.suitable(t)
	}
	paused := oauth.Recent(s.begun, now, fetchPause)
	// After a freeze a fetch waits for a connection that is dead.
	running := s.flight != nil && oauth.Recent(s.flight.begun, now, patience)

	switch {
	case len(keys) > 0 && (oauth.Recent(s.fetched, now, renewAge) || paused):
		return keys, nil, nil
	case usable && len(keys) == 0 && !s.fetched.Before(came):
		return nil, nil, refusedFor(oauth.RefusedKey, "the issuer has no such key")
	case running:
		return keys, s.flight, nil
	case usable && len(keys) == 0 && paused:
		if s.fetched.Unix() > cmp.Or(t.claims.IssuedAt, now.Unix())+clockSkew {
			return nil, nil, refusedFor(oauth.RefusedKey, "the issuer had no such key")
		}
		return nil, nil, oauth.Unavailable("look for an unknown key", errFetchLater)
	case !usable && s.failure != nil && oauth.Recent(s.begun, now, retryAfter):
		return nil, nil, oauth.Unavailable("fetch the keys of an issuer", s.failure)
	}
	s.flight = &flight{begun: now, done: make(chan struct{})}
	s.begun = now
	go s.run(context.WithoutCancel(ctx), s.flight)
	return keys, s.flight, nil
}

// run fetches the keys.
func (s *source) run(ctx context.Context, f *flight) {
	defer close(f.done)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	keys, err := s.fetch(ctx)

	s.mu.Lock()
	defer s.mu.Unlock()
	f.err = err
	if s.flight != f {
		return // given up, and another one began
	}
	s.flight, s.failure = nil, err
	if err == nil {
		s.keys, s.fetched = keys, f.begun
	}
}
