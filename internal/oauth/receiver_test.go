package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/storetest"
)

const (
	google = "https://accounts.google.com"
	quiet  = "https://quiet.example.com" // registered, and not for events
	risc   = "https://schemas.openid.net/secevent/risc/event-type/"
	caep   = "https://schemas.openid.net/secevent/caep/event-type/"
)

// eventWorld is an assertion world with a receiver of events.
type eventWorld struct {
	*world
	assertions *oauthtest.Assertions
	receiver   *oauth.Receiver
}

func newEventWorld(t *testing.T) eventWorld {
	w, p := newAssertionWorld(t)
	issuers := memory.NewIssuers()
	for _, i := range []oauth.TrustedIssuer{
		{Signer: oauth.Signer{Name: cognito}, Events: true},
		{Signer: oauth.Signer{Name: google}, Events: true},
		{Signer: oauth.Signer{Name: quiet}},
		{Signer: oauth.Signer{Name: backEnd}, Subjects: oauth.NamedSubjects, Events: true}, // such a one is not valid
	} {
		_, err := issuers.SaveIssuer(t.Context(), i)
		w.must(err)
	}
	w.issuer.Issuers = oauth.NewIssuerCache(issuers, w.clock.Now)
	return eventWorld{w, p, &oauth.Receiver{Issuers: w.issuer.Issuers, Assertions: p, Subjects: w.tokens}}
}

// idToken is one that the issuer made a number of seconds from now.
func (w eventWorld) idToken(issuer, sub string, after int64) string {
	return fmt.Sprintf(`{"iss":%q,"sub":%q,"iat":%d}`, issuer, sub, w.clock.Load()+after)
}

// signIn returns the tokens of a device.
func (w eventWorld) signIn(issuer, sub, device string) ledger.Answer {
	w.t.Helper()
	a, err := w.token("app", exchangeForm(w.idToken(issuer, sub, 0), "read device_"+device)...)
	w.must(err)
	return a
}

func (w eventWorld) receive(event string) error {
	return w.receiver.Receive(w.context(), secret.New(event))
}

// event is a token with one event, made now.
func (w eventWorld) event(issuer, eventType, payload string) string {
	return fmt.Sprintf(`{"iss":%q,"iat":%d,"jti":"e1","events":{%q:%s}}`, issuer, w.clock.Load(), eventType, payload)
}

func issSub(iss, sub string) string {
	return fmt.Sprintf(`{"subject":{"subject_type":"iss-sub","iss":%q,"sub":%q}}`, iss, sub)
}

// An event ends the sign-ins of the one whom an exchange of a token with that iss and sub
// signs in, and of nobody else.
func TestEventsEndSignIns(t *testing.T) {
	for what, event := range map[string]func(eventWorld) string{
		"RISC": func(w eventWorld) string { return w.event(cognito, risc+"account-disabled", issSub(cognito, "ann")) },
		"Apple": func(w eventWorld) string {
			return fmt.Sprintf(`{"iss":%q,"iat":%d,"jti":"e","events":"{\"type\":\"consent-revoked\",\"sub\":\"ann\",\"event_time\":1}"}`, cognito, w.clock.Load())
		},
		"sub_id": func(w eventWorld) string {
			return fmt.Sprintf(`{"iss":%q,"iat":%d,"jti":"e","sub_id":{"format":"iss_sub","iss":%q,"sub":"ann"},"events":{"%ssession-revoked":{}}}`, cognito, w.clock.Load(), cognito, caep)
		},
		"a session of a user": func(w eventWorld) string {
			return fmt.Sprintf(`{"iss":%q,"iat":%d,"jti":"e","sub_id":{"format":"complex","user":{"format":"iss_sub","iss":%q,"sub":"ann"},"session":{"format":"opaque","id":"x"}},"events":{"%ssession-revoked":{}}}`, cognito, w.clock.Load(), cognito, caep)
		},
		"sub": func(w eventWorld) string {
			return fmt.Sprintf(`{"iss":%q,"sub":"ann","iat":%d,"jti":"e","events":{"%saccount-purged":{}}}`, cognito, w.clock.Load(), risc)
		},
		"one of two": func(w eventWorld) string {
			return fmt.Sprintf(`{"iss":%q,"sub":"ann","iat":%d,"jti":"e","events":{"%saccount-purged":{},"https://example.com/new":{}}}`, cognito, w.clock.Load(), risc)
		},
	} {
		w := newEventWorld(t)
		phone, tablet := w.signIn(cognito, "ann", "phone"), w.signIn(cognito, "ann", "tablet")
		others := []ledger.Answer{w.signIn(cognito, "bob", "phone"), w.signIn(google, "ann", "phone"), w.login("app", "alice", "read device_x")}
		w.must(w.receive(event(w)))
		if w.line().Outcome != oauth.SignedOut || w.line().Issuer != cognito {
			t.Errorf("%s: logged %+v", what, w.line())
		}
		w.wantActive("api", phone.AccessToken, false)
		w.wantActive("api", tablet.AccessToken, false)
		if _, err := w.refresh("app", phone.RefreshToken); err == nil {
			t.Errorf("%s: the refresh token lives", what)
		}
		for _, other := range others {
			w.wantActive("api", other.AccessToken, true)
		}
	}
}

func (w eventWorld) line() *oauth.Event { return w.world.event }

// Every known type does what its line in the table says, and an unknown one nothing.
func TestEventTypes(t *testing.T) {
	types := oauth.EventTypes()
	types["https://example.com/something-new"] = false
	for name, ends := range types {
		w := newEventWorld(t)
		phone := w.signIn(cognito, "ann", "phone")
		w.must(w.receive(w.event(cognito, name, issSub(cognito, "ann"))))
		want := oauth.Noted
		if ends {
			want = oauth.SignedOut
		}
		if w.line().Outcome != want {
			t.Errorf("%s: outcome %s, want %s", name, w.line().Outcome, want)
		}
		w.wantActive("api", phone.AccessToken, !ends)
	}
	for _, name := range []string{risc + "account-disabled", risc + "account-purged", risc + "sessions-revoked", caep + "session-revoked", "consent-revoked", "account-delete"} {
		if !types[name] {
			t.Errorf("%s ends nothing", name)
		}
	}
}

// A second delivery ends nothing that was signed in after the first, however often and
// late it comes, and neither does an event that is older than one that was done.
func TestEventsAreDoneOnce(t *testing.T) {
	w := newEventWorld(t)
	before := w.signIn(cognito, "ann", "phone")
	older := w.event(cognito, risc+"sessions-revoked", issSub(cognito, "ann"))
	w.advance(5)
	event := w.event(cognito, risc+"account-disabled", issSub(cognito, "ann"))
	w.must(w.receive(event))
	w.wantActive("api", before.AccessToken, false)
	w.advance(30)
	after := w.signIn(cognito, "ann", "phone")
	for _, again := range []string{event, older, event} {
		w.must(w.receive(again))
		w.wantActive("api", after.AccessToken, true)
		w.advance(60)
	}
	w.must(w.receive(w.event(cognito, risc+"sessions-revoked", issSub(cognito, "ann"))))
	w.wantActive("api", after.AccessToken, false)
}

// An ID token that was made before an event signs nobody in after it: a thief may have
// it, and the issuer has said that the account is gone.
func TestTokensFromBeforeAnEvent(t *testing.T) {
	w := newEventWorld(t)
	old, of, young := w.idToken(cognito, "ann", -1), w.idToken(cognito, "ann", 0), w.idToken(cognito, "ann", 1)
	w.must(w.receive(w.event(cognito, risc+"account-disabled", issSub(cognito, "ann"))))
	for _, token := range []string{old, of} {
		_, err := w.token("app", exchangeForm(token, "read device_phone")...)
		wantCode(t, err, oauth.InvalidRequest)
		if w.line().Reason != oauth.ReasonEpoch {
			t.Errorf("logged %s", w.line().Reason)
		}
	}
	_, err := w.token("app", exchangeForm(young, "read device_phone")...)
	w.must(err)
	// One without iat may be as old as an ID token can be.
	for _, left := range []int64{-1, 60, oauth.DefaultAssertionAge} {
		_, err = w.token("app", exchangeForm(fmt.Sprintf(`{"iss":%q,"sub":"ann","exp":%d}`, cognito, w.clock.Load()+left), "read device_phone")...)
		wantCode(t, err, oauth.InvalidRequest)
	}
	_, err = w.token("app", exchangeForm(fmt.Sprintf(`{"iss":%q,"sub":"ann","exp":%d}`, cognito, w.clock.Load()+oauth.DefaultAssertionAge+1), "read device_phone")...)
	w.must(err)
	_, err = w.token("app", exchangeForm(w.idToken(cognito, "bob", -1), "read device_phone")...)
	w.must(err)
}

// A refused event changes nothing, and the transmitter learns which part was refused.
func TestRefusedEvents(t *testing.T) {
	disabled := risc + "account-disabled"
	for what, c := range map[string]struct {
		event func(eventWorld) string
		want  oauth.Code
	}{
		"no token":                           {func(eventWorld) string { return "CANARY-garbage" }, oauth.InvalidRequest},
		"an issuer that is not registered":   {func(w eventWorld) string { return w.event("https://x.example", disabled, issSub(cognito, "ann")) }, oauth.InvalidIssuer},
		"an issuer that is not for events":   {func(w eventWorld) string { return w.event(quiet, disabled, issSub(quiet, "ann")) }, oauth.InvalidIssuer},
		"a back end that names users of fob": {func(w eventWorld) string { return w.event(backEnd, disabled, issSub(backEnd, "alice")) }, oauth.InvalidIssuer},
		"a user of another issuer":           {func(w eventWorld) string { return w.event(google, disabled, issSub(cognito, "ann")) }, oauth.InvalidRequest},
		"an address": {func(w eventWorld) string {
			return w.event(cognito, disabled, `{"subject":{"subject_type":"email","email":"ann@example.com"}}`)
		}, oauth.InvalidRequest},
		"no user":               {func(w eventWorld) string { return w.event(cognito, disabled, `{}`) }, oauth.InvalidRequest},
		"a user without a name": {func(w eventWorld) string { return w.event(cognito, disabled, issSub(cognito, "")) }, oauth.InvalidRequest},
		"a session alone": {func(w eventWorld) string {
			return w.event(cognito, caep+"session-revoked", `{"subject":{"format":"complex","session":{"iss":"`+cognito+`","sub":"ann"}}}`)
		}, oauth.InvalidRequest},
		"an event that is a text":                {func(w eventWorld) string { return w.event(cognito, disabled, `"x"`) }, oauth.InvalidRequest},
		"events is a text that is not an object": {func(w eventWorld) string { return strings.Replace(w.event(cognito, "x", "{}"), `{"x":{}}`, `"[]"`, 1) }, oauth.InvalidRequest},
		"events is a text without a type":        {func(w eventWorld) string { return strings.Replace(w.event(cognito, "x", "{}"), `{"x":{}}`, `"{}"`, 1) }, oauth.InvalidRequest},
		"events is empty":                        {func(w eventWorld) string { return strings.Replace(w.event(cognito, "x", "{}"), `{"x":{}}`, `{}`, 1) }, oauth.InvalidRequest},
		"events is null":                         {func(w eventWorld) string { return strings.Replace(w.event(cognito, "x", "{}"), `{"x":{}}`, `null`, 1) }, oauth.InvalidRequest},
		"events is a list":                       {func(w eventWorld) string { return strings.Replace(w.event(cognito, "x", "{}"), `{"x":{}}`, `[{}]`, 1) }, oauth.InvalidRequest},
		"an ID token":                            {func(w eventWorld) string { return w.idToken(cognito, "ann", 0) }, oauth.InvalidRequest},
		"one good event and one without a user": {func(w eventWorld) string {
			return strings.Replace(w.event(cognito, disabled, issSub(cognito, "ann")), `"events":{`, `"events":{"consent-revoked":{},`, 1)
		}, oauth.InvalidRequest},
	} {
		w := newEventWorld(t)
		phone := w.signIn(cognito, "ann", "phone")
		wantCode(t, w.receive(c.event(w)), c.want)
		if w.line().Reason != oauth.ReasonAssertion || w.line().Refusal == "" || strings.Contains(w.line().Refusal, "CANARY") {
			t.Errorf("%s: logged %s, %q", what, w.line().Reason, w.line().Refusal)
		}
		w.wantActive("api", phone.AccessToken, true)
	}
}

// An event signs nobody in.
func TestAnEventIsNoLogin(t *testing.T) {
	w := newEventWorld(t)
	event := strings.Replace(w.event(cognito, risc+"account-disabled", issSub(cognito, "ann")), `"jti"`, `"sub":"ann","jti"`, 1)
	_, err := w.token("app", exchangeForm(event, "read device_phone")...)
	wantCode(t, err, oauth.InvalidRequest)
}

// Google's events call their issuer by its name with a slash.
func TestEventsOfGoogle(t *testing.T) {
	w := newEventWorld(t)
	phone := w.signIn(google, "ann", "phone")
	w.must(w.receive(w.event(google+"/", risc+"account-disabled", issSub(google+"/", "ann"))))
	if w.line().Issuer != google || w.line().SecurityEvent != "account-disabled" {
		t.Errorf("logged %+v", w.line())
	}
	w.wantActive("api", phone.AccessToken, false)
}

// A store that cannot be asked, or does not answer, is an outage, so that the event is sent
// again; and then it is done once.
func TestEventsInAnOutage(t *testing.T) {
	for _, fault := range []storetest.Fault{storetest.Before, storetest.After} {
		for call := 1; call <= 2; call++ {
			w := newEventWorld(t)
			issuers := memory.NewIssuers()
			_, err := issuers.SaveIssuer(t.Context(), oauth.TrustedIssuer{Signer: oauth.Signer{Name: cognito}, Events: true})
			w.must(err)
			faulty := storetest.NewFaulty(storetest.Stores{Tokens: w.tokens, Subjects: w.tokens, Issuers: issuers})
			w.receiver.Subjects = faulty
			w.receiver.Issuers = oauth.NewIssuerCache(faulty, w.clock.Now)
			phone := w.signIn(cognito, "ann", "phone")
			event := w.event(cognito, risc+"account-disabled", issSub(cognito, "ann"))
			faulty.Fail(call, fault)
			if err := w.receive(event); !errors.Is(err, oauth.ErrUnavailable) {
				t.Fatalf("call %d fails, %v: %v", call, fault, err)
			}
			w.must(w.receive(event))
			w.wantActive("api", phone.AccessToken, false)
			w.advance(5)
			after := w.signIn(cognito, "ann", "phone")
			w.must(w.receive(event))
			w.wantActive("api", after.AccessToken, true)
		}
	}
	w := newEventWorld(t)
	w.assertions.Err = oauth.Unavailable("fetch keys", context.DeadlineExceeded)
	if err := w.receive("{}"); !errors.Is(err, oauth.ErrUnavailable) {
		t.Errorf("an issuer that is down: %v", err)
	}
}

// Users of fob have no events: nothing that their logins read is as old as an event.
func TestEventSettings(t *testing.T) {
	i := someIssuer()
	i.Events = true
	if err := i.Validate(); err != nil {
		t.Error(err)
	}
	i.Subjects = oauth.NamedSubjects
	if err := i.Validate(); err == nil {
		t.Error("events of a back end that names users of fob")
	}
}
