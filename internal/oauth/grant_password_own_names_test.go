package oauth_test

import (
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
)

// A name is handed on: the tokens of the person before must end first, and nobody takes
// the place of a user of fob.
func TestANameHasOneID(t *testing.T) {
	w, own := newOwnWorld(t, false)
	before := w.login("app", "ann", "read device_phone")
	own.people["ann"] = oauth.OwnUser{ID: "99", Username: "ann"}
	own.people["bob"] = oauth.OwnUser{ID: "bob", Username: "bob"}
	bob := w.user("bob")
	w.refusedFor(oauth.ReasonOtherID, "ann", oauthtest.Password("ann"))
	w.refusedFor(oauth.ReasonOtherID, "bob", oauthtest.Password("bob"))
	if now := w.user("bob"); now.ID != bob.ID || !now.PasswordHash.Equal(bob.PasswordHash) {
		t.Error("the user of fob is another")
	}
	w.must(w.userRegistrar().RemoveUser(t.Context(), w.user("ann")))
	after := w.login("app", "ann", "read device_phone")
	w.wantActive("api", before.AccessToken, false)
	w.wantActive("api", after.AccessToken, true)
}

// An id has one name. Under a second one, a password that was changed here and a role that
// was taken away would serve again, and a removal would leave the second.
func TestAnIDHasOneName(t *testing.T) {
	bothWays(t, func(t *testing.T, keep bool) {
		w, own := newOwnWorld(t, keep)
		w.login("app", "ann", "read device_phone")
		own.people["anna"] = oauth.OwnUser{ID: "17", Username: "anna", Roles: []string{"boss"}}
		delete(own.people, "ann")
		for range 10 {
			w.refusedFor(oauth.ReasonOtherName, "anna", oauthtest.Password("anna"))
		}
		w.refusedFor(oauth.ReasonThrottled, "anna", oauthtest.Password("anna"))
		w.advance(24 * 3600)

		ann := w.user("ann")
		w.must(w.userRegistrar().RemoveUser(t.Context(), ann))
		w.refusedFor(oauth.ReasonDisabled, "anna", oauthtest.Password("anna"))
		w.must(w.userRegistrar().SetSubjectDisabled(t.Context(), ann.ID, false))
		if after := w.login("app", "anna", "read device_phone"); w.introspect("api", after.AccessToken).Subject.ID != ann.ID {
			t.Error("the sub is another")
		}
	})
}

// Somebody adds a user of that name while the team's system is asked.
func TestANameIsTakenMeanwhile(t *testing.T) {
	bothWays(t, func(t *testing.T, keep bool) {
		w, own := newOwnWorld(t, keep)
		own.during = func() {
			own.during = nil
			oauthtest.SaveUser(t, w.users, oauth.User{Username: "ann", ID: oauth.NewUserID()}, oauthtest.Password("ann"))
		}
		w.refusedFor(oauth.ReasonOtherID, "ann", oauthtest.Password("ann"))
	})
}
