package functions_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
)

const peopleARN = "arn:aws:lambda:eu-central-1:123456789012:function:people:live"

// A team's own function is behind the real program: it is asked, signed for, and
// believed in both modes, and its faults are outages. Nothing of a question gets into a
// log or a table.
func TestOwnUsers(t *testing.T) {
	const right, wrong = "CANARY own password", "CANARY own guess"
	answers := map[string]func(w http.ResponseWriter){
		"well": nil,
		"failed": func(w http.ResponseWriter) {
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			_, _ = io.WriteString(w, `{"errorMessage":"`+right+`","errorType":"Error"}`)
		},
		"throttled":    func(w http.ResponseWriter) { http.Error(w, right, http.StatusTooManyRequests) },
		"not allowed":  func(w http.ResponseWriter) { http.Error(w, right, http.StatusForbidden) },
		"another form": func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"statusCode":200,"body":"`+right+`"}`) },
		"broken off":   func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	}
	var state atomic.Value
	state.Store("well")
	var asked atomic.Int64
	lambda := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		body, _ := io.ReadAll(r.Body)
		var q struct{ Username, Password string }
		if err := json.Unmarshal(body, &q); err != nil || !strings.Contains(r.Header.Get("Authorization"), "/eu-central-1/lambda/aws4_request") || !strings.Contains(r.RequestURI, "function%3Apeople%3Alive/") {
			t.Errorf("asked %s at %s by %s", body, r.RequestURI, r.Header.Get("Authorization"))
		}
		if answer := answers[state.Load().(string)]; answer != nil {
			answer(w)
		} else if q.Username == "ann" && q.Password == right {
			_, _ = io.WriteString(w, `{"proved":true,"id":"17","username":"ann"}`)
		} else {
			_, _ = io.WriteString(w, `{"proved":false}`)
		}
	}))
	t.Cleanup(lambda.Close)

	for _, mode := range []string{"ask", "migrate"} {
		t.Run(mode, func(t *testing.T) {
			s := newStage(t)
			defer s.searchForLeaks(t)
			s.know("password", right)
			s.know("guess", wrong)
			token := s.run(t, "token", func(_ *instance, environment map[string]string) {
				environment["FOB_OWN_USERS"], environment["FOB_OWN_USERS_MODE"] = peopleARN, mode
				environment["AWS_ENDPOINT_URL_LAMBDA"] = lambda.URL
			})
			login := func(name, password string, status int) answer {
				t.Helper()
				a := token.post(t, "grant_type", "password", "client_id", demoApp, "scope", "read device_phone", "username", name, "password", password)
				if a.status != status {
					t.Errorf("%s, own users %s: %d, want %d: %v", name, state.Load(), a.status, status, a.line)
				}
				return a
			}
			first := login("ann", right, http.StatusOK)
			if a := login("ann", right, http.StatusOK); a.text(t, "access_token") != first.text(t, "access_token") {
				t.Error("another token")
			}
			login("ann", wrong, http.StatusBadRequest)
			login("nobody", wrong, http.StatusBadRequest)
			here := map[string]int{"ask": http.StatusServiceUnavailable, "migrate": http.StatusOK}[mode]
			for what, answer := range answers {
				if answer == nil {
					continue
				}
				state.Store(what)
				login("nobody", wrong, http.StatusServiceUnavailable)
				login("ann", right, here)
			}
			state.Store("well")
			login("ann", right, http.StatusOK)

			before := asked.Load()
			login(demoUser, demoPassword, map[string]int{"ask": http.StatusBadRequest, "migrate": http.StatusOK}[mode])
			if n := asked.Load() - before; (n == 1) != (mode == "ask") {
				t.Errorf("asked %d times about a user of fob", n)
			}
			u, found, err := s.fixture.Users.User(t.Context(), "ann")
			if err != nil || !found || u.ID != oauth.OwnUserID("17") || (u.PasswordHash.Len() > 0) != (mode == "migrate") {
				t.Errorf("kept as %+v, %v, %v", u, found, err)
			}
		})
	}
}
