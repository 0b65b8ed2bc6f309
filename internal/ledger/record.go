// Package ledger is the state machine of fob: one Record for each
// [Authorization], and what a login or a refresh token gets from it.
//
// An Authorization has at most one current access token; [Rules.Issue] returns
// it or makes it, and [Rules.Refresh] does so for a refresh token. [View.Judge]
// says whether anything in a stored [Record] can be active.
//
// Everything here is a pure function of its arguments. The caller reads the
// clock, draws the random ids, and stores what a [Decision] says.
package ledger

import (
	"crypto/sha256"
	"crypto/subtle"
	"slices"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/scope"
)

// ClientID names a registered application (RFC 6749 §2.2).
type ClientID string

// SubjectKind keeps users and clients apart, so that no client id can equal a
// user's id (RFC 9700 §4.15).
type SubjectKind string

const (
	UserSubject   SubjectKind = "user"
	ClientSubject SubjectKind = "client"
)

// Subject is for whom a token speaks (RFC 7662 §2.2, sub).
type Subject struct {
	Kind SubjectKind
	ID   string // the user's id, or the client id
}

// TokenFormat is how the access token is written.
type TokenFormat string

// The formats. A refresh token is always opaque.
const (
	Opaque TokenFormat = "opaque"
	JWT    TokenFormat = "jwt" // RFC 9068
)

// Authorization is what a token stands for (RFC 6749 §1.4): everything that it
// asserts, and nothing else. Requests with equal Authorizations get the same
// token.
//
// A new field also belongs in [Authorization.Equal], [Authorization.Locator] and
// the item of package dynamo.
type Authorization struct {
	Subject   Subject
	Username  string // for introspection; empty for a client's own tokens
	Client    ClientID
	Format    TokenFormat
	Scope     scope.Set // granted, with the device
	Audiences []string  // sorted and distinct, at least one
	Issuer    string    // the iss of a JWT; empty if opaque, which asserts none
}

// Equal reports whether a and b are equal in every field.
func (a Authorization) Equal(b Authorization) bool {
	return a.Subject == b.Subject && a.Username == b.Username && a.Client == b.Client && a.Format == b.Format &&
		a.Scope == b.Scope && a.Issuer == b.Issuer && slices.Equal(a.Audiences, b.Audiences)
}

// Record is the stored state of an Authorization. At most two of its access
// tokens are active, the current and the previous one.
type Record struct {
	Nonce         Nonce // drawn anew for each write
	Created       int64 // Unix seconds
	Authorization Authorization
	RID           bearer.RID
	Epochs        Epochs // under which the record was made or last written
	// ScopesVersion is the version of the registry that granted the scopes when the
	// record was made. It is zero if the device is the only scope.
	ScopesVersion uint64

	Access, AccessPrev   Slot
	Refresh, RefreshPrev Slot
	RefreshRotated       int64 // when RefreshPrev was replaced, Unix seconds
	RefreshIdle          int64 // no refresh token is active from then on, Unix seconds

	// Label is what people call the device. No token asserts it and nothing is decided by
	// it. It goes with the record.
	Label string
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

// Carried is r under epoch, which one raise made of the subject's epoch that r was written
// under: its tokens stay, while all others of the subject end. It is for the request that
// raised it. ok is false after another number of raises: then somebody else ended r too.
func (r Record) Carried(epoch uint64) (carried Record, ok bool) {
	if epoch != r.Epochs.Subject+1 {
		return Record{}, false
	}
	r.Epochs.Subject = epoch
	return r, true
}

// LastIssued is when a token of the record was last made, in Unix seconds.
func (r Record) LastIssued() int64 { return max(r.Access.IssuedAt, r.Refresh.IssuedAt) }

// LastIssuedBefore is when a token that the record remembers was last made before t,
// in Unix seconds. ok is false if all were made later.
func (r Record) LastIssuedBefore(t int64) (at int64, ok bool) {
	for _, s := range []Slot{r.Access, r.AccessPrev, r.Refresh, r.RefreshPrev} {
		if s.Generation > 0 && s.IssuedAt < t {
			at, ok = max(at, s.IssuedAt), true
		}
	}
	return at, ok
}

// Deadline is when the last token of the record ends at the latest, in Unix seconds,
// however often the refresh token is used. Unlike LastExpiry it does not move with
// each use.
func (r Record) Deadline(now int64) int64 {
	end := max(r.Access.Expiry, r.AccessPrev.Expiry)
	if now < r.RefreshIdle {
		end = max(end, r.Refresh.Expiry, r.RefreshPrev.Expiry)
	}
	return end
}

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

// Locator is the key of the Authorization's record. It covers every field of a.
func (a Authorization) Locator() (l bearer.Locator) {
	l.Subject, l.Client = SubjectKey(a.Subject), ClientKey(a.Client)
	fields := append(make([]string, 0, 12), // usually no allocation
		string(a.Subject.Kind), a.Subject.ID, a.Username, string(a.Client), string(a.Format),
		a.Scope.String(), // canonical, with the device
	)
	name := "fob authorization 1"
	if a.Issuer != "" { // another name, or an audience could be taken for it
		name, fields = "fob authorization 2", append(fields, a.Issuer)
	}
	Key(l.Authorization[:], name, append(fields, a.Audiences...)...)
	return l
}

// SubjectKey is the partition of everything that belongs to one subject.
func SubjectKey(s Subject) (k [16]byte) {
	Key(k[:], "fob subject 1", string(s.Kind), s.ID)
	return k
}

// ClientKey is the part of a locator that all Authorizations of a client share.
func ClientKey(id ClientID) (k [8]byte) {
	Key(k[:], "fob client 1", string(id))
	return k
}

// Key fills dst with a cut SHA-256 over the name of the key and its fields, each
// behind its length. All hashed keys are made by it: two different lists of
// fields never become the same bytes. Joined strings could, and one user would get
// another's token.
func Key(dst []byte, name string, fields ...string) {
	message := bearer.AppendField(make([]byte, 0, 512), name) // usually no allocation
	for _, f := range fields {
		message = bearer.AppendField(message, f)
	}
	sum := sha256.Sum256(message)
	copy(dst, sum[:])
}
