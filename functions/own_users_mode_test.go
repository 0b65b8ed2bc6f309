package functions_test

import (
	"net/http"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/password"
	"github.com/fob-oauth/fob/internal/secret"
)

// The functions account and users know the mode: a password that would not log in is not
// changed.
func TestOwnUsersMode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, function, mode string
		kept, asked          int // the status of a change
	}{
		{"none", "", "ask", http.StatusOK, http.StatusOK},
		{"ask", peopleARN, "ask", http.StatusBadRequest, http.StatusBadRequest},
		{"migrate", peopleARN, "migrate", http.StatusOK, http.StatusBadRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t)
			defer s.searchForLeaks(t)
			run := func(name string) *instance {
				return s.run(t, name, func(_ *instance, environment map[string]string) {
					environment["FOB_OWN_USERS"], environment["FOB_OWN_USERS_MODE"] = c.function, c.mode
				})
			}
			const first, second = "CANARY first password", "CANARY second password"
			s.know("password", first)
			s.know("new password", second)
			hash, err := password.Hasher{}.Hash(secret.New(first))
			if err != nil {
				t.Fatal(err)
			}
			for name, u := range map[string]oauth.User{"ann": {Origin: oauth.UserKept, PasswordHash: hash}, "bob": {Origin: oauth.UserAsked}} {
				u.Username, u.ID = name, oauth.OwnUserID(name)
				if _, err := s.fixture.Users.SaveUser(t.Context(), u); err != nil {
					t.Fatal(err)
				}
			}
			token := s.run(t, "token") // as if nobody were asked: ann signs in by the hash
			send := func(function *instance, sample, path, body string, by answer, want int) {
				t.Helper()
				e := readSample(t, filepath.FromSlash(sample))
				if path != "" {
					e.RawPath, e.RequestContext.HTTP.Path, e.RequestContext.HTTP.Method = path, path, http.MethodPatch
				}
				e.Body, e.Headers["content-length"] = body, strconv.Itoa(len(body))
				if a := function.send(t, encode(t, filledIn(t, e, by))); a.status != want {
					t.Errorf("%s %s: status %d, want %d: %v", sample, path, a.status, want, a.line)
				}
			}
			phone := token.post(t, "grant_type", "password", "username", "ann", "password", first, "scope", "account device_phone",
				"client_id", demoClient, "client_secret", demoClientSecret)
			send(run("account"), "account/events/password.json", "", `{"password":"`+first+`","new_password":"`+second+`"}`, phone, c.kept)
			users, backEnd := run("users"), token.asBackEnd(t)
			change := `{"password":"` + second + `"}`
			send(users, "users/events/change.json", "/users/"+oauth.OwnUserID("ann"), change, backEnd, c.kept)
			send(users, "users/events/change.json", "/users/"+oauth.OwnUserID("bob"), change, backEnd, c.asked)
		})
	}
}
