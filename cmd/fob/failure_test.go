package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
)

// fobAt runs fob in this process against an endpoint, with an account that is
// the fixture's.
func fobAt(t *testing.T, endpoint, stdin string, f *dynamotest.Fixture, args ...string) (code int, out, said string) {
	t.Helper()
	env := map[string]string{"HOME": t.TempDir(), "AWS_PROFILE": "", "AWS_CONFIG_FILE": "/none", "AWS_SHARED_CREDENTIALS_FILE": "/none"}
	for _, pair := range fixtureEnv(t, f) {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
	var stdout, stderr output
	p := program{
		stdin: strings.NewReader(stdin), stdout: &stdout, stderr: &stderr,
		getenv: func(name string) string { return env[name] },
	}
	p.clock.sleepFunc = func(context.Context, time.Duration) error { return nil }
	code = p.run(t.Context(), append([]string{"--dynamodb", endpoint}, args...))
	return code, stdout.String(), stderr.String()
}

// refusing is an engine that does what it is asked and answers operations that
// match with an error.
func refusing(t *testing.T, engine string, operation *regexp.Regexp, status int, kind, message string) string {
	t.Helper()
	target, err := url.Parse(engine)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		if !operation.MatchString(r.Request.Header.Get("X-Amz-Target")) {
			return nil
		}
		_ = r.Body.Close()
		body := fmt.Sprintf(`{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":%q}`, kind, message)
		r.StatusCode, r.Status = status, ""
		r.Header = http.Header{"Content-Type": {"application/x-amz-json-1.0"}}
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		return nil
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL
}

func TestErrorsSayWhatToDo(t *testing.T) {
	engine := dynamotest.Engine(t)
	f := dynamotest.New(t, engine)
	for _, test := range []struct {
		name    string
		at      string
		stdin   string
		args    []string
		code    int
		says    string
		neither string
	}{
		{
			name: "forbidden",
			at:   refusing(t, engine, regexp.MustCompile(`Scan$`), 400, "AccessDeniedException", "not authorized to perform: dynamodb:Scan"),
			args: []string{"client", "list"},
			code: exitFailure, says: `^fob: AWS forbids it: not authorized to perform: dynamodb:Scan\n$`,
		},
		{
			name: "expired credentials",
			at:   refusing(t, engine, regexp.MustCompile(`.`), 400, "ExpiredTokenException", "The security token is expired"),
			args: []string{"user", "list"},
			code: exitFailure, says: `^fob: DynamoDB at http://127.0.0.1:[0-9]+ refuses the credentials: The security token is expired\n$`,
		},
		{
			name: "throttled",
			at:   refusing(t, engine, regexp.MustCompile(`Scan$`), 400, "ProvisionedThroughputExceededException", "slow down"),
			args: []string{"client", "list"},
			code: exitUnavailable, says: `^fob: the table "clients-[A-Z2-7]+" at http://127.0.0.1:[0-9]+ gives no answer, try again: `,
		},
		{
			name: "a client that may have been added",
			at:   refusing(t, engine, regexp.MustCompile(`(Put|Get)Item$`), 500, "InternalServerError", "oops"),
			args: []string{"client", "add", "--id", "lost", "--grant", "client_credentials"},
			code: exitUnavailable, says: `^fob: the table "clients-[A-Z2-7]+" at `,
		},
		{
			name: "a client that AWS forbids to add",
			at:   refusing(t, engine, regexp.MustCompile(`PutItem$`), 400, "AccessDeniedException", "not authorized to perform: dynamodb:PutItem"),
			args: []string{"client", "add", "--id", "forbidden", "--grant", "client_credentials"},
			code: exitFailure, says: `^fob: AWS forbids it: not authorized to perform: dynamodb:PutItem\n$`,
		},
		{
			name:  "a password that was changed, and tokens that were not ended",
			at:    refusing(t, engine, regexp.MustCompile(`UpdateItem$`), 500, "InternalServerError", "oops"),
			stdin: "example-password\n",
			args:  []string{"user", "passwd", "ann"},
			code:  exitUnavailable, says: `^fob: the new password is stored, but tokens issued before may still be active: run the same command again\. the table "tokens-`,
			neither: "example-password",
		},
		{
			name:  "a password that may have been changed",
			at:    refusing(t, engine, regexp.MustCompile(`PutItem$`), 500, "InternalServerError", "oops"),
			stdin: "example-password\n",
			args:  []string{"user", "passwd", "ann"},
			code:  exitUnavailable, says: `^fob: it is not known whether the new password is stored: run the same command again\. the table "users-`,
			neither: "example-password",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, _, said := fobAt(t, engine, "example-password\n", f, "user", "add", "ann"); said != "" && !strings.Contains(said, "already") {
				t.Fatal(said)
			}
			code, out, said := fobAt(t, test.at, test.stdin, f, test.args...)
			if code != test.code || out != "" || !regexp.MustCompile(test.says).MatchString(said) || strings.Count(said, "\n") != 1 {
				t.Errorf("exit code %d, want %d; standard output %q; standard error %q, want one line like %s", code, test.code, out, said, test.says)
			}
			if test.neither != "" && strings.Contains(said, test.neither) {
				t.Errorf("standard error shows %q", test.neither)
			}
		})
	}

}

// A write whose reply was lost is looked at: what landed is shown after all, the
// secret that it generated too, which nobody else has.
func TestSecretsAreNotLostInDoubt(t *testing.T) {
	engine := dynamotest.Engine(t)
	f := dynamotest.New(t, engine)
	lossy := refusing(t, engine, regexp.MustCompile(`PutItem$`), 500, "InternalServerError", "oops")
	secretIn := regexp.MustCompile(`client_secret +[A-Za-z0-9_-]{43}\n`)
	if code, out, said := fobAt(t, lossy, "", f, "client", "add", "--id", "lost", "--grant", "client_credentials"); code != 0 || !secretIn.MatchString(out) {
		t.Errorf("add: exit code %d, %q, %q", code, out, said)
	}
	if code, out, said := fobAt(t, lossy, "", f, "client", "rotate-secret", "lost"); code != 0 || !secretIn.MatchString(out) {
		t.Errorf("rotate: exit code %d, %q, %q", code, out, said)
	}
	// A write can land after its caller gave up, and after the first look.
	late, release := slowPut(t, engine, 3)
	if code, out, said := fobAt(t, late, "", f, "client", "rotate-secret", "lost", "--now"); code != 0 || !secretIn.MatchString(out) {
		t.Errorf("late: exit code %d, %q, %q", code, out, said)
	}
	release()
	// What nobody can tell is not called unchanged.
	for _, args := range [][]string{
		{"client", "add", "--id", "another", "--grant", "client_credentials"},
		{"client", "rotate-secret", "lost", "--now"},
	} {
		never, release := slowPut(t, engine, 1000)
		code, out, said := fobAt(t, never, "", f, args...)
		if code != exitUnavailable || out != "" || !strings.HasPrefix(said, "fob: it is not known what became of the client ") || strings.Contains(said, "nothing was changed") {
			t.Errorf("%q: exit code %d, %q, %q", args, code, out, said)
		}
		if strings.Contains(said, "--cancel") {
			t.Errorf("%q: there is no older secret to go back to: %q", args, said)
		}
		release()
	}
}

// slowPut is an engine that answers a PutItem with 500 at once and does it before
// the n-th read that comes after it.
func slowPut(t *testing.T, engine string, n int) (endpoint string, release func()) {
	t.Helper()
	target, err := url.Parse(engine)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	var mu sync.Mutex // guards what follows
	var pending *http.Request
	var body []byte
	reads := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch operation := r.Header.Get("X-Amz-Target"); {
		case strings.HasSuffix(operation, "PutItem"):
			pending, reads = r.Clone(context.WithoutCancel(r.Context())), 0
			body, _ = io.ReadAll(r.Body)
			w.Header().Set("Content-Type", "application/x-amz-json-1.0")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"oops"}`)
			return
		case strings.HasSuffix(operation, "GetItem") && pending != nil:
			if reads++; reads == n {
				pending.Body = io.NopCloser(bytes.NewReader(body))
				proxy.ServeHTTP(httptest.NewRecorder(), pending)
				pending = nil
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	return server.URL, server.Close
}

// fullDisk takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// What was done is told, also if standard output does not take it: the exit code
// alone would say that nothing was.
func TestStandardOutputTakesNothing(t *testing.T) {
	s := newMemoryStores()
	run := func(args ...string) (int, string) {
		var stderr output
		p := program{stdin: strings.NewReader("example-password"), stdout: fullDisk{}, stderr: &stderr, getenv: noEnv, inMemory: &s}
		return p.run(t.Context(), args), stderr.String()
	}
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"scope", "add", "read"}, "fob: it was done, but standard output does not take the answer: no space left on device\n"},
		{[]string{"client", "add", "--id", "nightly", "--grant", "client_credentials"}, `fob: the client "nightly" has a new secret, but standard output did not take it, and it is kept nowhere: give it another with fob client rotate-secret nightly --now`},
		{[]string{"client", "rotate-secret", "nightly", "--json"}, `fob: the client "nightly" has a new secret, but standard output did not take it`},
		{[]string{"client", "rotate-secret", "nightly", "--cancel"}, "fob: it was done"},
		{[]string{"user", "add", "ann"}, "fob: it was done"},
		{[]string{"user", "disable", "ann"}, "fob: it was done"},
		{[]string{"client", "list"}, "fob: no space left on device\n"},
	} {
		if code, said := run(test.args...); code != exitFailure || !strings.HasPrefix(said, test.says) || strings.Count(said, "\n") != 1 {
			t.Errorf("%q: exit code %d, %q", test.args, code, said)
		}
	}
	c, _, err := s.clients.Client(t.Context(), "nightly")
	if err != nil || len(c.Secrets) != 1 {
		t.Errorf("%d secrets, %v; want the one that it was added with", len(c.Secrets), err)
	}
}

// A Ctrl-C is no outage.
func TestInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	var stdout, stderr output
	p := program{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, getenv: noEnv}
	code := p.run(ctx, []string{"--dynamodb", "http://127.0.0.1:1", "client", "list"})
	if code != exitFailure || stdout.String() != "" || stderr.String() != "fob: interrupted\n" {
		t.Errorf("exit code %d, standard output %q, standard error %q", code, &stdout, &stderr)
	}
}

// A client that is removed and added again must not revive old tokens, so its
// epoch begins at its creation.
func TestClientBeginsWithAnEpoch(t *testing.T) {
	endpoint := dynamotest.Engine(t)
	f := dynamotest.New(t, endpoint)
	before := time.Now().Unix()
	if code, _, said := fobAt(t, endpoint, "", f, "client", "add", "--id", "shop", "--public", "--grant", "password"); code != 0 {
		t.Fatal(said)
	}
	c, found, err := f.Clients.Client(t.Context(), "shop")
	if err != nil || !found {
		t.Fatalf("found %v, %v", found, err)
	}
	if c.Created < before || c.Epoch != uint64(c.Created) {
		t.Errorf("created %d and epoch %d, now is %d or later", c.Created, c.Epoch, before)
	}
}
