// Package oauth is the domain of fob: who may have which token, and whether a
// token is active.
//
// A Grant proves an Authorization; an Authorization has at most one current
// access token; Issue returns it or makes it. [Issuer.Token] is the token
// endpoint from top to bottom; [Verifier] revokes and introspects; [SignIns]
// lists and ends what a subject is signed in with. Package ledger
// decides about a record; this package reads and writes it, without locks, and
// never without a condition on what was read.
//
// The package does not know HTTP, JSON, AWS or how anything is stored or hashed.
// It sees stores through the narrow interfaces of store.go. Failures that a
// client may see are [*Error]; a store that cannot answer matches
// [ErrUnavailable], and is never turned into an answer.
package oauth
