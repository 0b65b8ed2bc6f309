package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// CheckInvariants reads all records of the subjects and reports each that no
// sequence of requests, races and faults may leave behind. Call it while nobody
// writes, with the store itself and not with its Faulty.
//
// It knows neither the clock nor the keys, so it does not say which tokens are
// active, only that the records hold together.
func CheckInvariants(t testing.TB, tokens oauth.Tokens, subjects ...ledger.Subject) {
	t.Helper()
	for _, subject := range subjects {
		records, err := tokens.List(t.Context(), subject, "")
		if err != nil {
			t.Errorf("check the invariants of %v: %v", subject, err)
			continue
		}
		listed := map[bearer.Locator]bool{}
		for _, r := range records {
			loc := r.Locator()
			if listed[loc] {
				t.Errorf("%s: two records at one locator", describe(r))
			}
			listed[loc] = true

			// The record at the locator must be the listed one: else the record
			// is under a key that is not its own.
			reading, err := tokens.Read(t.Context(), loc)
			if err != nil {
				t.Errorf("%s: %v", describe(r), err)
				continue
			}
			if d := diff(r, reading.Record); d != "" || !reading.Found {
				t.Errorf("%s: not what is at its locator, found %v (-listed +read):\n%s", describe(r), reading.Found, d)
			}
			if r.Authorization.Subject != subject {
				t.Errorf("%s: listed for %v", describe(r), subject)
			}
			if err := errors.Join(checkRecord(r), checkAgainst(reading.State, r)); err != nil {
				t.Errorf("%s: %v", describe(r), err)
			}
		}
	}
}

// describe names a record in an error.
func describe(r ledger.Record) string {
	return fmt.Sprintf("record of %v, client %s, scope %q", r.Authorization.Subject, r.Authorization.Client, r.Authorization.Scope)
}

// recordInvariants hold for each record by itself. An invariant that is found
// later is one more entry.
var recordInvariants = []struct {
	sentence string
	holds    func(r ledger.Record) bool
}{
	{"a record has a nonce and a random id", func(r ledger.Record) bool {
		return r.Nonce != ledger.Nonce{} && r.RID != bearer.RID{}
	}},
	{"an authorization names its subject, client and format", func(r ledger.Record) bool {
		a := r.Authorization
		return a.Subject.Kind != "" && a.Subject.ID != "" && a.Client != "" && a.Format != ""
	}},
	{"audiences are sorted, distinct and at least one", func(r ledger.Record) bool {
		a := r.Authorization.Audiences
		return len(a) > 0 && slices.IsSorted(a) && len(slices.Compact(slices.Clone(a))) == len(a)
	}},
	{"there is a current access token", func(r ledger.Record) bool { return r.Access.Generation > 0 }},
	{"a slot is empty or complete", func(r ledger.Record) bool {
		for _, s := range slots(r) {
			full := s.Generation > 0 && s.KID > 0 && s.IssuedAt > 0 && s.Hash != bearer.Hash{}
			if s != (ledger.Slot{}) && !full {
				return false
			}
		}
		return true
	}},
	{"a token expires after it was issued and within what a bearer can say", func(r ledger.Record) bool {
		for _, s := range slots(r) {
			if s != (ledger.Slot{}) && (s.Expiry <= s.IssuedAt || s.Expiry > bearer.MaxExpiry) {
				return false
			}
		}
		return true
	}},
	{"the previous generation is below the current", func(r ledger.Record) bool {
		below := func(prev, cur ledger.Slot) bool { return prev.Generation == 0 || prev.Generation < cur.Generation }
		return below(r.AccessPrev, r.Access) && below(r.RefreshPrev, r.Refresh)
	}},
	{"no two slots hold the same token", func(r ledger.Record) bool {
		seen := map[bearer.Hash]bool{}
		for _, s := range slots(r) {
			if s.Generation > 0 && seen[s.Hash] {
				return false
			}
			seen[s.Hash] = true
		}
		return true
	}},
	{"a refresh token has an idle deadline, and only a refresh token has one", func(r ledger.Record) bool {
		if r.Refresh.Generation == 0 {
			return r.RefreshIdle == 0 && r.RefreshRotated == 0 && r.RefreshPrev == ledger.Slot{}
		}
		const year = 366 * 24 * 3600 // the most that a client can be registered for
		return r.RefreshIdle > 0 && r.RefreshIdle <= r.Refresh.Expiry+year
	}},
	{"the sweep comes after the last moment at which anything is active", func(r ledger.Record) bool {
		ttl := r.TTL()
		for _, s := range []ledger.Slot{r.Access, r.AccessPrev} {
			if ttl <= s.Expiry {
				return false
			}
		}
		for _, s := range []ledger.Slot{r.Refresh, r.RefreshPrev} {
			if s.Generation > 0 && ttl <= min(s.Expiry, r.RefreshIdle) {
				return false
			}
		}
		return true
	}},
}

func slots(r ledger.Record) []ledger.Slot {
	return []ledger.Slot{r.Access, r.AccessPrev, r.Refresh, r.RefreshPrev}
}

func checkRecord(r ledger.Record) error {
	var errs []error
	for _, invariant := range recordInvariants {
		if !invariant.holds(r) {
			errs = append(errs, fmt.Errorf("broken: %s", invariant.sentence))
		}
	}
	return errors.Join(errs...)
}

func checkAgainst(state oauth.SubjectState, r ledger.Record) error {
	if r.Epochs.Subject > state.Epoch {
		return fmt.Errorf("broken: made under the subject's epoch %d, which is only %d", r.Epochs.Subject, state.Epoch)
	}
	return nil
}
