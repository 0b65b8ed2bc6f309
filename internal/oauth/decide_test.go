package oauth

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/scope"
)

// The decisions alone, without a store: what they put into a record and what
// they answer.

const testNow = 1_800_000_000

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

func testRing(t fataler, states map[string]bearer.State) *bearer.MintRing {
	t.Helper()
	mint, check := map[string]string{}, map[string]any{"issuer_epoch": 0, "states": states}
	for kid := range states {
		mint[kid] = "test-mint-key-test-mint-key-test-mint-key-" + kid
		check[kid] = "test-check-key-test-check-key-test-check-key-" + kid
	}
	m, err := json.Marshal(mint)
	if err != nil {
		t.Fatal(err)
	}
	c, err := json.Marshal(check)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := bearer.ParseMintRing(m, c)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func mustScope(t fataler, s string) scope.Set {
	t.Helper()
	set, err := scope.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// bench is one Authorization whose decisions are taken without conflicts.
type bench struct {
	t      fataler
	client Client
	auth   Authorization
	ring   *bearer.MintRing
	now    int64
	epochs Epochs // as known
	rids   int
	record Record
	found  bool
	last   decision
}

func newBench(t fataler, public bool) *bench {
	a := Authorization{
		Subject: Subject{UserSubject, "u_1"}, Username: "alice", Client: "app", Format: Opaque,
		Scope: mustScope(t, "read device_ipad"), Audiences: []string{"app"},
	}
	return &bench{
		t: t, now: testNow, auth: a, ring: testRing(t, map[string]bearer.State{"1": bearer.Active}),
		client: Client{ID: "app", Public: public, Scopes: mustScope(t, "read"), Grants: GrantTypes()},
	}
}

func (b *bench) situation() situation {
	k := known{now: b.now, ring: b.ring.CheckRing, epochs: b.epochs}
	b.rids++ // counted, not random, so that a failure can be replayed
	s := situation{known: k, ring: b.ring, client: b.client, rid: bearer.RID{byte(b.rids), byte(b.rids >> 8)}}
	if b.found && k.judge(b.record, b.auth.Locator()) == alive {
		s.record, s.alive = b.record, true
	}
	return s
}

func (b *bench) apply(d decision) TokenResponse {
	b.t.Helper()
	b.last = d
	if d.refusal != nil {
		b.t.Fatalf("refused: %v", d.refusal)
	}
	if d.save {
		b.record, b.found = d.record, true
	}
	if d.response.ExpiresIn < 1 {
		b.t.Fatalf("expires_in = %d", d.response.ExpiresIn)
	}
	return d.response
}

func (b *bench) login() TokenResponse {
	b.t.Helper()
	return b.apply(issue(b.situation(), b.auth, true))
}

func (b *bench) decideRefresh(text bearer.Bearer) decision {
	b.t.Helper()
	t, err := b.ring.Open(text)
	if err != nil {
		b.t.Fatal(err)
	}
	return refresh(b.situation(), t, refreshTokenGrant{token: text}, ResourceScopes{Roles: map[string][]string{"read": nil}})
}

func (b *bench) refresh(text bearer.Bearer) TokenResponse {
	b.t.Helper()
	return b.apply(b.decideRefresh(text))
}

func (b *bench) wantRefused(text bearer.Bearer, end bool) {
	b.t.Helper()
	before := b.record
	d := b.decideRefresh(text)
	e, ok := errors.AsType[*Error](d.refusal)
	if !ok || e.Code != InvalidGrant || d.end != end || d.save || d.response.AccessToken.Len() > 0 {
		b.t.Errorf("refresh = %v, end %v, save %v; want invalid_grant, end %v", d.refusal, d.end, d.save, end)
	}
	if d := cmp.Diff(before, b.record); d != "" {
		b.t.Errorf("a refusal changed the record:\n%s", d)
	}
}

func (b *bench) active(text bearer.Bearer) bool {
	b.t.Helper()
	t, err := b.ring.Open(text)
	if err != nil {
		return false
	}
	s := b.situation()
	if !s.alive {
		return false
	}
	_, _, live := s.known.slotOf(s.record, t)
	return live
}

func TestFloor(t *testing.T) {
	for lifetime, want := range map[int64]int64{
		3600: 360, 600: 60, 601: 60, 119: 59, 60: 30, 120: 60, 1: 0, 2: 1, 86400: 8640,
	} {
		if got := floor(lifetime); got != want {
			t.Errorf("floor(%d) = %d, want %d", lifetime, got, want)
		}
	}
}

// Cases A01, A12, A13, A14 for each lifetime.
func TestIssueReturnsUntilTheFloor(t *testing.T) {
	for _, lifetime := range []int64{60, 119, 600, 3600, 86400} {
		b := newBench(t, false)
		b.client.AccessLifetime = lifetime
		first := b.login()
		if b.last.outcome != Issued || first.ExpiresIn != lifetime {
			t.Errorf("%d: first = %s, %d s", lifetime, b.last.outcome, first.ExpiresIn)
		}

		b.now += lifetime - floor(lifetime)
		again := b.login()
		if !again.AccessToken.Equal(first.AccessToken.Text) || b.last.save || b.last.outcome != Returned || again.ExpiresIn != floor(lifetime) {
			t.Errorf("%d: at the floor: %s, save %v, %d s; want the same token", lifetime, b.last.outcome, b.last.save, again.ExpiresIn)
		}

		b.now++
		next := b.login()
		if next.AccessToken.Equal(first.AccessToken.Text) || next.ExpiresIn != lifetime || b.last.outcome != Issued {
			t.Errorf("%d: below the floor: %s, %d s; want a new token", lifetime, b.last.outcome, next.ExpiresIn)
		}
		if !b.active(first.AccessToken) || !b.active(next.AccessToken) {
			t.Errorf("%d: minting ended a live token", lifetime)
		}
		b.now += floor(lifetime) - 1 // the first's own expiry
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
		b.client.AccessLifetime = 600
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
				b.client.AccessLifetime = []int64{60, 90, 600, 3600}[rng.IntN(4)]
				b.client.RefreshAbsolute = []int64{500, 900, 1500}[rng.IntN(3)]
			}
			var r TokenResponse
			if n := len(refreshTokens); n > 0 && rng.IntN(2) == 0 && refreshTokens[n-1].Expiry > b.now {
				r = b.refresh(refreshToken)
			} else {
				r = b.login()
			}
			refreshToken = r.RefreshToken
			if b.last.outcome == Issued || b.last.save {
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
		if !b.last.tampered || !b.last.save || second.AccessToken.Equal(first.AccessToken.Text) {
			t.Errorf("%s: tampered %v, save %v", what, b.last.tampered, b.last.save)
		}
		if b.active(first.AccessToken) || b.active(first.RefreshToken) || !b.active(second.AccessToken) || !b.active(second.RefreshToken) {
			t.Errorf("%s: the record was not replaced whole", what)
		}
	}
}

func TestRefreshConfidentialDoesNotRotate(t *testing.T) {
	b := newBench(t, false)
	login := b.login()
	for range 5 { // case A36
		r := b.refresh(login.RefreshToken)
		if !r.RefreshToken.Equal(login.RefreshToken.Text) || !r.AccessToken.Equal(login.AccessToken.Text) || b.last.save || b.last.outcome != Refreshed {
			t.Fatalf("refresh rotated or wrote: %s, save %v", b.last.outcome, b.last.save)
		}
	}
	b.now += DefaultAccessLifetime/2 + 1
	r := b.refresh(login.RefreshToken)
	if r.AccessToken.Equal(login.AccessToken.Text) || r.ExpiresIn != DefaultAccessLifetime {
		t.Error("below half of its life, refresh returned the old access token")
	}
	if !b.active(login.AccessToken) || !b.active(r.AccessToken) || !b.active(login.RefreshToken) {
		t.Error("refresh ended a live token")
	}
	if b.record.RefreshIdle != b.now+DefaultRefreshIdle {
		t.Error("a write that mints did not move the idle deadline")
	}
}

func TestRefreshPublicRotates(t *testing.T) {
	b := newBench(t, true)
	first := b.login().RefreshToken
	b.now += 100
	second := b.refresh(first)
	if second.RefreshToken.Equal(first.Text) || !b.last.save {
		t.Fatal("a public client's refresh token did not rotate")
	}
	if b.active(first) || !b.active(second.RefreshToken) {
		t.Error("introspection sees another refresh token than the current one")
	}
	expiry := b.record.Refresh.Expiry
	if expiry != testNow+DefaultRefreshAbsolute {
		t.Error("rotation moved the absolute expiry")
	}

	b.now += grace // case A38, within the window
	again := b.refresh(first)
	if !again.RefreshToken.Equal(second.RefreshToken.Text) || !again.AccessToken.Equal(second.AccessToken.Text) || b.last.save {
		t.Error("within the grace time the predecessor did not get the same successor without a write")
	}
	b.now++ // past it
	b.wantRefused(first, true)

	// One that came two generations before (case A40).
	b.now -= grace + 1
	third := b.refresh(second.RefreshToken)
	b.wantRefused(first, true)
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
	b.wantRefused(forged, false)
	n.Generation = b.record.Refresh.Generation + 1
	future, _, _ := b.ring.Seal(n, b.record.RID)
	b.wantRefused(future, false)
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
		b.now += DefaultRefreshIdle - 1
		token = b.refresh(token).RefreshToken // in time: moves the idle deadline
		b.now += DefaultRefreshIdle
		b.wantRefused(token, false) // idle
		if b.active(token) {
			t.Error("an idle refresh token is active")
		}

		b = newBench(t, public)
		b.client.RefreshIdle = 10 * DefaultRefreshAbsolute
		token = b.login().RefreshToken
		b.now += DefaultRefreshAbsolute
		b.wantRefused(token, false) // absolute
	}
}

// A login that mints an access token does not revive a refresh token whose time
// has passed.
func TestIdleRefreshTokenStaysDead(t *testing.T) {
	b := newBench(t, false)
	b.client.RefreshIdle = 100
	old := b.login()
	b.now += DefaultAccessLifetime - 100 // live, below the floor; the refresh token is idle
	b.apply(issue(b.situation(), b.auth, false))
	if b.last.outcome != Issued || b.record.Access.Generation != 2 {
		t.Fatalf("%s, generation %d; want the next generation of the same record", b.last.outcome, b.record.Access.Generation)
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
	b.client.RefreshIdle = 50
	first := b.login().RefreshToken
	b.refresh(b.refresh(first).RefreshToken)
	b.wantRefused(first, true)
	b.now += 50
	b.wantRefused(first, false)
}

// Past half of the absolute life a login makes the next refresh token; what the
// one before is worth depends on the client.
func TestLoginRenewsTheRefreshToken(t *testing.T) {
	for _, public := range []bool{false, true} {
		b := newBench(t, public)
		b.client.RefreshIdle = DefaultRefreshAbsolute
		first := b.login()
		b.now += DefaultRefreshAbsolute / 2
		if r := b.login(); !r.RefreshToken.Equal(first.RefreshToken.Text) {
			t.Errorf("public %v: at half of its life the login got another refresh token", public)
		}
		b.now++
		second := b.login()
		if second.RefreshToken.Equal(first.RefreshToken.Text) || b.record.Refresh.Expiry != b.now+DefaultRefreshAbsolute {
			t.Errorf("public %v: past half of its life the login got the old refresh token", public)
		}
		if public {
			r := b.refresh(first.RefreshToken) // within grace
			if !r.RefreshToken.Equal(second.RefreshToken.Text) {
				t.Error("public: the predecessor did not lead to the successor")
			}
			b.now += grace + 1
			b.wantRefused(first.RefreshToken, true)
			continue
		}
		b.now += grace + 1
		r := b.refresh(first.RefreshToken)
		if !r.RefreshToken.Equal(first.RefreshToken.Text) {
			t.Error("confidential: the predecessor does not serve to its own expiry")
		}
		b.now = testNow + DefaultRefreshAbsolute
		b.wantRefused(first.RefreshToken, false)
		b.refresh(second.RefreshToken)
	}
}

// Cases A43, A15.
func TestRefreshScope(t *testing.T) {
	b := newBench(t, false)
	text := b.login().RefreshToken
	token, err := b.ring.Open(text)
	if err != nil {
		t.Fatal(err)
	}
	all := ResourceScopes{Roles: map[string][]string{"read": nil, "write": nil}}
	for scopes, want := range map[string]Code{
		"": "", "read device_ipad": "", "device_ipad read": "", "read read device_ipad": "",
		"read": InvalidScope, "device_ipad": InvalidScope, "read device_iphone": InvalidScope, "read write device_ipad": InvalidScope,
	} {
		d := refresh(b.situation(), token, refreshTokenGrant{text, mustScope(t, scopes), scopes != ""}, all)
		got := Code("")
		if e, ok := errors.AsType[*Error](d.refusal); ok {
			got = e.Code
		}
		if got != want || d.end || d.save {
			t.Errorf("scope %q: %q, end %v, save %v; want %q", scopes, got, d.end, d.save, want)
		}
	}
	if d := refresh(b.situation(), token, refreshTokenGrant{token: text}, ResourceScopes{}); d.refusal == nil {
		t.Error("refreshed a scope that no longer exists")
	}
	b.client.Scopes = scope.Set{}
	b.wantRefused(text, false)
}

func TestJudge(t *testing.T) {
	b := newBench(t, false)
	b.login()
	r := b.record
	r.Epochs = Epochs{5, 5, 5}
	loc := b.auth.Locator()
	ring := b.ring.CheckRing
	at := func(s, c, i uint64) known { return known{now: b.now, ring: ring, epochs: Epochs{s, c, i}} }
	for _, tt := range []struct {
		name string
		k    known
		want verdict
	}{
		{"equal", at(5, 5, 5), alive},
		{"subject signed out", at(6, 5, 5), dead},
		{"client killed", at(5, 6, 5), dead},
		{"issuer raised", at(5, 5, 6), dead},
		{"we are behind on the subject", at(4, 5, 5), stale},
		{"we are behind on the client", at(5, 4, 5), stale},
		{"we are behind on the issuer", at(5, 5, 4), stale},
		{"behind and killed", at(4, 6, 5), stale}, // or it would be replaced under 4
	} {
		if got := tt.k.judge(r, loc); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
		tt.k.authoritative = true
		want := tt.want
		if want == stale {
			want = dead
		}
		if got := tt.k.judge(r, loc); got != want {
			t.Errorf("%s, authoritative: %v, want %v", tt.name, got, want)
		}
	}

	// Case A35, on the record: every field that the token asserts is in the key.
	for what, edit := range map[string]func(*Authorization){
		"subject kind": func(a *Authorization) { a.Subject.Kind = ClientSubject },
		"subject":      func(a *Authorization) { a.Subject.ID = "u_2" },
		"username":     func(a *Authorization) { a.Username = "root" },
		"client":       func(a *Authorization) { a.Client = "other" },
		"format":       func(a *Authorization) { a.Format = "jwt" },
		"scope":        func(a *Authorization) { a.Scope = mustScope(t, "admin device_ipad") },
		"device":       func(a *Authorization) { a.Scope = a.Scope.WithDevice("iphone") },
		"audience":     func(a *Authorization) { a.Audiences = []string{"other"} },
		"audiences":    func(a *Authorization) { a.Audiences = []string{"app", "other"} },
	} {
		edited := r
		edit(&edited.Authorization)
		if got := at(5, 5, 5).judge(edited, loc); got != tampered {
			t.Errorf("edited %s: %v, want tampered", what, got)
		}
		if edited.Authorization.Equal(r.Authorization) {
			t.Errorf("edited %s: still Equal", what)
		}
	}
}

// Keys are injective where glued ones are not (cases A05, A16).
func TestLocatorsDoNotMeet(t *testing.T) {
	a := newBench(t, false).auth
	seen := map[bearer.Locator]string{a.Locator(): "itself"}
	for what, edit := range map[string]func(*Authorization){
		"scope split":    func(a *Authorization) { a.Scope = mustScope(t, "read"); a.Audiences = []string{"device_ipad", "app"} },
		"audience glued": func(a *Authorization) { a.Audiences = []string{"ap", "p"} },
		"client's own":   func(a *Authorization) { a.Subject = Subject{ClientSubject, "u_1"} },
		"id moved":       func(a *Authorization) { a.Subject.ID = "u_1app"; a.Client = "" },
		"no device":      func(a *Authorization) { a.Scope = a.Scope.WithDevice("") },
	} {
		b := a
		edit(&b)
		if other, met := seen[b.Locator()]; met {
			t.Errorf("%s and %s have one locator", what, other)
		}
		seen[b.Locator()] = what
	}
	if SubjectKey(Subject{UserSubject, "x"}) == SubjectKey(Subject{ClientSubject, "x"}) {
		t.Error("a client and a user share a partition")
	}
}

func TestTTL(t *testing.T) {
	b := newBench(t, false)
	b.login()
	if got, want := b.record.TTL(), int64(testNow+DefaultRefreshIdle+ttlGrace); got != want {
		t.Errorf("TTL = %d, want %d: the idle deadline and a day", got, want)
	}
	r := b.record
	r.Refresh, r.RefreshPrev = Slot{}, Slot{}
	if got, want := r.TTL(), r.Access.Expiry+ttlGrace; got != want {
		t.Errorf("without refresh token: TTL = %d, want %d", got, want)
	}
}
