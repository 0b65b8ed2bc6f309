package oauth_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

// follow returns the writes that come after it.
func (w *world) follow() *[]oauth.Write {
	var all []oauth.Write
	w.tokens.Follow(func(write oauth.Write) { all = append(all, write) })
	return &all
}

// A replay is noted before the record goes, and a record that ends otherwise has no note.
func TestAReplayIsNoted(t *testing.T) {
	w := newWorld(t)
	first, other := w.login("app", "alice", "device_a"), w.login("app", "alice", "device_b")
	_, err := w.refresh("app", first.RefreshToken)
	w.must(err)
	writes := w.follow()
	w.advance(100)
	_, err = w.refresh("app", first.RefreshToken)
	wantCode(t, err, oauth.InvalidGrant)
	w.must(w.revoke("app", other.AccessToken))
	var got []bool
	for _, write := range *writes {
		if write.Ended != nil {
			got = append(got, write.Replayed)
		}
	}
	if diff := cmp.Diff([]bool{true, false}, got); diff != "" {
		t.Errorf("replayed (-want +got):\n%s", diff)
	}
}

// unnoted cannot note.
type unnoted struct{ oauth.Tokens }

func (unnoted) MarkReplayed(context.Context, bearer.Locator, ledger.Nonce) error {
	return oauth.Unavailable("note a replay", errors.New("down"))
}

// A stolen sign-in ends whether or not the reason can be saved.
func TestAReplayEndsWithoutItsNote(t *testing.T) {
	w := newWorld(t)
	first := w.login("app", "alice", "device_a")
	second, err := w.refresh("app", first.RefreshToken)
	w.must(err)
	w.issuer.Tokens = unnoted{w.tokens}
	w.advance(100)
	_, err = w.refresh("app", first.RefreshToken)
	wantCode(t, err, oauth.InvalidGrant)
	if w.event.Outcome != oauth.Replayed {
		t.Errorf("outcome %s", w.event.Outcome)
	}
	w.wantActive("api", second.AccessToken, false)
}

// A raised epoch says what was done to the user.
func TestARaisedEpochSaysWhy(t *testing.T) {
	w := newWorld(t)
	ctx, r := t.Context(), w.userRegistrar()
	alice, err := r.User(ctx, "alice")
	w.must(err)
	alices := w.userSubject("alice")
	password, roles := secret.New("a lamp on the blue desk"), []string{"clerk"}
	change := func(c oauth.UserChange) error {
		_, err := r.ChangeUser(ctx, alice, c)
		return err
	}
	later := oauth.HashedUserID("https://issuer.example", "ann")
	for _, test := range []struct {
		name string
		do   func() error
		want oauth.Raise
	}{
		{"sign-out", func() error { return (&oauth.SignIns{Tokens: w.tokens, Subjects: w.tokens}).SignOut(ctx, alices) }, oauth.Raise{Subject: alices}},
		{"password", func() error { return change(oauth.UserChange{Password: &password}) }, oauth.Raise{Subject: alices, Why: []oauth.Cause{oauth.PasswordChanged}}},
		{"all at once", func() error {
			return change(oauth.UserChange{Password: new(secret.Text), Roles: &roles, Disabled: new(true)})
		}, oauth.Raise{Subject: alices, Why: []oauth.Cause{oauth.PasswordChanged, oauth.RolesChanged, oauth.UserDisabled}}},
		{"enabled", func() error { return r.SetUserDisabled(ctx, alice, false) }, oauth.Raise{Subject: alices, Why: []oauth.Cause{oauth.UserEnabled}}},
		{"an issuer's user", func() error { return r.SetSubjectDisabled(ctx, later, true) },
			oauth.Raise{Subject: oauth.SubjectOf(later), Why: []oauth.Cause{oauth.UserDisabled}}},
		{"removed", func() error { return r.RemoveUser(ctx, alice) }, oauth.Raise{Subject: alices, Why: []oauth.Cause{oauth.UserRemoved}}},
	} {
		writes := w.follow()
		if err := test.do(); err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		var got []oauth.Raise
		for _, write := range *writes {
			if write.Raised != nil {
				got = append(got, oauth.Raise{Subject: write.Raised.Subject, Why: write.Raised.Why})
			}
		}
		if diff := cmp.Diff([]oauth.Raise{test.want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}

	e := newEventWorld(t)
	writes := e.follow()
	e.must(e.receive(e.event(cognito, risc+"account-disabled", issSub(cognito, "ann"))))
	if all := *writes; len(all) != 1 || !cmp.Equal(all[0].Raised.Why, []oauth.Cause{oauth.SecurityEvent}) {
		t.Errorf("an event: %+v", all)
	}
}
