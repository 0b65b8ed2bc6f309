package oauth

import (
	"context"
	"errors"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/secret"
)

// User returns the user of that name, or NoSuchEntry.
func (r *Registrar) User(ctx context.Context, username string) (User, error) {
	u, found, err := r.Users.User(ctx, NormalUsername(username))
	if err == nil && !found {
		err = &ChangeError{Kind: NoSuchEntry, Entry: UserEntry, Name: username}
	}
	return u, err
}

// UserByID returns the user of that id, or NoSuchEntry.
func (r *Registrar) UserByID(ctx context.Context, id string) (User, error) {
	u, found, err := r.Users.UserByID(ctx, id)
	if err == nil && !found {
		err = &ChangeError{Kind: NoSuchEntry, Entry: UserEntry, Name: id}
	}
	return u, err
}

// NewUser is a user for [Registrar.AddUser].
type NewUser struct {
	Username string
	Roles    []string
	Disabled bool

	Password     secret.Text // which Policy allows, and Passwords hashes
	PasswordHash secret.Text // instead of Password, one that Passwords verifies
}

// AddUser adds a user with a new id, and with the name as [NormalUsername] returns it. It returns the user also with InDoubt, when
// nobody knows whether there is one now.
func (r *Registrar) AddUser(ctx context.Context, n NewUser) (User, error) {
	n.Username = NormalUsername(n.Username)
	u := User{Username: n.Username, ID: NewUserID(), Roles: n.Roles, Disabled: n.Disabled, Created: r.Now().Unix(), PasswordHash: n.PasswordHash}
	if _, found, err := r.Users.User(ctx, n.Username); err != nil || found {
		// Before anything is hashed or written for nothing. SaveUser decides.
		if found {
			err = &ChangeError{Kind: EntryExists, Entry: UserEntry, Name: n.Username}
		}
		return User{}, err
	}
	if u.PasswordHash.Len() == 0 {
		err := invalidEntry(UserEntry, n.Username, ValidateNameAndRoles(n.Username, n.Roles), r.Policy.Check(n.Username, n.Password))
		if err != nil {
			return User{}, err
		}
		if u.PasswordHash, err = r.Passwords.Hash(n.Password); err != nil {
			return User{}, err
		}
	}
	if err := invalidEntry(UserEntry, n.Username, u.Validate()); err != nil {
		return User{}, err
	}
	if n.Disabled {
		// Before there is somebody to log in. If the user is not saved after all,
		// nobody ever has the id.
		if err := r.Subjects.Raise(ctx, subjectOfUser(u), StateChange{Disabled: new(true)}); err != nil {
			return User{}, err
		}
	}
	saved, err := r.Users.SaveUser(ctx, u)
	if errors.Is(err, ErrConflict) {
		return User{}, &ChangeError{Kind: EntryExists, Entry: UserEntry, Name: n.Username}
	}
	if err != nil {
		return u, unanswered(InDoubt, UserEntry, n.Username, err)
	}
	return saved, nil
}

func subjectOfUser(u User) ledger.Subject { return ledger.Subject{Kind: ledger.UserSubject, ID: u.ID} }

// SetPassword gives a user another password and ends all tokens issued before.
func (r *Registrar) SetPassword(ctx context.Context, u User, password secret.Text) (User, error) {
	if err := invalidEntry(UserEntry, u.Username, r.Policy.Check(u.Username, password)); err != nil {
		return User{}, err
	}
	hash, err := r.Passwords.Hash(password)
	if err != nil {
		return User{}, err
	}
	return r.changeUser(ctx, u, func(u *User) { u.PasswordHash = hash }, StateChange{})
}

// SetRoles gives a user these roles instead of those from before, and ends all tokens
// issued before: roles are judged at login.
func (r *Registrar) SetRoles(ctx context.Context, u User, roles []string) (User, error) {
	return r.changeUser(ctx, u, func(u *User) { u.Roles = roles }, StateChange{})
}

// changeUser changes something that logins are judged by: the user first and the
// epoch second, with the rest of the state, so that a login that read the user of before
// is found out. A login may renew the hash of the password meanwhile.
func (r *Registrar) changeUser(ctx context.Context, u User, change func(*User), state StateChange) (saved User, err error) {
	err = untilNoConflict(func() error {
		now, err := r.User(ctx, u.Username)
		if err != nil {
			return err
		}
		if now.ID != u.ID { // somebody else, who was added since
			return &ChangeError{Kind: NoSuchEntry, Entry: UserEntry, Name: u.Username}
		}
		change(&now)
		if err := invalidEntry(UserEntry, u.Username, now.Validate()); err != nil {
			return err
		}
		saved, err = r.Users.SaveUser(ctx, now)
		return unanswered(InDoubt, UserEntry, u.Username, err)
	})
	if err != nil {
		return User{}, err
	}
	state.UserVersion = saved.Version
	if err := r.Subjects.Raise(ctx, subjectOfUser(u), state); err != nil {
		return User{}, &ChangeError{Kind: HalfDone, Entry: UserEntry, Name: u.Username, Err: err}
	}
	return saved, nil
}

// SetUserDisabled refuses a user's logins or lets the user log in again. Both end all
// tokens of the user, for good.
func (r *Registrar) SetUserDisabled(ctx context.Context, u User, disabled bool) error {
	_, err := r.changeUser(ctx, u, func(u *User) { u.Disabled = disabled }, StateChange{Disabled: &disabled})
	if err != nil || !disabled {
		return err
	}
	// They are dead, and would live again if somebody deleted the state.
	if _, err := r.signIns().End(ctx, subjectOfUser(u), Filter{}); err != nil {
		return &ChangeError{Kind: HalfDone, Entry: UserEntry, Name: u.Username, Err: err}
	}
	return nil
}

// RemoveUser removes a user and all of the user's records. What it leaves is the
// subject's state, which refuses logins that read the user before: call
// [Registrar.ForgetUser] when none of them can be left.
func (r *Registrar) RemoveUser(ctx context.Context, u User) error {
	// Disabled before gone: a login that read the user is refused by the state.
	err := r.Subjects.Raise(ctx, subjectOfUser(u), StateChange{Disabled: new(true)})
	if err != nil {
		return unanswered(InDoubt, UserEntry, u.Username, err)
	}
	_, err = r.signIns().End(ctx, subjectOfUser(u), Filter{})
	if err == nil {
		if _, err = r.Users.RemoveUser(ctx, u); err != nil {
			_, err = r.Users.RemoveUser(ctx, u) // the reply may be all that was lost
		}
		if err != nil {
			// Once more: the same command would not find who is gone.
			if now, found, look := r.Users.User(ctx, u.Username); look == nil && (!found || now.ID != u.ID) {
				err = nil
			}
		}
	}
	if err != nil {
		return &ChangeError{Kind: HalfDone, Entry: UserEntry, Name: u.Username, Err: err}
	}
	return nil
}

// ForgetUser deletes what RemoveUser left, and the records that logins under way may
// have made meanwhile, dead as they are. Call it when no request that read the user
// can be left: functions and fob serve end requests after 10 seconds.
func (r *Registrar) ForgetUser(ctx context.Context, u User) error {
	// Records first: without the state they would be active again.
	_, err := r.signIns().End(ctx, subjectOfUser(u), Filter{})
	if err == nil {
		err = r.Registry.Forget(ctx, subjectOfUser(u))
	}
	return unanswered(InDoubt, UserEntry, u.Username, err)
}

func (r *Registrar) signIns() *SignIns { return &SignIns{Tokens: r.Tokens} }
