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

func TestJudge(t *testing.T) {
	b := newBench(t, false)
	b.login()
	r := b.record
	r.Nonce = Nonce{1}
	r.Epochs = Epochs{5, 5, 5}
	loc := b.auth.Locator()
	ring := b.ring.CheckRing
	at := func(s, c, i uint64) View { return View{Now: b.now, Keys: ring, Epochs: Epochs{s, c, i}} }
	for _, tt := range []struct {
		name string
		v    View
		want Verdict
	}{
		{"equal", at(5, 5, 5), Alive},
		{"subject signed out", at(6, 5, 5), Dead},
		{"client killed", at(5, 6, 5), Dead},
		{"issuer raised", at(5, 5, 6), Dead},
		{"we are behind on the subject", at(4, 5, 5), Behind},
		{"we are behind on the client", at(5, 4, 5), Behind},
		{"we are behind on the issuer", at(5, 5, 4), Behind},
		{"behind and killed", at(4, 6, 5), Behind}, // or it would be replaced under 4
	} {
		if got := tt.v.Judge(r, loc); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
		tt.v.Ahead = r.Nonce // read anew since the record was seen
		want := tt.want
		if want == Behind {
			want = Dead
		}
		if got := tt.v.Judge(r, loc); got != want {
			t.Errorf("%s, read anew: %v, want %v", tt.name, got, want)
		}
	}

	// Case A35, on the record: every field that the token asserts is in the key.
	for what, edit := range map[string]func(*Authorization){
		"subject kind": func(a *Authorization) { a.Subject.Kind = ClientSubject },
		"subject":      func(a *Authorization) { a.Subject.ID = "u_2" },
		"username":     func(a *Authorization) { a.Username = "root" },
		"client":       func(a *Authorization) { a.Client = "other" },
		"format":       func(a *Authorization) { a.Format = "jwt" },
		"issuer":       func(a *Authorization) { a.Issuer = "https://auth.example.com" },
		"scope":        func(a *Authorization) { a.Scope = mustScope(t, "admin device_ipad") },
		"device":       func(a *Authorization) { a.Scope = a.Scope.WithDevice("iphone") },
		"audience":     func(a *Authorization) { a.Audiences = []string{"other"} },
		"audiences":    func(a *Authorization) { a.Audiences = []string{"app", "other"} },
	} {
		edited := r
		edit(&edited.Authorization)
		if got := at(5, 5, 5).Judge(edited, loc); got != Tampered {
			t.Errorf("edited %s: %v, want tampered", what, got)
		}
		if edited.Authorization.Equal(r.Authorization) {
			t.Errorf("edited %s: still Equal", what)
		}
	}
}

// The scopes of a record, granted by version 5 of the registry.
func TestJudgeScopes(t *testing.T) {
	b := newBench(t, false)
	b.login()
	r := b.record
	r.Nonce, r.ScopesVersion = Nonce{1}, 5
	name := r.Authorization.Scope.Ordinary()[0]
	for _, tt := range []struct {
		what           string
		current, since uint64
		other          uint64 // Since of a scope that is not in the record
		want           Verdict
	}{
		{"the registry that granted it", 5, 0, 0, Alive},
		{"a later one", 9, 0, 0, Alive},
		{"another scope was bound", 9, 0, 9, Alive},
		{"bound before", 9, 4, 0, Alive},
		{"bound with that version", 9, 5, 0, Alive},
		{"bound since", 9, 6, 0, Dead},
		{"bound by a clock ahead of the registry's", 5, 7, 0, Alive},
		{"bound by a clock ahead of the registry's, since", 6, 7, 0, Dead},
		{"we are behind", 4, 0, 0, Behind},
		{"we are behind, and it was bound", 4, 9, 0, Behind},
	} {
		v := View{Now: b.now, Keys: b.ring.CheckRing, Epochs: r.Epochs,
			Scopes: ScopeVersions{Current: tt.current, Since: map[string]uint64{name: tt.since, "another": tt.other}}}
		if got := v.Judge(r, b.auth.Locator()); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.what, got, tt.want)
		}
		v.Ahead = r.Nonce
		want := tt.want
		if want == Behind {
			want = Dead
		}
		if got := v.Judge(r, b.auth.Locator()); got != want {
			t.Errorf("%s, read anew: %v, want %v", tt.what, got, want)
		}
	}
	// A record says by which registry its scopes were granted, unless it has none.
	v := View{Now: b.now, Keys: b.ring.CheckRing, Scopes: ScopeVersions{Current: 8}}
	rules := Rules{View: v, Ring: b.ring, Terms: b.terms}
	if got := rules.Issue(nil, b.auth, true, r.RID).Record.ScopesVersion; got != 8 {
		t.Errorf("granted by version %d", got)
	}
	none := b.auth
	none.Scope = mustScope(t, "device_ipad")
	if got := rules.Issue(nil, none, true, r.RID).Record.ScopesVersion; got != 0 {
		t.Errorf("a device alone: granted by version %d", got)
	}
}
