package ledger

import (
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
)

func TestRefreshConfidentialDoesNotRotate(t *testing.T) {
	b := newBench(t, false)
	login := b.login()
	for range 5 { // case A36
		r := b.refresh(login.RefreshToken)
		if !r.RefreshToken.Equal(login.RefreshToken.Text) || !r.AccessToken.Equal(login.AccessToken.Text) || b.wrote() {
			t.Fatalf("refresh rotated or wrote: %v, wrote %v", b.last.Do, b.wrote())
		}
	}
	b.now += defaultAccessLifetime/2 + 1
	r := b.refresh(login.RefreshToken)
	if r.AccessToken.Equal(login.AccessToken.Text) || r.ExpiresIn != defaultAccessLifetime {
		t.Error("below half of its life, refresh returned the old access token")
	}
	if !b.active(login.AccessToken) || !b.active(r.AccessToken) || !b.active(login.RefreshToken) {
		t.Error("refresh ended a live token")
	}
	if b.record.RefreshIdle != b.now+defaultRefreshIdle {
		t.Error("a write that mints did not move the idle deadline")
	}
}

func TestRefreshPublicRotates(t *testing.T) {
	b := newBench(t, true)
	first := b.login().RefreshToken
	b.now += 100
	second := b.refresh(first)
	if second.RefreshToken.Equal(first.Text) || !b.wrote() {
		t.Fatal("a public client's refresh token did not rotate")
	}
	if b.active(first) || !b.active(second.RefreshToken) {
		t.Error("introspection sees another refresh token than the current one")
	}
	expiry := b.record.Refresh.Expiry
	if expiry != testNow+defaultRefreshAbsolute {
		t.Error("rotation moved the absolute expiry")
	}

	b.now += defaultRefreshGrace // case A38, within the window
	again := b.refresh(first)
	if !again.RefreshToken.Equal(second.RefreshToken.Text) || !again.AccessToken.Equal(second.AccessToken.Text) || b.wrote() {
		t.Error("within the grace time the predecessor did not get the same successor without a write")
	}
	b.now++ // past it
	b.wantRefused(first, End)

	// One that came two generations before (case A40).
	b.now -= defaultRefreshGrace + 1
	third := b.refresh(second.RefreshToken)
	b.wantRefused(first, End)
	if !b.active(third.RefreshToken) {
		t.Error("the decision alone ended something")
	}
}

// Case A42: a generation that verifies by its tag and was never ours ends
// nothing.
func TestRefreshForgedGeneration(t *testing.T) {
	b := newBench(t, true)
	b.refresh(b.login().RefreshToken)
	b.refresh(mustSeal(b, b.record.Refresh))
	n := bearer.Name{Kind: bearer.Refresh, KID: 1, Expiry: b.record.Refresh.Expiry, Locator: b.auth.Locator(), Generation: 1}
	forged, _, _ := b.ring.Seal(n, bearer.RID{9, 9, 9}) // right tag, another item's secret
	b.wantRefused(forged, Refuse)
	n.Generation = b.record.Refresh.Generation + 1
	future, _, _ := b.ring.Seal(n, b.record.RID)
	b.wantRefused(future, Refuse)
}

func mustSeal(b *bench, s Slot) bearer.Bearer {
	text, hash, ok := b.ring.Seal(bearer.Name{Kind: bearer.Refresh, KID: s.KID, Expiry: s.Expiry, Locator: b.auth.Locator(), Generation: s.Generation}, b.record.RID)
	if !ok || hash != s.Hash {
		b.t.Fatal("the slot does not verify")
	}
	return text
}

// Case A44.
func TestRefreshExpiries(t *testing.T) {
	for _, public := range []bool{false, true} {
		b := newBench(t, public)
		token := b.login().RefreshToken
		b.now += defaultRefreshIdle - 1
		token = b.refresh(token).RefreshToken // in time: moves the idle deadline
		b.now += defaultRefreshIdle
		b.wantRefused(token, Refuse) // idle
		if b.active(token) {
			t.Error("an idle refresh token is active")
		}

		b = newBench(t, public)
		b.terms.RefreshIdle = 10 * defaultRefreshAbsolute
		token = b.login().RefreshToken
		b.now += defaultRefreshAbsolute
		b.wantRefused(token, Refuse) // absolute
	}
}

// A login that mints an access token does not revive a refresh token whose time
// has passed.
func TestIdleRefreshTokenStaysDead(t *testing.T) {
	b := newBench(t, false)
	b.terms.RefreshIdle = 100
	old := b.login()
	b.now += defaultAccessLifetime - 100 // live, below the floor; the refresh token is idle
	b.apply(b.issue(false))
	if !b.last.Issued || b.record.Access.Generation != 2 {
		t.Fatalf("%v, generation %d; want the next generation of the same record", b.last.Do, b.record.Access.Generation)
	}
	if b.active(old.RefreshToken) {
		t.Error("minting an access token revived an idle refresh token")
	}
	renewed := b.login()
	if renewed.RefreshToken.Equal(old.RefreshToken.Text) || !b.active(renewed.RefreshToken) {
		t.Error("the login did not get a living refresh token")
	}
}

// Once the idle time has passed, not even a replay has an effect.
func TestIdleReplayEndsNothing(t *testing.T) {
	b := newBench(t, true)
	b.terms.RefreshIdle = 50
	first := b.login().RefreshToken
	b.refresh(b.refresh(first).RefreshToken)
	b.wantRefused(first, End)
	b.now += 50
	b.wantRefused(first, Refuse)
}

// Past half of the absolute life a login makes the next refresh token; what the
// one before is worth depends on the client.
func TestLoginRenewsTheRefreshToken(t *testing.T) {
	for _, public := range []bool{false, true} {
		b := newBench(t, public)
		b.terms.RefreshIdle = defaultRefreshAbsolute
		first := b.login()
		b.now += defaultRefreshAbsolute / 2
		if r := b.login(); !r.RefreshToken.Equal(first.RefreshToken.Text) {
			t.Errorf("public %v: at half of its life the login got another refresh token", public)
		}
		b.now++
		second := b.login()
		if second.RefreshToken.Equal(first.RefreshToken.Text) || b.record.Refresh.Expiry != b.now+defaultRefreshAbsolute {
			t.Errorf("public %v: past half of its life the login got the old refresh token", public)
		}
		if public {
			r := b.refresh(first.RefreshToken) // within grace
			if !r.RefreshToken.Equal(second.RefreshToken.Text) {
				t.Error("public: the predecessor did not lead to the successor")
			}
			b.now += defaultRefreshGrace + 1
			b.wantRefused(first.RefreshToken, End)
			continue
		}
		b.now += defaultRefreshGrace + 1
		r := b.refresh(first.RefreshToken)
		if !r.RefreshToken.Equal(first.RefreshToken.Text) {
			t.Error("confidential: the predecessor does not serve to its own expiry")
		}
		b.now = testNow + defaultRefreshAbsolute
		b.wantRefused(first.RefreshToken, Refuse)
		b.refresh(second.RefreshToken)
	}
}

// The answer says when the refresh token ends if nothing is done: the earlier of its idle
// and its absolute end, for the very token that is handed out.
func TestRefreshExpiresIn(t *testing.T) {
	for _, public := range []bool{false, true} {
		b := newBench(t, public)
		answer := b.login()
		if got := answer.RefreshExpiresIn; got != defaultRefreshIdle {
			t.Errorf("public %v: %d after a login, want %d", public, got, defaultRefreshIdle)
		}
		b.now += 100
		if got := b.login().RefreshExpiresIn; got != defaultRefreshIdle-100 {
			t.Errorf("public %v: %d for the same token again, want %d", public, got, defaultRefreshIdle-100)
		}
		// Each use moves the idle end, up to the absolute one.
		for b.now < b.record.Refresh.Expiry-defaultRefreshIdle/2 {
			b.now += defaultRefreshIdle / 2
			answer = b.refresh(answer.RefreshToken)
			end := min(b.record.Refresh.Expiry, b.record.RefreshIdle)
			if got := answer.RefreshExpiresIn; got != end-b.now || got < 1 {
				t.Fatalf("public %v: %d, want %d", public, got, end-b.now)
			}
			if !b.active(answer.RefreshToken) {
				t.Fatalf("public %v: the token is not active", public)
			}
		}
		if answer.RefreshExpiresIn >= defaultRefreshIdle/2+1 {
			t.Errorf("public %v: %d before the absolute end", public, answer.RefreshExpiresIn)
		}
	}
}
