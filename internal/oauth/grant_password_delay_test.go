package oauth_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/secret"
)

// comparing notes the hash that the last login was compared with.
type comparing struct {
	oauth.Passwords
	hash secret.Text
}

func (c *comparing) Verify(password, hash secret.Text) (ok, outdated bool, err error) {
	c.hash = hash
	return c.Passwords.Verify(password, hash)
}

// The delay of a source also bounds how many names somebody can try there for the time
// that their hashes take: a login that it refuses is compared with the hash of nobody.
func TestDelaysHideSlowHashes(t *testing.T) {
	w := newWorld(t)
	passwords := &comparing{Passwords: w.hasher}
	w.issuer.Passwords = passwords
	w.advance(-w.clock.Load() % 3600)
	w.attempt("bob", "wrong", "cafe", "read")
	if passwords.hash.Len() == 0 {
		t.Fatal("bob has no hash")
	}
	for i := range 100 {
		w.attempt(fmt.Sprint("name ", i), "wrong", "cafe", "read")
	}
	for _, scope := range []string{"read", "read device_phone"} {
		if _, judged := w.attempt("bob", "wrong", "cafe", scope); judged {
			t.Fatal("the delay of the source does not run")
		}
		if passwords.hash.Len() > 0 {
			t.Error("a name can be found by how long its hash takes, while the delay of the source runs")
		}
	}
}

// A wrong password of somebody who need not wait for a delay does not prolong it: others
// could see by how long they wait that this name is known at the source.
func TestKnownSourcesProlongNoDelay(t *testing.T) {
	// guess is a wrong password for alice, and newcomer a right one of bob, in the second
	// in which the delay ends.
	for what, test := range map[string]struct {
		crowd    func(w *world, i int)
		seconds  int64
		newcomer func(w *world) (ok, judged bool)
	}{
		"of the source": {
			func(w *world, i int) { w.attempt(fmt.Sprint("name ", i), "wrong", "cafe", "read") }, 10,
			func(w *world) (ok, judged bool) {
				return w.attempt("bob", oauthtest.Password("bob"), "cafe", "read")
			},
		},
		"of the name": {
			func(w *world, i int) { w.attempt("alice", "wrong", fmt.Sprint("stranger ", i), "read") }, 30,
			func(w *world) (ok, judged bool) {
				return w.attempt("alice", oauthtest.Password("alice"), "hotel", "read")
			},
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			w.advance(-w.clock.Load() % 3600)
			if ok, _ := w.attempt("alice", oauthtest.Password("alice"), "cafe", "read"); !ok {
				t.Fatal("refused before anybody guessed")
			}
			for i := range 101 {
				test.crowd(w, i)
			}
			w.advance(test.seconds - 1)
			if _, judged := w.attempt("alice", "wrong", "cafe", "read"); !judged {
				t.Error("alice waits where she signed in before")
			}
			if ok, _ := test.newcomer(w); ok {
				t.Fatal("the delay does not run")
			}
			w.advance(1)
			if ok, _ := test.newcomer(w); !ok {
				t.Error("the wrong password of somebody who is known at the source prolonged the delay")
			}
		})
	}
}

// All users of a back end come from one source. A stranger who guesses there keeps a user
// out, unless the back end says where each one is. Decision 61 shows the numbers.
func TestStrangersBehindABackEnd(t *testing.T) {
	decision, err := os.ReadFile("../../docs/decisions/0061-a-back-end-says-where-its-users-are.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, every := range []int{900, 60, 10} {
		succeed := func(sends bool) (succeeded int) {
			w := newWorld(t)
			w.advance(-w.clock.Load() % (24 * 3600))
			w.editClient("backend", func(c *oauth.Client) { c.SendsUserAddress = sends })
			w.through = func(user string) (client, source, userSource string) {
				if !sends {
					user = ""
				}
				return "backend", "the back end", user
			}
			alice := func() (ok bool) {
				ok, _ = w.attempt("alice", oauthtest.Password("alice"), "home", "read")
				return ok
			}
			if !alice() {
				t.Fatal("refused before anybody guessed")
			}
			for second := range 24 * 3600 {
				if second%every == 0 {
					w.attempt("alice", "wrong", fmt.Sprint("stranger ", second/every%100), "read")
				}
				if second%864 == 432 && alice() {
					succeeded++
				}
				w.advance(1)
			}
			return succeeded
		}
		before, after := succeed(false), succeed(true)
		if after != 100 {
			t.Errorf("strangers who try every %d seconds lock the owner out: %d of 100", every, after)
		}
		if row := fmt.Sprintf("| %d s | %d | %d |", every, before, after); !strings.Contains(string(decision), row) {
			t.Errorf("decision 61 lacks the row %s", row)
		}
	}
}

// Only a client that authenticates and is registered for it says where a user is.
func TestWhoSaysWhereAUserIs(t *testing.T) {
	w := newWorld(t)
	login := func(client ledger.ClientID) error {
		_, err := w.issuer.Token(w.context(), oauth.TokenRequest{
			Credentials: oauthtest.Credentials(client), Source: "198.51.100.7", UserSource: "192.0.2.1",
			Form: oauth.Form{"grant_type": "password", "username": "alice", "password": oauthtest.Password("alice"), "scope": "read"},
		})
		return err
	}
	for _, client := range []ledger.ClientID{"backend", "app"} {
		wantCode(t, login(client), oauth.InvalidRequest)
		if w.event.UserSource != "" {
			t.Errorf("%s: the line has what nobody vouches for", client)
		}
	}
	w.editClient("backend", func(c *oauth.Client) { c.SendsUserAddress = true })
	w.editClient("app", func(c *oauth.Client) { c.SendsUserAddress = true }) // behind the rules
	w.advance(10)
	w.must(login("backend"))
	if w.event.UserSource != "192.0.2.1" {
		t.Errorf("the line has %q", w.event.UserSource)
	}
	wantCode(t, login("app"), oauth.InvalidRequest)
	if err := (oauth.Client{ID: "app", Public: true, SendsUserAddress: true}).Validate(); err == nil {
		t.Error("a public client may say where its user is")
	}
}

// Where a back end names the sources of its users, tries across names are counted for each.
func TestSourcesBehindABackEnd(t *testing.T) {
	w := newWorld(t)
	w.advance(-w.clock.Load() % 3600)
	w.editClient("backend", func(c *oauth.Client) { c.SendsUserAddress = true })
	w.through = func(user string) (client, source, userSource string) { return "backend", "the back end", user }
	for i := range 100 {
		w.attempt(fmt.Sprint("name ", i), "wrong", "cafe", "read")
	}
	if ok, _ := w.attempt("bob", oauthtest.Password("bob"), "cafe", "read"); ok {
		t.Error("guesses across names are not counted")
	}
	if ok, _ := w.attempt("bob", oauthtest.Password("bob"), "home", "read"); !ok {
		t.Error("users elsewhere wait")
	}
}
