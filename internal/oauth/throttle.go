package oauth

import (
	"encoding/binary"

	"github.com/fob-oauth/fob/internal/ledger"
)

// Guessing passwords. Wrong ones are counted for the pair of name and source
// address and for the name alone, each within a fixed window whose number is in
// the counter's key, so that a count never has to be reset. While a delay runs,
// a login is refused without hashing and without counting. Nothing locks a name
// for good (that would let anybody lock out anybody), and a name that does not
// exist is counted like one that does.
//
// Counting needs a write, so it comes after a wrong password, not before each:
// a burst of parallel guesses gets as many tries as run at once. The stage's
// throttle and the function's concurrency bound the burst.

const (
	pairWindow = 24 * 3600 // seconds
	nameWindow = 3600

	// A client library may send each wrong password twice to probe how the server
	// wants its credentials, so the pair has some patience.
	pairPatience = 10
	maxPairDelay = 15 * 60

	namePatience = 100
	nameDelay    = 30

	counterGrace = 3600 // how much longer than its window a counter is kept
)

// counters are the two that count wrong passwords for a name at a source now.
func counters(username, source string, now int64) (pair, name ExpiringCounter) {
	counter := func(length int64, name string, fields ...string) (c ExpiringCounter) {
		window := now / length
		number := binary.BigEndian.AppendUint64(nil, uint64(window)) //nolint:gosec // never negative
		ledger.Key(c.Key[:], name, append(fields, string(number))...)
		c.TTL = (window+1)*length + counterGrace
		return c
	}
	return counter(pairWindow, "fob pair counter 1", username, source), counter(nameWindow, "fob name counter 1", username)
}

// throttled reports whether a delay runs: 2^n seconds after the n-th wrong
// password past the patience of the pair, up to 15 minutes, and 30 seconds
// between tries on a name that was guessed at from everywhere.
func (l Login) throttled(now int64) bool {
	if n := l.Pair.Count - pairPatience; n >= 0 {
		delay := int64(maxPairDelay)
		if n < 10 {
			delay = min(delay, 1<<n)
		}
		if now < l.Pair.Last+delay {
			return true
		}
	}
	return l.Name.Count >= namePatience && now < l.Name.Last+nameDelay
}
