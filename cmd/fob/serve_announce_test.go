package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/announce/announcetest"
)

// fob serve in memory prints the events of what happens to users, as docs/events-out.md has
// them: here for a sign-in on a new device and for signing it out.
func TestServeAnnounces(t *testing.T) {
	ctx, signal := context.WithCancel(t.Context())
	defer signal()
	out, write := io.Pipe()
	var said output
	p := program{stdin: strings.NewReader(""), stdout: write, stderr: &said, getenv: noEnv}
	code := make(chan int, 1)
	go func() { code <- p.run(ctx, []string{"serve", "--json", "--addr", "127.0.0.1:0"}) }()
	fob := readReady(t, out)

	post := func(endpoint string, form url.Values) string {
		t.Helper()
		resp, err := http.PostForm(endpoint, form)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var members struct {
			AccessToken string `json:"access_token"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&members); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", endpoint, resp.Status, err)
		}
		return members.AccessToken
	}
	login := url.Values{
		"grant_type": {"password"}, "client_id": {fob.PublicClientID}, "username": {fob.Username}, "password": {fob.Password}, "scope": {"read device_ipad"},
	}
	post(fob.TokenEndpoint, login)
	token := post(fob.TokenEndpoint, login) // the same
	post(fob.RevocationEndpoint, url.Values{"client_id": {fob.PublicClientID}, "token": {token}})
	signal()
	if c := <-code; c != 0 {
		t.Errorf("exit code %d", c)
	}

	var types []string
	for text := range strings.Lines(said.String()) {
		var line struct {
			Msg   string
			Event json.RawMessage
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if line.Msg != "announced" {
			continue
		}
		announcetest.Valid(t, []byte(line.Event))
		var event struct {
			Type   string
			Client string `json:"client_id"`
		}
		if err := json.Unmarshal(line.Event, &event); err != nil || event.Client != fob.PublicClientID {
			t.Errorf("%s, %v", line.Event, err)
		}
		types = append(types, event.Type)
	}
	if got := strings.Join(types, " "); got != "new_device signed_out" {
		t.Errorf("announced %q; all that it said:\n%s", got, &said)
	}
}
