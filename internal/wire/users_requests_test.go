package wire_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
)

func globalSignOut(token, body string) call {
	c := ofUsers("POST", "/sign-out", token, body)
	c.endpoint = "sign-out"
	return c
}

// Bodies are refused before anything is written, and nothing of them is repeated.
func TestBodiesOfUsers(t *testing.T) {
	hundred := `"` + strings.Repeat("r", 120) + `"`
	for _, c := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"not JSON", "POST", "/users", `username=CANARY`, 400},
		{"a list", "POST", "/users", `["CANARY"]`, 400},
		{"nothing", "POST", "/users", ``, 400},
		{"no name", "POST", "/users", `{}`, 400},
		{"a member twice", "POST", "/users", `{"username":"CANARY","username":"eve"}`, 400},
		{"an unknown member", "POST", "/users", `{"username":"eve","CANARY":true}`, 400},
		{"a name of another type", "POST", "/users", `{"username":["CANARY"]}`, 400},
		{"a name with a control character", "POST", "/users", `{"username":"CANARY\u0007"}`, 400},
		{"a name that cannot be seen", "POST", "/users", `{"username":"CANARY\u200b"}`, 400},
		{"a name that got lost", "POST", "/users", `{"username":"CANARY\ud800"}`, 400},
		{"a name with a space", "POST", "/users", `{"username":"CANARY "}`, 400},
		{"bytes that are not UTF-8", "POST", "/users", "{\"username\":\"CANARY\xff\"}", 400},
		{"a bad role", "POST", "/users", `{"username":"eve","roles":["CANARY role","device_CANARY","CANARY\"\\"]}`, 400},
		{"a short password", "POST", "/users", `{"username":"eve","password":"CANARY"}`, 400},
		{"an empty password", "POST", "/users", `{"username":"eve","password":""}`, 400},
		{"the name for a password", "POST", "/users", `{"username":"CANARYCANARY","password":"canarycanary"}`, 400},
		{"a hash of no kind", "POST", "/users", `{"username":"eve","password_hash":"CANARY"}`, 400},
		{"a password and a hash", "POST", "/users", `{"username":"eve","password":"CANARY long","password_hash":"$2b$CANARY"}`, 400},
		{"added as disabled or not", "POST", "/users", `{"username":"CANARY","disabled":null}`, 400},
		{"deep", "POST", "/users", `{"username":` + strings.Repeat("[", 12_000) + `"CANARY"`, 400},
		{"large", "POST", "/users", `{"roles":[` + strings.Repeat(hundred+",", 150) + hundred + `]}`, 413},
		{"nothing to change", "PATCH", "/users/u_ada", `{}`, 400},
		{"another name", "PATCH", "/users/u_ada", `{"username":"CANARY"}`, 400},
		{"a change to a short password", "PATCH", "/users/u_ada", `{"password":"CANARY"}`, 400},
		{"a change to an empty password", "PATCH", "/users/u_ada", `{"password":""}`, 400},
		{"a change to a bad role", "PATCH", "/users/u_ada", `{"roles":["CANARY role"]}`, 400},
		{"disabled as nothing", "PATCH", "/users/u_ada", `{"disabled":null}`, 400},
		{"disabled as a text", "PATCH", "/users/u_ada", `{"disabled":"CANARY"}`, 400},
		{"sign out what", "POST", "/users/u_ada/devices/sign-out", `{"which":"CANARY"}`, 400},
		{"sign out all and one", "POST", "/users/u_ada/devices/sign-out", `{"which":"all","device":"ipad"}`, 400},
		{"sign out others than nobody", "POST", "/users/u_ada/devices/sign-out", `{"which":"others"}`, 400},
		{"a device that cannot be", "DELETE", "/users/u_ada/devices/CANARY%20", ``, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			by := transports[2] // they are all alike for a body
			token := w.backEnd(t, by, "users")
			a := w.expect(t, by, step{call: ofUsers(c.method, c.path, token, c.body), status: c.status, error: "invalid_request"})
			if a.text("error_description") == "" {
				t.Errorf("no word of why: %s", a.body)
			}
			all, err := oauth.AllUsers(t.Context(), w.users)
			must(t, err)
			if len(all) != 1 || !w.isActiveUser(t, "u_ada") {
				t.Errorf("something was done: %d users", len(all))
			}
		})
	}
}

func TestRequestsOfUsers(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		token := w.backEnd(t, by, "users sign-out")
		for _, kind := range []string{"application/x-www-form-urlencoded", "text/plain", "application/json; charset=iso-8859-1", "application/merge-patch+json"} {
			w.expect(t, by, step{name: kind, call: ofUsers("POST", "/users", token, `{"username":"eve"}`).with("Content-Type", kind), status: 400, error: "invalid_request"})
		}
		w.expect(t, by, step{call: ofUsers("POST", "/users", token, `{"username":"eve"}`).with("Content-Encoding", "gzip"), status: 415, error: "invalid_request"})
		w.expect(t, by, step{call: ofUsers("POST", "/users", token, `{"username":"eve"}`).with("Content-Type", "application/json; charset=UTF-8"), status: 201})
		for path, allow := range map[string]string{
			"/users": "GET, HEAD, POST", "/users/u_ada": "DELETE, GET, HEAD, PATCH", "/users/u_ada/devices": "GET, HEAD",
			"/users/u_ada/devices/ipad": "DELETE", "/users/u_ada/devices/sign-out": "DELETE, POST",
		} {
			a := w.expect(t, by, step{call: ofUsers("PUT", path, token, ""), status: 405, error: "invalid_request", idle: true})
			if got := a.header.Get("Allow"); got != allow {
				t.Errorf("%s allows %q, want %q", path, got, allow)
			}
		}
		get := globalSignOut(token, "")
		get.method = "GET"
		w.expect(t, by, step{call: get, status: 405, error: "invalid_request", idle: true})
		for _, path := range []string{"/users/", "/users/ada", "/users/u_ADA", "/users/u_ada/", "/users/u_ada/device", "/users/u_ada/devices/a/b", "/users/u_ada/devices/", "/people", "/users/u_" + strings.Repeat("a", 70)} {
			w.expect(t, by, step{name: path, call: ofUsers("GET", path, token, ""), status: 404, error: "not_found", idle: true})
		}
		for _, path := range []string{"/prod/users", "/users/users"} { // a stage may be called so
			w.expect(t, by, step{name: path, call: ofUsers("GET", path, token, ""), status: 200})
		}
		for _, id := range []string{"u_nobody", "u_ad", "u_adaa"} {
			w.expect(t, by, step{name: id, call: ofUsers("GET", "/users/"+id, token, ""), status: 404, error: "not_found"})
			w.expect(t, by, step{name: id, call: ofUsers("DELETE", "/users/"+id, token, ""), status: 404, error: "not_found"})
		}
		// A user of an issuer has no entry: the state alone says that nobody may log in.
		disabled := oauth.HashedUserID("https://issuer.example", "disabled")
		if err := w.tokens.Raise(t.Context(), oauth.SubjectOf(disabled), oauth.StateChange{Disabled: new(true)}); err != nil {
			t.Fatal(err)
		}
		w.expect(t, by, step{name: disabled, call: ofUsers("DELETE", "/users/"+disabled, token, ""), status: 204})
		for tag, status := range map[string]int{`*`: 200, `"1"`: 412, `W/"1"`: 412, `x`: 412} {
			a := w.send(t, by, ofUsers("PATCH", "/users/u_ada", token, `{"roles":[]}`).with("If-Match", tag))
			if a.status != status {
				t.Errorf("If-Match: %s gets %d, want %d", tag, a.status, status)
			}
		}
		tag := w.send(t, by, ofUsers("GET", "/users/u_ada", token, "")).header.Get("ETag")
		w.expect(t, by, step{call: ofUsers("PATCH", "/users/u_ada", token, `{"roles":[]}`).with("If-Match", `"1", `+tag), status: 200})
		w.expect(t, by, step{call: ofUsers("DELETE", "/users/u_ada", token, "").with("If-Match", "*"), status: 400, error: "invalid_request"})
		head := ofUsers("HEAD", "/users/u_ada", token, "")
		if a := w.send(t, by, head); a.status != 200 || a.body != "" && by.name == "http" {
			t.Errorf("HEAD: %d %s", a.status, a.body)
		}
	})
}

// A back end sees and ends what /devices shows to the user.
func TestDevicesOfUsers(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		token := w.backEnd(t, by, "users")
		logIn := func(device string) string {
			return w.login(t, by, asApp, "read"+device).text("access_token")
		}
		ipad, iphone, nameless := logIn(" device_ipad"), logIn(" device_iphone"), logIn("")
		list := w.expect(t, by, step{call: ofUsers("GET", "/users/u_ada/devices", token, ""), status: 200})
		if n := strings.Count(list.body, `"client_id":"app"`); n != 3 || !strings.Contains(list.body, handleOf("ipad")) || strings.Contains(list.body, `"iphone"`) || strings.Contains(list.body, `"current":true`) {
			t.Errorf("listed %s", list.body)
		}
		actives := func(want ...bool) {
			t.Helper()
			for i, token := range []string{ipad, iphone, nameless} {
				if got := w.isActive(t, by, token); got != want[i] {
					t.Errorf("token %d is active: %v", i, got)
				}
			}
		}
		do := func(method, path, body string) {
			t.Helper()
			if a := w.expect(t, by, step{call: ofUsers(method, "/users/u_ada/devices"+path, token, body), status: 204}); a.line["outcome"] != "revoked" || a.line["subject"] != "u_ada" {
				t.Errorf("line %v", a.line)
			}
		}
		do("DELETE", "/"+handleOf("iphone"), "")
		actives(true, false, true)
		do("DELETE", "/iphone", "")
		iphone = logIn(" device_iphone")
		do("POST", "/sign-out", fmt.Sprintf(`{"which":"others","device":%q}`, handleOf("ipad")))
		actives(true, false, false)
		iphone, nameless = logIn(" device_iphone"), logIn("")
		do("POST", "/sign-out", `{"which":"device","device":"ipad"}`)
		actives(false, true, true)
		do("POST", "/sign-out", `{"which":"all"}`)
		actives(false, false, false)
		w.expect(t, by, step{call: ofUsers("POST", "/users/u_nobody/devices/sign-out", token, `{"which":"all"}`), status: 404, error: "not_found"})
		if state, err := w.subjects.State(t.Context(), oauth.SubjectOf("u_nobody")); err != nil || state != (oauth.SubjectState{}) {
			t.Errorf("nobody has the state %+v, %v", state, err)
		}
	})
}

func TestGlobalSignOut(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		token := w.backEnd(t, by, "sign-out")
		own := w.login(t, by, asApp, "read").text("access_token")
		exchange := asApp("token", "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token_type", "urn:ietf:params:oauth:token-type:id_token", "subject_token", idToken)
		guest := w.expect(t, by, step{call: exchange, status: 200}).text("access_token")
		id := oauth.HashedUserID(issuerName, "ada")
		for _, c := range []struct {
			body  string
			ended *string
			id    string
		}{
			{`{"sub_id":{"format":"opaque","id":"u_ada"}}`, &own, "u_ada"},
			{`{"sub_id":{"format":"iss_sub","iss":"` + issuerName + `","sub":"ada"}}`, &guest, id},
		} {
			if !w.isActive(t, by, *c.ended) {
				t.Fatalf("%s: ended before", c.body)
			}
			for range 2 {
				a := w.expect(t, by, step{call: globalSignOut(token, c.body), status: 204})
				if a.line["outcome"] != "revoked" || a.line["subject"] != c.id || a.line["client"] != "crm" {
					t.Errorf("line %v", a.line)
				}
			}
			if w.isActive(t, by, *c.ended) {
				t.Errorf("%s ended nothing", c.body)
			}
		}
		named := fmt.Sprintf(`{"sub_id":{"format":"iss_sub","iss":%q,"sub":%q}}`, backEndName, username)
		own = w.login(t, by, asApp, "read").text("access_token")
		w.expect(t, by, step{call: globalSignOut(token, named), status: 204})
		if w.isActive(t, by, own) {
			t.Error("a user by the name that an issuer gives: not ended")
		}
		for body, status := range map[string]int{
			`{}`: 400, `{"sub":"u_ada"}`: 400, `{"sub_id":"u_ada"}`: 400, `{"sub_id":null}`: 400, `{"sub_id":{}}`: 400, `{"sub_id":{"format":"email","email":"CANARY"}}`: 400,
			`{"sub_id":{"format":"opaque","id":"u_ada","sub":"x"}}`: 400, `{"sub_id":{"format":"opaque","id":"u_ada","id":"u_eve"}}`: 400,
			`{"sub_id":{"format":"iss_sub","iss":"x"}}`:                                 400,
			`{"sub_id":{"format":"opaque","id":"crm"}}`:                                 404,
			`{"sub_id":{"format":"opaque","id":"u_nobody"}}`:                            404,
			`{"sub_id":{"format":"iss_sub","iss":"https://CANARY","sub":"ada"}}`:        404,
			`{"sub_id":{"format":"iss_sub","iss":"` + issuerName + `","sub":"nobody"}}`: 404,
		} {
			want := map[int]string{400: "invalid_request", 404: "not_found"}[status]
			w.expect(t, by, step{name: body, call: globalSignOut(token, body), status: status, error: want})
		}
	})
}

// "I could not find out" is a 503, and its line names nobody. Asked again, it is done.
func TestUsersInAnOutage(t *testing.T) {
	by := transports[0]
	for _, c := range []call{
		ofUsers("GET", "/users/u_ada", "", ""), ofUsers("PATCH", "/users/u_ada", "", `{"password":"CANARY, a new one","disabled":true}`),
		ofUsers("DELETE", "/users/u_ada", "", ""), ofUsers("GET", "/users/u_ada/devices", "", ""),
		ofUsers("DELETE", "/users/u_ada/devices/ipad", "", ""), ofUsers("POST", "/users/u_ada/devices/sign-out", "", `{"which":"all"}`),
		ofUsers("POST", "/users", "", `{"username":"CANARY eve","disabled":true}`),
		globalSignOut("", `{"sub_id":{"format":"opaque","id":"u_ada"}}`),
	} {
		for n := 1; ; n++ {
			w := newWorld(t)
			w.login(t, by, asApp, "read device_ipad")
			c = c.with("Authorization", "Bearer "+w.backEnd(t, by, "users sign-out"))
			calls := 0
			w.tokens.Intercept(func(context.Context) error {
				if calls++; calls == n {
					return oauth.Unavailable("ask", errors.New("oops"))
				}
				return nil
			})
			a := w.send(t, by, c)
			w.tokens.Intercept(nil)
			if calls < n {
				break
			}
			if a.status != 503 || a.header.Get("Retry-After") == "" || a.line["outcome"] != "failed" {
				t.Errorf("%s %s, call %d: %d, line %v", c.method, c.path, n, a.status, a.line)
			}
			if a := w.send(t, by, c); a.status >= 300 {
				t.Errorf("%s %s, call %d failed; once more: %d %s", c.method, c.path, n, a.status, a.body)
			}
		}
	}
}

// A back end cannot change here what a team's own users keep of a person. It can disable
// and remove people.
func TestUsersWhoAreKeptElsewhere(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		token := w.backEnd(t, by, "users")
		id := oauth.OwnUserID("17")
		_, err := w.users.SaveUser(t.Context(), oauth.User{Username: "eve", ID: id, Origin: oauth.UserAsked})
		must(t, err)
		patch := func(body string) call { return ofUsers("PATCH", "/users/"+id, token, body) }
		for _, body := range []string{`{"password":"blue lamp on a desk"}`, `{"password":null}`, `{"roles":["writer"]}`} {
			a := w.expect(t, by, step{name: body, call: patch(body), status: 400, error: "invalid_request"})
			if !strings.Contains(a.text("error_description"), "your own users") {
				t.Errorf("no word of why: %s", a.body)
			}
		}
		w.expect(t, by, step{call: patch(`{"disabled":true}`), status: 200})
		w.expect(t, by, step{call: ofUsers("DELETE", "/users/"+id, token, ""), status: 204})
		if state, err := w.subjects.State(t.Context(), oauth.SubjectOf(id)); err != nil || !state.Disabled {
			t.Errorf("the state of somebody who was removed is %+v, %v", state, err)
		}
	})
}
