package oauth_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/storetest"
)

// Logging in: the cases A62 to A65, N25.

func (w *world) tryPassword(user, password, source string) error {
	w.t.Helper()
	_, err := w.issuer.Token(w.context(), oauth.TokenRequest{
		Credentials: oauthtest.Credentials("backend"),
		Form:        oauth.Form{"grant_type": "password", "username": user, "password": password, "scope": "read"},
		Source:      source,
	})
	return err
}

// A62
func TestUnknownAndWrongAreTheSame(t *testing.T) {
	w := newWorld(t)
	w.disable("bob")
	w.must(w.tryPassword("alice", oauthtest.Password("alice"), "s")) // warms the caches
	type trace struct {
		text  string
		runs  int64
		calls int
	}
	look := func(user, password string) trace {
		before := w.hasher.Runs.Load()
		err := w.tryPassword(user, password, "s")
		wantCode(t, err, oauth.InvalidGrant)
		return trace{err.Error(), w.hasher.Runs.Load() - before, w.event.StoreCalls}
	}
	wrong, unknown := look("alice", "wrong"), look("nobody", "wrong")
	if wrong != unknown || wrong.runs != 1 {
		t.Errorf("wrong %+v, unknown %+v", wrong, unknown)
	}
	if disabled := look("bob", oauthtest.Password("bob")); disabled != wrong {
		t.Errorf("wrong %+v, disabled %+v", wrong, disabled)
	}
	_, err := w.users.SaveUser(t.Context(), oauth.User{Username: "eve", ID: "u_eve"})
	w.must(err)
	if without := look("eve", "wrong"); without != wrong {
		t.Errorf("wrong %+v, without a password %+v", wrong, without)
	}
}

// A62: neither a counter nor the user's item shows that the password of a disabled user
// was right.
func TestDisabledUsersPasswordIsNotConfirmed(t *testing.T) {
	for _, scope := range []string{"read", "unknown"} {
		w := newWorld(t)
		bob := w.user("bob")
		bob.PasswordHash = oauthtest.OutdatedHash(oauthtest.Password("bob"))
		bob, err := w.users.SaveUser(t.Context(), bob)
		w.must(err)
		bob = w.disable("bob")
		for n := range 11 {
			_, err := w.token("backend", w.passwordForm("bob", scope)...)
			wantCode(t, err, oauth.InvalidGrant)
			if throttled := w.event.Reason == oauth.ReasonThrottled; throttled != (n == 10) {
				t.Errorf("scope %s, try %d: reason %s", scope, n, w.event.Reason)
			}
		}
		if got := w.user("bob"); got.Version != bob.Version || len(got.Sources) > 0 || !got.PasswordHash.Equal(bob.PasswordHash) {
			t.Errorf("scope %s: the item changed from %+v to %+v", scope, bob, got)
		}
	}
}

// A63
func TestPasswordLengths(t *testing.T) {
	w := newWorld(t)
	for n, want := range map[int]oauth.Code{1025: oauth.InvalidRequest, 1024: oauth.InvalidGrant, 200: oauth.InvalidGrant, 64: oauth.InvalidGrant} {
		before := w.hasher.Runs.Load()
		wantCode(t, w.tryPassword("alice", strings.Repeat("x", n), "s"), want)
		if ran := w.hasher.Runs.Load() > before; ran != (want == oauth.InvalidGrant) {
			t.Errorf("%d bytes: hashed %v", n, ran)
		}
	}
}

// A63, A68: what is counted is what is hashed.
func TestLengthsOfForms(t *testing.T) {
	w := newWorld(t)
	for name, tt := range map[string]struct {
		password string
		want     oauth.Code
	}{
		"1026 bytes that compose to 684":  {strings.Repeat("e\u0301", 342), oauth.InvalidGrant},
		"3078 bytes that compose to 1026": {strings.Repeat("\u1112\u1161\u11ab", 342), oauth.InvalidRequest},
		"1023 bytes that compose to 2046": {strings.Repeat("\u0958", 341), oauth.InvalidRequest},
	} {
		wantCode(t, w.tryPassword("alice", tt.password, "s"), tt.want)
		if err := oauth.ValidatePassword(secret.New(tt.password)); (err == nil) != (tt.want == oauth.InvalidGrant) {
			t.Errorf("%s: ValidatePassword: %v", name, err)
		}
	}
}

// A name is typed on another keyboard than the one it was registered with. Wrong tries
// with either spelling count for one name.
func TestSpellingsOfAName(t *testing.T) {
	w := newWorld(t)
	zoe := w.user("alice")
	zoe.Username, zoe.ID, zoe.Version = "zo\u00eb", oauth.NewUserID(), 0
	_, err := w.users.SaveUser(t.Context(), zoe)
	w.must(err)
	for _, name := range []string{"zo\u00eb", "zoe\u0308"} {
		if err := w.tryPassword(name, oauthtest.Password("alice"), "s"); err != nil {
			t.Errorf("%+q: %v", name, err)
		}
	}
	for range 10 {
		wantCode(t, w.tryPassword("zo\u00eb", "wrong", "s"), oauth.InvalidGrant)
	}
	before := w.hasher.Runs.Load()
	wantCode(t, w.tryPassword("zoe\u0308", "wrong", "s"), oauth.InvalidGrant)
	if w.hasher.Runs.Load() > before {
		t.Error("another spelling had tries of its own")
	}
	long := strings.Repeat("e\u0301", oauth.MaxUsername/2) // 384 bytes that compose to 256
	wantCode(t, w.tryPassword(long, "wrong", "s"), oauth.InvalidGrant)
	wantCode(t, w.tryPassword(long+"x", "wrong", "s"), oauth.InvalidRequest)
}

// A65
func TestRehash(t *testing.T) {
	w := newWorld(t)
	outdated := w.user("alice")
	outdated.PasswordHash = oauthtest.OutdatedHash(oauthtest.Password("alice"))
	before, err := w.users.SaveUser(t.Context(), outdated)
	w.must(err)
	r := w.login("backend", "alice", "device_a")
	after := w.user("alice")
	if after.Version <= before.Version || after.ID != before.ID {
		t.Errorf("version %d after %d", after.Version, before.Version)
	}
	w.wantActive("backend", r.AccessToken, true)
	if again := w.login("backend", "alice", "device_a"); !same(again.AccessToken, r.AccessToken) {
		t.Error("a rehash changed the token")
	}
}

// passwd is what the operator's program does: hash first, epoch second.
func (w *world) passwd(user, password string) {
	w.t.Helper()
	u := w.user(user)
	hash, err := w.hasher.Hash(secret.New(password))
	w.must(err)
	u.PasswordHash = hash
	u, err = w.users.SaveUser(w.t.Context(), u)
	w.must(err)
	w.must(w.tokens.Raise(w.t.Context(), w.userSubject(user), oauth.StateChange{UserVersion: u.Version}))
}

// A password that is changed while the old one is being hashed leaves no token
// behind, and neither do roles that are taken away.
func TestPasswordChangedDuringLogin(t *testing.T) {
	w := newWorld(t)
	w.hasher.During = func() {
		w.hasher.During = nil
		w.passwd("alice", "new")
	}
	err := w.tryPassword("alice", oauthtest.Password("alice"), "s")
	wantCode(t, err, oauth.InvalidGrant)
	if n := len(w.records(w.userSubject("alice"))); n != 0 {
		t.Errorf("%d records were left behind", n)
	}
	w.must(w.tryPassword("alice", "new", "s"))

	w.hasher.During = func() {
		w.hasher.During = nil
		u := w.user("alice")
		u.Roles = nil
		u, err := w.users.SaveUser(t.Context(), u)
		w.must(err)
		w.must(w.tokens.Raise(t.Context(), w.userSubject("alice"), oauth.StateChange{UserVersion: u.Version}))
	}
	_, err = w.token("backend", "grant_type", "password", "username", "alice", "password", "new", "scope", "admin")
	wantCode(t, err, oauth.InvalidScope)
}

// The Users table came back from an old backup and the Tokens table did not: the
// password in it may have been changed since, so it proves nothing.
func TestUserOlderThanItsState(t *testing.T) {
	w := newWorld(t)
	w.must(w.tokens.Raise(t.Context(), w.userSubject("alice"), oauth.StateChange{UserVersion: w.user("alice").Version + 99}))
	wantCode(t, w.tryPassword("alice", oauthtest.Password("alice"), "s"), oauth.InvalidGrant)
}

func TestUserStoreDown(t *testing.T) {
	w := newWorld(t)
	down := storetest.NewFaulty(storetest.Stores{Users: w.users})
	down.Break(storetest.Before)
	w.issuer.Users = down
	if err := w.tryPassword("alice", oauthtest.Password("alice"), "s"); !errors.Is(err, oauth.ErrUnavailable) {
		t.Errorf("users down: %v", err)
	}
}

// A63: A login may write passwords of any length that fits.
func TestLongPasswordsLogIn(t *testing.T) {
	w := newWorld(t)
	for _, n := range []int{64, 200, oauth.MaxPassword} {
		password := strings.Repeat("p", n-1) + "!"
		w.passwd("alice", password)
		w.must(w.tryPassword("alice", password, "s"))
		wantCode(t, w.tryPassword("alice", password[:n-1]+"?", "s"), oauth.InvalidGrant)
		wantCode(t, w.tryPassword("alice", password[:n-1], "s"), oauth.InvalidGrant)
	}
}

// A62: somebody deleted the item of a user's state. That looks like the state of a user who
// was never disabled.
func TestDisabledUserWithoutState(t *testing.T) {
	w := newWorld(t)
	before := w.login("backend", "bob", "device_a")
	w.must(w.userRegistrar().SetUserDisabled(t.Context(), w.user("bob"), true))
	w.must(w.tokens.Forget(t.Context(), w.userSubject("bob")))
	for _, scope := range []string{"read", "unknown"} {
		_, err := w.token("backend", w.passwordForm("bob", scope)...)
		wantCode(t, err, oauth.InvalidGrant)
		if w.event.Reason != oauth.ReasonDisabled || w.event.StoreCalls == 0 {
			t.Errorf("scope %s: reason %q", scope, w.event.Reason)
		}
	}
	w.wantActive("api", before.AccessToken, false)
	_, err := w.refresh("backend", before.RefreshToken)
	wantCode(t, err, oauth.InvalidGrant)

	w.must(w.userRegistrar().SetUserDisabled(t.Context(), w.user("bob"), false))
	again := w.login("backend", "bob", "device_a")
	w.wantActive("api", again.AccessToken, true)
	w.wantActive("api", before.AccessToken, false)
}
