package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
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
	p.sleep = func(context.Context, time.Duration) error { return nil }
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
			code:  exitUnavailable, says: `^fob: the new password is stored, but tokens issued before may still be active, so run the same command again \(the table "tokens-`,
			neither: "example-password",
		},
		{
			name:  "a password that may have been changed",
			at:    refusing(t, engine, regexp.MustCompile(`PutItem$`), 500, "InternalServerError", "oops"),
			stdin: "example-password\n",
			args:  []string{"user", "passwd", "ann"},
			code:  exitUnavailable, says: `^fob: it is not known whether that was done, so run the same command again \(the table "users-`,
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

// A Ctrl-C is not an outage.
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
