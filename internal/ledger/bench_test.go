package ledger

import (
	"encoding/json"
	"os"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/scope"
)

const testNow = 1_800_000_000

// Lifetimes as most clients have them.
const (
	defaultAccessLifetime  = 3600
	defaultRefreshIdle     = 30 * 24 * 3600
	defaultRefreshGrace    = 60
	defaultRefreshAbsolute = 90 * 24 * 3600
)

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
	return parseRing(t, mint, check)
}

// signingRing is testRing with pairs, for all keys but the retired ones. Two keys in a row
// do not share one.
func signingRing(t fataler, states map[string]bearer.State) *bearer.MintRing {
	t.Helper()
	text, err := os.ReadFile("../bearer/testdata/signing_pairs.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	mint, check := map[string]any{}, map[string]any{"issuer_epoch": 0, "states": states}
	private, public := map[string]string{}, map[string]string{}
	for kid, state := range states {
		mint[kid] = "test-mint-key-test-mint-key-test-mint-key-" + kid
		check[kid] = "test-check-key-test-check-key-test-check-key-" + kid
		if state == bearer.Retired {
			continue
		}
		private[kid], public[kid] = lines[1], lines[2]
		if odd := kid[len(kid)-1]%2 == 1; odd {
			private[kid], public[kid] = lines[3], lines[4]
		}
	}
	mint["signing"], check["signing"] = private, public
	return parseRing(t, mint, check)
}

func parseRing(t fataler, mint, check any) *bearer.MintRing {
	t.Helper()
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
	terms  Terms
	auth   Authorization
	ring   *bearer.MintRing
	now    int64
	epochs Epochs // as known
	rids   int
	record Record
	found  bool
	last   Decision
}

func newBench(t fataler, public bool) *bench {
	a := Authorization{
		Subject: Subject{UserSubject, "u_1"}, Username: "alice", Client: "app", Format: Opaque,
		Scope: mustScope(t, "read device_ipad"), Audiences: []string{"app"},
	}
	return &bench{
		t: t, now: testNow, auth: a, ring: testRing(t, map[string]bearer.State{"1": bearer.Active}),
		terms: Terms{Client: "app", Public: public, AccessLifetime: defaultAccessLifetime, RefreshIdle: defaultRefreshIdle, RefreshAbsolute: defaultRefreshAbsolute, RefreshGrace: defaultRefreshGrace},
	}
}

// newJWTBench is newBench for a client that gets JWTs.
func newJWTBench(t fataler, public bool) *bench {
	b := newBench(t, public)
	b.auth.Format, b.auth.Issuer = JWT, "https://auth.example.com"
	b.ring = signingRing(t, map[string]bearer.State{"1": bearer.Active})
	b.terms.AccessLifetime, b.terms.JWTLifetime = 1, b.terms.AccessLifetime
	return b
}

func (b *bench) rules() Rules {
	return Rules{View: View{Now: b.now, Keys: b.ring, Epochs: b.epochs}, Ring: b.ring, Terms: b.terms}
}

// current is the record if it is alive, else nil.
func (b *bench) current() *Record {
	if !b.found || b.rules().Judge(b.record, b.auth.Locator()) != Alive {
		return nil
	}
	r := b.record
	return &r
}

func (b *bench) issue(withRefresh bool) Decision {
	b.rids++ // counted, not random, so that a failure can be replayed
	return b.rules().Issue(b.current(), b.auth, withRefresh, bearer.RID{byte(b.rids), byte(b.rids >> 8)})
}

func (b *bench) wrote() bool { return b.last.Do == Save }

func (b *bench) apply(d Decision) Answer {
	b.t.Helper()
	b.last = d
	if d.Do != Return && d.Do != Save {
		b.t.Fatalf("refused: %v", d.Do)
	}
	if d.Do == Save {
		b.record, b.found = d.Record, true
	}
	if d.Answer.ExpiresIn < 1 {
		b.t.Fatalf("expires_in = %d", d.Answer.ExpiresIn)
	}
	return d.Answer
}

func (b *bench) login() Answer {
	b.t.Helper()
	return b.apply(b.issue(true))
}

func (b *bench) decideRefresh(text bearer.Bearer) Decision {
	b.t.Helper()
	t, err := b.ring.Open(text)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.rules().Refresh(b.current(), t, text, false)
}

func (b *bench) refresh(text bearer.Bearer) Answer {
	b.t.Helper()
	return b.apply(b.decideRefresh(text))
}

// wantRefused wants the refresh token refused, and with Do == End the
// Authorization ended.
func (b *bench) wantRefused(text bearer.Bearer, want Action) {
	b.t.Helper()
	before := b.record
	d := b.decideRefresh(text)
	if d.Do != want || d.Answer.AccessToken.Len() > 0 || want == End && d.Record.Nonce != before.Nonce {
		b.t.Errorf("refresh = %v, want %v", d.Do, want)
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
	r := b.current()
	if r == nil {
		return false
	}
	_, _, active := b.rules().Active(*r, t)
	return active
}
