package ledger

import (
	"flag"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/fob-oauth/fob/internal/bearer"
)

// TestModel lets random operations loose on one Authorization and compares what
// is active with a plain map: a token that was handed out is active until its
// own expiry, unless the Authorization was ended, killed or its key retired
// meanwhile, and nothing else ever is.
func TestModel(t *testing.T) {
	// A hundred short runs, the library's default, miss half of the mutants.
	for name, value := range map[string]string{"rapid.checks": "400", "rapid.steps": "50", "rapid.nofailfile": "true"} {
		if f := flag.Lookup(name); f.Value.String() == f.DefValue {
			if err := f.Value.Set(value); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, public := range []bool{false, true} {
		t.Run(map[bool]string{false: "confidential", true: "public"}[public], func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { newModel(t, newBench(t, public), testRing).run() })
		})
	}
}

// TestModelOfJWTs is TestModel for JWTs, with fewer runs: each signature takes a
// millisecond.
func TestModelOfJWTs(t *testing.T) {
	for name, value := range map[string]string{"rapid.checks": "30", "rapid.steps": "40", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	for _, public := range []bool{false, true} {
		rapid.Check(t, func(t *rapid.T) { newModel(t, newJWTBench(t, public), signingRing).run() })
	}
}

// modelToken is what the model remembers of a token that was handed out.
type modelToken struct {
	text       bearer.Bearer
	kind       bearer.Kind
	kid        uint8
	expiry     int64
	lifetime   int64
	ended      bool
	idled      bool        // and so it was ended
	successor  *modelToken // of a public client's refresh token
	superseded int64       // when the successor was made
}

type model struct {
	t      *rapid.T
	b      *bench
	ringOf func(fataler, map[string]bearer.State) *bearer.MintRing
	states map[string]bearer.State
	kid    int
	tokens map[string]*modelToken // all that were ever handed out
	latest *modelToken            // access token
	newest *modelToken            // refresh token
	idle   int64                  // refresh tokens are idle from then on
}

func newModel(t *rapid.T, b *bench, ringOf func(fataler, map[string]bearer.State) *bearer.MintRing) *model {
	m := &model{t: t, b: b, ringOf: ringOf, states: map[string]bearer.State{"1": bearer.Active}, kid: 1, tokens: map[string]*modelToken{}}
	m.b.terms.RefreshIdle = 1500 // less than some access tokens live
	m.b.terms.RefreshAbsolute = 60_000
	return m
}

func (m *model) run() {
	m.t.Repeat(map[string]func(*rapid.T){
		"login":        func(*rapid.T) { m.login() },
		"refresh":      func(*rapid.T) { m.refresh(m.newest) },
		"refresh old":  func(*rapid.T) { m.refresh(m.anyRefreshToken()) },
		"a moment":     func(*rapid.T) { m.pass(40) },
		"a while":      func(*rapid.T) { m.pass(400) },
		"a long while": func(*rapid.T) { m.pass(4000) },
		"setting": func(*rapid.T) {
			lifetime := rapid.SampledFrom([]int64{60, 119, 600, 3600}).Draw(m.t, "lifetime")
			m.b.terms.AccessLifetime, m.b.terms.JWTLifetime = lifetime, lifetime
			m.b.terms.RefreshGrace = rapid.SampledFrom([]int64{30, 60, 600}).Draw(m.t, "grace")
		},
		"disaster": func(*rapid.T) {
			switch rapid.IntRange(0, 9).Draw(m.t, "which") {
			case 0:
				m.b.found = false
				m.endAll()
			case 1:
				m.b.epochs.Subject++
				m.endAll()
			case 2, 3:
				m.rotateKey()
			}
		},
		"": func(*rapid.T) { m.check() },
	})
}

func (m *model) pass(most int) { m.b.now += int64(rapid.IntRange(0, most).Draw(m.t, "seconds")) }

func (m *model) endAll() {
	for _, tok := range m.tokens {
		tok.ended = true
	}
	m.latest, m.newest = nil, nil
}

// rotateKey activates a new key and retires all but the last.
func (m *model) rotateKey() {
	if m.kid == 250 {
		return
	}
	for kid, s := range m.states {
		if s == bearer.VerifyOnly {
			m.states[kid] = bearer.Retired
		}
	}
	m.states[strconv.Itoa(m.kid)] = bearer.VerifyOnly
	m.kid++
	m.states[strconv.Itoa(m.kid)] = bearer.Active
	m.b.ring = m.ringOf(m.t, m.states)
}

func (m *model) verifies(kid uint8) bool { return m.states[strconv.Itoa(int(kid))] != bearer.Retired }

func (m *model) active(tok *modelToken) bool {
	if tok == nil || tok.ended || m.b.now >= tok.expiry || !m.verifies(tok.kid) {
		return false
	}
	return tok.kind == bearer.Access || m.b.now < m.idle
}

// hold takes a token that was answered into the map.
func (m *model) hold(text bearer.Bearer) *modelToken {
	if tok, known := m.tokens[text.Reveal()]; known {
		return tok
	}
	opened, err := m.b.ring.Open(text)
	if err != nil {
		m.t.Fatalf("answered a token that does not open: %v", err)
	}
	tok := &modelToken{text: text, kind: opened.Kind, kid: opened.KID, expiry: opened.Expiry, lifetime: opened.Expiry - m.b.now}
	m.tokens[text.Reveal()] = tok
	return tok
}

// took checks an answer's access token against the rule with that much of its life left, and
// returns whether it was minted.
func (m *model) took(r Answer, enough func(int64) int64) (minted bool) {
	_, known := m.tokens[r.AccessToken.Reveal()]
	tok := m.hold(r.AccessToken)
	left := tok.expiry - m.b.now
	if r.ExpiresIn != min(left, tok.lifetime) || r.ExpiresIn < 1 {
		m.t.Fatalf("expires_in %d with %d s left", r.ExpiresIn, left)
	}
	if !m.active(tok) {
		m.t.Fatal("answered an inactive token")
	}
	if known && tok != m.latest {
		m.t.Fatal("answered an older token than the current")
	}
	if !known && m.active(m.latest) && m.latest.expiry-m.b.now >= enough(m.latest.lifetime) {
		m.t.Fatalf("minted although the current token has %d of %d s left", m.latest.expiry-m.b.now, m.latest.lifetime)
	}
	m.latest = tok
	return !known
}

func (m *model) login() {
	hadRefresh := m.active(m.newest)
	r := m.b.login()
	minted := m.took(r, func(lifetime int64) int64 { return min(max(60, lifetime/10), lifetime/2) })
	_, known := m.tokens[r.RefreshToken.Reveal()]
	tok := m.hold(r.RefreshToken)
	if hadRefresh && known != (tok == m.newest) {
		m.t.Fatal("a login got an old refresh token")
	}
	if !known && hadRefresh {
		m.newest.successor, m.newest.superseded = tok, m.b.now
	}
	if !known && !hadRefresh {
		// An idle sign-in stays dead, whatever becomes of the deadline.
		for _, old := range m.tokens {
			if old.kind == bearer.Refresh && old != tok && !old.ended {
				old.ended, old.idled = true, true
			}
		}
	}
	if minted || !known {
		m.idle = m.b.now + m.b.terms.RefreshIdle
	}
	m.newest = tok
	if !m.active(tok) {
		m.t.Fatal("a login got an inactive refresh token")
	}
}

// anyRefreshToken draws one of all that were ever handed out.
func (m *model) anyRefreshToken() *modelToken {
	var texts []string
	for text, tok := range m.tokens {
		if tok.kind == bearer.Refresh {
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return m.tokens[rapid.SampledFrom(slices.Sorted(slices.Values(texts))).Draw(m.t, "refresh token")]
}

func (m *model) refresh(tok *modelToken) {
	if tok == nil {
		return
	}
	opened, err := m.b.ring.Open(tok.text)
	if err != nil {
		if m.verifies(tok.kid) {
			m.t.Fatalf("a token under a living key does not open: %v", err)
		}
		return
	}
	usable := m.active(tok)
	withinGrace := tok.successor != nil && m.active(tok.successor) && m.b.now-tok.superseded <= m.b.terms.RefreshGrace && tok.successor == m.newest
	d := m.b.rules().Refresh(m.b.current(), opened, tok.text, false)
	public := m.b.terms.Public
	switch {
	case !usable && d.Do != End:
		if d.Do != Refuse {
			m.t.Fatal("a dead refresh token was accepted")
		}
	case !usable:
		// A token that was idle when its user logged in again is an older generation
		// than the current one, so it counts as a replay.
		if !public || !m.active(m.newest) || !tok.idled {
			m.t.Fatal("a dead refresh token ended the Authorization")
		}
		m.b.found = false
		m.endAll()
	case public && tok != m.newest && !withinGrace:
		if d.Do != End {
			m.t.Fatalf("a replay: %v", d.Do)
		}
		m.b.found = false
		m.endAll()
	case d.Do == Refuse || d.Do == End:
		m.t.Fatalf("a living refresh token was refused: %v", d.Do)
	default:
		r := m.b.apply(d)
		f := func(lifetime int64) int64 { return lifetime / 2 }
		if public && tok != m.newest {
			f = func(int64) int64 { return 1 }
		}
		minted := m.took(r, f)
		next := m.hold(r.RefreshToken)
		switch {
		case !public && next != tok:
			m.t.Fatal("a confidential client's refresh token rotated")
		case public && tok != m.newest && next != m.newest:
			m.t.Fatal("within the grace time the answer was not the same successor")
		case public && tok == m.newest:
			if next == tok || next.expiry != tok.expiry {
				m.t.Fatal("a public client's refresh token did not rotate, or moved its expiry")
			}
			tok.successor, tok.superseded = next, m.b.now
			m.newest = next
			minted = true
		}
		if minted {
			m.idle = m.b.now + m.b.terms.RefreshIdle
		}
	}
}

// check compares every token that was ever handed out with the map.
func (m *model) check() {
	live := 0
	for _, tok := range m.tokens {
		want := m.active(tok)
		if tok.kind == bearer.Refresh {
			want = want && tok == m.newest // only the current one is introspected as active
		} else if want {
			live++
		}
		if got := m.b.active(tok.text); got != want {
			m.t.Fatalf("%s with %d s left: active %v, want %v", tok.kind, tok.expiry-m.b.now, got, want)
		}
	}
	if live > 2 {
		m.t.Fatalf("%d access tokens are active", live)
	}
}
