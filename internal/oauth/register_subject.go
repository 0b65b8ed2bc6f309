package oauth

import (
	"context"
	"strings"

	"github.com/fob-oauth/fob/internal/ledger"
)

// SetSubjectDisabled is [Registrar.SetUserDisabled] for the user of an id, also for one
// of a registered issuer, whom fob knows by the subject's state alone. Such a user need
// not have been here before. NoSuchEntry is for what is not the id of a user.
func (r *Registrar) SetSubjectDisabled(ctx context.Context, id string, disabled bool) error {
	if !isUserIDWhole(id) {
		return &ChangeError{Kind: NoSuchEntry, Entry: UserEntry, Name: id}
	}
	u, err := r.UserByID(ctx, id)
	switch {
	case err == nil:
		return r.SetUserDisabled(ctx, u, disabled)
	case !IsChange(err, NoSuchEntry):
		return err
	}
	subject := ledger.Subject{Kind: ledger.UserSubject, ID: id}
	if err := r.Subjects.Raise(ctx, subject, StateChange{Disabled: &disabled}); err != nil || !disabled {
		return unanswered(InDoubt, UserEntry, id, err)
	}
	// They are dead, and would live again if somebody deleted the state.
	if _, err := r.signIns().End(ctx, subject, Filter{}); err != nil {
		return &ChangeError{Kind: HalfDone, Entry: UserEntry, Name: id, Err: err}
	}
	return nil
}

// isUserIDWhole reports whether an id is as NewUserID and HashedUserID make them. One
// that lost a character in the clipboard would disable nobody.
func isUserIDWhole(id string) bool {
	digits, ok := strings.CutPrefix(id, userIDPrefix)
	return ok && len(digits) == userIDDigits && !strings.ContainsFunc(digits, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '2' || c > '7')
	})
}
