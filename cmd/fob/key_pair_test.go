package main

import (
	"context"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/keys/rotation"
	"github.com/fob-oauth/fob/internal/ledger"
)

func scriptLater(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: later FILE DURATION")
	}
	by, err := time.ParseDuration(args[1])
	ts.Check(err)
	var f keys.File
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &f))
	var check map[string]json.RawMessage
	ts.Check(json.Unmarshal(f.Check, &check))
	for _, name := range []string{"since", "paired"} {
		times := map[string]int64{}
		if check[name] == nil {
			continue
		}
		ts.Check(json.Unmarshal(check[name], &times))
		for kid := range times {
			times[kid] -= int64(by.Seconds())
		}
		check[name], err = json.Marshal(times)
		ts.Check(err)
	}
	f.Check, err = json.Marshal(check)
	ts.Check(err)
	text, err := json.Marshal(f)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o600))
}

// newJWTProgram has a client with opaque tokens.
func newJWTProgram(t *testing.T) *keyProgram {
	t.Helper()
	p := newKeyProgram(t, "1:active:48h")
	p.stores = newMemoryStores()
	if code, _, said := p.fob("client", "add", "--id", "app", "--public", "--grant", "password"); code != 0 {
		t.Fatal(said)
	}
	return p
}

// wantFormat fails the test if the client does not exist, or has another format. Empty
// means that it does not exist.
func (p *keyProgram) wantFormat(id string, want ledger.TokenFormat) {
	p.t.Helper()
	c, found, err := p.stores.clients.Client(p.t.Context(), ledger.ClientID(id))
	if err != nil || c.TokenFormat != want || !found {
		p.t.Errorf("%s: found %v, format %q, want %q, %v", id, found, c.TokenFormat, want, err)
	}
}

// An instance that has the ring from before the pair calls a JWT dead, so no client gets
// one before each instance has the pair.
func TestFirstPairIsWaitedFor(t *testing.T) {
	for name, args := range map[string][]string{
		"add": {"client", "add", "--id", "new", "--public", "--grant", "password", "--token-format", "jwt"},
		"set": {"client", "set", "app", "--token-format", "jwt"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newJWTProgram(t)
			began := p.now
			p.during = func() error {
				if c, _, err := p.stores.clients.Client(t.Context(), ledger.ClientID(args[len(args)-3])); err != nil || c.TokenFormat == ledger.JWT {
					t.Errorf("it is saved within the wait, or %v", err)
				}
				if c, found, err := p.stores.clients.Client(t.Context(), "new"); err != nil || found {
					t.Errorf("%s is added within the wait, or %v", c.ID, err)
				}
				return nil
			}
			code, _, said := p.fob(args...)
			const progress = "fob: key 1 has a pair now, with which JWTs are signed\n" +
				"fob: waiting until 2030-03-17T17:48:10Z, when every instance knows its pair\n"
			if code != 0 || said != progress || p.now.Sub(began) != rotation.StepWait {
				t.Errorf("exit code %d after %v, %q", code, p.now.Sub(began), said)
			}
			p.during = nil
			p.wantFormat(map[string]string{"add": "new", "set": "app"}[name], ledger.JWT)
			if code, _, said := p.fob("client", "add", "--id", "next", "--public", "--grant", "password", "--token-format", "jwt"); code != 0 || said != "" {
				t.Errorf("the next one: exit code %d, %q", code, said)
			}
		})
	}
}

// A Ctrl-C within the wait saves no client, and the command run again waits for the rest.
func TestWaitForThePairInterrupted(t *testing.T) {
	p := newJWTProgram(t)
	began := p.now
	p.during = func() error {
		p.now = began.Add(30 * time.Second)
		return context.Canceled
	}
	code, out, said := p.fob("client", "set", "app", "--token-format", "jwt")
	if code != exitFailure || out != "" || !strings.HasSuffix(said, "\nfob: interrupted: the client was not saved; run the command again, and it goes on from here\n") {
		t.Errorf("exit code %d, %q, %q", code, out, said)
	}
	p.wantFormat("app", "")
	p.during = nil
	code, _, said = p.fob("client", "set", "app", "--token-format", "jwt")
	if code != 0 || said != "fob: waiting until 2030-03-17T17:48:10Z, when every instance knows its pair\n" || p.now.Sub(began) != rotation.StepWait {
		t.Errorf("exit code %d after %v, %q", code, p.now.Sub(began), said)
	}
	p.wantFormat("app", ledger.JWT)
}

// fob key pair does not wait, and says from when on clients can be set.
func TestKeyPairSaysFromWhenOn(t *testing.T) {
	p := newJWTProgram(t)
	began := p.now
	code, out, said := p.fob("key", "pair")
	if code != 0 || said != "" || out != "Key 1 has a pair, with which JWTs are signed. Clients can be set to JWTs from 2030-03-17T17:48:10Z on.\n" || !p.now.Equal(began) {
		t.Errorf("exit code %d, %q, %q", code, out, said)
	}
	p.now = p.now.Add(time.Minute)
	if code, out, _ = p.fob("key", "pair", "--json"); code != 0 || !strings.Contains(out, `"jwts_from": "2030-03-17T17:48:10Z"`) {
		t.Errorf("exit code %d, %q", code, out)
	}
	if code, _, said = p.fob("client", "set", "app", "--token-format", "jwt"); code != 0 || p.now.Sub(began) != rotation.StepWait {
		t.Errorf("exit code %d after %v, %q", code, p.now.Sub(began), said)
	}
}

// A change that is refused makes no pair.
func TestRefusedChangeMakesNoPair(t *testing.T) {
	p := newJWTProgram(t)
	for _, refused := range []struct {
		code int
		args []string
	}{
		{exitNotFound, []string{"client", "set", "nosuch", "--token-format", "jwt"}},
		{exitUsage, []string{"client", "set", "app", "--token-format", ""}}, // a variable that is not set would end its JWTs
		{exitUsage, []string{"client", "set", "app", "--token-format", "jwt", "--access-lifetime", "31d"}},
		{exitUsage, []string{"client", "set", "app", "--token-format", "jwt", "--scope", "nosuch"}},
		{exitUsage, []string{"client", "add", "--id", "new", "--public", "--token-format", "jwt", "--scope", "nosuch"}},
	} {
		if code, _, said := p.fob(refused.args...); code != refused.code {
			t.Errorf("%q: exit code %d, %q", refused.args, code, said)
		}
	}
	if _, out, _ := p.fob("key", "list", "--json"); strings.Contains(out, "signs") {
		t.Error("there is a pair")
	}
	p.wantFormat("app", "")
}

// No revocation reaches a JWT with a long life.
func TestLongLivedJWTsAreWarnedOf(t *testing.T) {
	p := newJWTProgram(t)
	if code, _, said := p.fob("key", "pair"); code != 0 {
		t.Fatal(said)
	}
	p.now = p.now.Add(rotation.StepWait)
	add := func(id string, more ...string) []string {
		return append([]string{"client", "add", "--id", id, "--public", "--grant", "password"}, more...)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{add("a", "--token-format", "jwt", "--access-lifetime", "1h"), ""},
		{add("b", "--access-lifetime", "30d"), ""},
		{add("c", "--token-format", "jwt", "--access-lifetime", "2h"), "c live for 2h"},
		{[]string{"client", "set", "a", "--access-lifetime", "3601s"}, "a live for 3601s"},
		{[]string{"client", "set", "b", "--token-format", "jwt"}, "b live for 30d"},
		{[]string{"client", "set", "b", "--token-format", "opaque"}, ""},
	} {
		want := ""
		if c.says != "" {
			want = "fob: warning: the JWTs of " + c.says + ": an API that verifies them by itself accepts them until they end, whatever is revoked\n"
		}
		if code, _, said := p.fob(c.args...); code != 0 || said != want {
			t.Errorf("%q: exit code %d, %q", c.args, code, said)
		}
	}
}

// The age of a key is its own, and not that of its pair: an old key is turned also on the day
// on which it got its pair, and shows since when it is active.
func TestRotateAfterThePair(t *testing.T) {
	p := newKeyProgram(t, "1:active:4800h")
	since := func() string {
		_, out, _ := p.fob("key", "list", "--json")
		return regexp.MustCompile(`"since": "[^"]+"`).FindString(out)
	}
	began, age := p.now, since()
	if code, out, said := p.fob("key", "pair", "--json"); code != 0 || age == "" || !strings.Contains(out, age) {
		t.Fatalf("exit code %d, %q, %q", code, out, said)
	}
	if is := since(); is != age {
		t.Errorf("key 1 is active %s, and was %s", is, age)
	}
	if code, out, said := p.fob("key", "rotate"); code != 0 || p.now.Sub(began) != rotation.PublicationWait+rotation.StepWait {
		t.Errorf("exit code %d after %v, %q, %q", code, p.now.Sub(began), out, said)
	}
	p.want("1:verify-only 2:active")
}

// fob key list says until when a verify-only key is in the key set.
func TestListOfAKeyThatLeavesTheKeySet(t *testing.T) {
	p := newKeyProgram(t, "1:active:48h")
	for _, args := range [][]string{{"key", "pair"}, {"key", "rotate"}} {
		if code, _, said := p.fob(args...); code != 0 {
			t.Fatal(said)
		}
	}
	for _, c := range []struct {
		after time.Duration
		want  string
	}{
		{0, "can be retired from 2030-06-15T19:54:40Z, is in the key set until 2030-04-16T20:53:10Z"},
		{31 * 24 * time.Hour, "can be retired from 2030-06-15T19:54:40Z, left the key set at 2030-04-16T20:53:10Z"},
		{60 * 24 * time.Hour, "can be retired now, left the key set at 2030-04-16T20:53:10Z"},
	} {
		p.now = p.now.Add(c.after)
		code, out, said := p.fob("key", "list", "--longest-life", "90d")
		if code != 0 || !strings.Contains(out, "  "+c.want+"\n2    active       ") || strings.Count(out, "key set") != 1 {
			t.Errorf("exit code %d, want %q:\n%s%s", code, c.want, out, said)
		}
	}
	if code, out, said := p.fob("key", "list", "--longest-life", "90d", "--json"); code != 0 || strings.Count(out, `"published_until": "2030-04-16T20:53:10Z"`) != 1 || strings.Count(out, "published_until") != 1 {
		t.Errorf("exit code %d, %q, %q", code, out, said)
	}
}

// A full mint secret is refused before anything is written, and the answer says what to do.
func TestNoRoomForAKey(t *testing.T) {
	p := newKeyProgram(t, "1:active:48h")
	if code, _, said := p.fob("key", "pair"); code != 0 {
		t.Fatal(said)
	}
	var f ringFile
	mint := map[string]any{}
	text, err := os.ReadFile(p.path)
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err == nil {
		err = json.Unmarshal(f.Mint, &mint)
	}
	if err != nil {
		t.Fatal(err)
	}
	mint["1"] = strings.Repeat(mint["1"].(string), 1200) // as long as 38 pairs
	if f.Mint, err = json.Marshal(mint); err == nil {
		text, err = json.Marshal(f)
	}
	if err == nil {
		err = os.WriteFile(p.path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"key", "add"}, {"key", "rotate", "--again"}} {
		code, out, said := p.fob(args...)
		if code != exitConflict || out != "" || said != "fob: the mint secret has no room for another key with a pair: run fob key rotate when the oldest "+
			"verify-only key can be retired (fob key list), or end that key and its tokens with fob key retire KID --now; 90 seconds later there is room\n" {
			t.Errorf("%q: exit code %d, %q, %q", args, code, out, said)
		}
	}
	if is, err := os.ReadFile(p.path); err != nil || string(is) != string(text) {
		t.Errorf("the ring was written, or %v", err)
	}
}
