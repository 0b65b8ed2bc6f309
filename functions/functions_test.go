package functions_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	accessToken  = regexp.MustCompile(`^fob_at_[A-Za-z0-9_-]{132}$`)
	refreshToken = regexp.MustCompile(`^fob_rt_[A-Za-z0-9_-]{132}$`)
	userID       = regexp.MustCompile(`^u_[a-z2-7]{26}$`)
	tokenID      = regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)

	// placeholder is what a sample has in place of a token.
	placeholder = regexp.MustCompile(`fob_[ar]t_[A-Za-z0-9_-]{132}`)
)

// The transcript at the head of the design, through three programs that share
// nothing but tables and keys, and what goes wrong around it.
func TestPromise(t *testing.T) {
	s := newStage(t)
	defer s.searchForLeaks(t)
	functions := s.runAll(t)
	token, revoke, introspect := functions["token"], functions["revoke"], functions["introspect"]
	active := func(what string, a answer, device string) {
		t.Helper()
		got := introspect.introspectToken(t, a.text(t, "access_token"))
		if m := got.members(t); m["active"] != true || m["device"] != device || got.line.text("outcome") != "active" {
			t.Errorf("%s: want active for %s: %v", what, device, m)
		}
	}
	inactive := func(what string, a answer) {
		t.Helper()
		for _, name := range []string{"access_token", "refresh_token"} {
			if got := introspect.introspectToken(t, a.text(t, name)); got.body != `{"active":false}` {
				t.Errorf("%s: want its %s inactive: %s", what, name, got.body)
			}
		}
	}
	outcome := func(a answer, want string) {
		t.Helper()
		if got := a.line.text("outcome"); got != want {
			t.Errorf("outcome %s, want %s: %v", got, want, a.line)
		}
	}

	a := token.login(t, "device_ipad")
	outcome(a, "issued")
	again := token.login(t, "device_ipad")
	outcome(again, "returned")
	if again.text(t, "access_token") != a.text(t, "access_token") || again.text(t, "refresh_token") != a.text(t, "refresh_token") {
		t.Error("asked again, and it was another token")
	}
	if first, second := a.members(t)["expires_in"].(float64), again.members(t)["expires_in"].(float64); second > first || second < 1 {
		t.Errorf("expires_in went from %v to %v", first, second)
	}
	b := token.login(t, "device_iphone")
	if b.text(t, "access_token") == a.text(t, "access_token") {
		t.Error("the other device got the same token")
	}
	active("A", a, "ipad")
	active("B", b, "iphone")

	revoked := revoke.revokeToken(t, a.text(t, "access_token"))
	if revoked.status != http.StatusOK || revoked.body != "{}" {
		t.Errorf("revoke: status %d, body %q", revoked.status, revoked.body)
	}
	outcome(revoked, "revoked")
	inactive("A, revoked", a)
	active("B, next to it", b, "iphone")

	fresh := token.login(t, "device_ipad")
	outcome(fresh, "issued")
	if fresh.text(t, "access_token") == a.text(t, "access_token") || fresh.text(t, "refresh_token") == a.text(t, "refresh_token") {
		t.Error("a revoked token came back")
	}
	inactive("A, after a new login", a)
	active("the new one", fresh, "ipad")

	// What is refused, for the search as much as for the answer.
	const wrong = "not-the-password"
	s.know("wrong password", wrong)
	s.know("wrong client secret", "not-"+demoClientSecret)
	credentials := []string{"client_id", demoClient, "client_secret", demoClientSecret}
	refresh := func(token string, credentials ...string) []string {
		return append([]string{"grant_type", "refresh_token", "refresh_token", token}, credentials...)
	}
	for _, test := range []struct {
		name   string
		answer answer
		status int
		code   string
	}{
		{"wrong password", token.post(t, append([]string{"grant_type", "password", "username", demoUser, "password", wrong}, credentials...)...), http.StatusBadRequest, "invalid_grant"},
		{"unknown user", token.post(t, append([]string{"grant_type", "password", "username", demoUser + "-not", "password", wrong}, credentials...)...), http.StatusBadRequest, "invalid_grant"},
		{"password for a username", token.post(t, append([]string{"grant_type", "password", "username", demoPassword, "password", demoUser}, credentials...)...), http.StatusBadRequest, "invalid_grant"},
		{"wrong client secret", token.post(t, "grant_type", "client_credentials", "client_id", demoClient, "client_secret", "not-"+demoClientSecret), http.StatusUnauthorized, "invalid_client"},
		{"secret for a scope", token.post(t, append([]string{"grant_type", "client_credentials", "scope", demoClientSecret}, credentials...)...), http.StatusBadRequest, "invalid_scope"},
		{"revoked refresh token", token.post(t, refresh(a.text(t, "refresh_token"), credentials...)...), http.StatusBadRequest, "invalid_grant"},
		{"access token as refresh token", token.post(t, refresh(b.text(t, "access_token"), credentials...)...), http.StatusBadRequest, "invalid_grant"},
		{"token twice", revoke.post(t, append([]string{"token", b.text(t, "access_token"), "token", b.text(t, "access_token")}, credentials...)...), http.StatusBadRequest, "invalid_request"},
		{"anonymous revocation", revoke.post(t, "token", b.text(t, "access_token")), http.StatusUnauthorized, "invalid_client"},
		{"anonymous introspection", introspect.post(t, "token", b.text(t, "access_token")), http.StatusUnauthorized, "invalid_client"},
		{"introspection by a public client", introspect.post(t, "token", b.text(t, "access_token"), "client_id", demoApp), http.StatusUnauthorized, "invalid_client"},
		{"secrets in the query", token.send(t, withQuery(t, "token", form("password", demoPassword, "refresh_token", b.text(t, "refresh_token")))), http.StatusBadRequest, "invalid_request"},
	} {
		if got := test.answer.text(t, "error"); test.answer.status != test.status || got != test.code || test.answer.line.text("code") != test.code {
			t.Errorf("%s: %d %s, want %d %s; the line: %v", test.name, test.answer.status, got, test.status, test.code, test.answer.line)
		}
		if challenge := test.answer.header.Get("WWW-Authenticate"); (challenge == `Basic realm="fob"`) != (test.status == http.StatusUnauthorized) {
			t.Errorf("%s: status %d with the challenge %q", test.name, test.status, challenge)
		}
	}

	// A client that mixes up its fields sends a secret as a client id. DynamoDB is asked
	// for it, since it might be one, but nobody keeps it.
	const misplaced = "a-secret-in-the-wrong-field"
	if a := token.post(t, "grant_type", "client_credentials", "client_id", misplaced, "client_secret", demoClient); a.status != http.StatusUnauthorized {
		t.Errorf("a secret as client id: status %d", a.status)
	}
	kept := slices.DeleteFunc(s.haystacks(t), func(h haystack) bool { return strings.HasPrefix(h.where, "calls ") })
	for _, leak := range search([]needle{{"what was sent as client id", misplaced}}, kept) {
		t.Error(leak)
	}

	// A public client rotates, and its first token that comes back within the
	// grace gets the same successor.
	phone := token.post(t, "grant_type", "password", "username", demoUser, "password", demoPassword, "scope", "device_phone", "client_id", demoApp)
	one := token.post(t, refresh(phone.text(t, "refresh_token"), "client_id", demoApp)...)
	outcome(one, "refreshed")
	same := token.post(t, refresh(phone.text(t, "refresh_token"), "client_id", demoApp)...)
	if one.text(t, "refresh_token") == phone.text(t, "refresh_token") || one.text(t, "refresh_token") != same.text(t, "refresh_token") {
		t.Error("a public client's refresh token must rotate to one successor")
	}
	active("B, after all that", b, "iphone")

	// The mint keys are for one function alone.
	for name, want := range map[string]map[string]int{
		"token":      {checkARN: 1, mintARN: 1},
		"revoke":     {checkARN: 1},
		"introspect": {checkARN: 1},
		"devices":    {checkARN: 1},
		"users":      {checkARN: 1},
		"account":    {checkARN: 1},
		"events":     {},
		"metadata":   {},
	} {
		if diff := cmp.Diff(want, functions[name].secrets.counts()); diff != "" {
			t.Errorf("%s: secrets fetched (-want +got):\n%s", name, diff)
		}
	}
}

func withQuery(t *testing.T, function, query string) []byte {
	t.Helper()
	e := readSample(t, filepath.Join(function, "events", "client_credentials.json"))
	e.RawQueryString = query
	return encode(t, e)
}

// 64 first requests at instances of their own processes: one token and one item.
func TestInstancesAgree(t *testing.T) {
	s := newStage(t)
	defer s.searchForLeaks(t)
	const processes, requests = 4, 16
	var instances []*instance
	for range processes {
		instances = append(instances, s.run(t, "token"))
	}
	event, err := os.ReadFile(filepath.Join("token", "events", "client_credentials.json"))
	must(t, err)

	var mu sync.Mutex
	tokens := map[string]int{}
	var wg sync.WaitGroup
	for _, i := range instances {
		wg.Go(func() {
			for range requests {
				o, err := i.invoke(t.Context(), event, timeout)
				var body struct {
					AccessToken string `json:"access_token"`
				}
				if err == nil {
					err = json.Unmarshal([]byte(o.response.Body), &body)
				}
				mu.Lock()
				if err != nil || o.response.StatusCode != http.StatusOK {
					t.Errorf("status %d: %v", o.response.StatusCode, err)
				}
				tokens[body.AccessToken]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for token, n := range tokens {
		s.know("access token", token)
		if n != processes*requests {
			t.Errorf("%d of %d requests got one token, and others another", n, processes*requests)
		}
	}
	if items := s.fixture.Items(t, s.fixture.Tables.Tokens); len(items) != 1 {
		t.Errorf("%d items, want one", len(items))
	}
	outcomes := map[string]int{}
	for _, i := range instances {
		for _, text := range i.stdout.next(t) {
			outcomes[parseLine(t, text).text("outcome")]++
		}
	}
	if diff := cmp.Diff(map[string]int{"issued": 1, "returned": processes*requests - 1}, outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// An event that is not a request of an HTTP API is an error of Lambda and not a crash.
func TestEventsOfOthers(t *testing.T) {
	s := newStage(t)
	defer s.searchForLeaks(t)
	for _, i := range s.runAll(t) {
		for _, event := range []string{
			`{"version": "1.0", "httpMethod": "POST", "path": "/token", "body": "password=` + demoPassword + `"}`,
			`{"Records": [{"body": "password=` + demoPassword + `"}]}`,
		} {
			o, err := i.invoke(t.Context(), []byte(event), timeout)
			must(t, err)
			if !o.failed {
				t.Errorf("%s answered %s", i.name, event)
			}
		}
		_, _ = i.stdout.next(t), i.stderr.next(t)
		if a := i.post(t, "x", "y"); a.status/100 != 4 {
			t.Errorf("%s: status %d afterwards", i.name, a.status)
		}
	}
}
