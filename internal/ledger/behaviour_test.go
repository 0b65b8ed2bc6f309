package ledger

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
)

var writeBehaviour = flag.Bool("write-behaviour", false, "write docs/behaviour.md anew instead of comparing it")

// TestBehaviour walks through the whole matrix of what can be stored when a request
// comes, compares what happens with the rules of the design written down once
// more (wantLogin, wantRefresh), and holds docs/behaviour.md to it.
func TestBehaviour(t *testing.T) {
	var doc strings.Builder
	doc.WriteString(behaviourIntro)
	for _, k := range []struct {
		title          string
		public, device bool
	}{
		{"Confidential client", false, true},
		{"Public client on a named device", true, true},
		{"Public client without a device", true, false},
	} {
		fmt.Fprintf(&doc, "\n## %s\n\n| access token | refresh token | a login gets | a refresh gets |\n| --- | --- | --- | --- |\n", k.title)
		for _, access := range accessStates {
			for _, refresh := range refreshStates {
				if k.public && !k.device && refresh != "none" {
					continue // such a client never holds one
				}
				b := behaviourBench(t, k.public, k.device, access, refresh)
				login, refreshed := describeLogin(b), "-"
				if want := wantLogin(access, refresh, k.public, k.device); login != want {
					t.Errorf("%s, access %s, refresh %s: a login gets %q, want %q", k.title, access, refresh, login, want)
				}
				if refresh != "none" {
					b = behaviourBench(t, k.public, k.device, access, refresh)
					refreshed = describeRefresh(b)
					if want := wantRefresh(access, refresh, k.public); refreshed != want {
						t.Errorf("%s, access %s, refresh %s: a refresh gets %q, want %q", k.title, access, refresh, refreshed, want)
					}
				}
				fmt.Fprintf(&doc, "| %s | %s | %s | %s |\n", access, refresh, login, refreshed)
			}
		}
	}

	path := filepath.Join("..", "..", "docs", "behaviour.md")
	if *writeBehaviour {
		if err := os.WriteFile(path, []byte(doc.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil || strings.ReplaceAll(string(got), "\r\n", "\n") != doc.String() {
		t.Errorf("docs/behaviour.md is not current (%v): run go test ./internal/ledger -run TestBehaviour -write-behaviour", err)
	}
}

const behaviourIntro = `# What a request gets

Written by TestBehaviour in internal/ledger, which compares each line with the
rules; do not edit. Lifetimes are the defaults: access 1 h (floor 6 min), refresh
idle 30 days, absolute 90 days.

The row is the stored record when the request comes: the access token is *live* (most
of its life left), *past half*, *below the floor* or *expired*; the refresh token
is *live*, *past half* of its absolute life, *idle* (unused too long) or
*expired*. "same" is the same string once more, with the seconds that are left.
A new access token leaves the one before it active to its own end. Another device
is another Authorization: nothing here reaches across.
`

var (
	accessStates  = []string{"none", "live", "past half", "below the floor", "expired"}
	refreshStates = []string{"none", "live", "past half", "idle", "expired"}
)

// behaviourBench is a record in those states at testNow, and the tokens that
// stand for it.
func behaviourBench(t *testing.T, public, device bool, access, refresh string) *bench {
	b := newBench(t, public)
	if !device {
		b.auth.Scope = mustScope(t, "read")
	}
	if access == "none" && refresh == "none" {
		return b
	}
	r := Record{Nonce: Nonce{1}, Authorization: b.auth, RID: bearer.RID{7}}
	d := draft{Rules: b.rules(), next: r, at: r.Locator()}
	if left, ok := map[string]int64{"live": 3000, "past half": 1000, "below the floor": 300, "expired": 0}[access]; ok {
		d.next.Access = Slot{Generation: 4, KID: 1, IssuedAt: testNow + left - defaultAccessLifetime, Expiry: testNow + left}
		_, d.next.Access.Hash, _ = d.seal(bearer.Access, d.next.Access)
	}
	if refresh != "none" {
		left := map[string]int64{"live": 80, "past half": 40, "idle": 40, "expired": 0}[refresh] * 24 * 3600
		d.next.Refresh = Slot{Generation: 4, KID: 1, IssuedAt: testNow + left - defaultRefreshAbsolute, Expiry: testNow + left}
		d.next.RefreshIdle = testNow + defaultRefreshIdle/2
		if refresh == "idle" {
			d.next.RefreshIdle = testNow
		}
		_, d.next.Refresh.Hash, _ = d.seal(bearer.Refresh, d.next.Refresh)
	}
	b.record, b.found = d.next, true
	return b
}

// sealed is the string of a slot, or "".
func (b *bench) sealed(kind bearer.Kind, s Slot) string {
	if s.Generation == 0 {
		return ""
	}
	n := bearer.Name{Kind: kind, KID: s.KID, Expiry: s.Expiry, Locator: b.auth.Locator(), Generation: s.Generation}
	text, _, _ := b.ring.Seal(n, b.record.RID)
	return text.Reveal()
}

func (b *bench) sameOrNew(kind bearer.Kind, s Slot, got bearer.Bearer) string {
	switch got.Reveal() {
	case "":
		return "no " + strings.ReplaceAll(kind.String(), "_", " ")
	case b.sealed(kind, s):
		return "same " + strings.ReplaceAll(kind.String(), "_", " ")
	}
	return "new " + strings.ReplaceAll(kind.String(), "_", " ")
}

func describeLogin(b *bench) string {
	before := *b
	withRefresh := !b.terms.Public || b.auth.Scope.Device() != ""
	r := b.apply(b.issue(withRefresh))
	old, had := before.sealed(bearer.Access, before.record.Access), before.found && before.record.Access.Expiry > b.now
	if had && !b.active(bearer.FromClient(old)) {
		return "a login that ended a live token"
	}
	parts := []string{before.sameOrNew(bearer.Access, before.record.Access, r.AccessToken)}
	if withRefresh {
		parts = append(parts, before.sameOrNew(bearer.Refresh, before.record.Refresh, r.RefreshToken))
	}
	return strings.Join(parts, ", ") + writes(b.last)
}

func describeRefresh(b *bench) string {
	text := bearer.FromClient(b.sealed(bearer.Refresh, b.record.Refresh))
	before := *b
	d := b.decideRefresh(text)
	switch d.Do {
	case Refuse:
		return "invalid_grant"
	case End:
		return "invalid_grant, ended"
	}
	r := b.apply(d)
	return before.sameOrNew(bearer.Access, before.record.Access, r.AccessToken) + ", " +
		before.sameOrNew(bearer.Refresh, before.record.Refresh, r.RefreshToken) + writes(d)
}

func writes(d Decision) string {
	if d.Do == Save {
		return ""
	}
	return " (no write)"
}

// wantLogin is design §5, Issue, in other words.
func wantLogin(access, refresh string, public, device bool) string {
	a := "new access token"
	if access == "live" || access == "past half" {
		a = "same access token"
	}
	if public && !device {
		return a + wantWrite(a)
	}
	r := "new refresh token"
	if refresh == "live" {
		r = "same refresh token"
	}
	return a + ", " + r + wantWrite(a+r)
}

// wantRefresh is design §5, Refresh, in other words.
func wantRefresh(access, refresh string, public bool) string {
	if refresh == "idle" || refresh == "expired" {
		return "invalid_grant"
	}
	a := "new access token"
	if access == "live" {
		a = "same access token"
	}
	r := "same refresh token"
	if public {
		r = "new refresh token"
	}
	return a + ", " + r + wantWrite(a+r)
}

func wantWrite(answer string) string {
	if strings.Contains(answer, "new") {
		return ""
	}
	return " (no write)"
}
