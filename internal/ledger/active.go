package ledger

import "github.com/fob-oauth/fob/internal/bearer"

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
