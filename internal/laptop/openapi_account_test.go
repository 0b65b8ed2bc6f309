package laptop_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/wire"
)

// addAccounts lets the demo's client ask for the scope of /account.
func addAccounts(t *testing.T, r *oauth.Registrar, demo ledger.ClientID) {
	t.Helper()
	if err := r.AddScope(t.Context(), oauth.AccountScope, nil, false); err != nil {
		t.Fatal(err)
	}
	_, err := r.EditClient(t.Context(), demo, func(c *oauth.Client) (err error) {
		c.Scopes, err = scope.Of(append(c.Scopes.Ordinary(), oauth.AccountScope)...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// accountRows are the answers to somebody who changes the password and leaves.
func (w *world) accountRows(t *testing.T) (rows []row) {
	t.Helper()
	const password = "long enough for it"
	added := w.do(t, request{method: http.MethodPost, path: wire.UsersPath, form: `{"username":"leaver","password":"` + password + `"}`}.
		with("Content-Type", "application/json").as(w.backEnd(t, "users")))
	var leaver struct{ ID string }
	if err := json.Unmarshal(added.Body.Bytes(), &leaver); err != nil || leaver.ID == "" {
		t.Fatalf("%v: %s", err, added.Body)
	}
	login := func(scope string) string {
		return "grant_type=password&username=leaver&password=" + strings.ReplaceAll(password, " ", "+") + "&scope=" + scope
	}
	_, stale := w.token(t, login("account+device_old"))
	w.age(t, leaver.ID)
	access, refresh := w.token(t, login("account+device_ipad"))
	_, plain := w.token(t, login("read+device_ipad"))
	own, _ := w.token(t, "grant_type=client_credentials&scope=account")
	change := request{method: http.MethodPost, path: wire.PasswordPath, form: `{"password":"` + password + `","new_password":"` + password + `"}`}.with("Content-Type", "application/json")
	leave := request{method: http.MethodDelete, path: wire.AccountPath, form: `{"password":"` + password + `"}`}.with("Content-Type", "application/json")
	nothing := leave
	nothing.form = ""
	rows = append(rows, row{request: nothing.as(stale), status: 401, code: oauth.InsufficientAuthentication})
	for _, c := range []struct {
		good   request
		status int
	}{{change, 200}, {leave, 204}} {
		wrong, bad := c.good.as(refresh), c.good.as(refresh)
		wrong.form = strings.Replace(wrong.form, password, "wrong", 1)
		bad.path += "?access_token=1"
		big := c.good.as(refresh).with("Content-Type", "application/x-www-form-urlencoded")
		big.form = "x=" + strings.Repeat("x", 16<<10)
		coded := big.with("Content-Encoding", "gzip")
		coded.form = "x=1"
		rows = append(rows,
			row{request: wrong, status: 400, code: oauth.InvalidGrant},
			row{request: bad, status: 400, code: oauth.InvalidRequest},
			row{request: c.good, status: 401, code: oauth.InvalidToken},
			row{request: c.good.as(plain), status: 403, code: oauth.InsufficientScope},
			row{request: c.good.as(own), status: 403, code: oauth.InsufficientScope},
			row{request: c.good.as(access), status: 403, code: oauth.UnsupportedTokenType},
			row{request: big, status: 413, code: oauth.InvalidRequest},
			row{request: coded, status: 415, code: oauth.InvalidRequest},
			row{request: c.good.as(refresh), status: 500, code: oauth.ServerError, broken: errDefect},
			row{request: c.good.as(refresh), status: 503, code: oauth.TemporarilyUnavailable, broken: oauth.Unavailable("read", errDefect)},
			row{request: c.good.as(refresh), status: c.status},
		)
	}
	return rows
}

// age makes all sign-ins of a user an hour old.
func (w *world) age(t *testing.T, id string) {
	t.Helper()
	records, err := w.tokens.List(t.Context(), oauth.SubjectOf(id), "")
	if err != nil || len(records) == 0 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	for _, r := range records {
		seen := r.Nonce
		r.Created -= 3600
		r.Nonce[0]++
		if _, _, err := w.tokens.Save(t.Context(), r, seen); err != nil {
			t.Fatal(err)
		}
	}
}
