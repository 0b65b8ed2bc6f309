package functions_test

import (
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A user changes the password and leaves, through programs that share nothing but tables and
// keys.
func TestAccount(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	defer s.searchForLeaks(t)
	functions := s.runAll(t)
	token, introspect := functions["token"], functions["introspect"]
	const secondPassword = "CANARY-not-a-real-second-password"
	s.know("password", secondPassword)
	ask := func(sample, body string, login answer, want int) answer {
		t.Helper()
		e := readSample(t, filepath.Join("account", "events", sample+".json"))
		e.Body, e.Headers["content-length"] = body, strconv.Itoa(len(body))
		a := functions["account"].send(t, encode(t, filledIn(t, e, login)))
		if a.status != want {
			t.Errorf("%s: status %d, want %d: %v", sample, a.status, want, a.line)
		}
		return a
	}
	active := func(login answer, want bool) {
		t.Helper()
		if got := introspect.introspectToken(t, login.text(t, "access_token")).members(t)["active"]; got != want {
			t.Errorf("active is %v, want %v", got, want)
		}
	}
	login := func(password string) int {
		t.Helper()
		return token.post(t, "grant_type", "password", "username", demoUser, "password", password, "scope", "read device_ipad",
			"client_id", demoClient, "client_secret", demoClientSecret).status
	}

	label := readSample(t, filepath.Join("account", "events", "password.json"))
	label.RouteKey, label.RawPath = "PATCH /devices/{device}", "/devices/tablet"
	label.RequestContext.HTTP.Method, label.RequestContext.HTTP.Path = "PATCH", label.RawPath
	label.Body = `{"label":"a tablet"}`
	label.Headers["content-length"] = strconv.Itoa(len(label.Body))
	tablet := token.login(t, "devices device_tablet")
	if a := functions["account"].send(t, encode(t, filledIn(t, label, tablet))); a.status != http.StatusNoContent {
		t.Errorf("label: %d, %v", a.status, a.line)
	}
	list := functions["devices"].send(t, encode(t, filledIn(t, readSample(t, filepath.Join("devices", "events", "list.json")), tablet)))
	if !strings.Contains(list.body, `"label":"a tablet"`) {
		t.Errorf("the list is %s", list.body)
	}

	mine, other := token.login(t, "account device_iphone"), token.login(t, "read device_ipad")
	ask("password", `{"password":"`+secondPassword+`","new_password":"`+demoPassword+`"}`, mine, http.StatusBadRequest)
	a := ask("password", `{"password":"`+demoPassword+`","new_password":"`+secondPassword+`"}`, mine, http.StatusOK)
	if a.body != `{"signed_in":true}` {
		t.Errorf("the answer is %s", a.body)
	}
	active(mine, true)
	active(other, false)
	if old, now := login(demoPassword), login(secondPassword); old != http.StatusBadRequest || now != http.StatusOK {
		t.Errorf("the old password: %d, the new one: %d", old, now)
	}
	ask("leave", "", mine, http.StatusNoContent) // the sign-in is fresh
	active(mine, false)
	if now := login(secondPassword); now != http.StatusBadRequest {
		t.Errorf("a login of somebody who left: %d", now)
	}
	ask("leave", "", mine, http.StatusUnauthorized)
}
