package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/keys/keystest"
	"github.com/fob-oauth/fob/internal/keys/rotation"
)

// ringFile is a key file.
type ringFile struct {
	Mint  json.RawMessage `json:"mint"`
	Check json.RawMessage `json:"check"`
}

// newRing makes a ring of keys written as KID:STATE:AGE; without an age nobody
// wrote down since when.
func newRing(epoch string, now time.Time, described ...string) (ringFile, error) {
	mint, check := map[string]string{}, map[string]any{}
	states, since := map[string]string{}, map[string]int64{}
	for _, d := range described {
		kid, rest, _ := strings.Cut(d, ":")
		state, age, dated := strings.Cut(rest, ":")
		states[kid] = state
		if dated {
			d, err := time.ParseDuration(age)
			if err != nil {
				return ringFile{}, err
			}
			since[kid] = now.Add(-d).Unix()
		}
		mint[kid], check[kid] = rand.Text()+rand.Text(), rand.Text()+rand.Text()
	}
	raised, err := strconv.ParseUint(epoch, 10, 64)
	if err != nil {
		return ringFile{}, err
	}
	check["issuer_epoch"], check["states"], check["since"] = raised, states, since
	var f ringFile
	if f.Mint, err = json.Marshal(mint); err != nil {
		return ringFile{}, err
	}
	f.Check, err = json.Marshal(check)
	return f, err
}

func scriptKeyring(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: keyring FILE EPOCH KID:STATE:AGE...")
	}
	f, err := newRing(args[1], time.Now(), args[2:]...)
	ts.Check(err)
	// The demo's secrets outlive the keys.
	seed, err := keys.DemoSeed(ts.MkAbs(args[0]))
	if err != nil {
		seed = keys.NewText()
	}
	text, err := json.Marshal(keys.File{Mint: f.Mint, Check: f.Check, Demo: seed.Reveal()})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o600))
}

// The two secrets of a script's Secrets Manager.
const scriptMintSecret, scriptCheckSecret = "fob-mint", "fob-check"

// scriptManagers are the Secrets Managers of the scripts.
type scriptManagers struct {
	mu       sync.Mutex
	byScript map[string]*keystest.SecretsManager
}

func (m *scriptManagers) script(t *testing.T) func(ts *testscript.TestScript, neg bool, args []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 1 {
			ts.Fatalf("usage: secretsmanager FILE")
		}
		var f ringFile
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &f))
		s := keystest.New(t, time.Now)
		s.Create(scriptMintSecret, string(f.Mint))
		s.Create(scriptCheckSecret, string(f.Check))
		m.mu.Lock()
		defer m.mu.Unlock()
		m.byScript[ts.Name()] = s
		for name, value := range map[string]string{
			"AWS_ENDPOINT_URL_SECRETS_MANAGER": s.URL,
			"AWS_REGION":                       "eu-central-1",
			"AWS_ACCESS_KEY_ID":                "example",
			"AWS_SECRET_ACCESS_KEY":            "example",
			"AWS_MAX_ATTEMPTS":                 "1", // no pauses
			"FOB_MINT_SECRET":                  scriptMintSecret,
			"FOB_CHECK_SECRET":                 scriptCheckSecret,
		} {
			ts.Setenv(name, value)
		}
	}
}

func (m *scriptManagers) scriptAnswers(ts *testscript.TestScript, neg bool, args []string) {
	m.mu.Lock()
	s := m.byScript[ts.Name()]
	m.mu.Unlock()
	if neg || s == nil || len(args) != 0 && len(args) != 4 {
		ts.Fatalf("usage: answers OPERATION STATUS CODE MESSAGE, after secretsmanager")
	}
	if len(args) == 0 {
		s.Before(nil)
		return
	}
	status, err := strconv.Atoi(args[1])
	ts.Check(err)
	s.Before(func(operation, _ string) error {
		if operation == args[0] {
			return &keystest.Error{Status: status, Code: args[2], Message: args[3]}
		}
		return nil
	})
}

// keyProgram is fob in this process on a key file, with the test's clock.
type keyProgram struct {
	t      *testing.T
	path   string
	now    time.Time
	during func() error // called in each sleep, if set
	stores stores       // for commands on clients, if set
}

func newKeyProgram(t *testing.T, described ...string) *keyProgram {
	t.Helper()
	p := &keyProgram{t: t, path: filepath.Join(t.TempDir(), "keys.json"), now: time.Unix(1_900_000_000, 0)}
	f, err := newRing("0", p.now, described...)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *keyProgram) fob(args ...string) (code int, out, said string) {
	p.t.Helper()
	var stdout, stderr output
	fob := program{
		stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, getenv: noEnv,
		now: func() time.Time { return p.now },
		sleep: func(ctx context.Context, d time.Duration) error {
			p.now = p.now.Add(d)
			if p.during != nil {
				return p.during()
			}
			return ctx.Err()
		},
	}
	if p.stores.clients != nil {
		fob.open = opens(&p.stores)
	}
	code = fob.run(p.t.Context(), append(args, "--keys", p.path))
	p.shows(stdout.String() + stderr.String())
	return code, stdout.String(), stderr.String()
}

// shows looks for the texts of the ring in what was printed.
func (p *keyProgram) shows(printed string) {
	p.t.Helper()
	var f struct {
		Mint  map[string]json.RawMessage `json:"mint"`
		Check map[string]json.RawMessage `json:"check"`
	}
	text, err := os.ReadFile(p.path)
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	texts := 0
	for kid, raw := range f.Mint {
		var mint, check string
		secrets := map[string]string{}
		if json.Unmarshal(raw, &secrets) != nil { // not the private keys
			_, _ = json.Unmarshal(raw, &mint), json.Unmarshal(f.Check[kid], &check)
			secrets["mint"], secrets["check"] = mint, check
		}
		for _, text := range secrets {
			if texts++; len(text) < 32 || strings.Contains(printed, text[len(text)/2:len(text)/2+16]) {
				p.t.Errorf("key %s is shown, or is none", kid)
			}
		}
	}
	if texts == 0 {
		p.t.Error("no texts to look for")
	}
}

func (p *keyProgram) want(want string) {
	p.t.Helper()
	_, out, said := p.fob("key", "list", "--longest-life", "90d")
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^(\d+) +([a-z-]+) `).FindAllStringSubmatch(out, -1) {
		got = append(got, m[1]+":"+m[2])
	}
	if strings.Join(got, " ") != want {
		p.t.Errorf("the keys are %q, want %q; %s", got, want, said)
	}
}

// An operator's three months with keys.
func TestKeyRotate(t *testing.T) {
	p := newKeyProgram(t, "1:active:48h")
	began := p.now
	code, out, said := p.fob("key", "rotate")
	if code != 0 || p.now.Sub(began) != 2*rotation.StepWait {
		t.Fatalf("exit code %d after %v, %q", code, p.now.Sub(began), said)
	}
	const progress = `fob: key 2 is added, prepublished
fob: waiting until 2030-03-17T17:48:10Z, when every instance verifies tokens under it
fob: key 2 is active, and key 1 verifies the tokens that were made under it
fob: waiting until 2030-03-17T17:49:40Z, when every instance makes tokens under it
`
	if out != "Key 2 is active at every instance, since 2030-03-17T17:48:10Z.\n" || said != progress {
		t.Errorf("it printed %q and said\n%s", out, said)
	}
	p.want("1:verify-only 2:active")

	// Once more is the same rotation.
	if code, out, _ := p.fob("key", "rotate", "--json", "--longest-life", "90d"); code != 0 || !strings.Contains(out, `"turned": false`) {
		t.Errorf("exit code %d, %q", code, out)
	}
	p.want("1:verify-only 2:active")

	p.now = p.now.Add(90 * 24 * time.Hour)
	code, out, _ = p.fob("key", "rotate", "--json", "--longest-life", "90d")
	var view struct {
		Active struct {
			KID   int
			State string
		}
		Turned  bool
		Retired []int
	}
	if err := json.Unmarshal([]byte(out), &view); err != nil || code != 0 {
		t.Fatalf("exit code %d, %q: %v", code, out, err)
	}
	if view.Active.KID != 3 || view.Active.State != "active" || !view.Turned || len(view.Retired) != 1 || view.Retired[0] != 1 {
		t.Errorf("%s", out)
	}
	p.want("1:retired 2:verify-only 3:active")

	if _, err := keys.MintFromFile(p.path)(t.Context()); err != nil {
		t.Errorf("instances: %v", err)
	}
}

// A Ctrl-C within a wait is one line that says how to go on.
func TestKeyRotateInterrupted(t *testing.T) {
	p := newKeyProgram(t, "1:active:48h")
	p.during = func() error { return context.Canceled }
	code, out, said := p.fob("key", "rotate")
	if code != exitFailure || out != "" || !strings.HasSuffix(said, "\nfob: interrupted: run fob key rotate again, and it goes on from here\n") {
		t.Errorf("exit code %d, %q, %q", code, out, said)
	}
	p.during = nil
	if code, _, said := p.fob("key", "rotate"); code != 0 || !strings.HasPrefix(said, "fob: key 2 is prepublished since ") {
		t.Errorf("exit code %d, %q", code, said)
	}
	p.want("1:verify-only 2:active")
}

// So is one while the table of clients is read.
func TestKeyRotateInterruptedInATable(t *testing.T) {
	p := newKeyProgram(t, "1:verify-only:48h", "2:active:48h")
	ctx, interrupt := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not see that the client is gone
		interrupt()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	for command, says := range map[string]string{
		"rotate": "fob: interrupted: run fob key rotate again, and it goes on from here\n",
		"list":   "fob: interrupted\n",
	} {
		var stdout, stderr output
		fob := program{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, getenv: noEnv}
		code := fob.run(ctx, []string{"key", command, "--keys", p.path, "--dynamodb", server.URL})
		if code != exitFailure || stdout.String() != "" || stderr.String() != says {
			t.Errorf("%s: exit code %d, %q, %q", command, code, &stdout, &stderr)
		}
	}
}

// The other operator is faster.
func TestKeyConflict(t *testing.T) {
	p := newKeyProgram(t, "1:active:48h")
	p.during = func() error {
		p.during = nil
		other := newKeyProgram(t, "1:active:48h")
		other.path, other.now = p.path, p.now
		if code, _, said := other.fob("key", "retire", "2", "--now"); code != 0 {
			t.Error(said)
		}
		return nil
	}
	code, _, said := p.fob("key", "rotate")
	if code != exitConflict || !strings.HasSuffix(said, "\nfob: key 2 is retired, and a key does not become active twice: fob key rotate adds a new one\n") {
		t.Errorf("exit code %d, %q", code, said)
	}
	p.want("1:active 2:retired")
}

func TestSleepEndsWithTheContext(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	if err := sleep(ctx, time.Hour); err != context.Canceled {
		t.Errorf("slept: %v", err)
	}
	if err := sleep(t.Context(), time.Nanosecond); err != nil {
		t.Error(err)
	}
}

// Two operators at one ring in Secrets Manager: the one who comes second is told
// so, and the first one's change stays.
func TestOvertakenOperator(t *testing.T) {
	f, err := newRing("0", time.Now(), "1:active:48h")
	if err != nil {
		t.Fatal(err)
	}
	s := keystest.New(t, time.Now)
	s.Create("fob-mint", string(f.Mint))
	s.Create("fob-check", string(f.Check))
	for name, value := range map[string]string{
		"HOME": t.TempDir(), "AWS_PROFILE": "", "AWS_CONFIG_FILE": "/none", "AWS_SHARED_CREDENTIALS_FILE": "/none",
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "example", "AWS_SECRET_ACCESS_KEY": "example",
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": s.URL,
	} {
		t.Setenv(name, value)
	}
	fob := func() (code int, out, said string) {
		var stdout, stderr output
		p := program{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, getenv: noEnv}
		code = p.run(t.Context(), []string{"epoch", "raise", "--mint-secret", "fob-mint", "--check-secret", "fob-check"})
		return code, stdout.String(), stderr.String()
	}
	s.Before(func(operation, _ string) error {
		if operation == "UpdateSecretVersionStage" {
			s.Before(nil)
			if code, _, said := fob(); code != 0 {
				t.Errorf("the first: %s", said)
			}
		}
		return nil
	})
	code, out, said := fob()
	if code != exitConflict || out != "" || said != "fob: somebody else changed the key ring meanwhile: look at fob key list, and run the command again\n" {
		t.Errorf("the second: exit code %d, %q, %q", code, out, said)
	}
	if text := s.Text("fob-check", keystest.Current); !strings.Contains(text, `"issuer_epoch":1`) {
		t.Error("the issuer epoch was not raised once")
	}
}
