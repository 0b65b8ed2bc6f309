// Package oauth is the domain of fob: who may have which token, and whether a
// token is active.
//
// A Grant proves an Authorization; an Authorization has at most one current
// access token; Issue returns it or makes it.
//
// The life of an Authorization is decided by pure functions over (record, now,
// request) in issue.go and refresh.go. Around them stands one shell, settle.go:
// read, decide, compare-and-set, and on a conflict decide again with the record
// that won. There are no locks, and nothing is written without a condition on
// what was read.
//
// The package refuses to know HTTP, JSON, AWS and how anything is stored or
// hashed slowly. It sees stores through the narrow interfaces of store.go.
// Failures that a client may see are *Error; a store that cannot answer matches
// ErrUnavailable, and is never turned into an answer.
package oauth

import (
	"slices"

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
	ID   string // User.ID, or the client id
}

// TokenFormat is how the access token is written. Opaque is the only one yet.
type TokenFormat string

const Opaque TokenFormat = "opaque"

// Authorization is what a token stands for (RFC 6749 §1.4): everything that it
// asserts, and nothing else. Requests with equal Authorizations get the same
// token.
//
// Adding a field? Then also: Equal, hashAuthorization in locator.go, and the
// item in package dynamo.
type Authorization struct {
	Subject   Subject
	Username  string // for introspection; empty for a client's own tokens
	Client    ClientID
	Format    TokenFormat
	Scope     scope.Set // granted, with the device
	Audiences []string  // sorted and distinct, at least one
}

// Equal reports whether a and b are the same in every field.
func (a Authorization) Equal(b Authorization) bool {
	return a.Subject == b.Subject && a.Username == b.Username && a.Client == b.Client && a.Format == b.Format &&
		a.Scope == b.Scope && slices.Equal(a.Audiences, b.Audiences)
}
