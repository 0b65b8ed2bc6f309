package storetest

import (
	"errors"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

var subjectsTests = []test{
	{"raising counts up from nothing", func(t *testing.T, s Stores) {
		r := Record("ipad")
		subject := r.Authorization.Subject
		wantSaved(t, s, r, ledger.Nonce{})
		for epoch := uint64(1); epoch <= 3; epoch++ {
			raise(t, s, subject, oauth.StateChange{})
			wantState(t, s, subject, oauth.SubjectState{Epoch: epoch})
		}
		// The record is judged by the state and not touched.
		wantReading(t, s, r.Locator(), oauth.Reading{Record: r, Found: true, State: oauth.SubjectState{Epoch: 3}})
	}},
	{"disabled changes only when it is named", func(t *testing.T, s Stores) {
		subject := Record("ipad").Authorization.Subject
		raise(t, s, subject, oauth.StateChange{Disabled: new(true)})
		wantState(t, s, subject, oauth.SubjectState{Epoch: 1, Disabled: true})
		raise(t, s, subject, oauth.StateChange{})
		wantState(t, s, subject, oauth.SubjectState{Epoch: 2, Disabled: true})
		raise(t, s, subject, oauth.StateChange{Disabled: new(false)})
		wantState(t, s, subject, oauth.SubjectState{Epoch: 3})
	}},
	{"the user version only grows, the rest of the change holds", func(t *testing.T, s Stores) {
		subject := Record("ipad").Authorization.Subject
		for _, step := range []struct {
			change oauth.StateChange
			want   oauth.SubjectState
		}{
			{oauth.StateChange{UserVersion: 9}, oauth.SubjectState{Epoch: 1, UserVersion: 9}},
			{oauth.StateChange{UserVersion: 10}, oauth.SubjectState{Epoch: 2, UserVersion: 10}},
			{oauth.StateChange{UserVersion: 9, Disabled: new(true)}, oauth.SubjectState{Epoch: 3, UserVersion: 10, Disabled: true}},
			{oauth.StateChange{UserVersion: 10, Disabled: new(false)}, oauth.SubjectState{Epoch: 4, UserVersion: 10}},
			{oauth.StateChange{}, oauth.SubjectState{Epoch: 5, UserVersion: 10}},
			{oauth.StateChange{UserVersion: 11, Disabled: new(true)}, oauth.SubjectState{Epoch: 6, UserVersion: 11, Disabled: true}},
		} {
			raise(t, s, subject, step.change)
			wantState(t, s, subject, step.want)
		}
	}},
	{"a change that is made once is left out whole when it is late", func(t *testing.T, s Stores) {
		subject := Record("ipad").Authorization.Subject
		for _, step := range []struct {
			change oauth.StateChange
			want   oauth.SubjectState
		}{
			{oauth.StateChange{UserVersion: 9, Once: true}, oauth.SubjectState{Epoch: 1, UserVersion: 9}},
			{oauth.StateChange{UserVersion: 9, Once: true, Disabled: new(true)}, oauth.SubjectState{Epoch: 1, UserVersion: 9}},
			{oauth.StateChange{UserVersion: 8, Once: true}, oauth.SubjectState{Epoch: 1, UserVersion: 9}},
			{oauth.StateChange{}, oauth.SubjectState{Epoch: 2, UserVersion: 9}},
			{oauth.StateChange{UserVersion: 10, Once: true}, oauth.SubjectState{Epoch: 3, UserVersion: 10}},
		} {
			raise(t, s, subject, step.change)
			wantState(t, s, subject, step.want)
		}
	}},
	{"of many who raise once for one reason one counts", func(t *testing.T, s Stores) {
		subject := Record("ipad").Authorization.Subject
		errs := make([]error, crowd)
		together(crowd, func(i int) {
			errs[i] = s.Subjects.Raise(t.Context(), subject, oauth.StateChange{UserVersion: 7, Once: true})
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		wantState(t, s, subject, oauth.SubjectState{Epoch: 1, UserVersion: 7})
	}},
	{"a state is of one subject", func(t *testing.T, s Stores) {
		user := ledger.Subject{Kind: ledger.UserSubject, ID: "same"}
		raise(t, s, user, oauth.StateChange{UserVersion: 2, Disabled: new(true)})
		wantState(t, s, ledger.Subject{Kind: ledger.ClientSubject, ID: "same"}, oauth.SubjectState{})
		wantState(t, s, ledger.Subject{Kind: ledger.UserSubject, ID: "other"}, oauth.SubjectState{})
	}},
	{"of many who raise each counts", func(t *testing.T, s Stores) {
		subject := Record("ipad").Authorization.Subject
		errs := make([]error, crowd)
		together(crowd, func(i int) {
			errs[i] = s.Subjects.Raise(t.Context(), subject, oauth.StateChange{UserVersion: uint64(i + 1)})
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		wantState(t, s, subject, oauth.SubjectState{Epoch: crowd, UserVersion: crowd})
	}},
}

func raise(t *testing.T, s Stores, subject ledger.Subject, change oauth.StateChange) {
	t.Helper()
	if err := s.Subjects.Raise(t.Context(), subject, change); err != nil {
		t.Fatalf("Raise: %v", err)
	}
}

// wantState reads the state by itself and next to a record, whether or not that
// one is there.
func wantState(t *testing.T, s Stores, subject ledger.Subject, want oauth.SubjectState) {
	t.Helper()
	r := Record("ipad")
	r.Authorization.Subject = subject
	got, err := s.Tokens.Read(t.Context(), r.Locator())
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	if d := diff(want, got.State); d != "" {
		t.Errorf("state next to a record (-want +got):\n%s", d)
	}
	state, err := s.Subjects.State(t.Context(), subject)
	if err != nil {
		t.Fatalf("State: %v", err)
	}
	if d := diff(want, state); d != "" {
		t.Errorf("State (-want +got):\n%s", d)
	}
}
