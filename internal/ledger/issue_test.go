package ledger

import (
	"math/rand/v2"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
)

func TestFloor(t *testing.T) {
	for lifetime, want := range map[int64]int64{
		3600: 360, 600: 60, 601: 60, 119: 59, 60: 30, 120: 60, 1: 0, 2: 1, 86400: 8640,
	} {
		if got := enoughForLogin(lifetime); got != want {
			t.Errorf("enoughForLogin(%d) = %d, want %d", lifetime, got, want)
		}
	}
}

// Cases A01, A12, A13, A14 for each lifetime.
func TestIssueReturnsUntilTheFloor(t *testing.T) {
	for _, lifetime := range []int64{60, 119, 600, 3600, 86400} {
		b := newBench(t, false)
		b.terms.AccessLifetime = lifetime
		first := b.login()
		if !b.last.Issued || first.ExpiresIn != lifetime {
			t.Errorf("%d: first = %v, %d s", lifetime, b.last.Do, first.ExpiresIn)
		}

		b.now += lifetime - enoughForLogin(lifetime)
		again := b.login()
		if !again.AccessToken.Equal(first.AccessToken.Text) || b.wrote() || b.last.Do != Return || again.ExpiresIn != enoughForLogin(lifetime) {
			t.Errorf("%d: at the floor: %v, wrote %v, %d s; want the same token", lifetime, b.last.Do, b.wrote(), again.ExpiresIn)
		}

		b.now++
		next := b.login()
		if next.AccessToken.Equal(first.AccessToken.Text) || next.ExpiresIn != lifetime || !b.last.Issued {
			t.Errorf("%d: below the floor: %v, %d s; want a new token", lifetime, b.last.Do, next.ExpiresIn)
		}
		if !b.active(first.AccessToken) || !b.active(next.AccessToken) {
			t.Errorf("%d: minting ended a live token", lifetime)
		}
		b.now += enoughForLogin(lifetime) - 1 // the first's own expiry
		if b.active(first.AccessToken) || !b.active(next.AccessToken) {
			t.Errorf("%d: the first outlived its expiry, or the second did not", lifetime)
		}
	}
}

// Case A12 to the letter, and with lifetimes that an operator changes meanwhile:
// no mint ever ends a live token, and never are more than two active.
func TestMintingNeverEndsALiveToken(t *testing.T) {
	for _, fixed := range []bool{true, false} {
		rng := rand.New(rand.NewPCG(1, 2))
		b := newBench(t, false)
		b.terms.AccessLifetime = 600
		type issued struct {
			text   bearer.Bearer
			expiry int64
		}
		var all []issued
		var refreshTokens []bearer.Token
		mints := 0
		var refreshToken bearer.Bearer
		for mints < 300 {
			if !fixed {
				b.terms.AccessLifetime = []int64{60, 90, 600, 3600}[rng.IntN(4)]
				b.terms.RefreshAbsolute = []int64{500, 900, 1500}[rng.IntN(3)]
			}
			var r Answer
			if n := len(refreshTokens); n > 0 && rng.IntN(2) == 0 && refreshTokens[n-1].Expiry > b.now {
				r = b.refresh(refreshToken)
			} else {
				r = b.login()
			}
			refreshToken = r.RefreshToken
			if b.last.Issued || b.wrote() {
				mints++
			}
			all = append(all, issued{r.AccessToken, b.now + r.ExpiresIn})
			token, err := b.ring.Open(refreshToken)
			if err != nil {
				t.Fatal(err)
			}
			refreshTokens = append(refreshTokens, token)
			for _, token := range refreshTokens {
				if token.Expiry > b.now && !b.record.Refresh.holds(token) && !b.record.RefreshPrev.holds(token) {
					t.Fatalf("fixed %v: a confidential client's refresh token with %d s left was forgotten", fixed, token.Expiry-b.now)
				}
			}
			live := map[string]bool{}
			for _, i := range all {
				if i.expiry > b.now {
					live[i.text.Reveal()] = true
					if !b.active(i.text) {
						t.Fatalf("fixed %v: a token with %d s left is inactive", fixed, i.expiry-b.now)
					}
				}
			}
			if len(live) > 2 {
				t.Fatalf("fixed %v: %d tokens are active", fixed, len(live))
			}
			b.now += rng.Int64N(120)
		}
	}
}

// After an end there is another rid, so never the old string (case A11).
func TestIssueAfterAnEndIsAnotherToken(t *testing.T) {
	b := newBench(t, false)
	first := b.login()
	b.found = false
	second := b.login()
	if second.AccessToken.Equal(first.AccessToken.Text) || second.RefreshToken.Equal(first.RefreshToken.Text) {
		t.Error("the same token came back after an end")
	}
	if b.active(first.AccessToken) || b.active(first.RefreshToken) {
		t.Error("a token from before the end is active")
	}
}

// A dead record is replaced whole.
func TestIssueReplacesTheDead(t *testing.T) {
	for what, kill := range map[string]func(*bench){
		"expired":         func(b *bench) { b.now += 400 * 24 * 3600 },
		"below the epoch": func(b *bench) { b.epochs.Subject++ },
		"retired key":     func(b *bench) { b.ring = testRing(t, map[string]bearer.State{"1": bearer.Retired, "2": bearer.Active}) },
	} {
		b := newBench(t, false)
		first := b.login()
		created := b.record
		kill(b)
		second := b.login()
		if second.AccessToken.Equal(first.AccessToken.Text) || b.record.RID == created.RID ||
			b.record.Access.Generation != 1 || b.record.AccessPrev != (Slot{}) || b.record.RefreshPrev != (Slot{}) {
			t.Errorf("%s: something was carried over", what)
		}
	}
}

// A slot whose hash is not the one that its name derives was not written by us.
func TestIssueNeverHandsOutWhatDoesNotVerify(t *testing.T) {
	for what, edit := range map[string]func(*Record){
		"access hash":    func(r *Record) { r.Access.Hash[0] ^= 1 },
		"access expiry":  func(r *Record) { r.Access.Expiry += 1000 },
		"refresh hash":   func(r *Record) { r.Refresh.Hash[0] ^= 1 },
		"refresh expiry": func(r *Record) { r.Refresh.Expiry += 1000 },
		"rid":            func(r *Record) { r.RID[0] ^= 1 },
		"generation":     func(r *Record) { r.Access.Generation++ },
	} {
		b := newBench(t, false)
		first := b.login()
		edit(&b.record)
		second := b.login()
		if !b.last.Tampered || !b.wrote() || second.AccessToken.Equal(first.AccessToken.Text) {
			t.Errorf("%s: tampered %v, save %v", what, b.last.Tampered, b.wrote())
		}
		if b.active(first.AccessToken) || b.active(first.RefreshToken) || !b.active(second.AccessToken) || !b.active(second.RefreshToken) {
			t.Errorf("%s: the record was not replaced whole", what)
		}
	}
}
