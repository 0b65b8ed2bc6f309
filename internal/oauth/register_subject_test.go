package oauth_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/storetest"
)

func TestRegistrarSubjects(t *testing.T) {
	onEveryStore(t, []storeTest{
		{"a user of an issuer is disabled in one place, with nothing left that could come back", func(t *testing.T, s storetest.Stores) {
			r, id := newRegistrar(s), oauth.HashedUserID("https://issuer.example", "ann")
			subject := oauth.SubjectOf(id)
			signIn(t, s, subject, 1)
			if err := r.SetSubjectDisabled(t.Context(), id, true); err != nil {
				t.Fatal(err)
			}
			wantState(t, s, subject, oauth.SubjectState{Epoch: 1, Disabled: true})
			wantRecords(t, s, subject, 0)
			if err := r.SetSubjectDisabled(t.Context(), id, false); err != nil {
				t.Fatal(err)
			}
			wantState(t, s, subject, oauth.SubjectState{Epoch: 2})
		}},
		{"one who was never here can be refused in advance", func(t *testing.T, s storetest.Stores) {
			id := oauth.HashedUserID("https://issuer.example", "eve")
			if err := newRegistrar(s).SetSubjectDisabled(t.Context(), id, true); err != nil {
				t.Fatal(err)
			}
			wantState(t, s, oauth.SubjectOf(id), oauth.SubjectState{Epoch: 1, Disabled: true})
		}},
		{"a user of fob is disabled in both places", func(t *testing.T, s storetest.Stores) {
			r := newRegistrar(s)
			u, subject := addUser(t, r, "ann")
			signIn(t, s, subject, 1)
			if err := r.SetSubjectDisabled(t.Context(), u.ID, true); err != nil {
				t.Fatal(err)
			}
			now, err := r.User(t.Context(), "ann")
			if err != nil || !now.Disabled {
				t.Errorf("%+v, %v", now, err)
			}
			wantState(t, s, subject, oauth.SubjectState{Epoch: 1, Disabled: true, UserVersion: now.Version})
			wantRecords(t, s, subject, 0)
		}},
		{"a fault at any call is said, and the same command again completes it", func(t *testing.T, s storetest.Stores) {
			id := oauth.HashedUserID("https://issuer.example", "ann")
			subject := oauth.SubjectOf(id)
			for call, failed := 1, true; failed; call++ {
				for i, how := range []storetest.Fault{storetest.Before, storetest.After} {
					signIn(t, s, subject, byte(2*call+i))
					r, faulty := faultyRegistrar(s)
					faulty.Fail(call, how)
					err := r.SetSubjectDisabled(t.Context(), id, true)
					failed = faulty.Calls() >= call
					left, listErr := s.Tokens.List(t.Context(), subject, "")
					state, stateErr := s.Subjects.State(t.Context(), subject)
					done := state.Disabled && len(left) == 0
					if listErr != nil || stateErr != nil || err == nil && !done || err != nil && !errors.Is(err, oauth.ErrUnavailable) {
						t.Errorf("call %d fails %v: %v, %v, %v; %+v with %d records", call, how, err, listErr, stateErr, state, len(left))
					}
					if state.Disabled && !done && !oauth.IsChange(err, oauth.HalfDone) && !oauth.IsChange(err, oauth.InDoubt) {
						t.Errorf("call %d fails %v: half of it is done, and the error is %v", call, how, err)
					}
					faulty.Repair()
					if err := r.SetSubjectDisabled(t.Context(), id, true); err != nil {
						t.Errorf("call %d failed %v; once more: %v", call, how, err)
					}
					wantRecords(t, s, subject, 0)
					if err := s.Registry.Forget(t.Context(), subject); err != nil {
						t.Fatal(err)
					}
				}
			}
		}},
		{"an issuer of clients calls nobody by a name", func(t *testing.T, s storetest.Stores) {
			r := newRegistrar(s)
			u, _ := addUser(t, r, "ann")
			for rule, want := range map[oauth.SubjectRule]string{
				oauth.HashedSubjects: oauth.HashedUserID("https://issuer.example", "ann"), oauth.NamedSubjects: u.ID,
				oauth.ClientSubjects: "", "later": "",
			} {
				i := oauth.TrustedIssuer{Signer: oauth.Signer{Name: "https://issuer.example"}, Subjects: rule}
				id, found, err := r.UserOfIssuer(t.Context(), issuersOf{i}, i.Name, "ann")
				if id != want || found != (want != "") || (err != nil) != (rule == "later") {
					t.Errorf("%s: %q, %v, %v; want %q", rule, id, found, err, want)
				}
			}
		}},
		{"what is not a whole id is refused", func(t *testing.T, s storetest.Stores) {
			r, id := newRegistrar(s), oauth.HashedUserID("https://issuer.example", "ann")
			for _, wrong := range []string{"", "ann", "shop", "u_", id[:len(id)-1], id + "a", " " + id, strings.ToUpper(id), id[:len(id)-1] + "1"} {
				wantChange(t, wrong, r.SetSubjectDisabled(t.Context(), wrong, true), oauth.NoSuchEntry)
				wantState(t, s, oauth.SubjectOf(wrong), oauth.SubjectState{})
			}
			u, _ := addUser(t, r, "bob")
			if len(u.ID) != len(id) {
				t.Errorf("ids of two lengths: %s and %s", u.ID, id)
			}
		}},
	})
}

// issuersOf is one registered issuer.
type issuersOf struct{ issuer oauth.TrustedIssuer }

func (i issuersOf) TrustedIssuer(context.Context, string) (oauth.TrustedIssuer, bool, error) {
	return i.issuer, true, nil
}

func wantRecords(t *testing.T, s storetest.Stores, subject ledger.Subject, want int) {
	t.Helper()
	if all, err := s.Tokens.List(t.Context(), subject, ""); err != nil || len(all) != want {
		t.Errorf("%d records, %v; want %d", len(all), err, want)
	}
}
