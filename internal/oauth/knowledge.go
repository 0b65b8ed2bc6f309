package oauth

import (
	"context"

	"github.com/fob-oauth/fob/internal/bearer"
)

// Judging a record takes knowledge that may be old: the client from a cache of
// ten seconds, the key ring from one of a minute, the subject's state from a
// batch read that is no snapshot. The rule is the same for all: a record made
// under less than we know is dead; one made under more means that we are behind,
// and is judged after reading that again.

// known is what a record is measured against.
type known struct {
	now    int64 // Unix seconds, one for the whole request
	ring   keyStates
	epochs Epochs

	// authoritative says that all of it was read past every cache, and after the
	// record was first seen. Only then is a record above it dead instead of news.
	authoritative bool
}

// keyStates is what judging asks of the key ring, a *bearer.CheckRing.
type keyStates interface {
	Knows(kid uint8) bool
	Verifies(kid uint8) bool
}

type verdict int

const (
	dead     verdict = iota // replaceable whole
	stale                   // newer than what we know: read that again, then judge
	tampered                // dead, and not by our doing
	alive
)

// judge tells whether anything in a record that was read from loc can be active.
func (k known) judge(r Record, loc bearer.Locator) verdict {
	if r.Locator() != loc {
		return tampered
	}
	e := r.Epochs
	ahead := e.Subject > k.epochs.Subject || e.Client > k.epochs.Client || e.Issuer > k.epochs.Issuer
	// First, and even if another epoch says that it is dead: whoever replaces it
	// must not mint under the one that it is ahead of.
	if (ahead || k.holdsUnknownKey(r)) && !k.authoritative {
		return stale
	}
	if e != k.epochs {
		return dead
	}
	if !k.accessLive(r.Access) && !k.accessLive(r.AccessPrev) &&
		!k.refreshLive(r, r.Refresh) && !k.refreshLive(r, r.RefreshPrev) {
		return dead
	}
	return alive
}

// holdsUnknownKey reports whether a token of r that has not run out was made
// under a key that our ring lacks: an instance with a newer ring was here.
func (k known) holdsUnknownKey(r Record) bool {
	for _, s := range []Slot{r.Access, r.AccessPrev, r.Refresh, r.RefreshPrev} {
		if s.Generation > 0 && k.now < s.Expiry && !k.ring.Knows(s.KID) {
			return true
		}
	}
	return false
}

// accessLive reports whether a slot of a record that is alive holds an active
// token.
func (k known) accessLive(s Slot) bool {
	return s.Generation > 0 && k.now < s.Expiry && k.ring.Verifies(s.KID)
}

func (k known) refreshLive(r Record, s Slot) bool {
	return k.accessLive(s) && k.now < r.RefreshIdle
}

// errStale says that a decision needs newer knowledge than it had: start over
// with it.
type errStale struct{ client, issuer bool }

func (errStale) Error() string { return "knowledge is older than the record" }

// wants tells what to read anew to judge a stale record. The subject's state is
// read with each record anyway.
func (k known) wants(r Record) errStale {
	return errStale{
		client: r.Epochs.Client > k.epochs.Client,
		issuer: r.Epochs.Issuer > k.epochs.Issuer || k.holdsUnknownKey(r),
	}
}

// maxStarts is how often a request is decided. The first uses the caches, the
// second reads what was stale past them, and the third all of it: only then is a
// record that is still ahead one from another life of the tables.
const maxStarts = 3

// forStart is what to read past the caches, given what was stale so far.
func (need errStale) forStart(n int) errStale {
	last := n == maxStarts-1
	return errStale{client: need.client || last, issuer: need.issuer || last}
}

func (need errStale) and(more errStale) errStale {
	return errStale{client: need.client || more.client, issuer: need.issuer || more.issuer}
}

func ringFor[R any](ctx context.Context, keys Keys[R], fresh bool) (R, error) {
	if fresh {
		return keys.Reload(ctx)
	}
	return keys.Ring(ctx)
}
