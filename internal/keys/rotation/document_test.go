package rotation

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/oauth"
)

// began is when the tests' keys were made.
var began = time.Unix(1_800_000_000, 0).UTC()

// textOf is a key text that a test can recognise.
func textOf(which string, kid int) string {
	return fmt.Sprintf("%s-key-text-of-%d-which-is-for-tests-alone", which, kid)
}

// document is a ring whose keys 1, 2, ... entered these states at began.
func document(t testing.TB, states ...bearer.State) Document {
	t.Helper()
	mint, check := secretsOf(t, 0, states...)
	d, err := parseDocument(mint, check, began)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func secretsOf(t testing.TB, epoch uint64, states ...bearer.State) (mint, check []byte) {
	t.Helper()
	mints, checks, named := map[string]string{}, map[string]any{"issuer_epoch": epoch}, map[string]bearer.State{}
	for i, state := range states {
		kid := fmt.Sprint(i + 1)
		mints[kid], checks[kid], named[kid] = textOf("mint", i+1), textOf("check", i+1), state
	}
	checks["states"] = named
	mint, err := json.Marshal(mints)
	if err != nil {
		t.Fatal(err)
	}
	if check, err = json.Marshal(checks); err != nil {
		t.Fatal(err)
	}
	return mint, check
}

// states are those of a document, by kid, and that it could be served with.
func states(t testing.TB, d Document) map[uint8]bearer.State {
	t.Helper()
	if _, _, err := d.texts(); err != nil {
		t.Fatalf("no instance would serve with it: %v", err)
	}
	all := map[uint8]bearer.State{}
	for _, k := range d.Keys() {
		all[k.KID] = k.State
	}
	return all
}

func wantStates(t testing.TB, d Document, want map[uint8]bearer.State) {
	t.Helper()
	if diff := cmp.Diff(want, states(t, d)); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
}

func wantRefusal(t testing.TB, err error, want Reason) StepError {
	t.Helper()
	r, ok := errors.AsType[*StepError](err)
	if !ok || r.Reason != want {
		t.Errorf("error %v, want a refusal for reason %d", err, want)
		return StepError{}
	}
	return *r
}

// The whole turn, with the earliest moment of each step.
func TestTurning(t *testing.T) {
	const longest = time.Hour
	first := document(t, bearer.Active)
	at := began.Add(48 * time.Hour)

	added, k, err := first.Add(at)
	if err != nil || k != (Key{KID: 2, State: bearer.Prepublished, Since: at}) {
		t.Fatalf("Add: %+v, %v", k, err)
	}
	wantStates(t, added, map[uint8]bearer.State{1: bearer.Active, 2: bearer.Prepublished})
	if added.mint[2].Len() < 52 || added.check[2].Len() < 52 || added.mint[2].Equal(added.check[2]) {
		t.Error("the texts of the new key are short, or one")
	}

	if _, err := added.Activate(2, at.Add(StepWait-time.Second)); !wantRefusal(t, err, TooEarly).From.Equal(at.Add(StepWait)) {
		t.Error("it does not say when it is not too early")
	}
	at = at.Add(StepWait)
	activated, err := added.Activate(2, at)
	if err != nil {
		t.Fatal(err)
	}
	wantStates(t, activated, map[uint8]bearer.State{1: bearer.VerifyOnly, 2: bearer.Active})
	if activated.Active() != (Key{KID: 2, State: bearer.Active, Since: at}) {
		t.Errorf("active: %+v", activated.Active())
	}

	if _, err := activated.Retire(1, at.Add(StepWait+longest-time.Second), longest); !wantRefusal(t, err, TooEarly).From.Equal(at.Add(StepWait + longest)) {
		t.Error("it does not say when it is not too early")
	}
	retired, err := activated.Retire(1, at.Add(StepWait+longest), longest)
	if err != nil {
		t.Fatal(err)
	}
	wantStates(t, retired, map[uint8]bearer.State{1: bearer.Retired, 2: bearer.Active})

	// None of this changed what it was made from.
	wantStates(t, first, map[uint8]bearer.State{1: bearer.Active})
	wantStates(t, added, map[uint8]bearer.State{1: bearer.Active, 2: bearer.Prepublished})
	wantStates(t, activated, map[uint8]bearer.State{1: bearer.VerifyOnly, 2: bearer.Active})
}

// The wait is longer than any instance believes a ring, and what it leaves for
// the write and for clocks is more than a write may take.
func TestStepWait(t *testing.T) {
	if StepWait != 90*time.Second || keys.MaxAge != time.Minute {
		t.Error("the help of fob key and docs/runbook.md say 90 and 60 seconds")
	}
	if StepWait-keys.MaxAge <= writePatience {
		t.Errorf("%v after a state was written, an instance may work with a ring from %v before", StepWait, keys.MaxAge+writePatience)
	}
}

func TestStatesOnlyMoveDown(t *testing.T) {
	order := map[bearer.State]int{bearer.Prepublished: 0, bearer.Active: 1, bearer.VerifyOnly: 2, bearer.Retired: 3}
	late := began.Add(1000 * 24 * time.Hour)
	for _, state := range []bearer.State{bearer.Prepublished, bearer.VerifyOnly, bearer.Retired} {
		d := document(t, state, bearer.Active)
		for kid := uint8(1); kid <= 2; kid++ {
			for what, change := range map[string]func() (Document, error){
				"activate":   func() (Document, error) { return d.Activate(kid, late) },
				"retire":     func() (Document, error) { return d.Retire(kid, late, time.Hour) },
				"retire now": func() (Document, error) { d, _, err := d.RetireNow(kid, late); return d, err },
				"add":        func() (Document, error) { d, _, err := d.Add(late); return d, err },
			} {
				next, err := change()
				if err != nil {
					continue
				}
				for _, before := range d.Keys() {
					after, known := next.Key(before.KID)
					if !known || order[after.State] < order[before.State] {
						t.Errorf("%s key %d next to a %s one: key %d went from %s to %s", what, kid, state, before.KID, before.State, after.State)
					}
				}
				states(t, next)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	late := began.Add(1000 * 24 * time.Hour)
	d := document(t, bearer.VerifyOnly, bearer.Active, bearer.Prepublished, bearer.Retired)
	for _, tt := range []struct {
		what   string
		change func() error
		reason Reason
		says   string
	}{
		{"activate an unknown key", func() error { _, err := d.Activate(9, late); return err }, NoSuchKey, "there is no key 9"},
		{"activate the active key", func() error { _, err := d.Activate(2, late); return err }, WrongState, "key 2 is active"},
		{"activate a verify-only key", func() error { _, err := d.Activate(1, late); return err }, WrongState, "key 1 is verify-only"},
		{"activate a retired key", func() error { _, err := d.Activate(4, late); return err }, WrongState, "key 4 is retired"},
		{"activate too early", func() error { _, err := d.Activate(3, began); return err }, TooEarly, "key 3 is prepublished since 2027-01-15T08:00:00Z: it can be activated from 2027-01-15T08:01:30Z on"},
		{"retire an unknown key", func() error { _, err := d.Retire(9, late, time.Hour); return err }, NoSuchKey, "there is no key 9"},
		{"retire the active key", func() error { _, err := d.Retire(2, late, time.Hour); return err }, WrongState, "key 2 is active"},
		{"retire a prepublished key", func() error { _, err := d.Retire(3, late, time.Hour); return err }, WrongState, "key 3 is prepublished"},
		{"retire a retired key", func() error { _, err := d.Retire(4, late, time.Hour); return err }, WrongState, "key 4 is retired"},
		{"retire too early", func() error { _, err := d.Retire(1, began, time.Hour); return err }, TooEarly, "key 1 is verify-only since 2027-01-15T08:00:00Z: it can be retired from 2027-01-15T09:01:30Z on"},
		{"retire an unknown key now", func() error { _, _, err := d.RetireNow(9, late); return err }, NoSuchKey, "there is no key 9"},
		{"retire a retired key now", func() error { _, _, err := d.RetireNow(4, late); return err }, WrongState, "key 4 is retired"},
		{"add a second one", func() error { _, _, err := d.Add(late); return err }, WrongState, "key 3 is prepublished"},
	} {
		err := tt.change()
		if wantRefusal(t, err, tt.reason); err != nil && err.Error() != tt.says {
			t.Errorf("%s: %q, want %q", tt.what, err, tt.says)
		}
	}
}

// A leaked key ends at once. The key that takes the place of an active one was not in the
// secret that leaked.
func TestRetireNow(t *testing.T) {
	now := began.Add(time.Second) // no wait
	for _, state := range []bearer.State{bearer.Prepublished, bearer.VerifyOnly} {
		d, replacement, err := document(t, state, bearer.Active).RetireNow(1, now)
		if err != nil || replacement != (Key{}) {
			t.Fatalf("a %s key: %+v, %v", state, replacement, err)
		}
		wantStates(t, d, map[uint8]bearer.State{1: bearer.Retired, 2: bearer.Active})
	}

	// A prepublished one goes too: the next rotation would make it the active one.
	// And a text in the mint secret alone is left as it is: an Add was stopped there,
	// or another hand is just about to name it in the check secret.
	d := document(t, bearer.Active, bearer.Prepublished)
	d.mint[3] = keys.NewText()
	begun := d.mint[3]
	next, replacement, err := d.RetireNow(1, now)
	if err != nil || replacement != (Key{KID: 4, State: bearer.Active, Since: now}) {
		t.Fatalf("the active key: %+v, %v", replacement, err)
	}
	wantStates(t, next, map[uint8]bearer.State{1: bearer.Retired, 2: bearer.Retired, 4: bearer.Active})
	if !next.mint[3].Equal(begun) || !next.newMint {
		t.Error("a text that somebody else wrote was written over")
	}
	if _, k, err := next.Add(now); err != nil || k.KID != 5 {
		t.Errorf("the next key: %+v, %v; want key 5, not one that lay next to the leaked one", k, err)
	}
}

// An Add that wrote the mint secret and no more is taken on. A key that somebody
// took out of the check secret by hand is not: it may have leaked.
func TestAddTakesOnWhatWasBegun(t *testing.T) {
	d := document(t, bearer.Retired, bearer.Active)
	d.mint[3] = keys.NewText()
	begun := d.mint[3]
	next, k, err := d.Add(began)
	if err != nil || k.KID != 3 || !next.mint[3].Equal(begun) || next.newMint {
		t.Errorf("the key that was begun was not taken on: %+v, %v", k, err)
	}
	wantStates(t, next, map[uint8]bearer.State{1: bearer.Retired, 2: bearer.Active, 3: bearer.Prepublished})

	d = document(t, bearer.Retired, bearer.Active)
	delete(d.states, 1)
	delete(d.check, 1)
	delete(d.since, 1)
	if _, k, err := d.Add(began); err != nil || k.KID != 3 {
		t.Errorf("after key 1 was taken out: %+v, %v; want key 3", k, err)
	}
}

func TestKeyIDsAreUsedUp(t *testing.T) {
	d := document(t, bearer.Active)
	var err error
	for kid := 2; kid <= lastKID; kid++ {
		var k Key
		if d, k, err = d.Add(began); err != nil || int(k.KID) != kid {
			t.Fatalf("Add: %+v, %v; want key %d", k, err, kid)
		}
		if kid == lastKID {
			break
		}
		if d, _, err = d.RetireNow(k.KID, began); err != nil {
			t.Fatal(err)
		}
	}
	if d, err = d.Activate(lastKID, began.Add(StepWait)); err != nil {
		t.Fatal(err)
	}
	if mint, check, err := d.texts(); err != nil || len(mint) > 64<<10 || len(check) > 64<<10 {
		t.Errorf("255 keys are %d and %d bytes, more than a secret holds; %v", len(mint), len(check), err)
	}
	_, _, err = d.Add(began)
	wantRefusal(t, err, UsedUp)
	if err != nil && err.Error() != "all key ids from 1 to 255 are used up" {
		t.Errorf("Add: %v", err)
	}
	_, _, err = d.RetireNow(lastKID, began)
	wantRefusal(t, err, UsedUp)
}

func TestLongestLife(t *testing.T) {
	day := 24 * time.Hour
	for _, tt := range []struct {
		clients []oauth.Client
		want    time.Duration
	}{
		{nil, 0},
		{[]oauth.Client{{}}, 90 * day},
		{[]oauth.Client{{AccessLifetime: 60, RefreshAbsolute: 3600}}, time.Hour},
		{[]oauth.Client{{AccessLifetime: 86400, RefreshAbsolute: 3600}, {RefreshAbsolute: 7200}}, day},
		{[]oauth.Client{{RefreshAbsolute: 366 * 86400}, {}}, 366 * day},
		{[]oauth.Client{{RefreshAbsolute: 3600, LongestLife: 180 * 86400}, {}}, 180 * day},
		{[]oauth.Client{{LongestLife: 3600}}, 90 * day},
	} {
		if got := LongestLife(tt.clients); got != tt.want {
			t.Errorf("%+v: %v, want %v", tt.clients, got, tt.want)
		}
	}
}

// A ring without since is dated by its secret, and keeps the dates when it is
// written again.
func TestSince(t *testing.T) {
	mint, check := secretsOf(t, 7, bearer.VerifyOnly, bearer.Active)
	written := began.Add(time.Hour)
	d, err := parseDocument(mint, check, written)
	if err != nil {
		t.Fatal(err)
	}
	d, _, err = d.Add(began.Add(2 * time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	mint, check, err = d.texts()
	if err != nil {
		t.Fatal(err)
	}
	again, err := parseDocument(mint, check, began.Add(10*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	want := []Key{{KID: 1, State: bearer.VerifyOnly, Since: written}, {KID: 2, State: bearer.Active, Since: written}, {KID: 3, State: bearer.Prepublished, Since: began.Add(2 * time.Hour)}}
	if diff := cmp.Diff(want, again.Keys()); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if again.IssuerEpoch() != 7 {
		t.Errorf("issuer epoch %d, want 7", again.IssuerEpoch())
	}
	if !again.mint[1].Equal(d.mint[1]) || again.mint[1].Reveal() != textOf("mint", 1) || again.check[2].Reveal() != textOf("check", 2) {
		t.Error("a text changed on the way")
	}
}

func TestRaiseEpoch(t *testing.T) {
	d := document(t, bearer.Active)
	raised, err := d.RaiseEpoch()
	if err != nil || raised.IssuerEpoch() != 1 || d.IssuerEpoch() != 0 {
		t.Errorf("raised to %d from %d, %v", raised.IssuerEpoch(), d.IssuerEpoch(), err)
	}
	d.epoch--
	if raised, err := d.RaiseEpoch(); err == nil {
		t.Errorf("raised to %d", raised.IssuerEpoch())
	}
}

func TestDocumentsShowNoText(t *testing.T) {
	d := document(t, bearer.Active)
	shown := fmt.Sprintf("%v %+v %#v %v", d, d, d, d.Keys())
	if strings.Contains(shown, "key-text-of") {
		t.Errorf("a text is shown: %s", shown)
	}
}
