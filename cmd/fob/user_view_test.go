package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
)

// A team that moves its users sees who is here, and others see nothing of it.
func TestOriginOfUsers(t *testing.T) {
	s := newMemoryStores()
	for name, origin := range map[string]oauth.UserOrigin{"ann": oauth.UserKept, "bob": oauth.UserAsked, "cyd": oauth.UserOfFob} {
		if _, err := s.users.SaveUser(t.Context(), oauth.User{Username: name, ID: oauth.OwnUserID(name), Origin: origin}); err != nil {
			t.Fatal(err)
		}
		for _, flag := range []string{"", "--json"} {
			var stdout, stderr output
			p := program{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, getenv: noEnv, open: opens(&s)}
			if code := p.run(t.Context(), strings.Fields("user show "+name+" "+flag)); code != 0 {
				t.Fatalf("exit code %d, %s", code, stderr.String())
			}
			if flag == "" {
				if has := strings.Contains(stdout.String(), "origin"); has != (origin != "") || !strings.Contains(stdout.String(), string(origin)) {
					t.Errorf("%s: %s", name, stdout.String())
				}
				continue
			}
			var view map[string]any
			if err := json.Unmarshal([]byte(stdout.String()), &view); err != nil {
				t.Fatal(err)
			}
			if got, has := view["origin"]; has != (origin != "") || has && got != string(origin) {
				t.Errorf("%s: %v", name, view)
			}
		}
	}
}
