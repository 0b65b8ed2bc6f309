package ledger

import (
	"crypto/subtle"

	"github.com/fob-oauth/fob/internal/bearer"
)

// Record is the stored state of an Authorization. At most two of its access
// tokens are active, the current and the previous one.
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

// Slot is one generation of a token as its record remembers it. The zero Slot
// is empty.
type Slot struct {
	Generation uint32 // from 1
	KID        uint8
	IssuedAt   int64 // Unix seconds
	Expiry     int64 // Unix seconds
	Hash       bearer.Hash
}

// Epochs are the kill switches. Each only grows; a record made under a lower one
// than is known now is dead.
type Epochs struct {
	Subject uint64
	Client  uint64
	Issuer  uint64
}

// Nonce marks one write of a record. A store compares it before the next write.
type Nonce [16]byte

// Locator is the record's own key, computed from its fields: if it is not the
// key that the record was read from, somebody edited the item.
func (r Record) Locator() bearer.Locator { return r.Authorization.Locator() }

// LastIssued is when a token of the record was last made, in Unix seconds.
func (r Record) LastIssued() int64 { return max(r.Access.IssuedAt, r.Refresh.IssuedAt) }

// LastExpiry is when the last token of the record ends, in Unix seconds.
func (r Record) LastExpiry() int64 {
	return max(r.Access.Expiry, r.AccessPrev.Expiry, r.refreshDeadline(r.Refresh), r.refreshDeadline(r.RefreshPrev))
}

// ttlGrace keeps an item for a day after its last token: the sweep must never be
// what makes a token inactive, even if an instance's clock is wrong.
const ttlGrace = 24 * 60 * 60

// TTL is when the item may be swept, in Unix seconds: a day after LastExpiry.
func (r Record) TTL() int64 { return r.LastExpiry() + ttlGrace }

// refreshDeadline is the earlier of a refresh slot's absolute and idle expiry.
func (r Record) refreshDeadline(s Slot) int64 { return min(s.Expiry, r.RefreshIdle) }

// lifetime is what the token was given when it was made, in seconds.
func (s Slot) lifetime() int64 { return s.Expiry - s.IssuedAt }

// holds reports whether t is the very token that the slot remembers.
func (s Slot) holds(t bearer.Token) bool {
	return s.Generation > 0 && s.Generation == t.Generation && s.KID == t.KID && s.Expiry == t.Expiry &&
		sameHash(s.Hash, t.Hash)
}

func sameHash(a, b bearer.Hash) bool { return subtle.ConstantTimeCompare(a[:], b[:]) == 1 }

// EndCondition says which record may be deleted. Exactly one of Nonce and Hash
// is set.
type EndCondition struct {
	// Nonce: the record as it was read and no later one.
	Nonce Nonce

	// Hash: the record of Client that holds a token of Kind with this hash in its
	// current or previous slot.
	Client ClientID
	Kind   bearer.Kind
	Hash   bearer.Hash
}

// Met reports whether r fulfils the condition. It is the definition; stores
// translate it.
func (c EndCondition) Met(r Record) bool {
	if c.Nonce != (Nonce{}) {
		return r.Nonce == c.Nonce
	}
	if r.Authorization.Client != c.Client {
		return false
	}
	cur, prev := r.Access, r.AccessPrev
	if c.Kind == bearer.Refresh {
		cur, prev = r.Refresh, r.RefreshPrev
	}
	return cur.Generation > 0 && sameHash(cur.Hash, c.Hash) || prev.Generation > 0 && sameHash(prev.Hash, c.Hash)
}
