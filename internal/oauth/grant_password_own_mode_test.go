package oauth_test

import (
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/secret"
)

// Here nobody can change what is kept there.
func TestWhatIsKeptElsewhere(t *testing.T) {
	w, own := newOwnWorld(t, false)
	phone := w.login("app", "ann", "read device_phone")
	account, _ := w.account()
	right := secret.New(oauthtest.Password("ann"))
	asked := own.asked
	_, err := account.ChangePassword(w.context(), w.holder(phone), home, right, chosen)
	wantCode(t, err, oauth.InvalidGrant)
	wantCode(t, account.Delete(w.context(), w.holder(phone), home, right), oauth.InvalidGrant)
	wantCode(t, account.Delete(w.context(), w.holder(phone), home, secret.Text{}), oauth.InvalidGrant) // just signed in
	w.wantActive("api", phone.AccessToken, true)
	if own.asked != asked {
		t.Error("the password was sent to own users, for nothing")
	}
	for what, change := range map[string]oauth.UserChange{
		"password": {Password: new(secret.New("blue lamp on a desk"))},
		"roles":    {Roles: new([]string{"boss"})},
	} {
		_, err := w.userRegistrar().ChangeUser(t.Context(), w.user("ann"), change)
		if !oauth.IsChange(err, oauth.InvalidEntry) || !strings.Contains(err.Error(), "your own users") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Each mode and each origin: what can be changed here is what counts at the next login.
func TestWhoKeepsWhat(t *testing.T) {
	for _, c := range []struct {
		mode   oauth.OwnUsersMode
		origin oauth.UserOrigin
		there  bool
	}{
		{oauth.NeverAsked, oauth.UserOfFob, false},
		{oauth.NeverAsked, oauth.UserAsked, false},
		{oauth.NeverAsked, oauth.UserKept, false},
		{oauth.AskedAtEach, oauth.UserOfFob, false},
		{oauth.AskedAtEach, oauth.UserAsked, true},
		{oauth.AskedAtEach, oauth.UserKept, true},
		{oauth.AskedUntilFirst, oauth.UserOfFob, false},
		{oauth.AskedUntilFirst, oauth.UserAsked, true},
		{oauth.AskedUntilFirst, oauth.UserKept, false},
	} {
		if got := c.mode.Owns(oauth.User{Origin: c.origin}); got != c.there {
			t.Errorf("mode %d, origin %q: kept there is %v", c.mode, c.origin, got)
		}
	}
}

// Back from asking once to asking each time: a password that was changed here would not log in.
func TestBackToAskingEachTime(t *testing.T) {
	w, _ := newOwnWorld(t, true)
	phone := w.login("app", "ann", "read device_phone")
	right := secret.New(oauthtest.Password("ann"))
	account, _ := w.account()
	stays, err := account.ChangePassword(w.context(), w.holder(phone), home, right, chosen)
	w.must(err)
	want(t, "the phone stays", true, stays)

	w.issuer.OwnUsersMode = oauth.AskedAtEach
	account, _ = w.account()
	_, err = account.ChangePassword(w.context(), w.holder(phone), home, chosen, secret.New("green chair by a window"))
	wantCode(t, err, oauth.InvalidGrant)
	wantCode(t, account.Delete(w.context(), w.holder(phone), home, chosen), oauth.InvalidGrant)
	_, err = w.userRegistrar().ChangeUser(t.Context(), w.user("ann"), oauth.UserChange{Password: &chosen})
	wantChange(t, "a password", err, oauth.InvalidEntry)
	w.wantActive("api", phone.AccessToken, true)
	w.refusedFor(oauth.ReasonPassword, "ann", chosen.Reveal())
	w.login("app", "ann", "read device_phone")
	// Disabling is fob's in every mode.
	w.must(w.userRegistrar().SetUserDisabled(t.Context(), w.user("ann"), true))
	w.refusedFor(oauth.ReasonDisabled, "ann", right.Reveal())
}

// Own users are asked no more: whom they proved gets a password here, and stays who they are.
func TestOwnUsersAreAskedNoMore(t *testing.T) {
	w, own := newOwnWorld(t, false)
	phone := w.login("app", "ann", "read device_phone")
	cyds := w.login("app", "cyd", "read device_phone")
	ann, there := w.user("ann"), w.issuer.OwnUsers
	w.issuer.OwnUsers, w.issuer.OwnUsersMode = nil, oauth.NeverAsked
	w.refusedFor(oauth.ReasonPassword, "ann", oauthtest.Password("ann"))
	account, _ := w.account()
	_, err := account.ChangePassword(w.context(), w.holder(phone), home, secret.New("any"), chosen)
	wantCode(t, err, oauth.InvalidGrant) // there is no password to show

	saved, err := w.userRegistrar().SetPassword(t.Context(), ann, chosen)
	w.must(err)
	if saved.ID != ann.ID || saved.Origin != oauth.UserKept {
		t.Errorf("%+v", saved)
	}
	w.wantActive("api", phone.AccessToken, false)
	after, err := w.token("app", "grant_type", "password", "username", "ann", "password", chosen.Reveal(), "scope", "read device_phone")
	w.must(err)
	want(t, "the sub", ann.ID, w.introspect("api", after.AccessToken).Subject.ID)

	// Who has no password leaves by a fresh sign-in.
	w.must(account.Delete(w.context(), w.holder(cyds), home, secret.Text{}))
	w.wantActive("api", cyds.AccessToken, false)

	// And asked again: the password of here counts, and not the one of there.
	w.issuer.OwnUsers, w.issuer.OwnUsersMode = there, oauth.AskedUntilFirst
	w.refusedFor(oauth.ReasonPassword, "ann", oauthtest.Password("ann"))
	asked := own.asked
	_, err = w.token("app", "grant_type", "password", "username", "ann", "password", chosen.Reveal(), "scope", "read device_phone")
	w.must(err)
	want(t, "questions", asked, own.asked)
}
