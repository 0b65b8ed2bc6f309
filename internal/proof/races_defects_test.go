package proof_test

import (
	"context"
	"crypto/rand"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
)

// Instances that are wrong on purpose. A checker that finds no fault in them
// would find none in fob either.

// raceDefect is what is wrong with all instances of a run.
type raceDefect string

const (
	raceSound               raceDefect = ""
	raceCachedIntrospection raceDefect = "cached introspection"
	raceOldReads            raceDefect = "eventually consistent reads"
	raceCreatedTwice        raceDefect = "a create whose retry forgets the nonce"
	racePutAnyhow           raceDefect = "a lost save that is put again without its condition"
	raceEndsAnything        raceDefect = "an end that deletes unconditionally"
	raceLooksThenEnds       raceDefect = "an end that looks, then deletes unconditionally"
	raceLastWins            raceDefect = "a save without a condition"
	raceNoEpoch             raceDefect = "an epoch that is not read"
)

// raceDefectiveStores are the defects that lie in the store.
var raceDefectiveStores = map[raceDefect]func(oauth.Tokens) oauth.Tokens{
	raceOldReads: func(s oauth.Tokens) oauth.Tokens {
		return &raceOldReader{Tokens: s, kept: map[bearer.Locator]raceKept{}}
	},
	raceCreatedTwice:  func(s oauth.Tokens) oauth.Tokens { return raceForgetful{s, false} },
	racePutAnyhow:     func(s oauth.Tokens) oauth.Tokens { return raceForgetful{s, true} },
	raceEndsAnything:  func(s oauth.Tokens) oauth.Tokens { return raceEnder{s, false} },
	raceLooksThenEnds: func(s oauth.Tokens) oauth.Tokens { return raceEnder{s, true} },
	raceLastWins:      func(s oauth.Tokens) oauth.Tokens { return raceOverwriter{s} },
	raceNoEpoch:       func(s oauth.Tokens) oauth.Tokens { return raceEpochless{s} },
}

// raceAge is how old what the two caches say may be.
const raceAge = 30 * time.Millisecond

// raceCached remembers tokens that were active.
func raceCached(ask func(context.Context, oauth.IntrospectRequest) (oauth.Introspection, error)) func(context.Context, oauth.IntrospectRequest) (oauth.Introspection, error) {
	type answer struct {
		said oauth.Introspection
		at   time.Time
	}
	var mu sync.Mutex
	known := map[string]answer{}
	return func(ctx context.Context, req oauth.IntrospectRequest) (oauth.Introspection, error) {
		mu.Lock()
		a, ok := known[req.Token.Reveal()]
		mu.Unlock()
		if ok && time.Since(a.at) < raceAge {
			return a.said, nil
		}
		a.at = time.Now()
		said, err := ask(ctx, req)
		if err == nil && said.Active {
			mu.Lock()
			defer mu.Unlock()
			known[req.Token.Reveal()] = answer{said, a.at}
		}
		return said, err
	}
}

// raceOldReader answers every other read with what it read a moment ago.
type raceOldReader struct {
	oauth.Tokens
	mu   sync.Mutex
	kept map[bearer.Locator]raceKept
}

type raceKept struct {
	reading oauth.Reading
	at      time.Time
}

func (s *raceOldReader) Read(ctx context.Context, loc bearer.Locator) (oauth.Reading, error) {
	s.mu.Lock()
	kept, ok := s.kept[loc]
	s.mu.Unlock()
	if ok && time.Since(kept.at) < raceAge && mathrand.IntN(2) == 0 {
		return kept.reading, nil
	}
	kept.at = time.Now()
	reading, err := s.Tokens.Read(ctx, loc)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.kept[loc] = raceKept{reading, kept.at}
	}
	return reading, err
}

// raceForgetful loses the reply of every create, and sends it once more under
// another nonce, as late as the SDK's third try: on its condition, so that its
// own record is another's, or over whatever stands.
type raceForgetful struct {
	oauth.Tokens
	anyhow bool
}

func (s raceForgetful) Save(ctx context.Context, r oauth.Record, seen oauth.Nonce) (oauth.Record, bool, error) {
	stands, found, err := s.Tokens.Save(ctx, r, seen)
	if err != nil || stands.Nonce != r.Nonce || seen != (oauth.Nonce{}) {
		return stands, found, err
	}
	if err := racePause(ctx, raceUpTo(5*raceAge)); err != nil {
		return oauth.Record{}, false, oauth.Unavailable("wait for the second try", err)
	}
	_, _ = rand.Read(r.Nonce[:])
	if s.anyhow {
		return raceOverwriter{s.Tokens}.Save(ctx, r, seen)
	}
	return s.Tokens.Save(ctx, r, seen)
}

// raceOverwriter puts a record wherever it can.
type raceOverwriter struct{ oauth.Tokens }

func (s raceOverwriter) Save(ctx context.Context, r oauth.Record, seen oauth.Nonce) (oauth.Record, bool, error) {
	for {
		stands, found, err := s.Tokens.Save(ctx, r, seen)
		if err != nil || found && stands.Nonce == r.Nonce {
			return stands, found, err
		}
		seen = stands.Nonce
	}
}

// raceEnder deletes what stands, whether or not it fulfils the condition when it
// is deleted. If it looks, it has fulfilled it a moment before.
type raceEnder struct {
	oauth.Tokens
	looks bool
}

func (s raceEnder) End(ctx context.Context, loc bearer.Locator, when oauth.EndCondition) (oauth.Record, bool, error) {
	reading, err := s.Tokens.Read(ctx, loc)
	if err != nil {
		return oauth.Record{}, false, err
	}
	if s.looks && !(reading.Found && when.Met(reading.Record)) {
		return reading.Record, !reading.Found, nil
	}
	if err := racePause(ctx, raceUpTo(raceAge)); err != nil {
		return oauth.Record{}, false, oauth.Unavailable("wait between looking and deleting", err)
	}
	for {
		reading, err := s.Tokens.Read(ctx, loc)
		if err != nil || !reading.Found {
			return oauth.Record{}, err == nil, err
		}
		_, ended, err := s.Tokens.End(ctx, loc, oauth.EndCondition{Nonce: reading.Record.Nonce})
		if err != nil || ended {
			return oauth.Record{}, ended, err
		}
	}
}

// raceEpochless takes every record for one that was made under the epoch of
// today.
type raceEpochless struct{ oauth.Tokens }

func (s raceEpochless) Read(ctx context.Context, loc bearer.Locator) (oauth.Reading, error) {
	reading, err := s.Tokens.Read(ctx, loc)
	reading.State.Epoch = reading.Record.Epochs.Subject
	return reading, err
}
