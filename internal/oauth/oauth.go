// Package oauth is the domain of fob: who may have which token, and whether a token is
// active. [Issuer.Token] is the token endpoint from top to bottom; [Verifier] revokes
// and introspects; [SignIns] lists and ends; [Registrar]
// and [UserRegistrar] change what is registered.
//
// Failures that a client may see are [*Error]; a store that cannot answer matches
// [ErrUnavailable], and is never turned into an answer. The package knows stores by the
// interfaces of store.go, and nothing of HTTP, JSON, AWS or how anything is hashed.
package oauth
