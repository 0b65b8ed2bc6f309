package oauth

import (
	"context"
	"strings"

	"github.com/fob-oauth/fob/internal/ledger"
)

// SetSubjectDisabled is [UserRegistrar.SetUserDisabled] for the user of an id, also for one
// of a registered issuer, whom fob knows by the subject's state alone. Such a user need
// not have been here before. NoSuchEntry is for what is not the id of a user.
func (r *UserRegistrar) SetSubjectDisabled(ctx context.Context, id string, disabled bool) error {
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
	subject := User{ID: id}.subject()
	if err := r.Subjects.Raise(ctx, subject, StateChange{Disabled: &disabled, Why: []Cause{causeOfDisabling(disabled)}}); err != nil || !disabled {
		return unanswered(UserEntry, id, err)
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

// KnowsUser reports whether a subject is a user of fob, or was ever signed in or out: users
// of a registered issuer have no other trace, and one who was removed has a state.
func (r *UserRegistrar) KnowsUser(ctx context.Context, subject ledger.Subject) (bool, error) {
	if state, err := r.Subjects.State(ctx, subject); err != nil || state != (SubjectState{}) {
		return err == nil, err
	}
	if records, err := r.Tokens.List(ctx, subject, ""); err != nil || len(records) > 0 {
		return err == nil, err
	}
	_, found, err := r.Users.UserByID(ctx, subject.ID)
	return found, err
}

// UserOfIssuer returns the id of the user whom a registered issuer calls sub. There is
// none when the issuer is not registered or proves clients, or calls users by their names in
// fob and no user has that one. A hashed one need not have been here.
func (r *UserRegistrar) UserOfIssuer(ctx context.Context, issuers Issuers, issuer, sub string) (id string, found bool, err error) {
	i, found, err := issuers.TrustedIssuer(ctx, issuer)
	if err != nil || !found {
		return "", false, err
	}
	switch i.SubjectRule() {
	case HashedSubjects:
		return i.hashedSubject(sub).ID, true, nil
	case NamedSubjects:
		u, found, err := r.Users.User(ctx, NormalUsername(sub))
		return u.ID, found, err
	case ClientSubjects:
		return "", false, nil
	}
	return "", false, errUnknownSubjects
}
