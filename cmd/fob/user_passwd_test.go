package main

import (
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
)

// A person whom a team's own users proved gets a password at fob when they are asked no
// more, and keeps the id. Nobody does that by mistake.
func TestPasswdTakesOver(t *testing.T) {
	s := newMemoryStores()
	id := oauth.OwnUserID("17")
	if _, err := s.users.SaveUser(t.Context(), oauth.User{Username: "ann", ID: id, Origin: oauth.UserAsked}); err != nil {
		t.Fatal(err)
	}
	passwd := func(args string, want int) string {
		t.Helper()
		var stdout, stderr output
		p := program{stdin: strings.NewReader("blue lamp on a desk\n"), stdout: &stdout, stderr: &stderr, getenv: noEnv, open: opens(&s)}
		if code := p.run(t.Context(), strings.Fields("user passwd ann "+args)); code != want {
			t.Fatalf("exit code %d, want %d: %s", code, want, stderr.String())
		}
		return stderr.String()
	}
	if said := passwd("", exitUsage); !strings.Contains(said, "your own users") {
		t.Errorf("no word of why: %s", said)
	}
	passwd("--take-over", 0)
	u, found, err := s.users.User(t.Context(), "ann")
	if err != nil || !found || u.ID != id || u.Origin != oauth.UserKept || u.PasswordHash.Len() == 0 {
		t.Errorf("%+v, %v, %v", u, found, err)
	}
}
