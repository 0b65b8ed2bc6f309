package storetest

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

func wantSaved(t *testing.T, s Stores, r ledger.Record, seen ledger.Nonce) {
	t.Helper()
	there, found, err := s.Tokens.Save(t.Context(), r, seen)
	if err != nil || !found {
		t.Fatalf("Save = found %v, %v; want it saved", found, err)
	}
	if d := diff(r, there); d != "" {
		t.Fatalf("Save returned another record than the one saved (-want +got):\n%s", d)
	}
}

func wantLost(t *testing.T, s Stores, r ledger.Record, seen ledger.Nonce, winner ledger.Record) {
	t.Helper()
	there, found, err := s.Tokens.Save(t.Context(), r, seen)
	if err != nil || !found {
		t.Fatalf("Save = found %v, %v; want the winner", found, err)
	}
	if d := diff(winner, there); d != "" {
		t.Errorf("Save returned another record than the winner (-want +got):\n%s", d)
	}
	wantThere(t, s, winner)
}

func wantEnded(t *testing.T, s Stores, loc bearer.Locator, when ledger.EndCondition) {
	t.Helper()
	if _, ended, err := s.Tokens.End(t.Context(), loc, when); !ended || err != nil {
		t.Errorf("End = ended %v, %v; want it ended", ended, err)
	}
}

// wantThere reads r, of a subject without a state.
func wantThere(t *testing.T, s Stores, r ledger.Record) {
	t.Helper()
	wantReading(t, s, r.Locator(), oauth.Reading{Record: r, Found: true})
}

func wantReading(t *testing.T, s Stores, loc bearer.Locator, want oauth.Reading) {
	t.Helper()
	got, err := s.Tokens.Read(t.Context(), loc)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	if d := diff(want, got); d != "" {
		t.Errorf("Read (-want +got):\n%s", d)
	}
}

func wantListed(t *testing.T, s Stores, subject ledger.Subject, client ledger.ClientID, want ...ledger.Record) {
	t.Helper()
	got, err := s.Tokens.List(t.Context(), subject, client)
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	byNonce := func(a, b ledger.Record) int { return bytes.Compare(a.Nonce[:], b.Nonce[:]) }
	slices.SortFunc(got, byNonce)
	slices.SortFunc(want, byNonce)
	if d := diff(want, got); d != "" {
		t.Errorf("List(%q) (-want +got):\n%s", client, d)
	}
}

func near(t *testing.T, s Stores, a ledger.Authorization, most int, after bool) oauth.Neighbours {
	t.Helper()
	got, err := s.Tokens.Near(t.Context(), a, most, after)
	if err != nil {
		t.Fatalf("Near: %v", err)
	}
	return got
}

func wantNear(t *testing.T, s Stores, a ledger.Authorization, most int, after bool, share float64, want ...ledger.Record) {
	t.Helper()
	got := near(t, s, a, most, after)
	byNonce := func(a, b ledger.Record) int { return bytes.Compare(a.Nonce[:], b.Nonce[:]) }
	slices.SortFunc(got.Records, byNonce)
	slices.SortFunc(want, byNonce)
	if d := diff(oauth.Neighbours{Records: want, Share: share}, got); d != "" {
		t.Errorf("Near(%d, after %v) (-want +got):\n%s", most, after, d)
	}
}

func wantUnavailable(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, oauth.ErrUnavailable) {
		t.Errorf("%s = %v; want an error that matches ErrUnavailable", what, err)
	}
}
