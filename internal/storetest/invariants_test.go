package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// Each invariant is broken once, by a change to a record that breaks no other.
func TestEachInvariantCanBreak(t *testing.T) {
	for _, r := range []ledger.Record{Record("ipad"), Record(""), sparseRecord()} {
		if err := checkRecord(r); err != nil {
			t.Fatalf("a whole record: %v", err)
		}
	}
	broken := map[string]bool{}
	for _, c := range []struct {
		sentence string
		change   func(r *ledger.Record)
	}{
		{"has a nonce", func(r *ledger.Record) { r.Nonce = ledger.Nonce{} }},
		{"has a nonce", func(r *ledger.Record) { r.RID = bearer.RID{} }},
		{"names its subject", func(r *ledger.Record) { r.Authorization.Subject.ID = "" }},
		{"names its subject", func(r *ledger.Record) { r.Authorization.Format = "" }},
		{"audiences are", func(r *ledger.Record) { r.Authorization.Audiences = nil }},
		{"audiences are", func(r *ledger.Record) { r.Authorization.Audiences = []string{"b", "a"} }},
		{"audiences are", func(r *ledger.Record) { r.Authorization.Audiences = []string{"a", "a"} }},
		{"a current access token", func(r *ledger.Record) { r.Access, r.AccessPrev = ledger.Slot{}, ledger.Slot{} }},
		{"empty or complete", func(r *ledger.Record) { r.AccessPrev = ledger.Slot{IssuedAt: 1, Expiry: 2} }},
		{"empty or complete", func(r *ledger.Record) { r.Refresh.KID = 0 }},
		{"empty or complete", func(r *ledger.Record) { r.RefreshPrev.Hash = bearer.Hash{} }},
		{"expires after", func(r *ledger.Record) { r.Access.Expiry = r.Access.IssuedAt }},
		{"expires after", func(r *ledger.Record) { r.Refresh.Expiry = bearer.MaxExpiry + 1 }},
		{"generation is below", func(r *ledger.Record) { r.AccessPrev.Generation = r.Access.Generation }},
		{"generation is below", func(r *ledger.Record) { r.RefreshPrev.Generation = r.Refresh.Generation + 1 }},
		{"hold the same token", func(r *ledger.Record) { r.AccessPrev.Hash = r.Access.Hash }},
		{"hold the same token", func(r *ledger.Record) { r.RefreshPrev.Hash = r.AccessPrev.Hash }},
		{"idle deadline", func(r *ledger.Record) { r.RefreshIdle = 0 }},
		{"idle deadline", func(r *ledger.Record) { r.RefreshIdle = r.Refresh.Expiry + 367*24*3600 }},
		{"idle deadline", func(r *ledger.Record) { r.Refresh, r.RefreshPrev = ledger.Slot{}, ledger.Slot{} }},
	} {
		r := Record("ipad")
		c.change(&r)
		err := checkRecord(r)
		if err == nil || !strings.Contains(err.Error(), c.sentence) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v; want that one alone", c.sentence, err)
		}
		for _, invariant := range recordInvariants {
			if !invariant.holds(r) {
				broken[invariant.sentence] = true
			}
		}
	}
	for _, invariant := range recordInvariants {
		// TTL is computed from the record, so no record can break it but by a fault
		// in package oauth.
		if !broken[invariant.sentence] && !strings.Contains(invariant.sentence, "sweep") {
			t.Errorf("nothing here breaks %q", invariant.sentence)
		}
	}
}

// reported is a test that records what is reported to it.
type reported struct {
	testing.TB
	text string
}

func (r *reported) Helper() {}
func (r *reported) Errorf(format string, args ...any) {
	r.text += fmt.Sprintf(format, args...) + "\n"
}

// oddStore lists and reads what a test wants.
type oddStore struct {
	oauth.Tokens
	listed []ledger.Record
	read   func(loc bearer.Locator) (oauth.Reading, error)
	err    error
}

func (s oddStore) List(context.Context, ledger.Subject, ledger.ClientID) ([]ledger.Record, error) {
	return s.listed, s.err
}
func (s oddStore) Read(_ context.Context, loc bearer.Locator) (oauth.Reading, error) {
	return s.read(loc)
}

func TestCheckInvariantsOfTheStore(t *testing.T) {
	ipad, iphone := Record("ipad"), Record("iphone")
	subject := ipad.Authorization.Subject
	late := ipad
	late.Epochs.Subject = 3
	bad := ipad
	bad.RID = bearer.RID{}
	finds := func(r ledger.Record, found bool, epoch uint64) func(bearer.Locator) (oauth.Reading, error) {
		return func(bearer.Locator) (oauth.Reading, error) {
			return oauth.Reading{Record: r, Found: found, State: oauth.SubjectState{Epoch: epoch}}, nil
		}
	}
	down := oauth.Unavailable("list", ErrInjected)
	for _, c := range []struct {
		name    string
		store   oddStore
		subject ledger.Subject
		want    string // empty: nothing to report
	}{
		{"nothing", oddStore{}, subject, ""},
		{"whole", oddStore{listed: []ledger.Record{ipad}, read: finds(ipad, true, 0)}, subject, ""},
		{"whole, under the epoch", oddStore{listed: []ledger.Record{late}, read: finds(late, true, 3)}, subject, ""},
		{"two at one locator", oddStore{listed: []ledger.Record{ipad, ipad}, read: finds(ipad, true, 0)}, subject, "two records at one locator"},
		{"under another key", oddStore{listed: []ledger.Record{ipad}, read: finds(ledger.Record{}, false, 0)}, subject, "not what is at its locator"},
		{"another is there", oddStore{listed: []ledger.Record{ipad}, read: finds(iphone, true, 0)}, subject, "not what is at its locator"},
		{"of another subject", oddStore{listed: []ledger.Record{ipad}, read: finds(ipad, true, 0)}, ledger.Subject{Kind: ledger.UserSubject, ID: "u_other"}, "listed for"},
		{"a record that does not hold", oddStore{listed: []ledger.Record{bad}, read: finds(bad, true, 0)}, subject, "broken: a record has a nonce"},
		{"above the epoch", oddStore{listed: []ledger.Record{late}, read: finds(late, true, 2)}, subject, "epoch 3, which is only 2"},
		{"an outage", oddStore{err: down}, subject, "temporarily unavailable"},
		{"an outage at the record", oddStore{listed: []ledger.Record{ipad}, read: func(bearer.Locator) (oauth.Reading, error) { return oauth.Reading{}, down }}, subject, "temporarily unavailable"},
	} {
		got := &reported{TB: t}
		CheckInvariants(got, c.store, c.subject)
		if c.want == "" && got.text != "" || c.want != "" && !strings.Contains(got.text, c.want) {
			t.Errorf("%s: reported %q, want %q", c.name, got.text, c.want)
		}
	}
}
