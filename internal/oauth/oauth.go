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
