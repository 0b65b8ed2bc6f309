package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fobToken runs fob token against a server with these answers.
func fobToken(ctx context.Context, t *testing.T, handler http.HandlerFunc, stdin string, args ...string) (code int, out, said string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	var stdout, stderr output
	p := program{stdin: strings.NewReader(stdin), stdout: &stdout, stderr: &stderr, getenv: noEnv}
	code = p.run(ctx, append([]string{"token"}, append(args, "--url", server.URL, "--client", "shop-app")...))
	return code, stdout.String(), strings.ReplaceAll(stderr.String(), server.URL, "URL")
}

const exampleToken = "fob_rt_AQEAawqPVg-ItHA4QqKgaU_FlUCIhEWOK3xDLnG0Frir5jJmDxwtbyVJ5ZRG3yYAAAABcyla7tdCoBYTl3y682UoOBP-zMT_ItVnjYVa6-IfYUTLPiadroRlKp02QUCucjAf"

// A failure is not answered as success. It says what to do, and does not repeat the token.
func TestTokenIsNotAnswered(t *testing.T) {
	for _, test := range []struct {
		status     int
		retryAfter string
		body       string
		code       int
		says       string
	}{
		{503, "2", `{"error":"temporarily_unavailable"}`, exitUnavailable, "fob: URL cannot answer now, run the same command again after 2 s: status 503, temporarily_unavailable\n"},
		{500, "", ``, exitUnavailable, "fob: URL cannot answer now, run the same command again: status 500\n"},
		{502, "", `<html>`, exitUnavailable, "fob: URL cannot answer now, run the same command again: status 502\n"},
		{429, "", `{"message":"Too Many Requests"}`, exitUnavailable, "fob: URL cannot answer now, run the same command again: status 429\n"},
		{400, "", `{"error":"invalid_target"}`, exitFailure, "fob: URL refuses that: status 400, invalid_target (fob client show says which audiences the client has)\n"},
		{400, "", `{"error":"x","error_description":"Say less."}`, exitFailure, "fob: URL refuses that: status 400, x: Say less.\n"},
		{400, "", `{"error":"x","error_description":"\u001b[2J"}`, exitFailure, "fob: URL refuses that: status 400, x\n"},
		{302, "", ``, exitFailure, "fob: URL redirects to another address, give that with --url: status 302\n"},
		{200, "", `<html>`, exitFailure, "fob: URL does not answer as fob does: status 200, and a body that is not JSON\n"},
	} {
		answer := func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", test.retryAfter)
			w.WriteHeader(test.status)
			_, _ = w.Write([]byte(test.body))
		}
		for _, verb := range []string{"refresh", "introspect", "revoke"} {
			if code, out, said := fobToken(t.Context(), t, answer, exampleToken, verb); code != test.code || out != "" || said != test.says {
				t.Errorf("%s, %d %s: exit code %d, %q, %q", verb, test.status, test.body, code, out, said)
			}
		}
		if code, out, said := fobToken(t.Context(), t, answer, "example-password", "get", "--user", "ann"); code != test.code || out != "" || said != test.says {
			t.Errorf("get, %d %s: exit code %d, %q, %q", test.status, test.body, code, out, said)
		}
	}
}

func TestTokenInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	wait := func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // before the body is read nobody notices that the client is gone
		cancel()
		<-r.Context().Done()
	}
	if code, out, said := fobToken(ctx, t, wait, exampleToken, "revoke"); code != exitFailure || out != "" || said != "fob: interrupted\n" {
		t.Errorf("exit code %d, %q, %q", code, out, said)
	}
}

// The text in a file is sent, without what Windows or JSON put around it.
func TestGivenFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	sent := ""
	take := func(w http.ResponseWriter, r *http.Request) {
		_, sent, _ = r.BasicAuth()
		_, _ = w.Write([]byte(`{"access_token":"` + exampleToken + `"}`))
	}
	for name, test := range map[string]struct {
		content, want, says string
	}{
		"one line":              {content: "example\n", want: "example"},
		"Windows":               {content: byteOrderMark + "example\r\n", want: "example"},
		"JSON":                  {content: ` {"client_id":"shop","client_secret":"example"}` + "\n", want: "example"},
		"JSON of Windows":       {content: byteOrderMark + `{"client_secret":"example"}` + "\r\n", want: "example"},
		"JSON in lines":         {content: "{\n  \"client_secret\": \"example\"\n}\n", want: "example"},
		"a brace":               {content: "{example", want: "%7Bexample"},
		"a JSON text":           {content: `"example"`, want: "%22example%22"},
		"null":                  {content: "null", want: "null"},
		"JSON without it":       {content: `{"password":"example"}`, says: "the JSON in given has no client_secret"},
		"JSON with a number":    {content: `{"client_secret":1}`, says: "the JSON in given has no client_secret"},
		"JSON with nothing":     {content: `{"client_secret":""}`, says: "the JSON in given has no client_secret"},
		"UTF-16":                {content: utf16Text, says: "given is UTF-16, as PowerShell writes it: it must be UTF-8"},
		"nothing":               {content: "\n", says: "given has no client secret"},
		"two lines":             {content: "a\nb\n", says: "given has more than one line; the client secret is one"},
		"the longest":           {content: strings.Repeat("x", maxSecret) + "\n", want: strings.Repeat("x", maxSecret)},
		"more than the longest": {content: strings.Repeat("x", maxSecret+1), says: "given is too long for a client secret"},
	} {
		if err := os.WriteFile("given", []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		sent = ""
		code, _, said := fobToken(t.Context(), t, take, "", "get", "--secret-file", "given")
		if sent != test.want || test.says == "" && code != 0 || test.says != "" && (code != exitUsage || !strings.HasPrefix(said, "fob: "+test.says+"; see")) {
			t.Errorf("%s: exit code %d, sent %.40q, %q", name, code, sent, said)
		}
	}
}

// fob serve --json prints the secrets of two clients into one object: that of the API asks.
func TestTokenIntrospectOfAnAPI(t *testing.T) {
	t.Chdir(t.TempDir())
	const note = "fob: a client without --introspects for an audience of the token always gets this answer\n"
	for content, want := range map[string]string{
		`{"client_secret":"of-app","resource_client_secret":"of-api"}`: "of-api",
		`{"client_secret":"of-shop-api"}`:                              "of-shop-api",
	} {
		if err := os.WriteFile("demo.json", []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		for answer, says := range map[string]string{`{"active":false}`: note, `{"active":true}`: ""} {
			sent := ""
			take := func(w http.ResponseWriter, r *http.Request) {
				_, sent, _ = r.BasicAuth()
				_, _ = w.Write([]byte(answer))
			}
			if code, _, said := fobToken(t.Context(), t, take, exampleToken, "introspect", "--secret-file", "demo.json"); code != 0 || sent != want || said != says {
				t.Errorf("%s, %s: exit code %d, sent %q, said %q", content, answer, code, sent, said)
			}
			if code, _, said := fobToken(t.Context(), t, take, exampleToken, "introspect", "--secret-file", "demo.json", "--json"); code != 0 || said != "" {
				t.Errorf("%s, with --json: exit code %d, said %q", answer, code, said)
			}
		}
	}
}

// Ctrl-C ends fob also while nobody writes to the named pipe that it reads.
func TestTokenInterruptedAtAPipe(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := exec.Command("mkfifo", "pipe").Run(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	type result struct {
		code int
		said string
	}
	done := make(chan result, 1)
	go func() {
		var stdout, stderr output
		p := program{stdin: strings.NewReader(exampleToken), stdout: &stdout, stderr: &stderr, getenv: noEnv}
		code := p.run(ctx, []string{"token", "revoke", "--url", "http://127.0.0.1:1", "--client", "shop", "--secret-file", "pipe"})
		done <- result{code, stderr.String()}
	}()
	select {
	case got := <-done:
		if got.code != exitFailure || got.said != "fob: interrupted\n" {
			t.Errorf("exit code %d, %q", got.code, got.said)
		}
	case <-time.After(time.Minute):
		t.Error("it waits for somebody who writes")
	}
	if w, err := os.OpenFile("pipe", os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil { // ends the read that waits
		_ = w.Close()
	}
}

// An error of standard output says that the request was made: the refresh token may be used
// up.
func TestTokenStandardOutputTakesNothing(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"access_token":"` + exampleToken + `"}`))
	}))
	defer server.Close()
	var stderr output
	p := program{stdin: strings.NewReader(exampleToken), stdout: fullDisk{}, stderr: &stderr, getenv: noEnv}
	if code := p.run(t.Context(), []string{"token", "refresh", "--url", server.URL, "--client", "shop-app"}); code != exitFailure || !strings.HasPrefix(stderr.String(), "fob: it was done, but standard output does not take the answer") {
		t.Errorf("exit code %d, %s", code, stderr.String())
	}
}
