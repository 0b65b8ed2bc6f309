package oauth_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// fleet issues a token to the client backend for each device, a second apart, and
// returns the least and the most live ones from the device on with which the cap was
// first reached.
func (w *world) fleet(limit int, devices []string) (least, most int) {
	w.t.Helper()
	least = limit
	live, full := len(w.records(backendItself)), false
	for _, device := range devices {
		_, err := w.token("backend", "grant_type", "client_credentials", "scope", device)
		w.must(err)
		live += 1 - w.event.Evicted
		full = full || live >= limit || w.event.Evicted > 0
		if most = max(most, live); full {
			least = min(least, live)
		}
	}
	if n := len(w.records(backendItself)); n != live {
		w.t.Errorf("%d live ones were counted, and %d are stored", live, n)
	}
	return least, most
}

var backendItself = ledger.Subject{Kind: ledger.ClientSubject, ID: "backend"}

func deviceNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint("device_", i)
	}
	return names
}

// A09: a cap up to 100 is held exactly. Of a larger one nine tenths always remain, and
// seldom half as many again. The names are always these, and chance has the side on which
// each new one looks.
func TestCapOfAFleet(t *testing.T) {
	for _, test := range []struct{ limit, least, most int }{
		{99, 99, 99}, {100, 100, 100},
		{101, 90, 170}, {300, 270, 480}, {500, 450, 750},
	} {
		w := newWorld(t)
		w.editClient("backend", func(c *oauth.Client) { c.MaxAuthorizations = test.limit })
		least, most := w.fleet(test.limit, deviceNames(3*test.limit))
		t.Logf("a cap of %d is held between %d and %d", test.limit, least, most)
		if least < test.least || most > test.most {
			t.Errorf("a cap of %d was held between %d and %d, want between %d and %d", test.limit, least, most, test.least, test.most)
		}
	}
}

// A09: somebody with a password may choose device names by their keys, each next to the
// one before, in the order in which one side of it is always empty.
func TestCapAgainstChosenNames(t *testing.T) {
	const limit = 150
	names := deviceNames(10 * limit)
	scratch := newWorld(t)
	scratch.editClient("backend", func(c *oauth.Client) { c.MaxAuthorizations = 10_000 })
	scratch.fleet(10_000, names)
	all := scratch.records(backendItself)
	slices.SortFunc(all, func(a, b ledger.Record) int { return a.Locator().Compare(b.Locator()) })
	for i, r := range all {
		names[i] = r.Authorization.Scope.WithDevice(r.Authorization.Scope.Device()).String()
	}
	for _, order := range []string{"up", "down"} {
		w := newWorld(t)
		w.editClient("backend", func(c *oauth.Client) { c.MaxAuthorizations = limit })
		if _, most := w.fleet(limit, names); most > limit*8/5 {
			t.Errorf("%s: %d live ones at a cap of %d", order, most, limit)
		}
		slices.Reverse(names)
	}
}

// A09: what has ended and waits for the sweep takes no place, however much of it there
// is.
func TestCapCountsNoDeadOnes(t *testing.T) {
	w := newWorld(t)
	for round := range 20 { // 500 dead ones
		for i := range oauth.DefaultMaxAuthorizations {
			w.login("backend", "alice", fmt.Sprintf("device_%d_%d", round, i))
		}
		w.must(w.tokens.Raise(t.Context(), w.userSubject("alice"), oauth.StateChange{}))
	}
	evicted := 0
	for i := range oauth.DefaultMaxAuthorizations {
		w.login("backend", "alice", fmt.Sprint("device_new", i))
		evicted += w.event.Evicted
	}
	if evicted > 2 { // in a small share of all keys chance may put more than its part
		t.Errorf("%d live ones of %d ended", evicted, oauth.DefaultMaxAuthorizations)
	}
}
