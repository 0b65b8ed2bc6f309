package dynamo_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/userimport"
	"github.com/fob-oauth/fob/internal/wire"
)

// Each request of a back end, from its token to the last write. A read of nothing by GetItem
// costs a unit on every engine, and is among the found ones here.
func TestBudgetOfUsers(t *testing.T) {
	t.Run("dynoxide", func(t *testing.T) { testBudgetOfUsers(t, dynamotest.Engine(t), 1) })
	t.Run("local", func(t *testing.T) { testBudgetOfUsers(t, dynamotest.Local(t), 0) })
}

// backEnds is what a back end talks to. It returns the handler, what it logs, and the token of
// a client that looks after users.
func (w *budgetWorld) backEnds(endpoint string) (h http.Handler, log *bytes.Buffer, token string) {
	w.t.Helper()
	const crm ledger.ClientID = "crm"
	registered, err := w.f.Clients.ResourceScopes(w.t.Context())
	w.must(err)
	registered.Roles[oauth.UsersScope], registered.Roles[oauth.SignOutScope] = nil, nil
	w.must(w.f.Clients.SaveResourceScopes(w.t.Context(), registered))
	both := oauthtest.Scopes(w.t, "users sign-out")
	oauthtest.SaveClient(w.t, w.f.Clients, oauth.Client{ID: crm, Grants: []oauth.GrantType{oauth.ClientCredentialsGrant}, Scopes: both, DefaultScopes: both}, w.now.Load())
	w.issuer, w.verifier = w.instance(endpoint)
	a, err := w.issuer.Token(w.t.Context(), oauth.TokenRequest{Credentials: oauthtest.Credentials(crm), Form: clientCredentialsForm("")})
	w.must(err)
	_, err = w.verifier.Caller(w.t.Context(), a.AccessToken) // the registration of the client is cached
	w.must(err)

	v, log := w.verifier, new(bytes.Buffer)
	tokens := v.Tokens.(*dynamo.Tokens)
	return wire.UsersAndSignOut(wire.UserResources{
		Verifier: v, Issuers: w.issuer.Issuers, NewUser: userimport.ParseUser,
		Registrar: &oauth.UserRegistrar{Users: w.issuer.Users.(*dynamo.Users), Subjects: tokens, Tokens: tokens, Passwords: w.issuer.Passwords, Now: v.Now},
		SignIns:   v.SignIns(tokens),
	}, wire.Options{Log: slog.New(slog.NewJSONHandler(log, nil))}), log, a.AccessToken.Reveal()
}

func testBudgetOfUsers(t *testing.T, endpoint string, absent float64) {
	w := newBudgetWorld(t, endpoint)
	h, log, token := w.backEnds(endpoint)
	id := "u_abcdefghijklmnopqrstuvwxyz" // of who is there already, on two devices
	w.mustLogin("app", device(1))
	w.mustLogin("app", device(2))
	const add = `{"username":"ann@mobile.example.com","password":"blue lamp on a desk"}`
	for _, step := range []struct {
		name, method, path, body string
		status                   int
		price                    price // but for the token: one call, a unit for its record and one for the state that is not there
	}{
		{"no scope", "GET", "/users", "", 403, price{}},
		{"list", "GET", "/users?limit=10", "", 200, price{calls: map[string]int{"Scan": 1}, found: 1}},
		{"find by name", "GET", "/users?username=ann", "", 200, price{calls: map[string]int{get: 1}, found: 1}},
		{"read", "GET", "/users/" + id, "", 200, price{calls: map[string]int{get: 3}, found: 3}},
		{"devices", "GET", "/users/" + id + "/devices", "", 200, price{calls: map[string]int{get: 1, query: 1}, found: 2}},
		{"end a device", "DELETE", "/users/" + id + "/devices/" + strings.TrimPrefix(device(1), "device_"), "", 204, price{calls: map[string]int{query: 1, remove: 1}, found: 1, write: 1}},
		{"end others", "POST", "/users/" + id + "/devices/sign-out", `{"which":"others","device":"tv"}`, 204, price{calls: map[string]int{query: 1, remove: 1}, found: 1, write: 1}},
		// Whether the user is known: the state, the records and the user.
		{"end all", "POST", "/users/" + id + "/devices/sign-out", `{"which":"all"}`, 204, price{calls: map[string]int{get: 3, query: 1, update: 1}, found: 3, none: 1, write: 1}},
		{"sign out", "POST", "/sign-out", `{"sub_id":{"format":"opaque","id":"` + id + `"}}`, 204, price{calls: map[string]int{get: 1, update: 1}, found: 1, write: 1}},
		{"sign out an issuer's", "POST", "/sign-out", `{"sub_id":{"format":"iss_sub","iss":"` + budgetBackEnd + `","sub":"` + budgetUser + `"}}`, 204, price{calls: map[string]int{get: 2, update: 1}, found: 2, write: 1}},
		{"add", "POST", "/users", add, 201, price{calls: map[string]int{get: 1, update: 1, put: 1}, found: 1, write: 2}},
		{"add again", "POST", "/users", add, 409, price{calls: map[string]int{get: 2}, found: 2}},
		{"set a password", "PATCH", "/users/" + id, `{"password":"green lamp on a desk"}`, 200, price{calls: map[string]int{get: 3, put: 1, update: 1}, found: 3, write: 2}},
		{"set roles", "PATCH", "/users/" + id, `{"roles":["editor"]}`, 200, price{calls: map[string]int{get: 3, put: 1, update: 1}, found: 3, write: 2}},
		{"disable", "PATCH", "/users/" + id, `{"disabled":true}`, 200, price{calls: map[string]int{get: 3, put: 1, update: 1, query: 1}, found: 3, none: 1, write: 2}},
		{"enable", "PATCH", "/users/" + id, `{"disabled":false}`, 200, price{calls: map[string]int{get: 3, put: 1, update: 1}, found: 3, write: 2}},
		{"change nobody", "PATCH", "/users/u_nobody", `{"disabled":false}`, 404, price{calls: map[string]int{get: 1}, found: 1}},
		{"remove", "DELETE", "/users/" + id, "", 204, price{calls: map[string]int{get: 2, update: 1, query: 1, remove: 2}, found: 2, none: 1, write: 3}},
		{"remove again", "DELETE", "/users/" + id, "", 204, price{calls: map[string]int{get: 2, query: 1}, found: 2, none: 1}},
		{"a body that is refused", "POST", "/users", `{}`, 400, price{}},
	} {
		t.Run(step.name, func(t *testing.T) {
			w.t = t
			with := token
			if step.status == http.StatusForbidden {
				a, err := w.issuer.Token(t.Context(), oauth.TokenRequest{Credentials: oauthtest.Credentials("backend"), Form: clientCredentialsForm("")})
				w.must(err)
				with = a.AccessToken.Reveal()
			}
			r := httptest.NewRequestWithContext(t.Context(), step.method, step.path, strings.NewReader(step.body))
			r.Header.Set("Authorization", "Bearer "+with)
			r.Header.Set("Content-Type", "application/json")
			answer := httptest.NewRecorder()
			w.meter.reset()
			log.Reset()
			h.ServeHTTP(answer, r)
			if answer.Code != step.status {
				t.Errorf("status %d, want %d: %s", answer.Code, step.status, answer.Body)
			}
			var line struct {
				Calls  int     `json:"store_calls"`
				Reads  float64 `json:"read_units"`
				Writes float64 `json:"write_units"`
			}
			w.must(json.Unmarshal(log.Bytes(), &line))
			calls := map[string]int{read: 1}
			for operation, n := range step.price.calls {
				calls[operation] = n
			}
			step.price.calls, step.price.found, step.price.none = calls, step.price.found+1, step.price.none+1
			w.check(oauth.Event{StoreCalls: line.Calls, ReadUnits: line.Reads, WriteUnits: line.Writes}, step.price, absent)
		})
	}
}
