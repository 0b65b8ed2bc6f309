package oauth_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// A80: Each of them makes a record of its own, with a random id. All but one lose.
func TestFirstRequestsThatAllHaveRead(t *testing.T) {
	for _, client := range []ledger.ClientID{"backend", "app"} {
		for _, wait := range []int64{0, 3600 - 100, 400 * 24 * 3600} { // none, next generation, dead
			w := newWorld(t)
			if wait > 0 {
				w.login(client, "alice", "device_a")
				w.advance(wait)
			}
			answers := w.together(64, client, w.passwordForm("alice", "device_a")...)
			for _, a := range answers {
				if !same(a.AccessToken, answers[0].AccessToken) || !same(a.RefreshToken, answers[0].RefreshToken) {
					t.Fatalf("%s after %d s: different tokens", client, wait)
				}
			}
			w.wantActive("api", answers[0].AccessToken, true)
			if n := len(w.records(w.userSubject("alice"))); n != 1 {
				t.Errorf("%s after %d s: %d items", client, wait, n)
			}
		}
	}
}

// A81: One instance takes what the other hands out, they take turns without making
// tokens for each other's sake, and nobody is promised more than was configured.
func TestSkewedClocks(t *testing.T) {
	w := newWorld(t)
	instances := []*world{w.skewed(-90), w.skewed(+90)}
	const lifetime, skew = 3600, 180 // seconds
	var tokens []string
	var refreshToken bearer.Bearer
	const hours = 3
	for step := range hours * 120 {
		i := instances[step%2]
		var r ledger.Answer
		switch step / 2 % 5 {
		case 4:
			var err error
			r, err = i.refresh("backend", refreshToken)
			w.must(err)
		default:
			r = i.login("backend", "alice", "device_a")
		}
		refreshToken = r.RefreshToken
		if r.ExpiresIn < 1 || r.ExpiresIn > lifetime {
			t.Fatalf("expires_in %d", r.ExpiresIn)
		}
		for _, j := range instances {
			j.wantActive("backend", r.AccessToken, true)
			j.wantActive("backend", r.RefreshToken, true)
		}
		if text := r.AccessToken.Reveal(); len(tokens) == 0 || tokens[len(tokens)-1] != text {
			if slices.Contains(tokens, text) {
				t.Fatalf("step %d: back to an older token", step)
			}
			tokens = append(tokens, text)
		}
		w.advance(30)
	}
	// Refresh renews below half of a life, on the clock that is ahead.
	if most := hours*3600/(lifetime/2-skew) + 1; len(tokens) > most {
		t.Errorf("%d tokens in %d hours, want at most %d", len(tokens), hours, most)
	}

	// An end at one is an end at the other.
	r := instances[0].login("backend", "alice", "device_b")
	w.must(instances[1].revoke("backend", r.AccessToken))
	instances[0].wantActive("backend", r.AccessToken, false)
	if again := instances[0].login("backend", "alice", "device_b"); same(again.AccessToken, r.AccessToken) {
		t.Error("a revoked token came back")
	}
}

// swept deletes the record before the next write, as the sweep may.
type swept struct {
	oauth.Tokens
	armed bool
}

func (s *swept) sweep(ctx context.Context, l bearer.Locator) error {
	if !s.armed {
		return nil
	}
	s.armed = false
	reading, err := s.Tokens.Read(ctx, l)
	if err != nil || !reading.Found {
		return err
	}
	_, _, err = s.Tokens.End(ctx, l, ledger.EndCondition{Nonce: reading.Record.Nonce})
	return err
}

func (s *swept) Save(ctx context.Context, r ledger.Record, seen ledger.Nonce) (ledger.Record, bool, error) {
	if err := s.sweep(ctx, r.Locator()); err != nil {
		return ledger.Record{}, false, err
	}
	return s.Tokens.Save(ctx, r, seen)
}

func (s *swept) End(ctx context.Context, l bearer.Locator, when ledger.EndCondition) (ledger.Record, bool, error) {
	if err := s.sweep(ctx, l); err != nil {
		return ledger.Record{}, false, err
	}
	return s.Tokens.End(ctx, l, when)
}

// A82
func TestSweptBetweenReadAndWrite(t *testing.T) {
	for what, wait := range map[string]int64{
		"below the floor":    3600 - 100,
		"expired long since": 400 * 24 * 3600,
	} {
		w := newWorld(t)
		old := w.login("app", "alice", "device_a")
		before := w.records(w.userSubject("alice"))[0]
		w.advance(wait)
		store := &swept{Tokens: w.tokens, armed: true}
		w.issuer.Tokens, w.verifier.Tokens = store, store
		r := w.login("app", "alice", "device_a")
		if store.armed || w.event.Outcome != oauth.Issued {
			t.Errorf("%s: swept %v, %s", what, !store.armed, w.event.Outcome)
		}
		all := w.records(w.userSubject("alice"))
		if len(all) != 1 {
			t.Fatalf("%s: %d items", what, len(all))
		}
		after := all[0]
		if after.RID == before.RID || after.Created != w.clock.Load() || after.Access.Generation != 1 || after.Refresh.Generation != 1 ||
			after.AccessPrev != (ledger.Slot{}) || after.RefreshPrev != (ledger.Slot{}) {
			t.Errorf("%s: something of what was swept came along: %+v", what, after)
		}
		w.wantActive("api", r.AccessToken, true)
		w.wantActive("api", old.AccessToken, false)
		_, err := w.refresh("app", old.RefreshToken)
		wantCode(t, err, oauth.InvalidGrant)
		w.wantActive("api", r.AccessToken, true)
	}

	// A refresh whose record goes meanwhile is refused, and a replay or a
	// revocation finds its work done.
	w := newWorld(t)
	r := w.login("app", "alice", "device_a")
	store := &swept{Tokens: w.tokens, armed: true}
	w.issuer.Tokens, w.verifier.Tokens = store, store
	_, err := w.refresh("app", r.RefreshToken)
	wantCode(t, err, oauth.InvalidGrant)
	if n := len(w.records(w.userSubject("alice"))); n != 0 || store.armed {
		t.Errorf("%d items, swept %v", n, !store.armed)
	}
	first := w.login("app", "alice", "device_a")
	_, err = w.refresh("app", first.RefreshToken)
	w.must(err)
	w.advance(100)
	store.armed = true
	_, err = w.refresh("app", first.RefreshToken)
	wantCode(t, err, oauth.InvalidGrant)
	if w.event.Outcome != oauth.Replayed || store.armed {
		t.Errorf("%s, swept %v", w.event.Outcome, !store.armed)
	}
	r = w.login("app", "alice", "device_a")
	store.armed = true
	w.must(w.revoke("app", r.AccessToken))
	if store.armed {
		t.Error("not swept")
	}
}

// A84: An old copy of the table knows nothing of what was revoked since, so the
// operator who restores one raises the issuer's epoch.
func TestRestoredTable(t *testing.T) {
	for _, raised := range []bool{false, true} {
		w := newWorld(t)
		revoked, replayed := w.login("backend", "alice", "device_a"), w.login("app", "alice", "device_b")
		rotated, err := w.refresh("app", replayed.RefreshToken)
		w.must(err)
		backup := w.records(w.userSubject("alice"))
		w.must(w.revoke("backend", revoked.AccessToken))
		w.advance(oauth.DefaultRefreshGrace + 1)
		_, err = w.refresh("app", replayed.RefreshToken)
		wantCode(t, err, oauth.InvalidGrant)
		if n := len(w.records(w.userSubject("alice"))); n != 0 {
			t.Fatalf("%d items before the restore", n)
		}

		for _, r := range backup {
			_, _, err := w.tokens.Save(t.Context(), r, ledger.Nonce{})
			w.must(err)
		}
		if raised {
			w.ring.set(t, func(r *ring) { r.epoch++ })
			w.ring.publish()
		}
		// The control: without the epoch it all comes back.
		w.wantActive("api", revoked.AccessToken, !raised)
		w.wantActive("backend", revoked.RefreshToken, !raised)
		w.wantActive("api", rotated.AccessToken, !raised)
		if !raised {
			continue
		}
		for client, b := range map[ledger.ClientID]bearer.Bearer{"backend": revoked.RefreshToken, "app": rotated.RefreshToken} {
			_, err := w.refresh(client, b)
			wantCode(t, err, oauth.InvalidGrant)
		}
		r := w.login("backend", "alice", "device_a")
		if same(r.AccessToken, revoked.AccessToken) || same(r.RefreshToken, revoked.RefreshToken) {
			t.Error("a revoked token was issued again")
		}
		w.wantActive("api", r.AccessToken, true)
		w.wantActive("api", revoked.AccessToken, false)
	}
}

// The sweep must never be what makes a token inactive, also for an instance
// whose clock is hours off.
func TestItemsAreKeptADayLonger(t *testing.T) {
	const day = 24 * 3600
	w := newWorld(t)
	w.login("backend", "alice", "device_a")
	if r := w.records(w.userSubject("alice"))[0]; r.TTL() < w.clock.Load()+oauth.DefaultRefreshIdle+day {
		t.Errorf("with a refresh token, swept after %d s", r.TTL()-w.clock.Load())
	}
	_, err := w.token("backend", "grant_type", "client_credentials")
	w.must(err)
	own := w.records(ledger.Subject{Kind: ledger.ClientSubject, ID: "backend"})[0]
	if own.TTL() < w.clock.Load()+oauth.DefaultAccessLifetime+day {
		t.Errorf("without one, swept after %d s", own.TTL()-w.clock.Load())
	}
}

// A09
func TestCap(t *testing.T) {
	w := newWorld(t)
	w.editClient("backend", func(c *oauth.Client) { c.MaxAuthorizations = 5 })
	var all []ledger.Answer
	for i := range 6 {
		all = append(all, w.login("backend", "alice", fmt.Sprintf("device_%d", i)))
		w.advance(1)
	}
	w.wantActive("backend", all[0].AccessToken, false)
	for _, r := range all[1:] {
		w.wantActive("backend", r.AccessToken, true)
	}
	if n := len(w.records(w.userSubject("alice"))); n != 5 {
		t.Errorf("%d records, want 5", n)
	}
	// Another client and another user have room of their own.
	w.login("other", "alice", "device_0")
	w.login("backend", "bob", "device_0")
	w.wantActive("backend", all[1].AccessToken, true)
	// A returned token makes no room for itself.
	w.login("backend", "alice", "device_1")
	w.wantActive("backend", all[2].AccessToken, true)
	// The cap was lowered: the next new one repairs it.
	w.editClient("backend", func(c *oauth.Client) { c.MaxAuthorizations = 2 })
	w.advance(10)
	w.login("backend", "alice", "device_new")
	if w.event.Evicted != 4 {
		t.Errorf("the event counts %d, not 4", w.event.Evicted)
	}
	for i, want := range []bool{false, false, false, false, false, true} {
		w.wantActive("backend", all[i].AccessToken, want)
	}
}

// A09: A cap that was lowered by far is reached in steps: one request makes only so
// many deletes before it is answered.
func TestLoweredCapInSteps(t *testing.T) {
	w := newWorld(t)
	for i := range 25 {
		w.login("backend", "alice", fmt.Sprintf("device_%d", i))
		w.advance(1)
	}
	w.editClient("backend", func(c *oauth.Client) { c.MaxAuthorizations = 3 })
	w.advance(10)
	for i, want := range []int{16, 7, 3, 3} {
		newest := w.login("backend", "alice", fmt.Sprintf("device_new%d", i))
		if n := len(w.records(w.userSubject("alice"))); n != want {
			t.Errorf("after %d new ones there are %d records, want %d", i+1, n, want)
		}
		w.wantActive("backend", newest.AccessToken, true)
	}
}
