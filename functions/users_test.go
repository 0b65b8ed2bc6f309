package functions_test

import (
	"net/http"
	"path/filepath"
	"strconv"
	"testing"
)

// asBackEnd is a token with which the demo's client looks after users.
func (i *instance) asBackEnd(t *testing.T) answer {
	t.Helper()
	a := i.post(t, "grant_type", "client_credentials", "scope", "users sign-out", "client_id", demoClient, "client_secret", demoClientSecret)
	if a.status != http.StatusOK || a.text(t, "access_token") == "" {
		t.Fatalf("client credentials: status %d, %v", a.status, a.line)
	}
	return a
}

// A back end looks after a user whom other functions know, through nothing but tables and
// keys.
func TestUsers(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	defer s.searchForLeaks(t)
	functions := s.runAll(t)
	token, introspect := functions["token"], functions["introspect"]
	backEnd := token.asBackEnd(t)
	const secondPassword = "CANARY-not-a-real-second-password"
	s.know("password", secondPassword)
	ask := func(method, path, body string, want int) answer {
		t.Helper()
		e := readSample(t, filepath.Join("users", "events", "change.json"))
		e.RawPath, e.RequestContext.HTTP.Path, e.RequestContext.HTTP.Method = path, path, method
		e.Body, e.Headers["content-length"] = body, strconv.Itoa(len(body))
		a := functions["users"].send(t, encode(t, filledIn(t, e, backEnd)))
		if a.status != want {
			t.Errorf("%s %s: status %d, want %d: %v", method, path, a.status, want, a.line)
		}
		return a
	}
	login := func(want int) string {
		t.Helper()
		a := token.post(t, "grant_type", "password", "username", "ann@example.com", "password", secondPassword, "scope", "read device_ipad",
			"client_id", demoClient, "client_secret", demoClientSecret)
		if a.status != want {
			t.Errorf("login: status %d, want %d: %v", a.status, want, a.line)
		}
		return a.text(t, "access_token")
	}
	active := func(token string, want bool) {
		t.Helper()
		if got := introspect.introspectToken(t, token).members(t)["active"]; got != want {
			t.Errorf("active is %v, want %v", got, want)
		}
	}

	added := ask("POST", "/users", `{"username":"ann@example.com"}`, http.StatusCreated)
	id := added.text(t, "id")
	if at := added.header.Get("Location"); at != httpAddress+"/users/"+id || added.header.Get("Etag") == "" {
		t.Errorf("Location %q, headers %v", at, added.header)
	}
	login(http.StatusBadRequest)
	ask("PATCH", "/users/"+id, `{"password":"`+secondPassword+`"}`, http.StatusOK)
	ipad := login(http.StatusOK)
	active(ipad, true)
	ask("POST", "/users/"+id+"/devices/sign-out", `{"which":"all"}`, http.StatusNoContent)
	active(ipad, false)
	ipad = login(http.StatusOK)
	ask("POST", "/sign-out", `{"sub_id":{"format":"opaque","id":"`+id+`"}}`, http.StatusNoContent)
	active(ipad, false)
	ipad = login(http.StatusOK)
	ask("DELETE", "/users/"+id, "", http.StatusNoContent)
	active(ipad, false)
	login(http.StatusBadRequest)
	ask("GET", "/users/"+id, "", http.StatusNotFound)
}
