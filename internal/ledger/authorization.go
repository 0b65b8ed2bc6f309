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

// Opaque is the only format so far. It is part of each Authorization's hash, so
// that a token of another format will be another token.
const Opaque TokenFormat = "opaque"

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
}

// Equal reports whether a and b are equal in every field.
func (a Authorization) Equal(b Authorization) bool {
	return a.Subject == b.Subject && a.Username == b.Username && a.Client == b.Client && a.Format == b.Format &&
		a.Scope == b.Scope && slices.Equal(a.Audiences, b.Audiences)
}

// Locator is the key of the Authorization's record. It covers every field of a.
func (a Authorization) Locator() (l bearer.Locator) {
	l.Subject, l.Client = SubjectKey(a.Subject), ClientKey(a.Client)
	fields := []string{
		string(a.Subject.Kind), a.Subject.ID, a.Username, string(a.Client), string(a.Format),
		a.Scope.String(), // canonical, with the device
	}
	Key(l.Authorization[:], "fob authorization 1", append(fields, a.Audiences...)...)
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
// fields never meet, as glued strings would one day, and hand one user another's
// token.
func Key(dst []byte, name string, fields ...string) {
	h := sha256.New()
	bearer.WriteField(h, []byte(name))
	for _, f := range fields {
		bearer.WriteField(h, []byte(f))
	}
	copy(dst, h.Sum(nil))
}
