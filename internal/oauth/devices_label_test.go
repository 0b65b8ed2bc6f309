package oauth_test

import (
	"context"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

// labels are those of a user's places, by client and device.
func (w *world) labels(user string) map[oauth.Place]string {
	w.t.Helper()
	page, _, err := w.signIns().Places(w.t.Context(), w.userSubject(user), oauth.Position{}, 100)
	w.must(err)
	found := map[oauth.Place]string{}
	for _, in := range page {
		found[in.Place] = in.Label
	}
	return found
}

func (w *world) setLabel(user, device, label string) (found bool) {
	w.t.Helper()
	subject := w.userSubject(user)
	found, err := w.signIns().SetLabel(w.t.Context(), subject, oauth.HandleOf(subject, scope.Device(device)), label)
	w.must(err)
	return found
}

// A label stays with a sign-in whatever is done with its tokens, and goes with it.
func TestLabelsOfDevices(t *testing.T) {
	w := newWorld(t)
	phone, other := w.login("app", "alice", "read device_phone"), w.login("backend", "alice", "read device_phone")
	w.login("app", "alice", "read device_tablet")
	w.login("app", "bob", "read device_phone")
	before := w.introspect("api", phone.AccessToken)
	want(t, "found", true, w.setLabel("alice", "phone", "Ann\u2019s phone"))
	want(t, "nobody there", false, w.setLabel("alice", "watch", "a watch"))
	inApp, inOther, tablet := oauth.Place{Device: "phone", Client: "app"}, oauth.Place{Device: "phone", Client: "backend"}, oauth.Place{Device: "tablet", Client: "app"}
	labelled := map[oauth.Place]string{inApp: "Ann\u2019s phone", inOther: "Ann\u2019s phone", tablet: ""}
	want(t, "labels", labelled, w.labels("alice"))
	want(t, "bob's", map[oauth.Place]string{inApp: ""}, w.labels("bob"))
	want(t, "what the token asserts", before, w.introspect("api", phone.AccessToken))
	again := w.login("app", "alice", "read device_phone")
	if !same(again.AccessToken, phone.AccessToken) {
		t.Error("a label made another token")
	}

	refreshed, err := w.refresh("app", phone.RefreshToken)
	w.must(err)
	w.advance(3600)
	w.login("app", "alice", "read device_phone") // the next access token
	a, _ := w.account()
	stays, err := a.ChangePassword(w.context(), w.holder(refreshed), home, alicesPassword, chosen)
	w.must(err)
	want(t, "stays", true, stays)
	want(t, "labels", map[oauth.Place]string{inApp: "Ann\u2019s phone"}, w.labels("alice"))
	_, err = w.loginWith(chosen, "write device_phone") // another sign-in, at the same place
	w.must(err)
	want(t, "labels", map[oauth.Place]string{inApp: "Ann\u2019s phone"}, w.labels("alice"))

	w.setLabel("alice", "phone", "")
	want(t, "labels", map[oauth.Place]string{inApp: ""}, w.labels("alice"))
	w.setLabel("alice", "phone", "a phone")
	w.endDevice(w.signIns(), w.userSubject("alice"), "phone", bearer.Locator{})
	_, err = w.loginWith(chosen, "read device_phone")
	w.must(err)
	want(t, "labels", map[oauth.Place]string{inApp: ""}, w.labels("alice"))
	w.wantActive("api", other.AccessToken, false)
}

// A label and a refresh at once: both are done.
func TestNoOrderOfRefreshAndLabel(t *testing.T) {
	var phone ledger.Answer
	var got bearer.Bearer
	var found bool
	var err error
	twoAtOnce(t, func(w *world) [2]func(func(context.Context) error) {
		phone, got = w.login("app", "alice", "read device_phone"), bearer.Bearer{}
		form := []string{"grant_type", "refresh_token", "refresh_token", phone.RefreshToken.Reveal()}
		a, faulty := w.account()
		subject := w.userSubject("alice")
		return [2]func(func(context.Context) error){w.requesting(form, &got), func(before func(context.Context) error) {
			faulty.Intercept(before)
			found, err = a.SignIns.SetLabel(context.Background(), subject, oauth.HandleOf(subject, "phone"), "a phone")
		}}
	}, func(order uint, w *world) {
		if err != nil || !found || got.Len() == 0 {
			t.Fatalf("order %b: found %v, %v, %d bytes", order, found, err, got.Len())
		}
		w.wantActive("api", got, true)
		want(t, "labels", map[oauth.Place]string{{Device: "phone", Client: "app"}: "a phone"}, w.labels("alice"))
	})
}

func TestNormalLabel(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "Ann's phone": "Ann's phone", "Zoe\u0308": "Zo\u00eb", "\u30c6\u30ec\u30d3": "\u30c6\u30ec\u30d3", strings.Repeat("x", 100): strings.Repeat("x", 100),
	} {
		if got, fault := oauth.NormalLabel(text); got != want || fault != nil {
			t.Errorf("%q: %q, %v", text, got, fault)
		}
	}
	for _, text := range []string{
		" ", " a", "a ", "a\n", "a\u202eb", "a\u200bb", "\ufeffa", "a\ufe0f", "\u3164", "\u2800", "a\u00a0b", "\xff", "a\ufffd", "a\x00", strings.Repeat("x", 101), strings.Repeat("\u00e9", 51),
	} {
		if _, fault := oauth.NormalLabel(text); fault == nil {
			t.Errorf("%q is a label", text)
		}
	}
}
