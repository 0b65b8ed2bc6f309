package oauth_test

import (
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/storetest"
)

func TestChangeUser(t *testing.T) {
	onEveryStore(t, []storeTest{
		{"several things change together, and the others stay", func(t *testing.T, s storetest.Stores) {
			r := newRegistrar(s)
			ann, subject := addUser(t, r, "ann")
			signIn(t, s, subject, 1)
			now, err := r.ChangeUser(t.Context(), ann, oauth.UserChange{Roles: new([]string{"editor"}), Disabled: new(true), Version: ann.Version})
			if err != nil {
				t.Fatal(err)
			}
			ann.Roles, ann.Disabled, ann.Version = []string{"editor"}, true, now.Version
			wantUser(t, s, ann)
			wantState(t, s, subject, oauth.SubjectState{Epoch: 1, Disabled: true, UserVersion: now.Version})
			if left, err := s.Tokens.List(t.Context(), subject, ""); err != nil || len(left) > 0 {
				t.Errorf("%d records are left, %v", len(left), err)
			}
			// A change of nothing ends tokens too: it may complete one that was done by half.
			now, err = r.ChangeUser(t.Context(), ann, oauth.UserChange{})
			if err != nil {
				t.Fatal(err)
			}
			wantState(t, s, subject, oauth.SubjectState{Epoch: 2, Disabled: true, UserVersion: now.Version})
		}},
		{"a change of another version does nothing", func(t *testing.T, s storetest.Stores) {
			r := newRegistrar(s)
			ann, subject := addUser(t, r, "ann")
			_, err := r.ChangeUser(t.Context(), ann, oauth.UserChange{Password: new(secret.New("a newer one")), Version: ann.Version + 1})
			wantChange(t, "change what is not there", err, oauth.EntryChanged)
			wantUser(t, s, ann)
			wantState(t, s, subject, oauth.SubjectState{})

			// Somebody else writes between the reading and the writing.
			faster := true
			r.Users = watched{UserRegistry: s.UserRegistry, before: func(string) {
				if faster {
					faster = false
					if _, err := newRegistrar(s).ChangeUser(t.Context(), ann, oauth.UserChange{Roles: &[]string{"faster"}}); err != nil {
						t.Error(err)
					}
				}
			}}
			_, err = r.ChangeUser(t.Context(), ann, oauth.UserChange{Disabled: new(true), Version: ann.Version})
			wantChange(t, "change what was changed", err, oauth.EntryChanged)
			if now, err := r.UserByID(t.Context(), ann.ID); err != nil || now.Disabled || len(now.Roles) != 1 {
				t.Errorf("%+v, %v; want what the other wrote", now, err)
			}
		}},
		{"a password is taken away, and not by a slip", func(t *testing.T, s storetest.Stores) {
			r := newRegistrar(s)
			ann, subject := addUser(t, r, "ann")
			_, err := r.SetPassword(t.Context(), ann, secret.Text{})
			wantChange(t, "set no password", err, oauth.InvalidEntry)
			_, err = r.AddUser(t.Context(), oauth.NewUser{Username: "bob"})
			wantChange(t, "add somebody without a word of passwords", err, oauth.InvalidEntry)
			now, err := r.ChangeUser(t.Context(), ann, oauth.UserChange{Password: new(secret.Text{})})
			if err != nil || now.PasswordHash.Len() > 0 {
				t.Fatalf("%+v, %v", now, err)
			}
			wantUser(t, s, now)
			wantState(t, s, subject, oauth.SubjectState{Epoch: 1, UserVersion: now.Version})
			bob, err := r.AddUser(t.Context(), oauth.NewUser{Username: "bob", WithoutPassword: true})
			if err != nil || bob.PasswordHash.Len() > 0 {
				t.Fatalf("%+v, %v", bob, err)
			}
			wantUser(t, s, bob)
		}},
		{"nothing is hashed and written for a name that is taken", func(t *testing.T, s storetest.Stores) {
			addUser(t, newRegistrar(s), "ann")
			r, faulty := faultyRegistrar(s)
			_, err := r.AddUser(t.Context(), oauth.NewUser{Username: "ann", Disabled: true, Hash: func() (secret.Text, error) {
				t.Error("hashed")
				return anotherSystems()
			}})
			wantChange(t, "add ann", err, oauth.EntryExists)
			if n := faulty.Calls(); n != 1 {
				t.Errorf("%d calls", n)
			}
		}},
	})
}
