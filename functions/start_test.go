package functions_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/keys"
)

// Between its start and the first request a function opens its connections, with
// these calls and no others.
func TestCallsBeforeTheFirstRequest(t *testing.T) {
	s := newStage(t)
	defer s.searchForLeaks(t)
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
		i := s.run(t, name)
		if diff := cmp.Diff(want, i.secrets.counts()); diff != "" {
			t.Errorf("%s: calls to Secrets Manager (-want +got):\n%s", name, diff)
		}
		calls := map[string]int{"GetItem": 1}
		if name == "metadata" { // it asks nobody
			calls = map[string]int{}
		}
		if diff := cmp.Diff(calls, i.tables.counts()); diff != "" {
			t.Errorf("%s: calls to DynamoDB (-want +got):\n%s", name, diff)
		}
		if said := i.stdout.next(t); len(said) > 0 {
			t.Errorf("%s had something to say about that: %s", name, said)
		}
	}
}

// A function that must not serve ends at once and says why, and what it is told
// in confidence it keeps to itself.
func TestRefusesToStart(t *testing.T) {
	const short = "short-key-text"
	all := func(name string) map[string]string {
		environment := map[string]string{
			"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "fixture", "AWS_SECRET_ACCESS_KEY": "fixture",
			"FOB_TOKENS_TABLE": "tokens", "FOB_CLIENTS_TABLE": "clients", "FOB_CHECK_SECRET": checkARN,
		}
		if name == "token" {
			environment["FOB_USERS_TABLE"], environment["FOB_MINT_SECRET"] = "users", mintARN
		}
		return environment
	}
	without := func(keys ...string) func(map[string]string) {
		return func(environment map[string]string) {
			for _, key := range keys {
				delete(environment, key)
			}
		}
	}
	with := func(key, value string) func(map[string]string) {
		return func(environment map[string]string) { environment[key] = value }
	}
	for _, test := range []struct {
		name, function string
		change         func(map[string]string)
		check, mint    string // the secrets, if they are bad ones
		want           []string
	}{
		{name: "nothing is set", function: "token", change: func(e map[string]string) { clear(e) },
			want: []string{"FOB_TOKENS_TABLE", "FOB_CLIENTS_TABLE", "FOB_USERS_TABLE", "FOB_CHECK_SECRET", "FOB_MINT_SECRET"}},
		{name: "nothing is set", function: "revoke", change: func(e map[string]string) { clear(e) },
			want: []string{"FOB_TOKENS_TABLE", "FOB_CLIENTS_TABLE", "FOB_CHECK_SECRET"}},
		{name: "nothing is set but an issuer", function: "introspect", change: func(e map[string]string) { clear(e); e["FOB_ISSUER"] = "http://fob.example" },
			want: []string{"FOB_TOKENS_TABLE", "FOB_CLIENTS_TABLE", "FOB_CHECK_SECRET", "FOB_ISSUER"}},
		{name: "nothing is set", function: "devices", change: func(e map[string]string) { clear(e) },
			want: []string{"FOB_TOKENS_TABLE", "FOB_CLIENTS_TABLE", "FOB_CHECK_SECRET"}},
		{name: "nothing is set", function: "events", change: func(e map[string]string) { clear(e) },
			want: []string{"FOB_TOKENS_TABLE", "FOB_CLIENTS_TABLE"}},
		{name: "an issuer that is not a URL and an unknown grant", function: "metadata", change: func(e map[string]string) {
			clear(e)
			e["FOB_ISSUER"], e["FOB_PASSWORD_GRANT"] = "http://fob.example", "off"
		},
			want: []string{"FOB_ISSUER", "PasswordGrant"}},
		{name: "two are missing", function: "token", change: without("FOB_USERS_TABLE", "FOB_MINT_SECRET"),
			want: []string{"FOB_USERS_TABLE", "FOB_MINT_SECRET"}},
		{name: "one is empty", function: "revoke", change: with("FOB_TOKENS_TABLE", ""), want: []string{"FOB_TOKENS_TABLE"}},

		{name: "an unknown kind of hashes", function: "token", change: with("FOB_HIDE_KIND", "bcrypt"), want: []string{"FOB_HIDE_KIND", "bcrypt:12"}},

		{name: "own users that are not a function", function: "token", change: with("FOB_OWN_USERS", "https://users.example.com"), want: []string{"FOB_OWN_USERS", "ARN"}},
		{name: "own users in an unknown mode", function: "token", change: with("FOB_OWN_USERS_MODE", "Migrate"), want: []string{"FOB_OWN_USERS_MODE", "ask or migrate"}},

		{name: "short mint key", function: "token", mint: `{"1": "` + short + `"}`, want: []string{"unusable key ring", "mint secret", "key 1"}},
		{name: "mint key that is the check key", function: "token", mint: `{"1": "` + checkKey + `"}`, want: []string{"unusable key ring", "mint secret", "repeats"}},
		{name: "no active mint key", function: "token", mint: `{"2": "` + mintKey + `"}`, want: []string{"unusable key ring", "the active key 1 is missing"}},
		{name: "short check key", function: "token", check: `{"issuer_epoch": 0, "states": {"1": "active"}, "1": "` + short + `"}`, want: []string{"unusable key ring", "check secret", "key 1"}},
		{name: "empty check key", function: "revoke", check: `{"issuer_epoch": 0, "states": {"1": "active"}, "1": ""}`, want: []string{"unusable key ring", "check secret", "key 1"}},
		{name: "doubled check key", function: "introspect", check: `{"issuer_epoch": 0, "states": {"1": "active", "2": "verify-only"}, "1": "` + checkKey + `", "2": "` + checkKey + `"}`, want: []string{"unusable key ring", "keys 1 and 2 are the same"}},
		{name: "no active check key", function: "introspect", check: `{"issuer_epoch": 0, "states": {"1": "retired"}, "1": "` + checkKey + `"}`, want: []string{"unusable key ring", "no key is active"}},
		{name: "check secret that is not JSON", function: "revoke", check: checkKey, want: []string{"unusable key ring", "not a JSON object"}},
	} {
		t.Run(test.function+" "+test.name, func(t *testing.T) {
			environment := all(test.function)
			manager := newSecretsManager(t)
			environment["AWS_ENDPOINT_URL_SECRETS_MANAGER"], environment["AWS_ENDPOINT_URL_DYNAMODB"] = manager.URL, nowhere
			if test.change != nil {
				test.change(environment)
			}
			if test.check != "" {
				manager.Create(checkARN, test.check)
			}
			if test.mint != "" {
				manager.Create(mintARN, test.mint)
			}
			f := start(t, test.function, environment)
			if status := f.awaitEnd(t); status != 1 {
				t.Errorf("exit status %d, want 1", status)
			}
			lines := f.stdout.next(t)
			if len(lines) != 1 {
				t.Fatalf("want one line that says why:\n%s", f.stdout.all(t))
			}
			l := parseLine(t, lines[0])
			if l.text("level") != "ERROR" || l.text("msg") != "start" {
				t.Errorf("want an error of the start: %s", lines[0])
			}
			for _, want := range test.want {
				if !strings.Contains(l.text("error"), want) {
					t.Errorf("no word of %s: %s", want, lines[0])
				}
			}
			if noise := f.stderr.all(t); len(noise) > 0 {
				t.Errorf("standard error: %s", noise)
			}
			logged := []haystack{{"log of " + test.function, f.stdout.all(t)}}
			for _, leak := range search([]needle{{"key", short}, {"key", checkKey}, {"key", mintKey}}, logged) {
				t.Error(leak)
			}
		})
	}
}

// nowhere is an address at which nobody listens. A port that was just closed
// would not do: somebody else on this machine may get it.
const nowhere = "http://127.0.0.1:1"

// Without its tables a function says so, in OAuth's words and in time, and it
// serves again as soon as they are back.
func TestOutage(t *testing.T) {
	t.Parallel()
	const reserve = 300 * time.Millisecond // of the time that Lambda gives
	unavailable := reply{
		status: http.StatusServiceUnavailable,
		header: map[string]string{"Retry-After": "2"},
		body:   map[string]any{"error": "temporarily_unavailable", "error_description": "temporarily unavailable, try again"},
	}
	checkOutage := func(t *testing.T, i *instance, a answer) {
		t.Helper()
		if i.name == "events" {
			check(t, a, reply{unavailable.status, unavailable.header, map[string]any{"err": "temporarily_unavailable", "description": "temporarily unavailable, try again"}})
		} else {
			check(t, a, unavailable)
		}
		if a.line.text("level") != "ERROR" || a.line.text("outcome") != "failed" || a.line.text("code") != "temporarily_unavailable" || a.line.text("error") == "" {
			t.Errorf("%s: the line: %v", i.name, a.line)
		}
	}
	events := map[string]string{"token": "client_credentials", "revoke": "revoke", "introspect": "introspect", "devices": "list", "events": "set", "users": "list", "account": "password"}
	for _, name := range functionNames() {
		if name == "metadata" {
			continue // it asks nobody
		}
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			defer s.searchForLeaks(t)
			e := readSample(t, filepath.Join(name, "events", events[name]+".json"))
			if name == "devices" || name == "account" { // which ask the tables for genuine tokens alone
				e = filledIn(t, e, s.run(t, "token").login(t, name+" device_sample"))
			}
			if name == "users" {
				e = filledIn(t, e, s.run(t, "token").asBackEnd(t))
			}
			good := http.StatusOK
			if name == "events" { // which looks up issuers for genuine forms alone
				e.Body, good = s.signed(t, s.addSigners(t), e.Body), http.StatusAccepted
			}
			text := encode(t, e)

			// From the start.
			i := s.run(t, name, func(i *instance, _ map[string]string) { i.tables.set(broken) })
			said := i.stdout.next(t)
			if len(said) != 1 || parseLine(t, said[0]).text("level") != "ERROR" {
				t.Errorf("want one line that reports the outage: %s", said)
			}
			const left = 5 * time.Second
			a := i.sendWithin(t, text, left)
			checkOutage(t, i, a)
			if a.took > left-reserve {
				t.Errorf("answered after %v of %v", a.took, left)
			}

			i.tables.set(open)
			if a := i.send(t, text); a.status != good {
				t.Errorf("after the outage: status %d, %v", a.status, a.line)
			}

			// Later, and as if the packets were lost. The domain gives up when the
			// reserve begins, so the answer is there before the end.
			i = s.run(t, name)
			i.tables.set(silent)
			const little = 1500 * time.Millisecond
			a = i.sendWithin(t, text, little)
			checkOutage(t, i, a)
			if a.took >= little+lateness {
				t.Errorf("answered after %v of %v", a.took, little)
			}
			i.tables.set(open)
			if a := i.send(t, text); a.status != good {
				t.Errorf("after the silence: status %d, %v", a.status, a.line)
			}
		})
	}
}

// Connections that are refused are an outage like any other.
func TestNobodyAtTheEndpoint(t *testing.T) {
	s := newStage(t)
	defer s.searchForLeaks(t)
	i := s.run(t, "introspect", func(_ *instance, environment map[string]string) {
		environment["AWS_ENDPOINT_URL_DYNAMODB"] = nowhere
	})
	i.tables.set(broken) // it is not asked, so it cannot count
	_ = i.stdout.next(t) // the complaint at the start; see TestOutage
	a := i.introspectToken(t, "fob_at_x")
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || a.text(t, "error") != "temporarily_unavailable" {
		t.Errorf("status %d, %v", a.status, a.line)
	}
}

// The same for the keys: a function that cannot fetch them starts, answers 503 at
// once, and tries again after a pause (docs/decisions/0007).
func TestKeysAreMissingForAWhile(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	defer s.searchForLeaks(t)
	i := s.run(t, "introspect", func(i *instance, _ map[string]string) { i.secrets.setDown(true) })
	if said := i.stdout.next(t); len(said) != 1 || parseLine(t, said[0]).text("level") != "ERROR" {
		t.Errorf("want one line that reports the outage: %s", said)
	}
	event := formEvent(t, "introspect", form("token", "x", "client_id", demoAPI, "client_secret", demoAPISecret))
	a := i.sendWithin(t, event, 5*time.Second)
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || a.text(t, "error") != "temporarily_unavailable" || a.took >= 5*time.Second {
		t.Errorf("status %d after %v, %v", a.status, a.took, a.line)
	}
	i.secrets.setDown(false)
	// The pause is the program's own, so a client has to come again, as Retry-After
	// tells it.
	const pause = 5 * time.Second
	for began := time.Now(); a.status == http.StatusServiceUnavailable && time.Since(began) < 2*pause; {
		seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
		must(t, err)
		time.Sleep(time.Duration(seconds) * time.Second)
		a = i.send(t, event)
	}
	if a.body != `{"active":false}` {
		t.Errorf("after the outage: status %d, %v", a.status, a.line)
	}
}

// On a laptop a file takes the place of Secrets Manager.
func TestKeysFile(t *testing.T) {
	s := newStage(t)
	defer s.searchForLeaks(t)
	path := filepath.Join(t.TempDir(), "keys.json")
	must(t, keys.NewFile(path))
	text, err := os.ReadFile(path)
	must(t, err)
	var file struct{ Mint, Check map[string]any }
	must(t, json.Unmarshal(text, &file))
	s.know("mint key", file.Mint["1"].(string))
	s.know("check key", file.Check["1"].(string))

	functions := s.runAll(t, func(i *instance, environment map[string]string) {
		i.secrets.setDown(true)
		delete(environment, "FOB_CHECK_SECRET")
		delete(environment, "FOB_MINT_SECRET")
		environment["FOB_KEYS_FILE"] = path
	})
	login := functions["token"].login(t, "device_ipad")
	if a := functions["introspect"].introspectToken(t, login.text(t, "access_token")); a.members(t)["active"] != true {
		t.Errorf("introspect: %s", a.body)
	}
	if a := functions["revoke"].revokeToken(t, login.text(t, "refresh_token")); a.status != http.StatusOK {
		t.Errorf("revoke: %d %s", a.status, a.body)
	}
	if a := functions["introspect"].introspectToken(t, login.text(t, "access_token")); a.body != `{"active":false}` {
		t.Errorf("introspect after revoke: %s", a.body)
	}
	for name, i := range functions {
		if asked := i.secrets.counts(); len(asked) > 0 {
			t.Errorf("%s asked Secrets Manager: %v", name, asked)
		}
	}
}
