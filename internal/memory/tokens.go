package memory

import (
	"context"
	"slices"
	"sync"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
)

// Tokens is oauth.Tokens, oauth.Subjects and oauth.TokenRegistry.
type Tokens struct {
	mu      sync.Mutex // guards what follows
	records map[bearer.Locator]oauth.Record
	states  map[[16]byte]oauth.SubjectState
}

var (
	_ oauth.Tokens        = (*Tokens)(nil)
	_ oauth.Subjects      = (*Tokens)(nil)
	_ oauth.TokenRegistry = (*Tokens)(nil)
)

// NewTokens returns an empty store.
func NewTokens() *Tokens {
	return &Tokens{records: map[bearer.Locator]oauth.Record{}, states: map[[16]byte]oauth.SubjectState{}}
}

// Read implements oauth.Tokens.
func (t *Tokens) Read(ctx context.Context, loc bearer.Locator) (oauth.Reading, error) {
	if err := begin(ctx, "read an authorization"); err != nil {
		return oauth.Reading{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	r, found := t.records[loc]
	return oauth.Reading{Record: copyRecord(r), Found: found, State: t.states[loc.Subject]}, nil
}

// Save implements oauth.Tokens.
func (t *Tokens) Save(ctx context.Context, r oauth.Record, seen oauth.Nonce) (stands oauth.Record, found bool, err error) {
	if err := begin(ctx, "save an authorization"); err != nil {
		return oauth.Record{}, false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	loc := r.Locator()
	stands, found = t.records[loc]
	// A record always has a nonce, so the zero one is never that of a record.
	if found == (seen != oauth.Nonce{}) && stands.Nonce == seen {
		t.records[loc] = copyRecord(r)
		return r, true, nil
	}
	// stands is r itself if this call is made for the second time.
	return copyRecord(stands), found, nil
}

// End implements oauth.Tokens.
func (t *Tokens) End(ctx context.Context, loc bearer.Locator, when oauth.EndCondition) (stands oauth.Record, ended bool, err error) {
	if err := begin(ctx, "end an authorization"); err != nil {
		return oauth.Record{}, false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	stands, found := t.records[loc]
	if found && !when.Met(stands) {
		return copyRecord(stands), false, nil
	}
	delete(t.records, loc)
	return oauth.Record{}, true, nil
}

// List implements oauth.Tokens.
func (t *Tokens) List(ctx context.Context, subject oauth.Subject, client oauth.ClientID) ([]oauth.Record, error) {
	if err := begin(ctx, "list authorizations"); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	key := oauth.SubjectKey(subject)
	var records []oauth.Record
	for loc, r := range t.records {
		if loc.Subject == key && loc == r.Locator() && (client == "" || r.Authorization.Client == client) {
			records = append(records, copyRecord(r))
		}
	}
	return records, nil
}

// Each implements oauth.TokenRegistry.
func (t *Tokens) Each(ctx context.Context, visit func(oauth.Record) error) error {
	if err := begin(ctx, "read all authorizations"); err != nil {
		return err
	}
	for _, r := range t.all() {
		if err := visit(r); err != nil {
			return err
		}
	}
	return nil
}

// all is a copy, so that whoever visits the records may write.
func (t *Tokens) all() []oauth.Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	var records []oauth.Record
	for loc, r := range t.records {
		if loc == r.Locator() {
			records = append(records, copyRecord(r))
		}
	}
	return records
}

// State implements oauth.Subjects.
func (t *Tokens) State(ctx context.Context, subject oauth.Subject) (oauth.SubjectState, error) {
	if err := begin(ctx, "read a subject's state"); err != nil {
		return oauth.SubjectState{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.states[oauth.SubjectKey(subject)], nil
}

// Forget implements oauth.TokenRegistry.
func (t *Tokens) Forget(ctx context.Context, subject oauth.Subject) error {
	if err := begin(ctx, "forget a subject's state"); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.states, oauth.SubjectKey(subject))
	return nil
}

// Raise implements oauth.Subjects.
func (t *Tokens) Raise(ctx context.Context, subject oauth.Subject, change oauth.StateChange) error {
	if err := begin(ctx, "raise a subject's epoch"); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	key := oauth.SubjectKey(subject)
	s := t.states[key]
	s.Epoch++
	s.UserVersion = max(s.UserVersion, change.UserVersion)
	if change.Disabled != nil {
		s.Disabled = *change.Disabled
	}
	t.states[key] = s
	return nil
}

func copyRecord(r oauth.Record) oauth.Record {
	r.Authorization.Audiences = slices.Clone(r.Authorization.Audiences)
	return r
}
