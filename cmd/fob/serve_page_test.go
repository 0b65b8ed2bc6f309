package main

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
)

// The page signs in with a password that it hands out, so it is only where no other machine
// comes, and where that password and all that it opens end with the process.
func TestServeHasPage(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want int
	}{
		{"in memory", nil, http.StatusOK},
		{"for other machines", []string{"--addr", "0.0.0.0:0"}, http.StatusNotFound},
		{"for other machines, IPv6", []string{"--addr", "[::]:0"}, http.StatusNotFound},
		{"with users of a team", []string{"--users-from", "http://localhost:9"}, http.StatusNotFound},
		{"with users of a team, who move in", []string{"--users-from", "http://localhost:9", "--users-mode", "migrate"}, http.StatusNotFound},
		{"in memory, with a key file", []string{"--keys", filepath.Join(t.TempDir(), "keys.json")}, http.StatusNotFound},
	} {
		t.Run(c.name, func(t *testing.T) { hasPage(t, c.want, c.args...) })
	}
	t.Run("in tables", func(t *testing.T) {
		hasPage(t, http.StatusNotFound, "--dynamodb", dynamotest.Engine(t), "--keys", filepath.Join(t.TempDir(), "keys.json"))
	})
}

// hasPage starts fob serve as people do, and compares the page with what it prints.
func hasPage(t *testing.T, want int, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, write := io.Pipe()
	var said output
	p := program{stdin: strings.NewReader(""), stdout: write, stderr: &said, getenv: noEnv}
	code := make(chan int, 1)
	go func() { code <- p.run(ctx, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)) }()
	var printed strings.Builder
	for !strings.Contains(printed.String(), "# Ctrl-C ends") {
		var b [4096]byte
		n, err := out.Read(b[:])
		printed.Write(b[:n])
		if err != nil {
			t.Fatalf("%v: %s", err, &said)
		}
	}
	_, base, _ := strings.Cut(printed.String(), "# fob serves ")
	base, _, _ = strings.Cut(base, " ")
	for _, path := range []string{"/", "/page/demo.json", "/page/state.json"} {
		resp, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, resp.StatusCode, want)
		}
	}
	if got := strings.Contains(printed.String(), "browser"); got != (want == http.StatusOK) {
		t.Errorf("it printed\n%s", printed.String())
	}
	cancel()
	if c := <-code; c != 0 {
		t.Errorf("exit code %d: %s", c, &said)
	}
}
