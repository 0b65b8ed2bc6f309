package memory

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// Tokens is oauth.Tokens, oauth.Subjects and oauth.TokenRegistry.
type Tokens struct {
	store
	records map[bearer.Locator]ledger.Record
	keys    map[[16]byte][]bearer.Locator // those of records, by subject, in order
	states  map[[16]byte]oauth.SubjectState

	replayed map[bearer.Locator]ledger.Nonce // of the records that MarkReplayed noted
	follow   func(oauth.Write)               // or nil
}

var (
	_ oauth.Tokens        = (*Tokens)(nil)
	_ oauth.Subjects      = (*Tokens)(nil)
	_ oauth.TokenRegistry = (*Tokens)(nil)
)

// NewTokens returns an empty store.
func NewTokens() *Tokens {
	return &Tokens{
		records: map[bearer.Locator]ledger.Record{},
		keys:    map[[16]byte][]bearer.Locator{},
		states:  map[[16]byte]oauth.SubjectState{},

		replayed: map[bearer.Locator]ledger.Nonce{},
	}
}

// Follow gives each write from now on to follow, in their order and before the write
// returns. follow must not use the store.
func (t *Tokens) Follow(follow func(oauth.Write)) { t.follow = follow }

func (t *Tokens) report(w oauth.Write) {
	if t.follow != nil {
		w.ID, w.At = rand.Text(), time.Now().Unix()
		t.follow(w)
	}
}

func (t *Tokens) put(loc bearer.Locator, r ledger.Record) {
	keys := t.keys[loc.Subject]
	if at, found := slices.BinarySearchFunc(keys, loc, bearer.Locator.Compare); !found {
		t.keys[loc.Subject] = slices.Insert(keys, at, loc)
	}
	t.records[loc] = copyRecord(r)
}

func (t *Tokens) remove(loc bearer.Locator) {
	delete(t.records, loc)
	keys := t.keys[loc.Subject]
	if at, found := slices.BinarySearchFunc(keys, loc, bearer.Locator.Compare); found {
		t.keys[loc.Subject] = slices.Delete(keys, at, at+1)
	}
	if len(t.keys[loc.Subject]) == 0 {
		delete(t.keys, loc.Subject)
	}
}

// Read implements oauth.Tokens.
func (t *Tokens) Read(ctx context.Context, loc bearer.Locator) (reading oauth.Reading, err error) {
	err = t.do(ctx, "read an authorization", func() {
		r, found := t.records[loc]
		reading = oauth.Reading{Record: copyRecord(r), Found: found, State: t.states[loc.Subject]}
	})
	return reading, err
}

// Save implements oauth.Tokens.
func (t *Tokens) Save(ctx context.Context, r ledger.Record, seen ledger.Nonce) (won ledger.Record, found bool, err error) {
	err = t.do(ctx, "save an authorization", func() {
		loc := r.Locator()
		won, found = t.records[loc]
		// A record always has a nonce, so the zero one is never that of a record.
		if found == (seen != ledger.Nonce{}) && won.Nonce == seen {
			if !found {
				made := copyRecord(r)
				t.report(oauth.Write{Made: &made})
			}
			won, found = r, true
			t.put(loc, r)
		}
		// Else r is there already if this call is made for the second time.
		won = copyRecord(won)
	})
	return won, found, err
}

// End implements oauth.Tokens.
func (t *Tokens) End(ctx context.Context, loc bearer.Locator, when ledger.EndCondition) (left ledger.Record, ended bool, err error) {
	err = t.do(ctx, "end an authorization", func() {
		r, found := t.records[loc]
		if found && !when.Met(r) {
			left = copyRecord(r)
			return
		}
		if found {
			t.report(oauth.Write{Ended: &r, Replayed: t.replayed[loc] == r.Nonce})
		}
		t.remove(loc)
		delete(t.replayed, loc)
		ended = true
	})
	return left, ended, err
}

// List implements oauth.Tokens.
func (t *Tokens) List(ctx context.Context, subject ledger.Subject, client ledger.ClientID) (records []ledger.Record, err error) {
	err = t.do(ctx, "list authorizations", func() {
		records = t.inPlace(t.keys[ledger.SubjectKey(subject)], client)
	})
	return records, err
}

// Near implements oauth.Tokens. Its order is that of the keys' bytes.
func (t *Tokens) Near(ctx context.Context, a ledger.Authorization, most int, after bool) (near oauth.Neighbours, err error) {
	own := a.Locator()
	first, last := own, own
	first.Authorization, last.Authorization = [16]byte{}, [16]byte(bytes.Repeat([]byte{0xff}, 16))
	err = t.do(ctx, "list authorizations near one", func() {
		keys := t.keys[own.Subject]
		from, _ := slices.BinarySearchFunc(keys, first, bearer.Locator.Compare)
		at, _ := slices.BinarySearchFunc(keys, own, bearer.Locator.Compare)
		to, _ := slices.BinarySearchFunc(keys, last, bearer.Locator.Compare)
		near.Share = 1
		switch {
		case to-from <= most:
		case after:
			if to-at > most {
				to = at + most
				last = keys[to-1]
			}
			from, near.Share = at, place(last)-place(own)
		default:
			if at-from > most {
				from = at - most
				first = keys[from]
			}
			to, near.Share = at, place(own)-place(first)
		}
		near.Records = t.inPlace(keys[from:to], a.Client)
	})
	return near, err
}

// place is where a key lies among all that a subject can have with a client, from 0
// to 1.
func place(loc bearer.Locator) float64 {
	return float64(binary.BigEndian.Uint64(loc.Authorization[:])) / (1 << 64)
}

// inPlace returns copies of the records at keys, of one client only unless client is
// empty, without those whose fields do not give their key.
func (t *Tokens) inPlace(keys []bearer.Locator, client ledger.ClientID) (records []ledger.Record) {
	for _, loc := range keys {
		r := t.records[loc]
		if loc == r.Locator() && (client == "" || r.Authorization.Client == client) {
			records = append(records, copyRecord(r))
		}
	}
	return records
}

// MarkReplayed implements oauth.Tokens.
func (t *Tokens) MarkReplayed(ctx context.Context, loc bearer.Locator, seen ledger.Nonce) error {
	return t.do(ctx, "note a replay", func() {
		if r, found := t.records[loc]; found && r.Nonce == seen {
			t.replayed[loc] = seen // a later Save draws another nonce, and so drops it
		}
	})
}

// Each implements oauth.TokenRegistry. It visits copies, so visit may write.
func (t *Tokens) Each(ctx context.Context, visit func(ledger.Record) error) error {
	var records []ledger.Record
	err := t.do(ctx, "read all authorizations", func() {
		for loc, r := range t.records {
			if loc == r.Locator() {
				records = append(records, copyRecord(r))
			}
		}
	})
	if err != nil {
		return err
	}
	for _, r := range records {
		if err := visit(r); err != nil {
			return err
		}
	}
	return nil
}

// State implements oauth.Subjects.
func (t *Tokens) State(ctx context.Context, subject ledger.Subject) (state oauth.SubjectState, err error) {
	err = t.do(ctx, "read a subject's state", func() { state = t.states[ledger.SubjectKey(subject)] })
	return state, err
}

// Forget implements oauth.TokenRegistry.
func (t *Tokens) Forget(ctx context.Context, subject ledger.Subject) error {
	return t.do(ctx, "forget a subject's state", func() { delete(t.states, ledger.SubjectKey(subject)) })
}

// Raise implements oauth.Subjects.
func (t *Tokens) Raise(ctx context.Context, subject ledger.Subject, change oauth.StateChange) error {
	return t.do(ctx, "raise a subject's epoch", func() {
		key := ledger.SubjectKey(subject)
		s := t.states[key]
		if change.Once && s.UserVersion >= change.UserVersion {
			return
		}
		s.Epoch++
		s.UserVersion = max(s.UserVersion, change.UserVersion)
		if change.Disabled != nil {
			s.Disabled = *change.Disabled
		}
		t.report(oauth.Write{Raised: &oauth.Raise{Subject: subject, Before: t.states[key], After: s, Why: change.Why}})
		t.states[key] = s
	})
}

func copyRecord(r ledger.Record) ledger.Record {
	r.Authorization.Audiences = slices.Clone(r.Authorization.Audiences)
	return r
}
