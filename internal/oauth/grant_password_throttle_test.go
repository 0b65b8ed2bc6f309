package oauth_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
)

// A64
func TestThrottle(t *testing.T) {
	w := newWorld(t)
	hashed := func(user, password, source string) (ok, ran bool) {
		before := w.hasher.Runs.Load()
		err := w.tryPassword(user, password, source)
		if err != nil {
			wantCode(t, err, oauth.InvalidGrant)
		}
		return err == nil, w.hasher.Runs.Load() > before
	}
	want := func(what, user, password, source string, wantOK, wantRan bool) {
		t.Helper()
		if ok, ran := hashed(user, password, source); ok != wantOK || ran != wantRan {
			t.Errorf("%s: ok %v, hashed %v; want %v, %v", what, ok, ran, wantOK, wantRan)
		}
	}
	for range 10 {
		want("within the patience", "alice", "wrong", "a", false, true)
	}
	want("throttled, even with the right password", "alice", oauthtest.Password("alice"), "a", false, false)
	want("another source", "alice", oauthtest.Password("alice"), "b", true, true)
	want("another name", "bob", oauthtest.Password("bob"), "a", true, true)
	w.advance(1)
	want("after a second", "alice", "wrong", "a", false, true)
	w.advance(1)
	want("the delay doubles", "alice", "wrong", "a", false, false)
	w.advance(1)
	want("after two seconds", "alice", "wrong", "a", false, true)
	for range 20 { // a try that was refused for the delay does not count
		want("refused", "alice", "wrong", "a", false, false)
	}
	w.advance(4)
	want("the right one resets", "alice", oauthtest.Password("alice"), "a", true, true)
	want("reset", "alice", "wrong", "a", false, true)
	want("reset", "alice", "wrong", "a", false, true)

	for range 30 { // the delay never grows past 15 minutes
		w.advance(900)
		want("15 minutes apart", "bob", "wrong", "c", false, true)
	}
	if ok, ran := hashed("bob", "wrong", "c"); ok || ran {
		t.Error("the long delay does not hold")
	}
	w.advance(24 * 3600)
	want("nothing is locked for good", "bob", oauthtest.Password("bob"), "c", true, true)
}

// A64
func TestThrottleOfTheName(t *testing.T) {
	w := newWorld(t)
	w.advance(-w.clock.Load() % 3600) // the beginning of a window
	for i := range 100 {
		wantCode(t, w.tryPassword("alice", "wrong", "source-"+string(rune('a'+i%26))+string(rune('a'+i/26))), oauth.InvalidGrant)
	}
	wantCode(t, w.tryPassword("alice", oauthtest.Password("alice"), "elsewhere"), oauth.InvalidGrant)
	w.advance(30)
	w.must(w.tryPassword("alice", oauthtest.Password("alice"), "elsewhere"))
}

// attempt is a login from an app without a secret, or as through says. judged reports whether the password
// decided, and not a delay.
func (w *world) attempt(user, password, source, scope string) (ok, judged bool) {
	w.t.Helper()
	client, userSource := "app", ""
	if w.through != nil {
		client, source, userSource = w.through(source)
	}
	_, err := w.issuer.Token(w.context(), oauth.TokenRequest{
		Credentials: oauthtest.Credentials(ledger.ClientID(client)),
		Form:        oauth.Form{"grant_type": "password", "username": user, "password": password, "scope": scope},
		Source:      source, UserSource: userSource,
	})
	if err != nil {
		wantCode(w.t, err, oauth.InvalidGrant)
		if why := w.event.Reason; why != oauth.ReasonPassword && why != oauth.ReasonThrottled {
			w.t.Errorf("the log says %q", why)
		}
	}
	return err == nil, w.event.Reason != oauth.ReasonThrottled
}

// While a delay runs that somebody known at the source need not wait for, nobody learns by
// what a login costs whether a name is known there, known elsewhere, or not at all.
func TestDelaysRevealNobody(t *testing.T) {
	for what, crowd := range map[string]func(w *world, i int){
		"the source": func(w *world, i int) { w.attempt(fmt.Sprint("name ", i), "wrong", "cafe", "read") },
		"the names": func(w *world, i int) {
			for _, name := range []string{"alice", "bob", "nobody"} {
				w.attempt(name, "wrong", fmt.Sprint("stranger ", i), "read")
			}
		},
	} {
		for _, scope := range []string{"read", "read device_phone", "admin device_phone"} {
			t.Run(what+"/"+scope, func(t *testing.T) {
				w := newWorld(t)
				w.advance(-w.clock.Load() % (24 * 3600))
				w.attempt("alice", oauthtest.Password("alice"), "cafe", "read")
				w.attempt("bob", oauthtest.Password("bob"), "home", "read")
				for i := range 101 {
					crowd(w, i)
				}
				type cost struct {
					hashes int64
					calls  int
				}
				costs := map[string][]cost{}
				for _, name := range []string{"alice", "bob", "nobody"} {
					for range 14 { // the delay of the pair runs after ten
						before := w.hasher.Runs.Load()
						if ok, _ := w.attempt(name, "guess", "cafe", scope); ok {
							t.Fatal("a wrong password logs in")
						}
						costs[name] = append(costs[name], cost{w.hasher.Runs.Load() - before, w.event.StoreCalls})
					}
				}
				if a, b, n := fmt.Sprint(costs["alice"]), fmt.Sprint(costs["bob"]), fmt.Sprint(costs["nobody"]); a != n || b != n {
					t.Errorf("hashes and calls by try: known here %s, known elsewhere %s, nobody %s", a, b, n)
				}
			})
		}
	}
}

// strangersGuess sends wrong passwords for alice from a number of sources through a day,
// each at the first moment at which it is looked at. The owner tries 100 times, and in
// the second of a try is always first. It returns how many of those succeed.
func (w *world) strangersGuess(sources int, owner func(try int) (source, scope string)) (succeeded int) {
	const day = 24 * 3600
	random := rand.New(rand.NewPCG(1, 2)) // the same day every time
	tries := map[int64]bool{}
	for len(tries) < 100 {
		tries[random.Int64N(day)] = true
	}
	start := w.clock.Load()
	type stranger struct{ wrong, ready int64 }
	strangers := make([]stranger, sources)
	var hour, inHour, nameReady int64
	for now := range int64(day) {
		w.clock.Store(start + now)
		if tries[now] {
			source, scope := owner(len(tries))
			if ok, _ := w.attempt("alice", oauthtest.Password("alice"), source, scope); ok {
				succeeded++
			}
			delete(tries, now)
		}
		if now/3600 != hour {
			hour, inHour, nameReady = now/3600, 0, 0
		}
		for i := range strangers {
			s := &strangers[i]
			if now < s.ready || now < nameReady {
				continue
			}
			if _, judged := w.attempt("alice", "wrong", fmt.Sprint("stranger ", i), "read"); !judged {
				continue
			}
			if s.wrong++; s.wrong >= 10 {
				s.ready = now + min(int64(900), 1<<min(s.wrong-10, 20))
			}
			if inHour++; inHour >= 100 {
				nameReady = now + 30
			}
		}
	}
	return succeeded
}

// Strangers who guess at a name do not keep its owner out. Decision 37 shows the table.
func TestStrangersLockNobodyOut(t *testing.T) {
	decision, err := os.ReadFile("../../docs/decisions/0037-strangers-lock-nobody-out.md")
	if err != nil {
		t.Fatal(err)
	}
	anywhere := func(try int) string { return fmt.Sprint("owner ", try) }
	for _, sources := range []int{10, 60, 120, 1000} {
		succeed := func(owner func(int) (source, scope string)) int {
			w := newWorld(t)
			w.advance(-w.clock.Load() % (24 * 3600))
			if ok, _ := w.attempt("alice", oauthtest.Password("alice"), "home", "read device_phone"); !ok {
				t.Fatal("refused before anybody guessed")
			}
			return w.strangersGuess(sources, owner)
		}
		newcomer := succeed(func(try int) (string, string) { return anywhere(try), "read" })
		home := succeed(func(int) (string, string) { return "home", "read" })
		phone := succeed(func(try int) (string, string) { return anywhere(try), "read device_phone" })
		if home != 100 || phone != 100 {
			t.Errorf("%d sources lock the owner out: %d of 100 at home and %d on the phone succeed", sources, home, phone)
		}
		if row := fmt.Sprintf("| %d | %d | %d | %d |", sources, newcomer, home, phone); !strings.Contains(string(decision), row) {
			t.Errorf("decision 37 lacks the row %s", row)
		}
	}
}

// A stranger who knows a device's name is held up by the device's own counter, which
// holds up nobody else.
func TestThrottleOfTheDevice(t *testing.T) {
	w := newWorld(t)
	right := oauthtest.Password("alice")
	want := func(what, password, source, scope string, wantOK, wantRan bool) {
		t.Helper()
		if ok, ran := w.attempt("alice", password, source, scope); ok != wantOK || ran != wantRan {
			t.Errorf("%s: ok %v, hashed %v; want %v, %v", what, ok, ran, wantOK, wantRan)
		}
	}
	want("the phone signs in", right, "home", "read device_phone", true, true)
	want("the tablet signs in", right, "home", "write device_tablet", true, true)
	for range 10 {
		want("a stranger at the same source", "wrong", "home", "read", false, true)
	}
	want("at a source of wrong passwords", right, "home", "read", false, false)
	want("an unknown device there", right, "home", "read device_other", false, false)
	for range 10 {
		want("a stranger names the phone", "wrong", "home", "read device_phone", false, true)
	}
	want("too often", right, "home", "read device_phone", false, false)
	want("the tablet is not held up", right, "home", "write device_tablet", true, true)
	want("a token that the tablet does not have", right, "home", "read device_tablet", false, false)
	w.advance(1)
	want("after a second", right, "home", "read device_phone", true, true)
	want("the right one reset the device", "wrong", "home", "read device_phone", false, true)

	w.must(w.tokens.Raise(t.Context(), w.userSubject("alice"), oauth.StateChange{}))
	for range 10 {
		w.attempt("alice", "wrong", "elsewhere", "read")
	}
	want("a device that was signed out is unknown", right, "elsewhere", "write device_tablet", false, false)
}

// Someone who tries many names from one source is slowed down there, and people who
// signed in there before are not.
func TestThrottleOfTheSource(t *testing.T) {
	w := newWorld(t)
	w.advance(-w.clock.Load() % 3600)
	right := oauthtest.Password("alice")
	if ok, _ := w.attempt("alice", right, "cafe", "read"); !ok {
		t.Fatal("refused before anybody guessed")
	}
	hashed := 0
	for i := range 3600 {
		w.advance(1)
		if _, ran := w.attempt(fmt.Sprint("name ", i), "Summer2026", "cafe", "read"); ran {
			hashed++
		}
	}
	if hashed > 100+3600/10 || hashed < 400 {
		t.Errorf("%d names in an hour from one source, want some 450: tries that are refused prolong no delay", hashed)
	}
	w.advance(-1) // the same hour
	if ok, _ := w.attempt("bob", oauthtest.Password("bob"), "cafe", "read"); ok {
		t.Error("a newcomer is not delayed")
	}
	if ok, _ := w.attempt("alice", right, "cafe", "read"); !ok {
		t.Error("somebody who signed in there before waits")
	}
	if ok, _ := w.attempt("bob", oauthtest.Password("bob"), "elsewhere", "read"); !ok {
		t.Error("another source waits")
	}
	for i := range 120 {
		if _, ran := w.attempt(fmt.Sprint("another ", i), "Summer2026", "", "read"); !ran {
			t.Fatal("requests without a source are one source")
		}
	}
	// All users of a back end with a secret come from one source.
	w.must(w.tryPassword("bob", oauthtest.Password("bob"), "cafe"))
}

// A source is known for 90 days after a login that was noted, and noted once in 30.
func TestKnownSources(t *testing.T) {
	w := newWorld(t)
	const day = 24 * 3600
	noted := func() (days []int64) {
		for _, s := range w.user("alice").Sources {
			days = append(days, (w.clock.Load()-s.Last)/day)
		}
		return days
	}
	want := func(what string, days ...int64) {
		t.Helper()
		if got := noted(); fmt.Sprint(got) != fmt.Sprint(days) {
			t.Errorf("%s: noted %v days ago, want %v", what, got, days)
		}
	}
	login := func(source string) {
		t.Helper()
		if ok, _ := w.attempt("alice", oauthtest.Password("alice"), source, "read"); !ok {
			t.Fatalf("no login from %q", source)
		}
	}
	want("before")
	version := w.user("alice").Version
	w.attempt("alice", "wrong", "home", "read")
	want("a wrong password notes nothing")
	login("")
	want("an unknown source is not noted")
	login("home")
	w.advance(29 * day)
	login("home")
	want("a source is not noted again within 30 days", 29)
	login("work")
	want("two sources", 0, 29)
	w.advance(day)
	login("home")
	want("after 30 days", 0, 1)
	w.advance(90*day - 1)
	login("cafe")
	want("what is older than 90 days goes when another is noted", 0, 89)
	for i := range 20 {
		login(fmt.Sprint("hotel ", i))
	}
	if n := len(noted()); n != 16 {
		t.Errorf("%d sources are kept, want 16", n)
	}
	// More places than are kept do not write each time.
	writes := 0
	for i := range 17 * 24 {
		w.advance(3600)
		before := fmt.Sprint(w.user("alice").Sources)
		login(fmt.Sprint("place ", i%17))
		if fmt.Sprint(w.user("alice").Sources) != before {
			writes++
		}
	}
	if days := 17; writes > 16*days || writes > 17*24/2 {
		t.Errorf("%d of %d logins from 17 places in turn were noted", writes, 17*24)
	}
	if got := w.user("alice").Version; got != version {
		t.Error("a source changes the version, so a login under way would start over")
	}
}

// noSources are users whose sources cannot be written.
type noSources struct{ oauth.Users }

func (noSources) SaveSources(context.Context, oauth.User) error {
	return oauth.Unavailable("save where a user signed in", context.DeadlineExceeded)
}

// Where a login came from is noted for later logins; this one does not need it.
func TestLoginWithoutNotingItsSource(t *testing.T) {
	w := newWorld(t)
	w.issuer.Users = noSources{w.users}
	if ok, _ := w.attempt("alice", oauthtest.Password("alice"), "home", "read"); !ok {
		t.Error("refused")
	}
}
