package oauth

import (
	"crypto/rand"
	"crypto/subtle"

	"github.com/fob-oauth/fob/internal/bearer"
)

// Slot is one generation of a token as its record remembers it. The zero Slot
// is empty.
type Slot struct {
	Generation uint32 // from 1
	KID        uint8
	IssuedAt   int64 // Unix seconds
	Expiry     int64 // Unix seconds
	Hash       bearer.Hash
}

// lifetime is what the token was given when it was made, in seconds.
func (s Slot) lifetime() int64 { return s.Expiry - s.IssuedAt }

// Epochs are the kill switches. Each only grows; a record made under a lower one
// than is known now is dead.
type Epochs struct {
	Subject uint64
	Client  uint64
	Issuer  uint64
}

// Nonce marks one write of a record. Save compares it.
type Nonce [16]byte

// Record is the stored state of an Authorization: the tokens that stand for it.
// At most two access tokens of it are active, the current and the previous one.
type Record struct {
	Nonce         Nonce // drawn anew for each write
	Created       int64 // Unix seconds
	Authorization Authorization
	RID           bearer.RID
	Epochs        Epochs // under which the record was made or last written

	Access, AccessPrev   Slot
	Refresh, RefreshPrev Slot
	RefreshRotated       int64 // when RefreshPrev was replaced, Unix seconds
	RefreshIdle          int64 // no refresh token is active from then on, Unix seconds
}

// Locator is the record's own key, computed from its fields: if it is not the
// key that the record was read from, somebody edited the item.
func (r Record) Locator() bearer.Locator { return r.Authorization.Locator() }

// refreshDeadline is the earlier of a refresh slot's absolute and idle expiry.
func (r Record) refreshDeadline(s Slot) int64 { return min(s.Expiry, r.RefreshIdle) }

// ttlGrace keeps an item for a day after its last token: the sweep must never be
// what makes a token inactive, whatever an instance's clock says.
const ttlGrace = 24 * 60 * 60

// TTL is when the item may be swept, in Unix seconds: a day after the last
// moment at which anything in it can be active.
func (r Record) TTL() int64 {
	return max(r.Access.Expiry, r.AccessPrev.Expiry,
		r.refreshDeadline(r.Refresh), r.refreshDeadline(r.RefreshPrev)) + ttlGrace
}

// holds reports whether t is the very token that the slot remembers.
func (s Slot) holds(t bearer.Token) bool {
	return s.Generation > 0 && s.Generation == t.Generation && s.KID == t.KID && s.Expiry == t.Expiry &&
		sameHash(s.Hash, t.Hash)
}

func sameHash(a, b bearer.Hash) bool { return subtle.ConstantTimeCompare(a[:], b[:]) == 1 }

func newNonce() (n Nonce) {
	_, _ = rand.Read(n[:]) // never fails; it ends the program instead
	return n
}

func newRID() (r bearer.RID) {
	_, _ = rand.Read(r[:])
	return r
}
