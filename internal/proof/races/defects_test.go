package races

import (
	"context"
	"crypto/rand"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// Instances that are wrong on purpose. A checker that finds no fault in them
// would find none in fob either.

// plantedDefect is what is wrong with all instances of a run.
type plantedDefect string

const (
	sound               plantedDefect = ""
	cachedIntrospection plantedDefect = "cached introspection"
	oldReads            plantedDefect = "eventually consistent reads"
	createdTwice        plantedDefect = "a create whose retry forgets the nonce"
	putAnyhow           plantedDefect = "a lost save that is put again without its condition"
	endsAnything        plantedDefect = "an end that deletes unconditionally"
	looksThenEnds       plantedDefect = "an end that looks, then deletes unconditionally"
	lastWins            plantedDefect = "a save without a condition"
	noEpoch             plantedDefect = "an epoch that is not read"
	notDisabled         plantedDefect = "a disabled user who is not"
	anotherSubject      plantedDefect = "an assertion that proves another user now and then"
	ignoredResource     plantedDefect = "a resource that changes nothing"
	forgottenVersion    plantedDefect = "a change of a user that logins under way do not notice"
)

// defectiveStores are the defects that lie in the store.
var defectiveStores = map[plantedDefect]func(oauth.Tokens) oauth.Tokens{
	oldReads: func(s oauth.Tokens) oauth.Tokens {
		return &oldReader{Tokens: s, kept: map[bearer.Locator]keptReading{}}
	},
	createdTwice:  func(s oauth.Tokens) oauth.Tokens { return forgetful{s, false} },
	putAnyhow:     func(s oauth.Tokens) oauth.Tokens { return forgetful{s, true} },
	endsAnything:  func(s oauth.Tokens) oauth.Tokens { return ender{s, false} },
	looksThenEnds: func(s oauth.Tokens) oauth.Tokens { return ender{s, true} },
	lastWins:      func(s oauth.Tokens) oauth.Tokens { return overwriter{s} },
	noEpoch:       func(s oauth.Tokens) oauth.Tokens { return epochless{s} },
	notDisabled:   func(s oauth.Tokens) oauth.Tokens { return enabler{s} },
}

// staleness is how old what the two caches say may be.
const staleness = 30 * time.Millisecond

type introspect func(context.Context, oauth.Credentials, bearer.Bearer) (oauth.Introspection, error)

// cacheIntrospection remembers tokens that were active.
func cacheIntrospection(ask introspect) introspect {
	type answer struct {
		said oauth.Introspection
		at   time.Time
	}
	var mu sync.Mutex
	known := map[string]answer{}
	return func(ctx context.Context, cred oauth.Credentials, token bearer.Bearer) (oauth.Introspection, error) {
		mu.Lock()
		a, ok := known[token.Reveal()]
		mu.Unlock()
		if ok && time.Since(a.at) < staleness {
			return a.said, nil
		}
		a.at = time.Now()
		said, err := ask(ctx, cred, token)
		if err == nil && said.Active {
			mu.Lock()
			defer mu.Unlock()
			known[token.Reveal()] = answer{said, a.at}
		}
		return said, err
	}
}

// oldReader answers every other read with what it read a moment ago.
type oldReader struct {
	oauth.Tokens
	mu   sync.Mutex
	kept map[bearer.Locator]keptReading
}

type keptReading struct {
	reading oauth.Reading
	at      time.Time
}

func (s *oldReader) Read(ctx context.Context, loc bearer.Locator) (oauth.Reading, error) {
	s.mu.Lock()
	kept, ok := s.kept[loc]
	s.mu.Unlock()
	if ok && time.Since(kept.at) < staleness && mathrand.IntN(2) == 0 {
		return kept.reading, nil
	}
	kept.at = time.Now()
	reading, err := s.Tokens.Read(ctx, loc)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.kept[loc] = keptReading{reading, kept.at}
	}
	return reading, err
}

// forgetful loses the reply of every create, and sends it once more under
// another nonce, as late as the SDK's third try: on its condition, so that its
// own record is another's, or over any other.
type forgetful struct {
	oauth.Tokens
	anyhow bool
}

func (s forgetful) Save(ctx context.Context, r ledger.Record, seen ledger.Nonce) (ledger.Record, bool, error) {
	there, found, err := s.Tokens.Save(ctx, r, seen)
	if err != nil || there.Nonce != r.Nonce || seen != (ledger.Nonce{}) {
		return there, found, err
	}
	if err := pause(ctx, upTo(5*staleness)); err != nil {
		return ledger.Record{}, false, oauth.Unavailable("wait for the second try", err)
	}
	_, _ = rand.Read(r.Nonce[:])
	if s.anyhow {
		return overwriter{s.Tokens}.Save(ctx, r, seen)
	}
	return s.Tokens.Save(ctx, r, seen)
}

// overwriter puts a record wherever it can.
type overwriter struct{ oauth.Tokens }

func (s overwriter) Save(ctx context.Context, r ledger.Record, seen ledger.Nonce) (ledger.Record, bool, error) {
	for {
		there, found, err := s.Tokens.Save(ctx, r, seen)
		if err != nil || found && there.Nonce == r.Nonce {
			return there, found, err
		}
		seen = there.Nonce
	}
}

// ender deletes what is there, whether or not it fulfils the condition when it
// is deleted. If it looks, it has fulfilled it a moment before.
type ender struct {
	oauth.Tokens
	looks bool
}

func (s ender) End(ctx context.Context, loc bearer.Locator, when ledger.EndCondition) (ledger.Record, bool, error) {
	reading, err := s.Tokens.Read(ctx, loc)
	if err != nil {
		return ledger.Record{}, false, err
	}
	if s.looks && !(reading.Found && when.Met(reading.Record)) {
		return reading.Record, !reading.Found, nil
	}
	if err := pause(ctx, upTo(staleness)); err != nil {
		return ledger.Record{}, false, oauth.Unavailable("wait between looking and deleting", err)
	}
	for {
		reading, err := s.Tokens.Read(ctx, loc)
		if err != nil || !reading.Found {
			return ledger.Record{}, err == nil, err
		}
		_, ended, err := s.Tokens.End(ctx, loc, ledger.EndCondition{Nonce: reading.Record.Nonce})
		if err != nil || ended {
			return ledger.Record{}, ended, err
		}
	}
}

// epochless takes every record for one that was made under the epoch of
// today.
type epochless struct{ oauth.Tokens }

func (s epochless) Read(ctx context.Context, loc bearer.Locator) (oauth.Reading, error) {
	reading, err := s.Tokens.Read(ctx, loc)
	reading.State.Epoch = reading.Record.Epochs.Subject
	return reading, err
}

// enabler takes everybody for enabled.
type enabler struct{ oauth.Tokens }

func (s enabler) Read(ctx context.Context, loc bearer.Locator) (oauth.Reading, error) {
	reading, err := s.Tokens.Read(ctx, loc)
	reading.State.Disabled = false
	return reading, err
}

// twoNamed takes a user of the provider for two: one whom it names like this, and
// one whom it names otherwise.
type twoNamed struct{ oauth.Assertions }

func (a twoNamed) Verify(ctx context.Context, token string, find oauth.FindSigner, expect oauth.Expectation) (oauth.Claims, error) {
	c, err := a.Assertions.Verify(ctx, token, find, expect)
	if err == nil && c.Issuer == provider && mathrand.IntN(2) == 0 {
		c.Subject += " "
	}
	return c, err
}

// lateReads gives changes of a user time between the reading of the user and that of the state.
type lateReads struct{ oauth.Tokens }

func (s lateReads) Read(ctx context.Context, loc bearer.Locator) (oauth.Reading, error) {
	if err := pause(ctx, upTo(3*staleness)); err != nil {
		return oauth.Reading{}, oauth.Unavailable("wait before a read", err)
	}
	return s.Tokens.Read(ctx, loc)
}

// versionless forgets which version of a user may still log in.
type versionless struct{ oauth.Subjects }

func (s versionless) Raise(ctx context.Context, subject ledger.Subject, change oauth.StateChange) error {
	change.UserVersion = 0
	return s.Subjects.Raise(ctx, subject, change)
}
