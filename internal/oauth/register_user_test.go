package oauth_test

import (
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/storetest"
)

func TestRegistrarUsers(t *testing.T) {
	onEveryStore(t, []storeTest{
		{"a new password or other roles end what was issued before", func(t *testing.T, s storetest.Stores) {
			r := newRegistrar(s)
			u, subject := addUser(t, r, "ann")
			for i, change := range []func() (oauth.User, error){
				func() (oauth.User, error) { return r.SetPassword(t.Context(), u, secret.New("a newer one")) },
				func() (oauth.User, error) {
					return r.ChangeUser(t.Context(), u, oauth.UserChange{Roles: &[]string{"editor"}})
				},
			} {
				saved, err := change()
				if err != nil || saved.ID != u.ID {
					t.Fatalf("%+v, %v", saved, err)
				}
				wantUser(t, s, saved)
				wantState(t, s, subject, oauth.SubjectState{Epoch: uint64(i) + 1, UserVersion: saved.Version})
			}
			saved, err := r.User(t.Context(), "ann")
			if err != nil || saved.PasswordHash.Reveal() != "hash of a newer one" || len(saved.Roles) != 1 {
				t.Errorf("%+v, %v", saved, err)
			}
		}},
		{"a name in two spellings of Unicode is one name", func(t *testing.T, s storetest.Stores) {
			r := newRegistrar(s)
			u, _ := addUser(t, r, "zoe\u0308")
			if u.Username != "zo\u00eb" {
				t.Errorf("the name is %+q", u.Username)
			}
			for _, name := range []string{"zo\u00eb", "zoe\u0308"} {
				if got, err := r.User(t.Context(), name); err != nil || got.ID != u.ID {
					t.Errorf("%+q: %+v, %v", name, got, err)
				}
				_, err := r.AddUser(t.Context(), oauth.NewUser{Username: name, Hash: anotherSystems})
				wantChange(t, "add it again", err, oauth.EntryExists)
			}
			_, err := r.AddUser(t.Context(), oauth.NewUser{Username: "zo\u00eblongish", Password: secret.New("zoe\u0308longish")})
			wantChange(t, "a password that is the name in another spelling", err, oauth.InvalidEntry)
		}},
		{"the user is changed first and the epoch second", func(t *testing.T, s storetest.Stores) {
			r := newRegistrar(s)
			u, subject := addUser(t, r, "ann")
			r.Users = watched{UserRegistry: s.UserRegistry, before: func(string) {
				wantState(t, s, subject, oauth.SubjectState{})
			}}
			if _, err := r.ChangeUser(t.Context(), u, oauth.UserChange{Roles: &[]string{"editor"}}); err != nil {
				t.Fatal(err)
			}
		}},
		{"a user who came later under that name is somebody else", func(t *testing.T, s storetest.Stores) {
			r := newRegistrar(s)
			before, _ := addUser(t, r, "ann")
			if err := r.RemoveUser(t.Context(), before); err != nil {
				t.Fatal(err)
			}
			now, subject := addUser(t, r, "ann")
			if now.ID == before.ID {
				t.Error("an id was given twice")
			}
			_, err := r.SetPassword(t.Context(), before, secret.New("a newer one"))
			wantChange(t, "set the password", err, oauth.NoSuchEntry)
			if err := r.RemoveUser(t.Context(), before); err != nil {
				t.Errorf("remove who is gone: %v", err)
			}
			wantUser(t, s, now)
			wantState(t, s, subject, oauth.SubjectState{})
			if got, err := r.UserByID(t.Context(), now.ID); err != nil || got.Username != "ann" {
				t.Errorf("by id: %+v, %v", got, err)
			}
			_, err = r.UserByID(t.Context(), before.ID)
			wantChange(t, "by the id of before", err, oauth.NoSuchEntry)
		}},
		{"what is wrong with a user is refused", func(t *testing.T, s storetest.Stores) {
			r := newRegistrar(s)
			u, subject := addUser(t, r, "ann")
			_, err := r.AddUser(t.Context(), oauth.NewUser{Username: "ann", Password: secret.New("another one")})
			wantChange(t, "add ann twice", err, oauth.EntryExists)
			_, err = r.AddUser(t.Context(), oauth.NewUser{Username: "\n", Roles: []string{" "}})
			wantChange(t, "add", err, oauth.InvalidEntry)
			for _, fault := range []string{"a username", "a password has", "role"} {
				if !strings.Contains(err.Error(), fault) {
					t.Errorf("%v says nothing of %s", err, fault)
				}
			}
			_, err = r.SetPassword(t.Context(), u, secret.New(strings.Repeat("p", oauth.MaxPassword+1)))
			wantChange(t, "set the password", err, oauth.InvalidEntry)
			_, err = r.ChangeUser(t.Context(), u, oauth.UserChange{Roles: &[]string{"device_x"}})
			wantChange(t, "set the roles", err, oauth.InvalidEntry)
			_, err = r.User(t.Context(), "nobody")
			wantChange(t, "look at nobody", err, oauth.NoSuchEntry)
			wantUser(t, s, u)
			wantState(t, s, subject, oauth.SubjectState{})
		}},
		{"a user who is added disabled never logs in", func(t *testing.T, s storetest.Stores) {
			r := newRegistrar(s)
			spy := &raised{Subjects: s.Subjects}
			r.Subjects = spy
			r.Users = watched{UserRegistry: s.UserRegistry, before: func(string) {
				wantState(t, s, spy.subject, oauth.SubjectState{Epoch: 1, Disabled: true})
			}}
			u, err := r.AddUser(t.Context(), oauth.NewUser{Username: "bob", Hash: anotherSystems, Disabled: true})
			if err != nil || u.PasswordHash.Reveal() != "of another system" {
				t.Fatalf("%+v, %v", u, err)
			}
			wantState(t, s, oauth.SubjectOf(u.ID), oauth.SubjectState{Epoch: 1, Disabled: true})
			if err := r.SetUserDisabled(t.Context(), u, false); err != nil {
				t.Fatal(err)
			}
			now, err := r.User(t.Context(), "bob")
			if err != nil || !u.Disabled || now.Disabled {
				t.Errorf("disabled %v and then %v, %v", u.Disabled, now.Disabled, err)
			}
			wantState(t, s, oauth.SubjectOf(u.ID), oauth.SubjectState{Epoch: 2, UserVersion: now.Version})
		}},
		{"a user is disabled before gone, and forgotten after the records", func(t *testing.T, s storetest.Stores) {
			r := newRegistrar(s)
			u, subject := addUser(t, r, "ann")
			signIn(t, s, subject, 1)
			records := func() int {
				all, err := s.Tokens.List(t.Context(), subject, "")
				if err != nil {
					t.Fatal(err)
				}
				return len(all)
			}
			var calls []string
			w := watched{s.UserRegistry, s.Registry, func(call string) {
				calls = append(calls, call)
				wantState(t, s, subject, oauth.SubjectState{Epoch: 1, Disabled: true})
				if n := records(); n > 0 {
					t.Errorf("%s before %d records are ended", call, n)
				}
			}}
			r.Users, r.Registry = w, w
			if err := r.RemoveUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			wantState(t, s, subject, oauth.SubjectState{Epoch: 1, Disabled: true})
			signIn(t, s, subject, 2) // by a login that was under way
			if err := r.ForgetUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			wantState(t, s, subject, oauth.SubjectState{})
			if d := diffStored([]string{"RemoveUser", "Forget"}, calls); d != "" || records() > 0 {
				t.Errorf("%d records are left (-want +got):\n%s", records(), d)
			}
		}},
		{"a removal whose reply was lost is a removal", func(t *testing.T, s storetest.Stores) {
			u, _ := addUser(t, newRegistrar(s), "ann")
			r, faulty := faultyRegistrar(s)
			faulty.Fail(3, storetest.After) // Raise, List, RemoveUser
			faulty.Fail(4, storetest.After) // RemoveUser again, then User
			if err := r.RemoveUser(t.Context(), u); err != nil || faulty.Calls() != 5 {
				t.Errorf("%v after %d calls", err, faulty.Calls())
			}
			if all, err := oauth.AllUsers(t.Context(), s.UserRegistry); err != nil || len(all) > 0 {
				t.Errorf("%d users are left, %v", len(all), err)
			}
		}},
	})
}

// anotherSystems is a hash as an import has it.
func anotherSystems() (secret.Text, error) { return secret.New("of another system"), nil }
