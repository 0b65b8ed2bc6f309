package oauth_test

import (
	"errors"
	"strconv"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/storetest"
)

var (
	alicesPassword = secret.New(oauthtest.Password("alice"))
	chosen         = secret.New("CANARY, a newer one")
)

const home = "192.0.2.1" // where the world's logins come from

// account is for changes whose calls to the stores faulty sees.
func (w *world) account() (a *oauth.Account, faulty *storetest.Faulty) {
	r, faulty := faultyRegistrar(storetest.Stores{Tokens: w.tokens, Subjects: w.tokens, Registry: w.tokens, Users: w.users, UserRegistry: w.users})
	r.Passwords, r.OwnUsersMode, r.UserRegistrar.Now = w.hasher, w.issuer.OwnUsersMode, w.clock.Now
	signIns := &oauth.SignIns{Tokens: r.Tokens, Subjects: r.Subjects, Clients: w.verifier.Clients, Keys: w.verifier.Keys, Now: w.clock.Now}
	return &oauth.Account{Logins: faulty, Registrar: r.UserRegistrar, SignIns: signIns}, faulty
}

func (w *world) holder(r ledger.Answer) oauth.Introspection {
	w.t.Helper()
	i, err := w.verifier.Holder(w.context(), r.RefreshToken)
	w.must(err)
	return i
}

func (w *world) loginWith(password secret.Text, scope string) (ledger.Answer, error) {
	w.t.Helper()
	return w.token("app", "grant_type", "password", "username", "alice", "password", password.Reveal(), "scope", scope)
}

func TestChangePassword(t *testing.T) {
	w := newWorld(t)
	a, _ := w.account()
	ipad, more := w.login("app", "alice", "read device_ipad"), w.login("app", "alice", "read write device_ipad")
	var others []ledger.Answer
	for _, scope := range []string{"read device_iphone", "read", "write device_IPAD"} {
		others = append(others, w.login("app", "alice", scope))
	}
	others = append(others, w.login("backend", "alice", "read device_ipad")) // another app on the iPad
	bobs := w.login("app", "bob", "read device_ipad")
	created := w.holder(ipad).SignedIn
	w.advance(100)
	stays, err := a.ChangePassword(w.context(), w.holder(ipad), home, alicesPassword, chosen)
	w.must(err)
	want(t, "the device stays", true, stays)
	for _, kept := range []ledger.Answer{ipad, more, bobs} {
		w.wantActive("api", kept.AccessToken, true)
	}
	for _, ended := range others {
		w.wantActive("api", ended.AccessToken, false)
		want(t, "a refresh token that ended", false, w.holder(ended).Active)
	}
	want(t, "when the user signed in", created, w.holder(ipad).SignedIn)

	if _, err := w.loginWith(alicesPassword, "read device_ipad"); err == nil {
		t.Error("the old password logs in")
	}
	again, err := w.loginWith(chosen, "read device_ipad")
	w.must(err)
	if !same(again.AccessToken, ipad.AccessToken) || w.event.Outcome != oauth.Returned {
		t.Errorf("the device that stays got another token: %s", w.event.Outcome)
	}
	if _, err := w.refresh("app", ipad.RefreshToken); err != nil {
		t.Errorf("the device that stays cannot refresh: %v", err)
	}
	// A later sign-out of the user ends the device as ever.
	w.must(w.signIns().SignOut(t.Context(), w.userSubject("alice")))
	w.wantActive("api", ipad.AccessToken, false)

	nameless, err := w.token("backend", "grant_type", "password", "username", "alice", "password", chosen.Reveal(), "scope", "read")
	w.must(err)
	stays, err = a.ChangePassword(w.context(), w.holder(nameless), home, chosen, alicesPassword)
	w.must(err)
	want(t, "an app without a device name stays", false, stays)
	w.wantActive("api", nameless.AccessToken, false)
}

// A present password that is wrong is a wrong login: it is counted and delayed together
// with those, and a device that is signed in waits for its own counter alone.
func TestPresentPasswordIsCountedLikeALogin(t *testing.T) {
	for _, scope := range []string{"read", "read device_ipad"} {
		w := newWorld(t)
		w.advance(-w.clock.Load() % (24 * 3600))
		a, _ := w.account()
		holder := w.holder(w.login("backend", "alice", scope))
		try := func(p secret.Text) oauth.Reason {
			t.Helper()
			_, err := a.ChangePassword(w.context(), holder, home, p, chosen)
			wantCode(t, err, oauth.InvalidGrant)
			return w.event.Reason
		}
		for range 5 {
			want(t, "a wrong one", oauth.ReasonPassword, try(chosen))
			if _, err := w.loginWith(chosen, scope); err == nil {
				t.Fatal("a wrong password logs in")
			}
		}
		want(t, "a login after ten", true, w.throttled(scope))
		if scope == "read" {
			want(t, "the right one after ten", oauth.ReasonThrottled, try(alicesPassword))
			continue
		}
		for range 10 {
			want(t, "a wrong one on a device", oauth.ReasonPassword, try(chosen))
		}
		want(t, "the right one after ten on a device", oauth.ReasonThrottled, try(alicesPassword))
	}
}

// throttled reports whether a login of alice with the right password has to wait.
func (w *world) throttled(scope string) bool {
	w.t.Helper()
	_, err := w.loginWith(alicesPassword, scope)
	return err != nil && w.event.Reason == oauth.ReasonThrottled
}

func TestChangesThatAreRefused(t *testing.T) {
	w, _ := newAssertionWorld(t)
	a, _ := w.account()
	alice := w.holder(w.login("app", "alice", "read device_ipad"))
	guest, err := w.token("app", exchangeForm(`{"iss":"`+cognito+`","sub":"1","email":"alice","email_verified":true}`, "read device_ipad")...)
	w.must(err)
	for name, c := range map[string]struct {
		caller        oauth.Introspection
		present, next secret.Text
		code          oauth.Code
	}{
		"no present one":     {alice, secret.Text{}, chosen, oauth.InvalidRequest},
		"a wrong one":        {alice, chosen, chosen, oauth.InvalidGrant},
		"another user's":     {alice, secret.New(oauthtest.Password("bob")), chosen, oauth.InvalidGrant},
		"a guest by a claim": {w.holder(guest), alicesPassword, chosen, oauth.InvalidGrant},
	} {
		_, err := a.ChangePassword(w.context(), c.caller, home, c.present, c.next)
		t.Log(name)
		wantCode(t, err, c.code)
	}
	for _, next := range []secret.Text{{}, secret.New("short"), secret.New("password1"), secret.New("nul\x00 in between")} {
		_, err := a.ChangePassword(w.context(), alice, home, alicesPassword, next)
		wantChange(t, "a new one that the policy refuses", err, oauth.InvalidEntry)
	}
	want(t, "still there", true, w.holder(w.login("app", "alice", "read device_ipad")).Active)
}

func TestDeleteAccount(t *testing.T) {
	for name, show := range map[string]struct {
		password secret.Text
		later    int64
	}{
		"with the password":    {alicesPassword, 1000},
		"with a fresh sign-in": {secret.Text{}, oauth.FreshSignIn},
	} {
		w := newWorld(t)
		a, _ := w.account()
		ipad, iphone := w.login("app", "alice", "read device_ipad"), w.login("app", "alice", "read device_iphone")
		subject := w.userSubject("alice")
		w.advance(show.later)
		w.must(a.Delete(w.context(), w.holder(ipad), home, show.password))
		w.wantActive("api", ipad.AccessToken, false)
		w.wantActive("api", iphone.AccessToken, false)
		if _, err := w.loginWith(alicesPassword, "read"); err == nil {
			t.Errorf("%s: logs in", name)
		}
		want(t, "records", 0, len(w.records(subject)))
		state, err := w.tokens.State(t.Context(), subject)
		w.must(err)
		want(t, "the id stays closed", true, state.Disabled)
	}
}

// Getting a token again, or refreshing, is not a sign-in.
func TestWhatIsNoFreshSignIn(t *testing.T) {
	w := newWorld(t)
	a, _ := w.account()
	ipad := w.login("app", "alice", "read device_ipad")
	w.advance(oauth.FreshSignIn + 1)
	w.login("app", "alice", "read device_ipad")
	refreshed, err := w.refresh("app", ipad.RefreshToken)
	w.must(err)
	for name, show := range map[string]struct {
		password secret.Text
		code     oauth.Code
	}{
		"no password":    {secret.Text{}, oauth.InsufficientAuthentication},
		"a wrong one":    {chosen, oauth.InvalidGrant},
		"one of another": {secret.New(oauthtest.Password("bob")), oauth.InvalidGrant},
	} {
		t.Log(name)
		wantCode(t, a.Delete(w.context(), w.holder(refreshed), home, show.password), show.code)
	}
	w.wantActive("api", refreshed.AccessToken, true)
	// A wrong password is refused also just after the sign-in.
	fresh := w.holder(w.login("app", "alice", "write device_ipad"))
	wantCode(t, a.Delete(w.context(), fresh, home, chosen), oauth.InvalidGrant)
	w.must(a.Delete(w.context(), fresh, home, secret.Text{}))
}

// A user of an issuer may come back by a new login there, and not by what is left of an
// older one.
func TestDeleteGuest(t *testing.T) {
	w, _ := newAssertionWorld(t)
	a, _ := w.account()
	signedAt := func(iat int64) string {
		return `{"iss":"` + cognito + `","sub":"1","email":"alice","email_verified":true,"iat":` + strconv.FormatInt(iat, 10) + `}`
	}
	first := w.clock.Load()
	phone, err := w.token("app", exchangeForm(signedAt(first), "read device_ipad")...)
	w.must(err)
	guest := w.holder(phone)
	wantCode(t, a.Delete(w.context(), guest, home, alicesPassword), oauth.InvalidGrant)
	w.advance(oauth.FreshSignIn + 1)
	wantCode(t, a.Delete(w.context(), guest, home, secret.Text{}), oauth.InsufficientAuthentication)
	phone, err = w.token("app", exchangeForm(signedAt(w.clock.Load()), "write device_ipad")...)
	w.must(err)
	w.must(a.Delete(w.context(), w.holder(phone), home, secret.Text{}))
	w.wantActive("api", phone.AccessToken, false)
	want(t, "records", 0, len(w.records(guest.Subject)))
	for _, iat := range []int64{first, w.clock.Load()} {
		if _, err := w.token("app", exchangeForm(signedAt(iat), "read device_ipad")...); err == nil {
			t.Error("an ID token from before signs in")
		}
	}
	w.advance(60)
	back, err := w.token("app", exchangeForm(signedAt(w.clock.Load()), "read device_ipad")...)
	w.must(err)
	want(t, "the id", guest.Subject, w.holder(back).Subject)
	w.wantActive("api", w.login("app", "alice", "read").AccessToken, true) // a namesake
}

// Whatever call fails, and whether it took effect: the user who follows docs/account.md ends
// with the new password, and with nobody else signed in.
func TestChangePasswordFaults(t *testing.T) {
	for call := 1; ; call++ {
		for _, how := range []storetest.Fault{storetest.Before, storetest.After} {
			w := newWorld(t)
			a, faulty := w.account()
			ipad, other := w.login("app", "alice", "read device_ipad"), w.login("app", "alice", "read device_iphone")
			caller := w.holder(ipad)
			faulty.Fail(call, how)
			stays, err := a.ChangePassword(w.context(), caller, home, alicesPassword, chosen)
			failed := faulty.Calls() >= call
			faulty.Repair()
			switch {
			case err != nil && !errors.Is(err, oauth.ErrUnavailable):
				t.Errorf("call %d fails %v: %v", call, how, err)
			case err == nil && stays != w.holder(ipad).Active:
				t.Errorf("call %d fails %v: stays is %v", call, how, stays)
			}
			for _, present := range []secret.Text{alicesPassword, chosen} {
				if err == nil || !w.holder(ipad).Active {
					break
				}
				_, err = a.ChangePassword(w.context(), w.holder(ipad), home, present, chosen)
			}
			if w.holder(ipad).Active && err != nil {
				t.Errorf("call %d failed %v; once more: %v", call, how, err)
			}
			w.wantActive("api", other.AccessToken, false)
			if _, err := w.loginWith(alicesPassword, "read"); err == nil {
				t.Errorf("call %d failed %v: the old password logs in", call, how)
			}
			if _, err := w.loginWith(chosen, "read device_ipad"); err != nil {
				t.Errorf("call %d failed %v: the new password: %v", call, how, err)
			}
			if !failed {
				return
			}
		}
	}
}

// One fault does not keep a user who leaves, or leave something of that user. Where it ends the
// token that asks, the request does the rest by itself.
func TestDeleteFaults(t *testing.T) {
	for call := 1; ; call++ {
		for _, how := range []storetest.Fault{storetest.Before, storetest.After} {
			w := newWorld(t)
			a, faulty := w.account()
			ipad, subject := w.login("app", "alice", "read device_ipad"), w.userSubject("alice")
			caller := w.holder(ipad)
			faulty.Fail(call, how)
			err := a.Delete(w.context(), caller, home, alicesPassword)
			failed := faulty.Calls() >= call
			faulty.Repair()
			if err != nil && !errors.Is(err, oauth.ErrUnavailable) {
				t.Errorf("call %d fails %v: %v", call, how, err)
			}
			if err != nil && w.holder(ipad).Active {
				err = a.Delete(w.context(), w.holder(ipad), home, alicesPassword)
			}
			_, found, look := w.users.User(t.Context(), "alice")
			if err != nil || look != nil || found || len(w.records(subject)) > 0 || w.holder(ipad).Active {
				t.Errorf("call %d failed %v: %v, found %v", call, how, err, found)
			}
			if !failed {
				return
			}
		}
	}
}
