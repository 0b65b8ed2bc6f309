package oauth

import (
	"github.com/fob-oauth/fob/internal/bearer"
)

// grace is how long after a rotation the predecessor gets the same successor
// again, in seconds: a phone lost the reply.
const grace = 30

// refresh decides what a refresh token gets. Like issue it is pure.
//
// A confidential client's token does not rotate: any number of retries is safe.
// A public client's rotates with each use to exactly one successor; a
// predecessor that comes back later than grace has leaked, and ends the
// Authorization (RFC 9700 §4.14.2). A token that is merely dead has no effect.
func refresh(s situation, t bearer.Token, g refreshTokenGrant, registered ResourceScopes) decision {
	k, r := s.known, s.record
	if !s.alive || r.Authorization.Client != s.client.ID || k.now >= t.Expiry || k.now >= r.RefreshIdle {
		return decision{refusal: errInvalidRefresh()}
	}
	current := r.Refresh.holds(t) && k.refreshLive(r, r.Refresh)
	previous := r.RefreshPrev.holds(t) && k.refreshLive(r, r.RefreshPrev)
	older := s.client.Public && t.Generation < r.Refresh.Generation && s.ring.MintedWithin(t, r.RID)
	switch {
	case current:
	case previous && (!s.client.Public || k.now-r.RefreshRotated <= grace):
	case (previous || older) && s.granted && k.refreshLive(r, r.Refresh):
		// It was good when this request read it, and others rotated it further since
		// (or this one did, and lost the reply). That is no replay.
	case previous, older:
		return decision{refusal: errInvalidRefresh(), end: true, record: r, outcome: Replayed}
	default:
		return decision{refusal: errInvalidRefresh()}
	}

	// The same set in any order; a narrower token would be another Authorization.
	if g.withScope && g.scope != r.Authorization.Scope {
		return decision{refusal: refuse(InvalidScope, "scope must be absent or the same set as granted")}
	}
	if !s.client.mayStillUse(r.Authorization.Scope, registered) {
		return decision{refusal: errInvalidRefresh()}
	}

	d := draft{situation: s, next: r}
	var access, renewed bearer.Bearer
	switch {
	case !s.client.Public:
		access, renewed = d.access(refreshFloor), g.token
	case current:
		access, renewed = d.access(refreshFloor), d.rotate(r.Refresh.Expiry)
	default:
		// The successor in force, without a write as long as the access token lives.
		access, renewed = d.access(func(int64) int64 { return 1 }), d.seal(bearer.Refresh, r.Refresh)
	}
	if d.tampered {
		return decision{refusal: errInvalidRefresh(), tampered: true}
	}
	decided := d.decide(access, renewed)
	decided.outcome = Refreshed
	return decided
}
