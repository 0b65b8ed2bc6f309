package functions_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A user looks after their devices, through programs that share nothing but tables
// and keys.
func TestDevices(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	defer s.searchForLeaks(t)
	functions := s.runAll(t)
	token, devices, introspect := functions["token"], functions["devices"], functions["introspect"]
	ask := func(sample string, login answer) answer {
		t.Helper()
		return devices.send(t, encode(t, filledIn(t, readSample(t, filepath.Join("devices", "events", sample+".json")), login)))
	}
	active := func(login answer, want bool) {
		t.Helper()
		if got := introspect.introspectToken(t, login.text(t, "access_token")).members(t)["active"]; got != want {
			t.Errorf("active is %v, want %v", got, want)
		}
	}

	mine := token.login(t, "devices device_mine")
	sample := token.login(t, "read device_sample")
	phone := token.login(t, "read device_phone")
	list := ask("list", mine)
	var got []any
	for _, d := range list.members(t)["devices"].([]any) {
		m := d.(map[string]any)
		got = append(got, []any{m["device"], m["client_id"], m["scope"], m["current"]})
	}
	want := []any{
		[]any{"mine", demoClient, "devices", true},
		[]any{nil, demoClient, "read", false},
		[]any{nil, demoClient, "read", false},
	}
	slices.SortFunc(got, func(a, b any) int { return strings.Compare(fmt.Sprint(b), fmt.Sprint(a)) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("devices (-want +got):\n%s", diff)
	}

	for _, step := range []struct {
		sample         string
		mine, its, one bool // what is there afterwards
	}{
		{"end", true, false, true},
		{"end", true, false, true}, // the answer was lost
		{"sign-out", true, false, false},
	} {
		if a := ask(step.sample, mine); a.status != http.StatusNoContent || a.line.text("outcome") != "revoked" {
			t.Errorf("%s: %d %s", step.sample, a.status, a.body)
		}
		active(mine, step.mine)
		active(sample, step.its)
		active(phone, step.one)
	}
	if a := ask("list", phone); a.status != http.StatusUnauthorized || a.line.text("outcome") != "denied" {
		t.Errorf("by a phone that was signed out: %d %s", a.status, a.body)
	}
	if a := ask("list", token.login(t, "read device_phone")); a.status != http.StatusForbidden {
		t.Errorf("without the scope: %d %s", a.status, a.body)
	}
}

// The metadata and /token hear the same word about the password grant.
func TestPasswordGrantIsOff(t *testing.T) {
	s := newStage(t)
	defer s.searchForLeaks(t)
	off := func(_ *instance, environment map[string]string) {
		environment["FOB_PASSWORD_GRANT"] = "false"
		environment["FOB_ISSUER"] = "https://id.example.com"
	}
	token, metadata := s.run(t, "token", off), s.run(t, "metadata", off)
	got := metadata.send(t, encode(t, readSample(t, "metadata/events/metadata.json"))).members(t)
	if diff := cmp.Diff([]any{"client_credentials", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer"}, got["grant_types_supported"]); diff != "" || got["issuer"] != "https://id.example.com" {
		t.Errorf("issuer %v, grants (-want +got):\n%s", got["issuer"], diff)
	}
	a := token.post(t, "grant_type", "password", "username", demoUser, "password", demoPassword, "client_id", demoClient, "client_secret", demoClientSecret)
	if a.status != http.StatusBadRequest || a.text(t, "error") != "unsupported_grant_type" {
		t.Errorf("a login: %d, %v", a.status, a.line)
	}
	if a := token.post(t, "grant_type", "client_credentials", "client_id", demoClient, "client_secret", demoClientSecret); a.status != http.StatusOK {
		t.Errorf("client_credentials: %d, %v", a.status, a.line)
	}
}
