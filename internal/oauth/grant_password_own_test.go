package oauth_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/secret"
)

// ownUsers are the users of a team, by name.
type ownUsers struct {
	people map[string]oauth.OwnUser
	down   bool
	asked  int
	during func()
}

func (o *ownUsers) Ask(_ context.Context, username string, password secret.Text) (oauth.OwnUser, bool, error) {
	o.asked++
	if o.during != nil {
		o.during()
	}
	if o.down {
		return oauth.OwnUser{}, false, oauth.Unavailable("ask own users", errors.New("they are down"))
	}
	u, known := o.people[username]
	return u, known && password.Equal(secret.New(oauthtest.Password(username))), nil
}

// newOwnWorld is a world where ann and cyd are users of the team, and bob and alice of fob.
func newOwnWorld(t *testing.T, keep bool) (*world, *ownUsers) {
	w := newWorld(t)
	own := &ownUsers{people: map[string]oauth.OwnUser{
		"ann": {ID: "17", Username: "ann", Roles: []string{"staff", "boss"}},
		"cyd": {ID: "18", Username: "cyd"},
	}}
	w.issuer.OwnUsers, w.issuer.OwnUsersMode = own, modeOf(keep)
	return w, own
}

func modeOf(keep bool) oauth.OwnUsersMode {
	if keep {
		return oauth.AskedUntilFirst
	}
	return oauth.AskedAtEach
}

func bothWays(t *testing.T, test func(t *testing.T, keep bool)) {
	t.Run("ask", func(t *testing.T) { test(t, false) })
	t.Run("migrate", func(t *testing.T) { test(t, true) })
}

func (w *world) refusedFor(why oauth.Reason, user, password string) {
	w.t.Helper()
	_, err := w.token("app", "grant_type", "password", "username", user, "password", password, "scope", "read device_phone")
	wantCode(w.t, err, oauth.InvalidGrant)
	if w.event.Reason != why {
		w.t.Errorf("%s: the log says %q, want %q", user, w.event.Reason, why)
	}
}

func (w *world) unavailable(user, password string) {
	w.t.Helper()
	_, err := w.token("app", "grant_type", "password", "username", user, "password", password, "scope", "read device_phone")
	if !errors.Is(err, oauth.ErrUnavailable) {
		w.t.Errorf("%s: %v, want that nobody could say", user, err)
	}
}

func TestOwnUsersAreAsked(t *testing.T) {
	bothWays(t, func(t *testing.T, keep bool) {
		w, own := newOwnWorld(t, keep)
		first := w.login("backend", "ann", "admin device_phone") // by the role
		again := w.login("backend", "ann", "admin device_phone")
		if !same(first.AccessToken, again.AccessToken) {
			t.Error("another token")
		}
		if sub := w.introspect("api", first.AccessToken).Subject.ID; sub != oauth.OwnUserID("17") || sub != "u_xozny6nu647kyjzvaxurwufixi" {
			t.Errorf("the sub is %s", sub)
		}
		want := map[bool]int{false: 2, true: 1}[keep]
		if own.asked != want {
			t.Errorf("asked %d times, want %d", own.asked, want)
		}
		if u := w.user("ann"); (u.PasswordHash.Len() > 0) != keep || (u.Origin == oauth.UserAsked) == keep {
			t.Errorf("kept as %+v", u)
		}
		w.refusedFor(oauth.ReasonPassword, "ann", "wrong")
		w.refusedFor(oauth.ReasonPassword, "nobody", oauthtest.Password("nobody"))
	})
}

// An answer without a verdict says nothing of a password.
func TestOwnUsersAreDown(t *testing.T) {
	bothWays(t, func(t *testing.T, keep bool) {
		w, own := newOwnWorld(t, keep)
		token := w.login("app", "ann", "read device_phone")
		own.down = true
		w.unavailable("cyd", oauthtest.Password("cyd"))
		w.unavailable("nobody", "wrong")
		w.unavailable("ann", "wrong")
		if keep {
			w.login("app", "ann", "read device_phone") // who is kept here
		} else {
			w.unavailable("ann", oauthtest.Password("ann"))
		}
		// A refresh asks nobody.
		_, err := w.refresh("app", token.RefreshToken)
		w.must(err)
	})
}

// While own users are down, a right password of somebody who is kept here logs in, so a
// guesser must wait, and no name may be told from another.
func TestGuessesCountWhileOwnUsersAreDown(t *testing.T) {
	w, own := newOwnWorld(t, true)
	w.login("app", "ann", "read")
	own.down = true
	for _, name := range []string{"ann", "cyd", "nobody"} {
		for range 10 {
			w.unavailable(name, "wrong")
		}
		w.refusedFor(oauth.ReasonThrottled, name, oauthtest.Password(name))
	}
}

// Nobody learns by what a login costs whether fob has a name: each is hashed and asked
// alike.
func TestOwnUsersRevealNoName(t *testing.T) {
	bothWays(t, func(t *testing.T, keep bool) {
		w, own := newOwnWorld(t, keep)
		w.login("app", "ann", "read")
		off := w.login("app", "cyd", "read")
		_ = off
		u := w.user("cyd")
		u.Disabled = true
		_, err := w.users.SaveUser(t.Context(), u)
		w.must(err)
		type cost struct {
			hashes int64
			asked  int
			calls  int
		}
		var want cost
		for i, c := range []struct{ name, password string }{
			{"nobody", "wrong"}, {"ann", "wrong"}, {"alice", "wrong"}, {"cyd", "wrong"}, {"cyd", oauthtest.Password("cyd")},
		} {
			hashes, asked := w.hasher.Runs.Load(), own.asked
			_, err := w.token("app", "grant_type", "password", "username", c.name, "password", c.password, "scope", "read")
			wantCode(t, err, oauth.InvalidGrant)
			got := cost{w.hasher.Runs.Load() - hashes, own.asked - asked, w.event.StoreCalls}
			if i == 0 {
				want = got
			}
			if got != want {
				t.Errorf("%s with %s costs %+v, and a name that nobody has %+v", c.name, c.password, got, want)
			}
		}
		if want.asked != 1 || want.hashes != map[bool]int64{false: 0, true: 1}[keep] {
			t.Errorf("a wrong password costs %+v", want)
		}
	})
}

func TestOwnUsersRefused(t *testing.T) {
	bothWays(t, func(t *testing.T, keep bool) {
		w, own := newOwnWorld(t, keep)
		own.people["off"] = oauth.OwnUser{ID: "20", Username: "off", Disabled: true}
		w.refusedFor(oauth.ReasonDisabled, "off", oauthtest.Password("off"))
		// Wrong passwords are counted for a name, so a person has one.
		own.people["Ann"] = own.people["ann"]
		w.refusedFor(oauth.ReasonSpelling, "Ann", oauthtest.Password("Ann"))
		for _, name := range []string{"off", "Ann"} {
			if _, found, _ := w.users.User(t.Context(), name); found {
				t.Errorf("%s is kept", name)
			}
		}
		// Each counts as a wrong password does.
		for range 9 {
			w.refusedFor(oauth.ReasonDisabled, "off", oauthtest.Password("off"))
		}
		w.refusedFor(oauth.ReasonThrottled, "off", oauthtest.Password("off"))
	})
}

// Somebody who was removed here is still known there.
func TestRemovedOwnUsersStayAway(t *testing.T) {
	bothWays(t, func(t *testing.T, keep bool) {
		w, _ := newOwnWorld(t, keep)
		token := w.login("app", "ann", "read device_phone")
		u := w.user("ann")
		w.must(w.userRegistrar().RemoveUser(t.Context(), u))
		w.must(w.userRegistrar().ForgetUser(t.Context(), u))
		w.wantActive("api", token.AccessToken, false)
		w.refusedFor(oauth.ReasonDisabled, "ann", oauthtest.Password("ann"))
		if _, found, _ := w.users.User(t.Context(), "ann"); found {
			t.Error("a login has brought the user back")
		}
		w.must(w.userRegistrar().SetSubjectDisabled(t.Context(), u.ID, false))
		w.login("app", "ann", "read device_phone")
		w.wantActive("api", token.AccessToken, false)
	})
}

func TestOwnUsersAreDisabledHere(t *testing.T) {
	bothWays(t, func(t *testing.T, keep bool) {
		w, _ := newOwnWorld(t, keep)
		token := w.login("app", "ann", "read device_phone")
		w.must(w.userRegistrar().SetUserDisabled(t.Context(), w.user("ann"), true))
		w.wantActive("api", token.AccessToken, false)
		w.refusedFor(oauth.ReasonDisabled, "ann", oauthtest.Password("ann"))
		w.must(w.userRegistrar().SetUserDisabled(t.Context(), w.user("ann"), false))
		w.login("app", "ann", "read device_phone")
	})
}

// The password is changed there and the user is signed out here, while a login with the
// old one is under way.
func TestOwnUsersAreAskedAgain(t *testing.T) {
	for _, known := range []bool{true, false} {
		w, own := newOwnWorld(t, false)
		ann := own.people["ann"]
		if known {
			w.login("app", "ann", "read device_phone")
		}
		own.during = func() {
			own.during = func() { delete(own.people, "ann") } // by now the password is another
			if !known {                                       // another login has just been first
				_, err := w.users.SaveUser(t.Context(), oauth.User{Username: "ann", ID: oauth.OwnUserID(ann.ID), Origin: oauth.UserAsked})
				w.must(err)
			}
			_, err := w.userRegistrar().ChangeUser(t.Context(), w.user("ann"), oauth.UserChange{Disabled: new(false)})
			w.must(err)
		}
		w.refusedFor(oauth.ReasonPassword, "ann", oauthtest.Password("ann"))
	}
}

// Two devices log in for the first time.
func TestTwoFirstLoginsOfAnOwnUser(t *testing.T) {
	bothWays(t, func(t *testing.T, keep bool) {
		w, own := newOwnWorld(t, keep)
		own.during = func() {
			own.during = nil
			w.login("app", "ann", "read device_tablet")
		}
		token := w.login("app", "ann", "read device_phone")
		w.wantActive("api", token.AccessToken, true)
		if n := len(w.records(w.userSubject("ann"))); n != 2 {
			t.Errorf("%d sign-ins", n)
		}
	})
}

// Roles come from there at each login, and the entry has those of the last one.
func TestRolesOfOwnUsers(t *testing.T) {
	w, own := newOwnWorld(t, false)
	w.login("backend", "ann", "admin device_phone")
	version := w.user("ann").Version
	own.people["ann"] = oauth.OwnUser{ID: "17", Username: "ann", Roles: []string{"boss", "staff", "boss"}}
	w.login("backend", "ann", "admin device_phone")
	if w.user("ann").Version != version {
		t.Error("another order is written")
	}
	own.people["ann"] = oauth.OwnUser{ID: "17", Username: "ann"}
	_, err := w.token("backend", w.passwordForm("ann", "admin device_phone")...)
	wantCode(t, err, oauth.InvalidScope)
	if len(w.user("ann").Roles) > 0 {
		t.Error("the entry has the roles of before")
	}
}

// A system that compares 72 bytes has not proved the rest, and a hash of the rest would
// keep the owner out.
func TestWhatIsNotProvedIsNotKept(t *testing.T) {
	for password, kept := range map[string]bool{
		strings.Repeat("x", 71): true, strings.Repeat("x", 72): false, "a\x00b": false, "a\xffb": false,
	} {
		w, _ := newOwnWorld(t, true)
		w.issuer.OwnUsers = everybody{}
		for range 2 {
			_, err := w.token("app", "grant_type", "password", "username", "ann", "password", password, "scope", "read")
			w.must(err)
		}
		if u := w.user("ann"); (u.PasswordHash.Len() > 0) != kept || (u.Origin == oauth.UserAsked) == kept {
			t.Errorf("%q is kept: %v", password, !kept)
		}
	}
}

// everybody proves all passwords.
type everybody struct{}

func (everybody) Ask(_ context.Context, name string, _ secret.Text) (oauth.OwnUser, bool, error) {
	return oauth.OwnUser{ID: name, Username: name}, true, nil
}

// From one way to the other and back: who is kept here is asked again, and then kept
// anew. A password that was taken away here stays away.
func TestOwnUsersChangeTheWay(t *testing.T) {
	w, own := newOwnWorld(t, true)
	w.login("app", "ann", "read")
	id := w.user("ann").ID
	for _, keep := range []bool{false, true} {
		w.issuer.OwnUsersMode = modeOf(keep)
		w.login("app", "ann", "read")
		if u := w.user("ann"); u.ID != id || (u.Origin == oauth.UserAsked) == keep || (u.PasswordHash.Len() > 0) != keep {
			t.Errorf("keep = %v: %+v", keep, u)
		}
	}
	none := secret.Text{}
	_, err := w.userRegistrar().ChangeUser(t.Context(), w.user("ann"), oauth.UserChange{Password: &none})
	w.must(err)
	asked := own.asked
	w.refusedFor(oauth.ReasonPassword, "ann", oauthtest.Password("ann"))
	if own.asked == asked {
		t.Error("not asked: its time shows that the name is kept here")
	}
}

// Strangers use up the tries on a name: the owner logs in where they did before, and on
// a device that is signed in.
func TestStrangersAndOwnUsers(t *testing.T) {
	bothWays(t, func(t *testing.T, keep bool) {
		w, _ := newOwnWorld(t, keep)
		w.advance(-w.clock.Load() % (24 * 3600))
		password := oauthtest.Password("ann")
		w.attempt("ann", password, "home", "read device_phone")
		for i := range 101 {
			w.attempt("ann", "wrong", "stranger "+string(rune('a'+i%26))+string(rune('a'+i/26)), "read")
		}
		for where, want := range map[string]bool{"home": true, "elsewhere": false} {
			if ok, _ := w.attempt("ann", password, where, "read"); ok != want {
				t.Errorf("%s: logs in: %v", where, ok)
			}
		}
		if ok, _ := w.attempt("ann", password, "elsewhere", "read device_phone"); !ok {
			t.Error("a device that is signed in waits")
		}
	})
}
