package laptop_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/wire"
)

const backEndSecret = "example-secret-of-a-back-end"

// addBackEnd registers a client that looks after users.
func addBackEnd(t *testing.T, r *oauth.Registrar) {
	t.Helper()
	for _, name := range []string{oauth.UsersScope, oauth.SignOutScope} {
		if err := r.AddScope(t.Context(), name, nil, false); err != nil {
			t.Fatal(err)
		}
	}
	_, err := r.AddClient(t.Context(), oauth.Client{
		ID: "crm", Grants: []oauth.GrantType{oauth.ClientCredentialsGrant}, Scopes: oauthtest.Scopes(t, "read users sign-out"),
	}, secret.New(backEndSecret))
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) backEnd(t *testing.T, scope string) string {
	t.Helper()
	rec := w.do(t, request{method: http.MethodPost, path: wire.TokenPath, form: "grant_type=client_credentials&scope=" + scope}.as(basic("crm", backEndSecret)))
	var body struct {
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil || body.Access == "" {
		t.Fatalf("%v, status %d: %s", err, rec.Code, rec.Body)
	}
	return "Bearer " + body.Access
}

// userRows are the answers to a back end.
func (w *world) userRows(t *testing.T) (rows []row) {
	t.Helper()
	token, other := w.backEnd(t, "users+sign-out"), w.backEnd(t, "read")
	ask := func(method, path, route, body string) request {
		return request{method: method, path: path, route: route, form: body}.with("Content-Type", "application/json")
	}
	add := func(name string) request {
		return ask(http.MethodPost, wire.UsersPath, "", `{"username":"`+name+`","password":"long enough for it"}`)
	}
	rec := w.do(t, add("ann").as(token))
	var ann struct{ ID string }
	if err := json.Unmarshal(rec.Body.Bytes(), &ann); err != nil || ann.ID == "" {
		t.Fatalf("%v: %s", err, rec.Body)
	}
	at := func(method, rest, route, body string) request { return ask(method, "/users/"+ann.ID+rest, route, body) }
	change := at(http.MethodPatch, "", wire.UserPath, `{"roles":["editor"]}`)
	remove := at(http.MethodDelete, "", wire.UserPath, "")
	signOut := at(http.MethodPost, "/devices/sign-out", wire.UserSignOutPath, `{"which":"all"}`)
	global := ask(http.MethodPost, wire.GlobalSignOutPath, "", `{"sub_id":{"format":"opaque","id":"`+ann.ID+`"}}`)
	for _, c := range []struct {
		good   request
		status int
	}{
		{ask(http.MethodGet, wire.UsersPath, "", ""), 200},
		{add("bob"), 201},
		{at(http.MethodGet, "", wire.UserPath, ""), 200},
		{change, 200},
		{at(http.MethodGet, "/devices", wire.UserDevicesPath, ""), 200},
		{at(http.MethodDelete, "/devices/ipad", wire.UserDevicePath, ""), 204},
		{signOut, 204},
		{at(http.MethodDelete, "/devices/sign-out", wire.UserSignOutPath, ""), 204},
		{global, 204},
		{remove, 204},
	} {
		bad, nobody := c.good.as(token), c.good.as(token)
		bad.path += "?access_token=1"
		big := c.good.as(token).with("Content-Type", "application/x-www-form-urlencoded")
		big.form = "x=" + strings.Repeat("x", 16<<10)
		coded := big.with("Content-Encoding", "gzip")
		coded.form = "x=1"
		rows = append(rows,
			row{request: bad, status: 400, code: oauth.InvalidRequest},
			row{request: c.good, status: 401, code: oauth.InvalidToken},
			row{request: c.good.as(other), status: 403, code: oauth.InsufficientScope},
			row{request: big, status: 413, code: oauth.InvalidRequest},
			row{request: coded, status: 415, code: oauth.InvalidRequest},
			row{request: c.good.as(token), status: 500, code: oauth.ServerError, broken: errDefect},
			row{request: c.good.as(token), status: 503, code: oauth.TemporarilyUnavailable, broken: oauth.Unavailable("read", errDefect)},
			row{request: c.good.as(token), status: c.status},
		)
		if c.good.path == wire.UsersPath {
			continue
		}
		nobody.path = strings.Replace(nobody.path, ann.ID, "ANN", 1)
		nobody.form = strings.Replace(nobody.form, ann.ID, "u_nobody", 1)
		rows = append(rows, row{request: nobody, status: 404, code: oauth.NotFound})
	}
	return append([]row{
		{request: add("ann").as(token), status: 409, code: oauth.AlreadyExists},
		{request: change.as(token).with("If-Match", `"1"`), status: 412, code: oauth.PreconditionFailed},
	}, rows...)
}
