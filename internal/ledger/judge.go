package ledger

import "github.com/fob-oauth/fob/internal/bearer"

// View is what a record is judged by. Parts of it may be old: the client and the
// versions of the scopes come from a cache of ten seconds, the key ring from one of a minute, the subject's
// state from a batch read that is not a snapshot.
type View struct {
	Now    int64 // Unix seconds, one reading for the whole request
	Keys   KeyStates
	Epochs Epochs
	Scopes ScopeVersions

	// Ahead is the nonce of a record that was newer than the last View of the same
	// request, if there was one. Everything in this View was read after that record,
	// so what still seems newer in it is dead.
	Ahead Nonce
}

// KeyStates is what judging asks of the key ring, a [*bearer.CheckRing].
type KeyStates interface {
	Knows(kid uint8) bool
	Verifies(kid uint8) bool
	HasPair(kid uint8) bool // which JWTs need
}

// ScopeVersions is what judging asks of the registry of resource scopes.
type ScopeVersions struct {
	// Current is the version of the registry. It grows with each change.
	Current uint64
	// Since is, for a scope, the version from which on a grant of it counts: that with
	// which the scope was added, or taken from somebody. Absent means all versions.
	Since map[string]uint64
}

// GrantCounts reports whether all scopes of r were granted by a version that counts.
func (v View) GrantCounts(r Record) bool {
	for _, name := range r.Authorization.Scope.Ordinary() {
		// Never above Current: what the registry in force grants counts.
		if r.ScopesVersion < min(v.Scopes.Since[name], v.Scopes.Current) {
			return false
		}
	}
	return r.ScopesVersion <= v.Scopes.Current
}

// Verdict is what a View says of a record.
type Verdict int

const (
	Dead     Verdict = iota // may be replaced whole
	Behind                  // the View is older than the record: read it anew, then judge
	Tampered                // dead, and edited from outside
	Alive
)

// Judge says whether anything can be active in a record that was read from loc.
//
// A record made under less than the View knows is dead. One made under more
// means that the View is behind.
func (v View) Judge(r Record, loc bearer.Locator) Verdict {
	if r.Locator() != loc {
		return Tampered
	}
	e := r.Epochs
	ahead := e.Subject > v.Epochs.Subject || e.Client > v.Epochs.Client || e.Issuer > v.Epochs.Issuer ||
		r.ScopesVersion > v.Scopes.Current
	seenBefore := v.Ahead != (Nonce{}) && v.Ahead == r.Nonce
	// This comes first, even if another epoch says that the record is dead: its
	// replacement would be minted under an epoch that is already too old.
	if (ahead || v.holdsUnknownKey(r)) && !seenBefore {
		return Behind
	}
	if e != v.Epochs || !v.GrantCounts(r) {
		return Dead
	}
	if !v.live(r.Access) && !v.live(r.AccessPrev) && !v.refreshLive(r, r.Refresh) && !v.refreshLive(r, r.RefreshPrev) {
		return Dead
	}
	return Alive
}

// holdsUnknownKey reports whether a token of r that has not run out was made
// under a key that the ring lacks, or as a JWT under one whose pair the ring lacks: an
// instance with a newer ring wrote it.
func (v View) holdsUnknownKey(r Record) bool {
	if r.Authorization.Format == JWT && v.lacksPair(r.Access, r.AccessPrev) {
		return true
	}
	for _, s := range []Slot{r.Access, r.AccessPrev, r.Refresh, r.RefreshPrev} {
		if s.Generation > 0 && v.Now < s.Expiry && !v.Keys.Knows(s.KID) {
			return true
		}
	}
	return false
}

// live reports whether a slot of a record that is alive holds an active token. A
// refresh token must pass refreshLive.
func (v View) live(s Slot) bool {
	return s.Generation > 0 && v.Now < s.Expiry && v.Keys.Verifies(s.KID)
}

func (v View) refreshLive(r Record, s Slot) bool { return v.live(s) && v.Now < r.RefreshIdle }

// Refreshes finds the refresh token t in a record that is alive, if t may still be
// exchanged by a client on these terms, and when it expires: the current one, and the
// one before for [Terms.RefreshGrace] seconds after the rotation, or to its own expiry
// if the client is confidential.
func (v View) Refreshes(r Record, t bearer.Token, of Terms) (slot Slot, expiry int64, ok bool) {
	switch {
	case r.Refresh.holds(t):
		slot = r.Refresh
	case r.RefreshPrev.holds(t) && (!of.Public || v.Now-r.RefreshRotated <= of.RefreshGrace):
		slot = r.RefreshPrev
	default:
		return Slot{}, 0, false
	}
	return slot, r.refreshDeadline(slot), v.refreshLive(r, slot)
}

// Active finds the slot of a record that is alive which holds t, and when that
// token expires, if t is active: the current or previous access token, or the
// current refresh token.
func (v View) Active(r Record, t bearer.Token) (slot Slot, expiry int64, active bool) {
	if t.Kind == bearer.Refresh {
		return r.Refresh, r.refreshDeadline(r.Refresh), r.Refresh.holds(t) && v.refreshLive(r, r.Refresh)
	}
	for _, s := range []Slot{r.Access, r.AccessPrev} {
		if s.holds(t) {
			return s, s.Expiry, v.live(s)
		}
	}
	return Slot{}, 0, false
}
