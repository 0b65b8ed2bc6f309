package ledger

import "github.com/fob-oauth/fob/internal/bearer"

// Refresh decides what a refresh token gets.
//
// A confidential client's token does not rotate: any number of retries is safe.
// A public client's rotates with each use to exactly one successor; a
// predecessor that comes back later than
// [Terms.RefreshGrace] has leaked, and ends the
// Authorization (RFC 9700 §4.14.2). A token that is merely dead has no effect.
//
// current is the record that t names if it is alive, else nil. shown is t as the
// client sent it. granted says that this very request was granted before, and
// lost a race for the write.
func (r Rules) Refresh(current *Record, t bearer.Token, shown bearer.Bearer, granted bool) Decision {
	if current == nil {
		return Decision{}
	}
	rec := *current
	if rec.Authorization.Client != r.Terms.Client || r.Now >= t.Expiry || r.Now >= rec.RefreshIdle {
		return Decision{}
	}
	_, _, isGood := r.Refreshes(rec, t, r.Terms)
	isCurrent := rec.Refresh.holds(t) && r.refreshLive(rec, rec.Refresh)
	isPrevious := rec.RefreshPrev.holds(t) && r.refreshLive(rec, rec.RefreshPrev)
	isOlder := r.Terms.Public && t.Generation < rec.Refresh.Generation && r.Ring.MintedWithin(t, rec.RID)
	switch {
	case isGood:
	case (isPrevious || isOlder) && granted && r.refreshLive(rec, rec.Refresh):
		// It was good when this request read it, and others rotated it further since
		// (or this request did, and lost the reply). That is not a replay.
	case isPrevious, isOlder:
		return Decision{Do: End, Record: rec}
	default:
		return Decision{}
	}

	d := draft{Rules: r, next: rec, at: t.Locator}
	half := rec.Access.lifetime() / 2 // a client that refreshes wants a token that lasts
	switch {
	case !r.Terms.Public:
		return d.decision(d.access(half), shown, t.Expiry)
	case isCurrent:
		access := d.access(half)
		return d.decision(access, d.rotate(rec.Refresh.Expiry), rec.Refresh.Expiry)
	default:
		// The successor in force, without a write as long as the access token lives.
		access := d.access(1)
		decided := d.decision(access, d.again(bearer.Refresh, rec.Refresh), rec.Refresh.Expiry)
		decided.Repeated = decided.Do != Refuse
		return decided
	}
}
