package oauth_test

import (
	"fmt"
	"testing"

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
