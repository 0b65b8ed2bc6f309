package oauth

import "github.com/fob-oauth/fob/internal/bearer"

// draft is a record on its way to its next state.
type draft struct {
	situation
	next     Record
	minted   bool // next differs from what stands and must be saved
	issued   bool // an access token was minted
	tampered bool
}

// access puts the access token in force into next.Access, minting one if the
// current has less than enough left, and returns it.
func (d *draft) access(enough func(lifetime int64) int64) bearer.Bearer {
	cur := d.next.Access
	live, prevLive := d.known.accessLive(cur), d.known.accessLive(d.next.AccessPrev)
	// The previous token is still live beside a current one that runs out only
	// after the client's lifetime was changed. Then the current one serves to its
	// end, since a third token would push out a live one.
	if live && (prevLive || cur.Expiry-d.known.now >= enough(cur.lifetime())) {
		return d.seal(bearer.Access, cur)
	}
	if live || !prevLive {
		d.next.AccessPrev = cur
	}
	d.next.Access = d.newSlot(cur.Generation+1, d.known.now+d.client.accessLifetime())
	d.minted, d.issued = true, true
	return d.mint(bearer.Access, &d.next.Access)
}

// refreshAtLogin puts the refresh token that a login gets into next.Refresh and
// returns it.
func (d *draft) refreshAtLogin() bearer.Bearer {
	cur := d.next.Refresh
	lifetime := d.client.refreshAbsolute()
	prevServes := !d.client.Public && d.known.refreshLive(d.next, d.next.RefreshPrev)
	if d.known.refreshLive(d.next, cur) && (prevServes || cur.Expiry-d.known.now >= lifetime/2) {
		return d.seal(bearer.Refresh, cur)
	}
	return d.rotate(d.known.now + lifetime)
}

// rotate makes the next refresh token. For a public client the one before counts
// as rotated from now on; for a confidential one it serves until its own expiry.
func (d *draft) rotate(expiry int64) bearer.Bearer {
	cur := d.next.Refresh
	switch {
	case d.known.refreshLive(d.next, cur):
		d.next.RefreshPrev, d.next.RefreshRotated = cur, d.known.now
	case !d.client.Public && d.known.refreshLive(d.next, d.next.RefreshPrev):
		// The current one died before it, of its key: the previous one serves on.
	default:
		// One whose idle time has passed must not come along: the deadline that
		// moves below would revive it.
		d.next.RefreshPrev, d.next.RefreshRotated = Slot{}, 0
	}
	d.next.Refresh = d.newSlot(cur.Generation+1, expiry)
	d.next.RefreshIdle = d.known.now + d.client.refreshIdle()
	d.minted = true
	return d.mint(bearer.Refresh, &d.next.Refresh)
}

func (d *draft) newSlot(generation uint32, expiry int64) Slot {
	return Slot{Generation: generation, KID: d.ring.ActiveKID(), IssuedAt: d.known.now, Expiry: expiry}
}

func (d *draft) name(kind bearer.Kind, s Slot) bearer.Name {
	return bearer.Name{Kind: kind, KID: s.KID, Expiry: s.Expiry, Locator: d.next.Locator(), Generation: s.Generation}
}

// mint makes the token of a new slot and leaves its hash there.
func (d *draft) mint(kind bearer.Kind, s *Slot) bearer.Bearer {
	text, hash, ok := d.ring.Seal(d.name(kind, *s), d.next.RID)
	if !ok {
		// Cannot be: a ring holds its active key, and expiries fit.
		d.tampered = true
	}
	s.Hash = hash
	return text
}

// seal makes the token of a live slot once more. It is handed out only if it is
// the one that the slot remembers.
func (d *draft) seal(kind bearer.Kind, s Slot) bearer.Bearer {
	text, hash, ok := d.ring.Seal(d.name(kind, s), d.next.RID)
	if !ok || !sameHash(hash, s.Hash) {
		d.tampered = true
		return bearer.Bearer{}
	}
	return text
}

// decide turns the draft into a decision that answers with these tokens.
func (d *draft) decide(access, refresh bearer.Bearer) decision {
	slot := d.next.Access
	outcome := Returned
	if d.issued {
		outcome = Issued
	}
	if d.minted && d.known.refreshLive(d.next, d.next.Refresh) {
		// The idle deadline moves only with a write that mints, and never revives a
		// refresh token whose time has passed.
		d.next.RefreshIdle = d.known.now + d.client.refreshIdle()
	}
	return decision{
		save:   d.minted,
		record: d.next,
		response: TokenResponse{
			AccessToken:  access,
			ExpiresIn:    min(slot.Expiry-d.known.now, slot.lifetime()),
			RefreshToken: refresh,
			Scope:        d.next.Authorization.Scope,
		},
		outcome: outcome,
	}
}
