package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

// registryTests are for what an operator does with records and states.
var registryTests = []test{
	{"each visits every record of every subject once, and no state", func(t *testing.T, s Stores) {
		wantEach(t, s)
		var want []ledger.Record
		for i := range 30 {
			r := Record(scope.Device(fmt.Sprint("device-", i)))
			r.Authorization.Subject.ID = fmt.Sprint("u_", i%3)
			wantSaved(t, s, r, ledger.Nonce{})
			raise(t, s, r.Authorization.Subject, oauth.StateChange{})
			want = append(want, r)
		}
		wantEach(t, s, want...)
	}},
	{"each leaves out what was edited", func(t *testing.T, s Stores) {
		whole, edited := Record("ipad"), Record("iphone")
		wantSaved(t, s, whole, ledger.Nonce{})
		wantSaved(t, s, edited, ledger.Nonce{})
		s.Damage(t, edited.Locator())
		wantEach(t, s, whole)
	}},
	{"each stops at the visitor's error and returns it", func(t *testing.T, s Stores) {
		wantSaved(t, s, Record("ipad"), ledger.Nonce{})
		wantSaved(t, s, Record("iphone"), ledger.Nonce{})
		stop, visits := errors.New("stop"), 0
		err := s.Registry.Each(t.Context(), func(ledger.Record) error {
			visits++
			return stop
		})
		if !errors.Is(err, stop) || visits != 1 {
			t.Errorf("Each = %v after %d visits", err, visits)
		}
	}},
	{"a visitor may end records", func(t *testing.T, s Stores) {
		wantSaved(t, s, Record("ipad"), ledger.Nonce{})
		wantSaved(t, s, Record("iphone"), ledger.Nonce{})
		err := s.Registry.Each(t.Context(), func(r ledger.Record) error {
			_, _, err := s.Tokens.End(t.Context(), r.Locator(), ledger.EndCondition{Nonce: r.Nonce})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		wantEach(t, s)
	}},
	{"a forgotten state is absent, and of one subject", func(t *testing.T, s Stores) {
		r := Record("ipad")
		subject := r.Authorization.Subject
		other := ledger.Subject{Kind: ledger.UserSubject, ID: "u_other"}
		wantSaved(t, s, r, ledger.Nonce{})
		for _, who := range []ledger.Subject{subject, other} {
			raise(t, s, who, oauth.StateChange{UserVersion: 9, Disabled: new(true)})
		}
		for range 2 { // forgetting nothing is not an error
			if err := s.Registry.Forget(t.Context(), subject); err != nil {
				t.Fatalf("Forget: %v", err)
			}
			wantState(t, s, subject, oauth.SubjectState{})
		}
		wantState(t, s, other, oauth.SubjectState{Epoch: 1, UserVersion: 9, Disabled: true})
		wantReading(t, s, r.Locator(), oauth.Reading{Record: r, Found: true}) // the record stays
	}},
}

func wantEach(t *testing.T, s Stores, want ...ledger.Record) {
	t.Helper()
	got := map[bearer.Locator]ledger.Record{}
	err := s.Registry.Each(t.Context(), func(r ledger.Record) error {
		if _, twice := got[r.Locator()]; twice {
			t.Errorf("Each visited %s twice", describe(r))
		}
		got[r.Locator()] = r
		return nil
	})
	if err != nil {
		t.Fatalf("Each: %v", err)
	}
	wanted := map[bearer.Locator]ledger.Record{}
	for _, r := range want {
		wanted[r.Locator()] = r
	}
	if d := diff(wanted, got); d != "" {
		t.Errorf("Each (-want +got):\n%s", d)
	}
}
