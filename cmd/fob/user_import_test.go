package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/userimport"
)

// Hashes of example-password that package password's vectors have, too.
const (
	exampleBcrypt   = `"password_hash":"$2b$08$ExampleSaltExampleSaleVwt8ENgsJvYjsqbO1kh25lIRvU4ryOO"`
	exampleArgon2id = `"password_hash":"$argon2id$v=19$m=19456,t=2,p=1$ZXhhbXBsZS1zYWx0LTAwMQ$aQ+Sd/43oZLQ6N2Wud/785UYtl4pSGQUpSOfAYtweZA"`
	exampleSHA256   = `"password_hash":"QasIxB6SuXPYIiIdOsSYxuSflB94KvtLQ2FT/YKZORk=","digest":"SHA-256","salt":"ZXhhbXBsZS1zYWx0LTAwMQ=="`
)

// usersFile writes lines to a file.
func usersFile(t *testing.T, lines ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "users.jsonl")
	if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// Users of every kind log in with the password that they had elsewhere, and
// afterwards their hash is one of today.
func TestImportedUsersLogIn(t *testing.T) {
	endpoint := dynamotest.Engine(t)
	f := dynamotest.New(t, endpoint)
	long := strings.Repeat("p", 80) // of which bcrypt counts 72 bytes
	kinds := []struct{ name, password, hash string }{
		{"sha1", "", `"password_hash":"/IGigCi6bV+7/gxO3RttU2EV5N0=","digest":"SHA-1","salt":"ZXhhbXBsZS1zYWx0LTAwMQ=="`},
		{"sha256", "", exampleSHA256},
		{"unsalted", "", `"password_hash":"pLf72pF5BVugBbg/4dnVWMheX2r8LOQHFDns2rhkuY4=","digest":"SHA-256","salt":null`},
		{"pbkdf2", "", `"password_hash":"kRbqQQCgtC9jN66vEXqoeK7hpdIVzjdM/0QwtGmRL34=","digest":"PBKDF2","prf":"PBKDF2WithHmacSHA256",` +
			`"iterations":10000,"dk_length":256,"salt":"ZXhhbXBsZS1zYWx0LTAwMQ=="`},
		{"phc", "", `"password_hash":"$pbkdf2-sha256$i=10000,l=32$ZXhhbXBsZS1zYWx0LTAwMQ$lW9yc9QpsLLahiMvWBVSv+R3Hc9P6+fwpH5nXiSrRko"`},
		{"ldap", "", `"password_hash":"{SSHA512}JjSsdq3N0b0NYVnbNHKTNM337spQepFWqwRZVvVlFEdsUGwCNEEu0btLhSn91T31KvjvBQ2MdA2pZd3hIS5G9GV4YW1wbGUh"`},
		{"bcrypt", "", exampleBcrypt},
		{"long", long, `"password_hash":"$2b$08$ExampleSaltExampleSaleqQEaRE1Rv2b4ifI96Mqg.fjR540E15i"`},
		{"argon2id", "", `"password_hash":"$argon2id$v=19$m=4096,t=3,p=4$ZXhhbXBsZS1zYWx0LTAwMQ$+fzgTYLSDEOG0Bfnf5c1VDLgzbSSYZZVgem90f81WTY"`},
	}
	var lines []string
	for _, k := range kinds {
		lines = append(lines, fmt.Sprintf(`{"username":%q,"roles":["editor"],%s}`, k.name, k.hash))
	}
	code, out, said := fobAt(t, endpoint, "", f, "user", "import", usersFile(t, lines...))
	want := fmt.Sprintf("%d users are imported, 0 were there already.\n", len(kinds)) +
		"3 of 9 hashes take longer or shorter than fob's own (2 bcrypt:8, 1 argon2id:4096:3:4). Until its user has logged in, the time of a login\n" +
		"reveals that the name exists: see docs/import.md.\n"
	if code != 0 || out != want || said != "" {
		t.Fatalf("exit code %d, standard output %q, want %q, standard error %q", code, out, want, said)
	}

	fob := serveProcess(t, fixtureEnv(t, f), "--dynamodb", endpoint, "--quiet")
	const today = "$argon2id$v=19$m=19456,t=2,p=1$"
	for _, k := range kinds {
		password := k.password
		if password == "" {
			password = "example-password"
		}
		before := userOf(t, f, k.name)
		if strings.HasPrefix(before.PasswordHash.Reveal(), today) {
			t.Errorf("%s: the hash is one of today already", k.name)
		}
		if status, code := logIn(t, fob, k.name, password[:len(password)-10]); status != http.StatusBadRequest || code != "invalid_grant" {
			t.Errorf("%s with a wrong password: %d %s", k.name, status, code)
		}
		if after := userOf(t, f, k.name); !after.PasswordHash.Equal(before.PasswordHash) {
			t.Errorf("%s: a wrong password changed the hash", k.name)
		}
		for try := range 2 {
			if status, code := logIn(t, fob, k.name, password); status != http.StatusOK {
				t.Errorf("%s, login %d: %d %s", k.name, try+1, status, code)
			}
		}
		after := userOf(t, f, k.name)
		// bcrypt proved 72 bytes of the long one, so it must not be stored.
		if renewed := strings.HasPrefix(after.PasswordHash.Reveal(), today); renewed == (k.name == "long") {
			t.Errorf("%s: the hash is one of today after a login: %v", k.name, renewed)
		}
		if after.ID != before.ID || strings.Join(after.Roles, " ") != "editor" || after.Created == 0 {
			t.Errorf("%s: %+v became %+v", k.name, before, after)
		}
	}
	// A login with more bytes does not lock out the owner of 72.
	if status, _ := logIn(t, fob, "long", long[:72]); status != http.StatusOK {
		t.Errorf("72 bytes of 80: %d", status)
	}
}

func userOf(t *testing.T, f *dynamotest.Fixture, name string) oauth.User {
	t.Helper()
	u, found, err := f.Users.User(t.Context(), name)
	if err != nil || !found {
		t.Fatalf("user %s: found %v, %v", name, found, err)
	}
	return u
}

func logIn(t *testing.T, fob ready, username, password string) (status int, code string) {
	t.Helper()
	form := url.Values{"grant_type": {"password"}, "client_id": {fob.PublicClientID}, "username": {username}, "password": {password}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, fob.TokenEndpoint, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Error string `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer.Error
}

// turning is an engine that becomes another one with the nth write of a user.
func turning(t *testing.T, engine, another string, n int32, then func()) string {
	t.Helper()
	proxyTo := func(endpoint string) http.Handler {
		target, err := url.Parse(endpoint)
		if err != nil {
			t.Fatal(err)
		}
		proxy := httputil.NewSingleHostReverseProxy(target)
		proxy.ErrorLog = log.New(io.Discard, "", 0) // of requests that were given up
		return proxy
	}
	before, after := proxyTo(engine), proxyTo(another)
	var writes atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		written := writes.Load()
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "PutItem") {
			written = writes.Add(1)
		}
		if written == n && then != nil {
			then()
		}
		if written >= n {
			after.ServeHTTP(w, r)
			return
		}
		before.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// Thousands of users, an outage in the middle of which the writes happen and are
// not answered, and the same command again: in the end each user is there once,
// and the disabled ones, and no others, are disabled.
func TestImportGoesOnAfterAnOutage(t *testing.T) {
	endpoint := dynamotest.Engine(t)
	f := dynamotest.New(t, endpoint)
	const users, outage = 3000, 1000
	isDisabled := func(i int) bool { return i%50 == 0 }
	isWrapped := func(i int) bool { return i%100 == 1 }
	var lines []string
	for i := range users {
		hash := exampleArgon2id // is stored as it is, which takes no time
		if isWrapped(i) {
			hash = exampleSHA256
		}
		lines = append(lines, fmt.Sprintf(`{"username":"user-%d",%s,"disabled":%v}`, i, hash, isDisabled(i)))
	}
	lines = append(lines, lines[7], `{"username":"nobody"}`)
	file := usersFile(t, lines...)

	down := refusing(t, endpoint, regexp.MustCompile(`PutItem$`), 500, "InternalServerError", "oops")
	code, out, said := fobAt(t, turning(t, endpoint, down, outage, nil), "", f, "user", "import", file)
	says := regexp.MustCompile(`^fob: ([0-9]+) users are imported, 0 were there already, and the rest may not be, so run the same command again \(the table "users-[A-Z2-7]+" at .* gives no answer, try again: .*\)\n$`)
	if code != exitUnavailable || out != "" || !says.MatchString(said) {
		t.Fatalf("exit code %d, standard output %q, standard error %q, want one line like %s", code, out, said, says)
	}

	code, out, said = fobAt(t, endpoint, "", f, "user", "import", file, "--json")
	var view importView
	if err := json.Unmarshal([]byte(out), &view); err != nil {
		t.Fatal(err)
	}
	if code != exitPartly || said != "fob: 2 lines are refused: see the report on standard output\n" {
		t.Errorf("exit code %d, standard error %q", code, said)
	}
	if view.Imported+view.Existing != users || view.Existing < outage-1 || view.Imported == 0 {
		t.Errorf("%d imported, %d existing", view.Imported, view.Existing)
	}
	if len(view.Refused) != 2 || view.Refused[0] != (userimport.Refusal{Line: users + 1, Username: "user-7", Reason: "the name is in line 8 already"}) {
		t.Errorf("refused: %+v", view.Refused)
	}

	all, err := oauth.AllUsers(t.Context(), f.Users)
	if err != nil {
		t.Fatal(err)
	}
	byName, ids := map[string]oauth.User{}, map[string]bool{}
	for _, u := range all {
		byName[u.Username], ids[u.ID] = u, true
	}
	if len(all) != users || len(byName) != users || len(ids) != users {
		t.Fatalf("%d users, %d names, %d ids; want %d", len(all), len(byName), len(ids), users)
	}
	for i := range users {
		u, found := byName[fmt.Sprintf("user-%d", i)]
		if !found {
			t.Fatalf("user-%d is not there", i)
		}
		if wrapped := !strings.HasPrefix(u.PasswordHash.Reveal(), "$argon2id$"); wrapped != isWrapped(i) {
			t.Errorf("user-%d: wrapped is %v", i, wrapped)
		}
		if i%10 > 0 {
			continue // reading all of them takes long
		}
		if disabled := stateOf(t, f, u.ID).Disabled; disabled != isDisabled(i) {
			t.Errorf("user-%d: disabled is %v", i, disabled)
		}
	}

	// Once more, and nothing is left to do.
	code, out, _ = fobAt(t, endpoint, "", f, "user", "import", file)
	if want := fmt.Sprintf("0 users are imported, %d were there already, 2 are refused:\n", users); code != exitPartly || !strings.HasPrefix(out, want) {
		t.Errorf("exit code %d, standard output %.100q, want %q", code, out, want)
	}
}

func stateOf(t *testing.T, f *dynamotest.Fixture, id string) oauth.SubjectState {
	t.Helper()
	loc := bearer.Locator{Subject: ledger.SubjectKey(ledger.Subject{Kind: ledger.UserSubject, ID: id})}
	reading, err := f.Tokens.Read(t.Context(), loc)
	if err != nil {
		t.Fatal(err)
	}
	return reading.State
}

// There is no moment in which a disabled user could log in: who cannot be
// disabled is not there.
func TestDisabledUsersAreNeverEnabled(t *testing.T) {
	endpoint := dynamotest.Engine(t)
	f := dynamotest.New(t, endpoint)
	down := refusing(t, endpoint, regexp.MustCompile(`UpdateItem$`), 500, "InternalServerError", "oops")
	file := usersFile(t, `{"username":"bob","disabled":true,`+exampleBcrypt+`}`)
	code, out, said := fobAt(t, down, "", f, "user", "import", file)
	if code != exitUnavailable || out != "" || !strings.HasPrefix(said, `fob: the table "tokens-`) {
		t.Errorf("exit code %d, standard output %q, standard error %q", code, out, said)
	}
	if _, found, err := f.Users.User(t.Context(), "bob"); found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
	if code, _, said := fobAt(t, endpoint, "", f, "user", "import", file); code != 0 {
		t.Fatal(said)
	}
	if !stateOf(t, f, userOf(t, f, "bob").ID).Disabled {
		t.Error("bob is not disabled")
	}
}

// A Ctrl-C ends it, while users are on their way and while it waits for lines.
func TestImportInterrupted(t *testing.T) {
	endpoint := dynamotest.Engine(t)
	for _, tt := range []struct {
		name   string
		users  int
		writes int32 // after which it comes
		says   string
	}{
		// More writes than there are at once, so some are counted.
		{"busy", 4 * userimport.Workers, userimport.Workers + userimport.Workers/2, `[1-9][0-9]* users? (is|are) imported, 0 were there already, and the rest may not be, so run the same command again \(interrupted\)`},
		{"waiting", 3, 3, `(.*, so run the same command again \()?interrupted\)?`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := dynamotest.New(t, endpoint)
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			in, feed := io.Pipe() // which is never closed
			go func() {
				for i := range tt.users {
					_, _ = fmt.Fprintf(feed, "{\"username\":\"user-%d\",%s}\n", i, exampleBcrypt)
				}
			}()
			defer func() { _ = in.Close() }()
			at := turning(t, endpoint, endpoint, tt.writes, interrupt)
			for _, pair := range fixtureEnv(t, f) {
				name, value, _ := strings.Cut(pair, "=")
				t.Setenv(name, value)
			}
			var stdout, stderr output
			p := program{stdin: in, stdout: &stdout, stderr: &stderr, getenv: os.Getenv}
			code := p.run(ctx, []string{"--dynamodb", at, "user", "import", "-"})
			if says := regexp.MustCompile("^fob: " + tt.says + "\n$"); code != exitFailure || stdout.String() != "" || !says.MatchString(stderr.String()) {
				t.Errorf("exit code %d, standard output %q, standard error %q, want one line like %s", code, &stdout, &stderr, says)
			}
		})
	}
}

// No hash, salt or password reaches a screen, a report or an error, whatever is
// wrong with the line that it is on.
func TestImportShowsNoHashes(t *testing.T) {
	endpoint := dynamotest.Engine(t)
	f := dynamotest.New(t, endpoint)
	const canary, salt = "Canary7f3aCanary7f3aCanary7f3a", "SaltCanary9d2e"
	lines := []string{
		`{"username":"ok",` + exampleSHA256 + `}`,
		`{"username":"a","password_hash":"` + canary + `"}`,
		`{"username":"b","password_hash":"` + canary + `","digest":"SHA-256","salt":"` + salt + `"}`,
		`{"username":"c","password_hash":"$2b$08$` + canary + `"}`,
		`{"username":"d","password_hash":"{SSHA}` + canary + `","roles":["` + `ok"],"x":1}`,
		`{"username":"e","password_hash":["` + canary + `"]}`,
		`{"username":"f","password_hash":"` + canary + `}`,
		`{"username":"g","password_hash":"` + canary + `","` + canary + `":"` + salt + `"}`,
		`{"username":"h","digest":"` + canary + `","password_hash":"AAAA"}`,
		`{"username":"i","digest":"PBKDF2","prf":"` + canary + `","iterations":1,"password_hash":"AAAA","salt":"` + salt + `"}`,
		canary,
		`{"username":"ok",` + exampleSHA256 + `}`,
	}
	report := filepath.Join(t.TempDir(), "refused.jsonl")
	down := refusing(t, endpoint, regexp.MustCompile(`PutItem$`), 500, "InternalServerError", "oops")
	for _, at := range []string{down, endpoint} {
		for _, flag := range []string{"--json", "--report=" + report, "--dry-run"} {
			_, out, said := fobAt(t, at, "", f, "user", "import", usersFile(t, lines...), flag)
			written, _ := os.ReadFile(report)
			all := out + said + string(written)
			for _, leak := range []string{canary, salt, "QasIxB6SuXPYIi", "ZXhhbXBsZS1zYWx0", "$wrapped$", "$argon2id$v=19$m=19456"} {
				if strings.Contains(all, leak) {
					t.Errorf("%s shows %s:\n%s", flag, leak, all)
				}
			}
			if !strings.Contains(said, "fob: ") {
				t.Errorf("%s: standard error is %q", flag, said)
			}
		}
	}
	if info, err := os.Stat(report); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the report: %v, %v", info, err)
	}
}

// A disk that fails is not the end of the file.
func TestUsersThatCannotBeRead(t *testing.T) {
	endpoint := dynamotest.Engine(t)
	f := dynamotest.New(t, endpoint)
	for _, pair := range fixtureEnv(t, f) {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	broken := io.MultiReader(strings.NewReader(`{"username":"ann",`+exampleBcrypt+"}\n"), brokenReader{})
	var stdout, stderr output
	p := program{stdin: broken, stdout: &stdout, stderr: &stderr, getenv: os.Getenv}
	code := p.run(t.Context(), []string{"--dynamodb", endpoint, "user", "import", "-"})
	if code != exitFailure || stdout.String() != "" || !strings.Contains(stderr.String(), "the users cannot be read: the disk is broken") {
		t.Errorf("exit code %d, standard output %q, standard error %q", code, &stdout, &stderr)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("the disk is broken") }
