package oauth

import (
	"errors"
	"fmt"
)

// ChangeError is why a [Registrar] did not make a change, or not all of it. A store
// that failed before anything was written is not a ChangeError: its error matches
// [ErrUnavailable].
type ChangeError struct {
	Kind   ChangeKind
	Entry  EntryKind
	Name   string   // of the entry: a client's id, the name of an issuer or a user, or a scope
	UsedBy []string // of ScopeInUse: the ids of the clients that are registered for the scope
	Err    error    // of InvalidEntry all faults, joined; of InDoubt and HalfDone the store's error
}

// EntryKind is what a change is about.
type EntryKind string

const (
	ClientEntry EntryKind = "client"
	UserEntry   EntryKind = "user"
	ScopeEntry  EntryKind = "scope"
	IssuerEntry EntryKind = "issuer"
)

// ChangeKind says what is the matter with a change.
type ChangeKind string

// After all of these but InDoubt and HalfDone nothing was changed.
const (
	NoSuchEntry  ChangeKind = "not found"
	EntryExists  ChangeKind = "exists already"
	InvalidEntry ChangeKind = "not valid"
	EntryChanged ChangeKind = "changed meanwhile"
	ScopeInUse   ChangeKind = "in use"

	SecretOfPublic ChangeKind = "public, and has no secret"
	SecretKnown    ChangeKind = "has that secret already"
	TwoSecrets     ChangeKind = "has two secrets already"
	OneSecret      ChangeKind = "has one secret only"

	// InDoubt: a write was not answered. It may have landed, or land later. The
	// change can be made again.
	InDoubt ChangeKind = "in doubt"

	// HalfDone: the first of several writes landed and a later one may not have.
	// After ChangeUser and what is made of it the user is changed, and tokens
	// issued before may still be active; after RemoveUser the user is disabled, and may still be
	// there. The change must be made again.
	HalfDone ChangeKind = "half done"
)

func (e *ChangeError) Error() string {
	text := fmt.Sprintf("%s %q: %s", e.Entry, e.Name, e.Kind)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *ChangeError) Unwrap() error { return e.Err }

// IsChange reports whether err is a [ChangeError] of that kind.
func IsChange(err error, kind ChangeKind) bool {
	e, ok := errors.AsType[*ChangeError](err)
	return ok && e.Kind == kind
}

// MissingScopeError is a fault of a client: a scope that was never added.
type MissingScopeError struct{ Scope string }

func (e *MissingScopeError) Error() string { return fmt.Sprintf("scope %q does not exist", e.Scope) }

// MissingIssuerError is a fault of a client: it trusts an issuer that was never added.
type MissingIssuerError struct{ Issuer string }

func (e *MissingIssuerError) Error() string {
	return fmt.Sprintf("the issuer %q is not registered", e.Issuer)
}

// ErrNoUse is a fault of a client.
var ErrNoUse = errors.New("without a grant or an audience to introspect it could do nothing")

// invalidEntry wraps faults, if there are any.
func invalidEntry(entry EntryKind, name string, faults ...error) error {
	if err := errors.Join(faults...); err != nil {
		return &ChangeError{Kind: InvalidEntry, Entry: entry, Name: name, Err: err}
	}
	return nil
}

// unanswered marks the error of a write that may have landed.
func unanswered(entry EntryKind, name string, err error) error {
	if errors.Is(err, ErrUnavailable) {
		return &ChangeError{Kind: InDoubt, Entry: entry, Name: name, Err: err}
	}
	return err
}
