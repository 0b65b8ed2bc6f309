package wire_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
)

// The table of limits in docs/users.md: what is as long as it may be is served, and one more
// is refused.
func TestLimitsOfUsers(t *testing.T) {
	body := func(members map[string]any) string {
		text, err := json.Marshal(members)
		must(t, err)
		return string(text)
	}
	roles := func(count, length int) []string {
		all := make([]string, count)
		for i := range all {
			all[i] = strings.Repeat("r", length)
		}
		return all
	}
	add := func(members map[string]any) func(string) call {
		return func(token string) call { return ofUsers("POST", "/users", token, body(members)) }
	}
	ask := func(method, path, query string) func(string) call {
		return func(token string) call {
			c := ofUsers(method, path, token, "")
			c.query = query
			return c
		}
	}
	padded := func(size int) func(string) call {
		return func(token string) call {
			text := body(map[string]any{"username": "eve"})
			return ofUsers("POST", "/users", token, text+strings.Repeat(" ", size-len(text)))
		}
	}
	tagged := func(length int) func(string) call {
		return func(token string) call {
			return ofUsers("PATCH", "/users/u_ada", token, `{"roles":[]}`).with("If-Match", `"`+strings.Repeat("1", length)+`"`)
		}
	}
	const long = 200_000 // nothing that fob writes is that long
	for _, c := range []struct {
		what    string
		most    func(token string) call
		status  int
		tooMuch func(token string) call
		refused int
	}{
		{"body", padded(16 << 10), 201, padded(16<<10 + 1), 413},
		{"username", add(map[string]any{"username": strings.Repeat("e", 256)}), 201, add(map[string]any{"username": strings.Repeat("e", 257)}), 400},
		{
			"password", add(map[string]any{"username": "eve", "password": strings.Repeat("ab", 512)}), 201,
			add(map[string]any{"username": "eve", "password": strings.Repeat("ab", 512) + "a"}), 400,
		},
		{"roles", add(map[string]any{"username": "eve", "roles": roles(100, 128)}), 201, add(map[string]any{"username": "eve", "roles": roles(101, 4)}), 400},
		{"role", add(map[string]any{"username": "eve", "roles": roles(1, 128)}), 201, add(map[string]any{"username": "eve", "roles": roles(1, 129)}), 400},
		{"device", ask("DELETE", "/users/u_ada/devices/"+strings.Repeat("d", 64), ""), 204, ask("DELETE", "/users/u_ada/devices/"+strings.Repeat("d", 65), ""), 400},
		{"id", ask("GET", "/users/u_"+strings.Repeat("a", 62)+"/devices", ""), 200, ask("GET", "/users/u_"+strings.Repeat("a", 63)+"/devices", ""), 404},
		{"limit", ask("GET", "/users", "limit=250"), 200, ask("GET", "/users", "limit=251"), 400},
		{"after", ask("GET", "/users", "after="+strings.Repeat("A", 340)), 200, ask("GET", "/users", "after="+strings.Repeat("A", 344)), 400},
		{"parameters", ask("GET", "/users", strings.Repeat("x=1&", 99)+"limit=1"), 200, ask("GET", "/users", strings.Repeat("x=1&", 100)+"limit=1"), 400},
		{"If-Match", tagged(256), 412, tagged(long), 412},
	} {
		t.Run(c.what, func(t *testing.T) {
			for _, by := range transports {
				w := newWorld(t)
				token := w.backEnd(t, by, "users")
				if a := w.send(t, by, c.most(token)); a.status != c.status {
					t.Errorf("%s: the longest is answered %d, want %d: %s", by.name, a.status, c.status, a.body)
				}
				a := w.send(t, by, c.tooMuch(token))
				if a.status != c.refused || len(a.body) > 1000 {
					t.Errorf("%s: one more is answered %d, want %d: %s", by.name, a.status, c.refused, a.body)
				}
			}
		})
	}
}

// A hash that a back end brings costs its logins no more than one of an imported file, and
// its request no more than a password does.
func TestCostlyHashesOfUsersAreRefused(t *testing.T) {
	w, by := newWorld(t), transports[2]
	token := w.backEnd(t, by, "users")
	for what, members := range map[string]string{
		"argon2id of 4 GiB":         `"password_hash":"$argon2id$v=19$m=4194304,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"`,
		"argon2id of 257 MiB":       `"password_hash":"$argon2id$v=19$m=263168,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"`,
		"argon2id of 11 rounds":     `"password_hash":"$argon2id$v=19$m=19456,t=11,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"`,
		"argon2id of no round":      `"password_hash":"$argon2id$v=19$m=19456,t=0,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"`,
		"argon2id of no lane":       `"password_hash":"$argon2id$v=19$m=19456,t=2,p=0$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"`,
		"argon2id that wraps round": `"password_hash":"$argon2id$v=19$m=4294986752,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"`,
		"bcrypt of cost 15":         `"password_hash":"$2b$15$CwTycUXWue0Thq9StjUM0uJ8.u8Wg3q1r0m1Z1o1e1Q1n1n1n1n1n"`,
		"PBKDF2 of a million":       `"password_hash":"$pbkdf2-sha256$i=1000001,l=32$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"`,
		"PBKDF2 of a long key":      `"password_hash":"$pbkdf2-sha256$i=1000,l=65$c2FsdHNhbHQ$` + strings.Repeat("A", 87) + `"`,
		"PBKDF2 in columns":         `"password_hash":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","digest":"PBKDF2","prf":"PBKDF2WithHmacSHA256","salt":"x","iterations":2147483647`,
		"iterations of a float":     `"password_hash":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","digest":"PBKDF2","prf":"PBKDF2WithHmacSHA256","salt":"x","iterations":1e3`,
		"iterations of no end":      `"password_hash":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","digest":"PBKDF2","prf":"PBKDF2WithHmacSHA256","salt":"x","iterations":` + strings.Repeat("9", 400),
		"a long salt":               `"password_hash":"` + strings.Repeat("A", 43) + `=","digest":"SHA-256","salt":"` + strings.Repeat("s", 257) + `"`,
	} {
		w.expect(t, by, step{name: what, call: ofUsers("POST", "/users", token, `{"username":"eve",`+members+`}`), status: http.StatusBadRequest, error: "invalid_request"})
	}
	if all, err := oauth.AllUsers(t.Context(), w.users); err != nil || len(all) != 1 {
		t.Errorf("%d users, %v", len(all), err)
	}
}
