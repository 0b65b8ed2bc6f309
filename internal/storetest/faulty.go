package storetest

import (
	"context"
	"errors"
	"sync"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// Fault says how a call fails.
type Fault int

const (
	// Before: the call did not reach the store.
	Before Fault = iota + 1
	// After: the call took effect, and its reply was lost.
	After
)

// ErrInjected is matched by the errors of a Faulty's faults. They match
// oauth.ErrUnavailable too, as an outage must.
var ErrInjected = errors.New("injected fault")

// Faulty wraps a backend, counts the calls and lets those fail that it
// was told to. It is what the domain sees of the stores: those of requests, not
// those of operators.
type Faulty struct {
	stores Stores

	mu      sync.Mutex // guards what follows
	calls   int
	planned map[int]Fault // by the number of the call, from 1
	broken  Fault         // of each call, if not zero
	before  func(context.Context) error
}

var (
	_ oauth.Tokens   = (*Faulty)(nil)
	_ oauth.Subjects = (*Faulty)(nil)
	_ oauth.Clients  = (*Faulty)(nil)
	_ oauth.Users    = (*Faulty)(nil)
)

// NewFaulty returns a wrapper without faults.
func NewFaulty(s Stores) *Faulty { return &Faulty{stores: s, planned: map[int]Fault{}} }

// Fail makes the n-th call from now fail; 1 is the next.
func (f *Faulty) Fail(n int, how Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.planned[f.calls+n] = how
}

// Break makes all calls fail from now on.
func (f *Faulty) Break(how Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = how
}

// Intercept runs before ahead of each call from now on. If it returns an error,
// that is the call's, and the store is not asked. Nil ends it.
func (f *Faulty) Intercept(before func(context.Context) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = before
}

// Repair forgets all faults that did not happen yet.
func (f *Faulty) Repair() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = 0
	clear(f.planned)
}

// Calls is how many there were, those that failed included.
func (f *Faulty) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// begin counts a call and says how it fails, 0 if it does not.
func (f *Faulty) begin() Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if how, ok := f.planned[f.calls]; ok {
		return how
	}
	return f.broken
}

// try makes one call of the backend unless its fault comes before.
func (f *Faulty) try(ctx context.Context, doing string, call func() error) error {
	f.mu.Lock()
	before := f.before
	f.mu.Unlock()
	if before != nil {
		if err := before(ctx); err != nil {
			return err
		}
	}
	how := f.begin()
	if how == Before {
		oauth.EventOf(ctx).StoreCalls++ // it was made, only not answered
		return oauth.Unavailable(doing, ErrInjected)
	}
	if err := call(); err != nil {
		return err
	}
	if how == After {
		return oauth.Unavailable(doing, ErrInjected)
	}
	return nil
}

// Read implements oauth.Tokens.
func (f *Faulty) Read(ctx context.Context, loc bearer.Locator) (reading oauth.Reading, err error) {
	err = f.try(ctx, "read an authorization", func() (err error) {
		reading, err = f.stores.Tokens.Read(ctx, loc)
		return err
	})
	return unless(err, reading), err
}

// Save implements oauth.Tokens.
func (f *Faulty) Save(ctx context.Context, r ledger.Record, seen ledger.Nonce) (won ledger.Record, found bool, err error) {
	err = f.try(ctx, "save an authorization", func() (err error) {
		won, found, err = f.stores.Tokens.Save(ctx, r, seen)
		return err
	})
	return unless(err, won), unless(err, found), err
}

// End implements oauth.Tokens.
func (f *Faulty) End(ctx context.Context, loc bearer.Locator, when ledger.EndCondition) (left ledger.Record, ended bool, err error) {
	err = f.try(ctx, "end an authorization", func() (err error) {
		left, ended, err = f.stores.Tokens.End(ctx, loc, when)
		return err
	})
	return unless(err, left), unless(err, ended), err
}

// List implements oauth.Tokens.
func (f *Faulty) List(ctx context.Context, subject ledger.Subject, client ledger.ClientID) (records []ledger.Record, err error) {
	err = f.try(ctx, "list authorizations", func() (err error) {
		records, err = f.stores.Tokens.List(ctx, subject, client)
		return err
	})
	return unless(err, records), err
}

// MarkReplayed implements oauth.Tokens.
func (f *Faulty) MarkReplayed(ctx context.Context, loc bearer.Locator, seen ledger.Nonce) error {
	return f.try(ctx, "note a replay", func() error {
		return f.stores.Tokens.MarkReplayed(ctx, loc, seen)
	})
}

// Near implements oauth.Tokens.
func (f *Faulty) Near(ctx context.Context, a ledger.Authorization, most int, after bool) (near oauth.Neighbours, err error) {
	err = f.try(ctx, "list authorizations near one", func() (err error) {
		near, err = f.stores.Tokens.Near(ctx, a, most, after)
		return err
	})
	return unless(err, near), err
}

// State implements oauth.Subjects.
func (f *Faulty) State(ctx context.Context, subject ledger.Subject) (state oauth.SubjectState, err error) {
	err = f.try(ctx, "read a subject's state", func() (err error) {
		state, err = f.stores.Subjects.State(ctx, subject)
		return err
	})
	return unless(err, state), err
}

// Raise implements oauth.Subjects.
func (f *Faulty) Raise(ctx context.Context, subject ledger.Subject, change oauth.StateChange) error {
	return f.try(ctx, "raise a subject's epoch", func() error {
		return f.stores.Subjects.Raise(ctx, subject, change)
	})
}

// Client implements oauth.Clients.
func (f *Faulty) Client(ctx context.Context, id ledger.ClientID) (c oauth.Client, found bool, err error) {
	err = f.try(ctx, "read a client", func() (err error) {
		c, found, err = f.stores.Clients.Client(ctx, id)
		return err
	})
	return unless(err, c), unless(err, found), err
}

// ResourceScopes implements oauth.Clients.
func (f *Faulty) ResourceScopes(ctx context.Context) (scopes oauth.ResourceScopes, err error) {
	err = f.try(ctx, "read the resource scopes", func() (err error) {
		scopes, err = f.stores.Clients.ResourceScopes(ctx)
		return err
	})
	return unless(err, scopes), err
}

// TrustedIssuer implements oauth.Issuers.
func (f *Faulty) TrustedIssuer(ctx context.Context, name string) (i oauth.TrustedIssuer, found bool, err error) {
	err = f.try(ctx, "read an issuer", func() (err error) {
		i, found, err = f.stores.Issuers.TrustedIssuer(ctx, name)
		return err
	})
	return unless(err, i), unless(err, found), err
}

// Login implements oauth.Users.
func (f *Faulty) Login(ctx context.Context, username string, counters ...oauth.CounterKey) (login oauth.Login, err error) {
	err = f.try(ctx, "read a user for a login", func() (err error) {
		login, err = f.stores.Users.Login(ctx, username, counters...)
		return err
	})
	return unless(err, login), err
}

// CountFailure implements oauth.Users.
func (f *Faulty) CountFailure(ctx context.Context, now int64, counters ...oauth.ExpiringCounter) error {
	return f.try(ctx, "count a wrong password", func() error {
		return f.stores.Users.CountFailure(ctx, now, counters...)
	})
}

// ClearFailures implements oauth.Users.
func (f *Faulty) ClearFailures(ctx context.Context, counter oauth.CounterKey) error {
	return f.try(ctx, "clear a counter of wrong passwords", func() error {
		return f.stores.Users.ClearFailures(ctx, counter)
	})
}

// SaveUser implements oauth.Users.
func (f *Faulty) SaveUser(ctx context.Context, u oauth.User) (saved oauth.User, err error) {
	err = f.try(ctx, "save a user", func() (err error) {
		saved, err = f.stores.Users.SaveUser(ctx, u)
		return err
	})
	return unless(err, saved), err
}

// SaveSources implements oauth.Users.
func (f *Faulty) SaveSources(ctx context.Context, u oauth.User) error {
	return f.try(ctx, "save where a user signed in", func() error { return f.stores.Users.SaveSources(ctx, u) })
}

// unless gives nothing away next to an error.
func unless[T any](err error, v T) T {
	if err != nil {
		var nothing T
		return nothing
	}
	return v
}
