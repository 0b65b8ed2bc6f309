package wire_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/userimport"
	"github.com/fob-oauth/fob/internal/wire"
)

func (w *world) people(signIns *oauth.SignIns, issuers *memory.Issuers) wire.UserResources {
	r := &oauth.UserRegistrar{Users: w.users, Subjects: w.tokens, Tokens: w.tokens, Passwords: new(oauthtest.Passwords), OwnUsersMode: oauth.AskedUntilFirst, Now: w.now.Now}
	return wire.UserResources{Verifier: w.verifier, Registrar: r, SignIns: signIns, Issuers: issuers, NewUser: userimport.ParseUser}
}

// usersRoute is what a gateway with the template's routes matches.
func usersRoute(path string) string {
	parts := strings.Split(path, "/")
	if len(parts) > 2 {
		if !strings.HasPrefix(parts[2], "u_") || strings.HasSuffix(path, "/") {
			return "$default"
		}
		parts[2] = "{id}"
	}
	if len(parts) > 4 && parts[4] != "sign-out" {
		parts[4] = "{device}"
	}
	return strings.Join(parts, "/")
}

// backEnd is a token of the back end that looks after users.
func (w *world) backEnd(t *testing.T, by transport, scope string) string {
	t.Helper()
	c := call{endpoint: "token", header: basic("crm", shopSecret), body: form("grant_type", "client_credentials", "scope", scope)}
	return w.expect(t, by, step{call: c, status: 200}).text("access_token")
}

// ofUsers is a request of somebody with this token. An empty body is none.
func ofUsers(method, path, token, body string) call {
	c := call{endpoint: "users", method: method, path: path, header: authorization("Bearer " + token), body: body}
	c.header["Content-Type"] = []string{"application/json"}
	return c
}

func (c call) with(name, value string) call {
	header := map[string][]string{name: {value}}
	for n, values := range c.header {
		if n != name {
			header[n] = values
		}
	}
	c.header = header
	return c
}

func TestUsersFromAddingToRemoving(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		token := w.backEnd(t, by, "users")
		do := func(status int, method, path, body string) answer {
			t.Helper()
			return w.expect(t, by, step{name: method + " " + path, call: ofUsers(method, path, token, body), status: status})
		}
		login := func(password string) answer {
			t.Helper()
			return w.send(t, by, asApp("token", "grant_type", "password", "username", "CANARY zo\u00eb", "password", password, "scope", "read device_ipad"))
		}

		added := do(201, "POST", "/users", `{"username":"CANARY zoe\u0308","password":"CANARY of zoe","roles":["writer"]}`)
		id := added.text("id")
		want := fmt.Sprintf(`{"id":%q,"username":"CANARY zo%c","roles":["writer"],"disabled":false,"has_password":true,"created":%d}`, id, '\u00eb', began)
		if added.body != want || !strings.HasSuffix(added.header.Get("Location"), "/users/"+id) || added.line["outcome"] != "added" || added.line["subject"] != id || added.line["client"] != "crm" {
			t.Errorf("%s at %s, line %v", added.body, added.header.Get("Location"), added.line)
		}
		// The answer got lost.
		again := w.expect(t, by, step{call: ofUsers("POST", "/users", token, `{"username":"CANARY zo\u00eb"}`), status: 409, error: "already_exists"})
		if again.text("id") != id {
			t.Errorf("409 says %s", again.body)
		}

		shown := do(200, "GET", "/users/"+id, "")
		tag := shown.header.Get("ETag")
		if shown.body != want || tag == "" || tag != added.header.Get("ETag") {
			t.Errorf("%s, ETag %s", shown.body, tag)
		}
		phone := login("CANARY of zoe").text("access_token")
		if !w.isActive(t, by, phone) {
			t.Fatal("no login")
		}
		changed := w.expect(t, by, step{call: ofUsers("PATCH", "/users/"+id, token, `{"password":"CANARY, a new one","roles":[]}`).with("If-Match", tag), status: 200})
		if changed.line["outcome"] != "changed" || changed.header.Get("ETag") == tag || !strings.Contains(changed.body, `"roles":[]`) {
			t.Errorf("%s, line %v", changed.body, changed.line)
		}
		if a := login("CANARY of zoe"); w.isActive(t, by, phone) || a.status != 400 {
			t.Errorf("the old password: %d", a.status)
		}
		stale := ofUsers("PATCH", "/users/"+id, token, `{"disabled":true}`).with("If-Match", tag)
		w.expect(t, by, step{call: stale, status: 412, error: "precondition_failed"})
		phone = login("CANARY, a new one").text("access_token")
		if !w.isActive(t, by, phone) {
			t.Error("the new password does not log in")
		}

		for _, path := range []string{"/users?username=CANARY%20zo%C3%AB", "/users?username=CANARY%20zoe%CC%88"} {
			c := ofUsers("GET", "/users", token, "")
			_, c.query, _ = strings.Cut(path, "?")
			if a := w.expect(t, by, step{call: c, status: 200}); !strings.Contains(a.body, id) {
				t.Errorf("%s: %s", path, a.body)
			}
		}
		if a := do(200, "PATCH", "/users/"+id, `{"disabled":true}`); a.json("disabled") != true || w.isActive(t, by, phone) {
			t.Errorf("disabled: %s", a.body)
		}
		if a := login("CANARY, a new one"); a.status != 400 {
			t.Errorf("a disabled user logs in: %d", a.status)
		}
		w.expect(t, by, step{call: ofUsers("PATCH", "/users/"+id, token, `{"disabled":false,"password":null}`).with("Content-Type", "application/merge-patch+json"), status: 200})
		if a := do(200, "GET", "/users/"+id, ""); a.json("has_password") != false || a.json("disabled") != false {
			t.Errorf("without a password: %s", a.body)
		}
		if a := login("CANARY, a new one"); a.status != 400 {
			t.Errorf("a password that was taken away: %d", a.status)
		}

		for range 2 { // the answer got lost
			if a := do(204, "DELETE", "/users/"+id, ""); a.line["outcome"] != "removed" || a.line["subject"] != id {
				t.Errorf("line %v", a.line)
			}
		}
		w.expect(t, by, step{call: ofUsers("GET", "/users/"+id, token, ""), status: 404, error: "not_found"})
		w.expect(t, by, step{call: ofUsers("PATCH", "/users/"+id, token, `{"disabled":false}`), status: 404, error: "not_found"})
		if next := do(201, "POST", "/users", `{"username":"CANARY zo\u00eb"}`).text("id"); next == id {
			t.Error("an id was given twice")
		}
	})
}

// Only a client that speaks for itself looks after users, and only with the scope.
func TestWhoLooksAfterUsers(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		asCRM := func(endpoint string, pairs ...string) call {
			return call{endpoint: endpoint, header: basic("crm", shopSecret), body: form(pairs...)}
		}
		login := w.login(t, by, asCRM, "users sign-out")
		ofUser, refresh := login.text("access_token"), login.text("refresh_token")
		unscoped, signOutOnly := w.backEnd(t, by, "read"), w.backEnd(t, by, "sign-out")
		for _, c := range []call{
			ofUsers("GET", "/users", "", ""), ofUsers("POST", "/users", "", `{"username":"eve"}`), ofUsers("GET", "/users/u_ada", "", ""),
			ofUsers("PATCH", "/users/u_ada", "", `{"disabled":true}`), ofUsers("DELETE", "/users/u_ada", "", ""),
			ofUsers("GET", "/users/u_ada/devices", "", ""), ofUsers("DELETE", "/users/u_ada/devices/ipad", "", ""),
			ofUsers("POST", "/users/u_ada/devices/sign-out", "", `{"which":"all"}`),
			globalSignOut("", `{"sub_id":{"format":"opaque","id":"u_ada"}}`),
		} {
			without := c
			without.header = map[string][]string{"Content-Type": {"application/json"}}
			w.expect(t, by, step{name: "no token", call: without, status: 401, error: "invalid_token", idle: true})
			for name, token := range map[string]string{"refresh": refresh, "forged": ofUser[:len(ofUser)-4] + "AAAA"} {
				w.expect(t, by, step{name: name, call: c.with("Authorization", "Bearer "+token), status: 401, error: "invalid_token"})
			}
			for name, token := range map[string]string{"a user's": ofUser, "without the scope": unscoped} {
				w.expect(t, by, step{name: name, call: c.with("Authorization", "Bearer "+token), status: 403, error: "insufficient_scope"})
			}
			if c.endpoint == "users" {
				w.expect(t, by, step{name: "sign-out", call: c.with("Authorization", "Bearer "+signOutOnly), status: 403, error: "insufficient_scope"})
			}
			c.query = "password=x"
			w.expect(t, by, step{name: "a secret in the URL", call: c.with("Authorization", "Bearer "+unscoped), status: 400, error: "invalid_request"})
		}
		if !w.isActiveUser(t, "u_ada") {
			t.Error("it was done anyway")
		}
	})
}

// isActiveUser reports a user who is there, enabled and never signed out.
func (w *world) isActiveUser(t *testing.T, id string) bool {
	t.Helper()
	u, found, err := w.users.UserByID(t.Context(), id)
	must(t, err)
	state, err := w.subjects.State(t.Context(), oauth.SubjectOf(id))
	must(t, err)
	return found && !u.Disabled && state == oauth.SubjectState{}
}

func TestPagesOfUsers(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		token := w.backEnd(t, by, "users")
		want := map[string]bool{"u_ada": true}
		for i := range 6 {
			a := w.expect(t, by, step{call: ofUsers("POST", "/users", token, fmt.Sprintf(`{"username":"user %d"}`, i)), status: 201})
			want[a.text("id")] = true
		}
		got := map[string]bool{}
		for query := "limit=2"; query != ""; {
			c := ofUsers("GET", "/users", token, "")
			c.query = query
			a := w.expect(t, by, step{call: c, status: 200})
			var page struct {
				Users []struct{ ID string }
				Next  string
			}
			must(t, json.Unmarshal([]byte(a.body), &page))
			for _, u := range page.Users {
				got[u.ID] = true
			}
			if query = ""; page.Next != "" {
				query = "limit=2&after=" + page.Next
			}
			if len(page.Users) > 2 || strings.Contains(page.Next, "user") {
				t.Errorf("page %s", a.body)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("users (-want +got):\n%s", d)
		}
		for _, query := range []string{"limit=0", "limit=251", "limit=x", "after=%20", "after=AAB", "after=" + strings.Repeat("A", 400), "limit=1&limit=1", "username=ann&limit=1"} {
			c := ofUsers("GET", "/users", token, "")
			c.query = query
			w.expect(t, by, step{name: query, call: c, status: 400, error: "invalid_request"})
		}
	})
}

// The address of a new user is below the issuer, which may end in a slash as in the metadata.
func TestAddressOfANewUser(t *testing.T) {
	for issuer, below := range map[string]string{"https://id.example/a": "https://id.example/a", "https://id.example/": "https://id.example"} {
		w := newWorld(t)
		o := w.options
		o.Issuer = issuer
		w.handlers["users"] = wire.Users(w.people(nil, nil), o)
		by := transports[0]
		a := w.expect(t, by, step{call: ofUsers("POST", "/users", w.backEnd(t, by, "users"), `{"username":"eve"}`), status: 201})
		if at := a.header.Get("Location"); at != below+"/users/"+a.text("id") {
			t.Errorf("issuer %s: the user is at %s", issuer, at)
		}
	}
}
