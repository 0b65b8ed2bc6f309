package main

import (
	"context"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

func TestKeyFileThatOthersMayRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Log("a file's mode says nothing there")
		return
	}
	s := newMemoryStores()
	t.Chdir(t.TempDir())
	const name = "keys.json"
	if err := keys.NewFile(name); err != nil {
		t.Fatal(err)
	}
	if _, err := s.users.SaveUser(t.Context(), oauth.User{Username: "ann", ID: oauth.NewUserID(), PasswordHash: secret.New("x"), Created: 1}); err != nil {
		t.Fatal(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for _, test := range []struct {
		mode  os.FileMode
		warns bool
	}{{0o644, true}, {0o640, true}, {0o602, true}, {0o600, false}, {0o400, false}} {
		for _, args := range [][]string{
			{"key", "list", "--keys", "keys.json"},
			{"device", "list", "--user", "ann", "--keys", "keys.json"},
			{"serve", "--keys", "keys.json", "--addr", "127.0.0.1:0"},
		} {
			if err := os.Chmod(name, test.mode); err != nil {
				t.Fatal(err)
			}
			ctx, want := t.Context(), 0
			if args[0] == "serve" {
				ctx, want = stopped, exitFailure // interrupted
			}
			var stdout, stderr output
			p := program{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, getenv: noEnv, open: opens(&s)}
			code := p.run(ctx, args)
			warned := strings.Contains(stderr.String(), "fob: warning: others on this machine may read or change keys.json (its mode is ")
			if code != want || warned != test.warns || strings.Count(stderr.String(), "chmod 600 keys.json\n") > 1 {
				t.Errorf("%q with mode %04o: exit code %d, standard error %q", args, test.mode, code, stderr.String())
			}
		}
	}
}
