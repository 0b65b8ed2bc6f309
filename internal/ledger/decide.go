package ledger

import (
	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/scope"
)

// Rules are the inputs of every decision about a request for a token.
type Rules struct {
	View
	Ring  *bearer.MintRing // whose states are those of the View
	Terms Terms
}

// sameTokenAgain is the promise: the same client, user and scopes get the same
// token while it is valid, that is while at least enough seconds of it are left.
// Issue has checked that they are the same.
func (r Rules) sameTokenAgain(of Record, enough int64) bool {
	if r.live(of.Access) && of.Access.Expiry-r.Now >= enough {
		return true
	}
	// The current token runs out before the previous one only after the client's
	// lifetime was shortened. Then the current one is returned until it runs out: a
	// third token would drop the previous one while it is live.
	return r.live(of.Access) && r.live(of.AccessPrev)
}

// enoughForLogin is how many seconds of an access token must be left for a login
// to get it again: a tenth of its lifetime but at least a minute, and never more
// than half.
func enoughForLogin(lifetime int64) int64 { return min(max(60, lifetime/10), lifetime/2) }

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
	return v.JudgeListed(r)
}

// JudgeListed is Judge for a record of a list, which leaves out those that were edited.
func (v View) JudgeListed(r Record) Verdict {
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

// Terms are what a decision needs of the client's registration. Times are
// seconds.
type Terms struct {
	Client          ClientID
	Public          bool
	AccessLifetime  int64 // of opaque access tokens
	JWTLifetime     int64 // of JWTs: a record keeps its format when the client's changes
	RefreshIdle     int64
	RefreshAbsolute int64

	// RefreshGrace is for how long after a rotation the predecessor gets the same
	// successor again: a phone lost the reply.
	RefreshGrace int64
}

// Decision is what to do about a request. The zero Decision refuses it.
type Decision struct {
	Do     Action
	Record Record // to save or to end
	Answer Answer
	Issued bool // an access token was made

	// Repeated says that the refresh token was exchanged before, not longer than
	// RefreshGrace ago: by a phone that lost the reply, or by somebody who has a copy.
	Repeated bool

	// Tampered says that the record that was read holds something that fob did not
	// put there.
	Tampered bool
}

// Action is what becomes of the record.
type Action int

const (
	Refuse Action = iota // and leave the record as it is
	End                  // the Authorization, and then refuse
	Return               // the answer, without a write
	Save                 // the record, and then answer
)

// Answer is a successful answer of the token endpoint (RFC 6749 §5.1).
type Answer struct {
	AccessToken  bearer.Bearer
	ExpiresIn    int64         // seconds, at least 1
	RefreshToken bearer.Bearer // empty if there is none
	// RefreshExpiresIn is after how many seconds the refresh token ends if nothing is
	// done, at least 1; 0 without one. Each use may move it, up to the absolute end.
	RefreshExpiresIn int64
	Scope            scope.Set
}

// Issue decides what a login gets: the same token again while it is valid and
// not about to expire, else the next one; and with withRefresh the same refresh
// token while half of its absolute life is left, else the next one.
//
// current is the record of a if it is alive, else nil. A record that is made
// anew gets rid. Issue refuses only if the ring cannot mint.
func (r Rules) Issue(current *Record, a Authorization, withRefresh bool, rid bearer.RID) Decision {
	// The key is a cut hash: equal keys do not prove that the Authorizations are equal.
	if current != nil && current.Authorization.Equal(a) {
		if d := r.login(*current, withRefresh); !d.Tampered {
			return d
		}
	}
	// Replaced whole: a new rid, generations from 1, nothing carried over.
	made := Record{Created: r.Now, Authorization: a, RID: rid, Epochs: r.Epochs}
	if a.Scope.HasOrdinary() {
		made.ScopesVersion = r.Scopes.Current
	}
	d := r.login(made, withRefresh)
	if d.Tampered { // cannot be: a ring holds its active key, and expiries fit
		return Decision{}
	}
	d.Tampered = current != nil
	return d
}

func (r Rules) login(from Record, withRefresh bool) Decision {
	d := draft{Rules: r, next: from, at: from.Locator()}
	access := d.access(enoughForLogin(from.Access.lifetime()))
	var refresh bearer.Bearer
	if withRefresh {
		refresh = d.refreshForLogin()
	}
	return d.decision(access, refresh, d.next.Refresh.Expiry)
}

// draft is a record on its way to its next state.
type draft struct {
	Rules
	next     Record
	at       bearer.Locator // of next, which takes three hashes
	made     bool           // next differs from the record that was read
	issued   bool           // an access token was made
	tampered bool
}

// access returns the access token in force, making the next one if less than
// enough of the current one is left.
func (d *draft) access(enough int64) bearer.Bearer {
	if d.sameTokenAgain(d.next, enough) {
		return d.again(bearer.Access, d.next.Access)
	}
	cur := d.next.Access
	if d.live(cur) || !d.live(d.next.AccessPrev) {
		d.next.AccessPrev = cur
	}
	d.issued = true
	lifetime := d.Terms.AccessLifetime
	if d.next.Authorization.Format == JWT {
		lifetime = d.Terms.JWTLifetime
	}
	return d.make(bearer.Access, &d.next.Access, d.Now+lifetime)
}

func (d *draft) refreshForLogin() bearer.Bearer {
	cur, absolute := d.next.Refresh, d.Terms.RefreshAbsolute
	prevServes := !d.Terms.Public && d.refreshLive(d.next, d.next.RefreshPrev)
	if d.refreshLive(d.next, cur) && (prevServes || cur.Expiry-d.Now >= absolute/2) {
		return d.again(bearer.Refresh, cur)
	}
	return d.rotate(d.Now + absolute)
}

// rotate makes the next refresh token. For a public client the one before counts
// as rotated from now on; for a confidential one it serves until its own expiry.
func (d *draft) rotate(expiry int64) bearer.Bearer {
	switch {
	case d.refreshLive(d.next, d.next.Refresh):
		d.next.RefreshPrev, d.next.RefreshRotated = d.next.Refresh, d.Now
	case !d.Terms.Public && d.refreshLive(d.next, d.next.RefreshPrev):
		// The key of the current one was retired before it expired: the previous one
		// serves on.
	default:
		// One whose idle time has passed must not come along: the deadline that
		// moves below would revive it.
		d.next.RefreshPrev, d.next.RefreshRotated = Slot{}, 0
	}
	d.next.RefreshIdle = d.Now + d.Terms.RefreshIdle
	return d.make(bearer.Refresh, &d.next.Refresh, expiry)
}

// make puts the next generation of a token into its slot.
func (d *draft) make(kind bearer.Kind, s *Slot, expiry int64) bearer.Bearer {
	*s = Slot{Generation: s.Generation + 1, KID: d.Ring.ActiveKID(), IssuedAt: d.Now, Expiry: expiry}
	text, hash, ok := d.seal(kind, *s)
	s.Hash = hash
	d.made, d.tampered = true, d.tampered || !ok
	return text
}

// again makes the token of a live slot once more. It is handed out only if it is
// the one that the slot remembers.
func (d *draft) again(kind bearer.Kind, s Slot) bearer.Bearer {
	text, hash, ok := d.seal(kind, s)
	if !ok || !sameHash(hash, s.Hash) {
		d.tampered = true
		return bearer.Bearer{}
	}
	return text
}

func (d *draft) seal(kind bearer.Kind, s Slot) (bearer.Bearer, bearer.Hash, bool) {
	name := bearer.Name{Kind: kind, KID: s.KID, Expiry: s.Expiry, Locator: d.at, Generation: s.Generation}
	if a := d.next.Authorization; kind == bearer.Access && a.Format == JWT {
		return d.Ring.SealJWT(name, d.next.RID, a.claims(s))
	}
	return d.Ring.Seal(name, d.next.RID)
}

// decision answers with these tokens, after a write if one of them was made.
// refreshExpiry is the absolute end of the refresh token.
func (d *draft) decision(access, refresh bearer.Bearer, refreshExpiry int64) Decision {
	if d.tampered {
		return Decision{Tampered: true}
	}
	do := Return
	if d.made {
		do = Save
		// The idle deadline moves only with a write that makes a token, and never
		// revives a refresh token whose time has passed.
		if d.refreshLive(d.next, d.next.Refresh) {
			d.next.RefreshIdle = d.Now + d.Terms.RefreshIdle
		}
	}
	slot := d.next.Access
	answer := Answer{
		AccessToken:  access,
		ExpiresIn:    min(slot.Expiry-d.Now, slot.lifetime()),
		RefreshToken: refresh,
		Scope:        d.next.Authorization.Scope,
	}
	if refresh.Len() > 0 {
		answer.RefreshExpiresIn = min(refreshExpiry, d.next.RefreshIdle) - d.Now
	}
	return Decision{Do: do, Record: d.next, Answer: answer, Issued: d.issued}
}
