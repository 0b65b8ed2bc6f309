package oauth

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/fob-oauth/fob/internal/secret"
)

// User returns the user of that name, or NoSuchEntry.
func (r *UserRegistrar) User(ctx context.Context, username string) (User, error) {
	u, found, err := r.Users.User(ctx, NormalUsername(username))
	if err == nil && !found {
		err = &ChangeError{Kind: NoSuchEntry, Entry: UserEntry, Name: username}
	}
	return u, err
}

// UserByID returns the user of that id, or NoSuchEntry.
func (r *UserRegistrar) UserByID(ctx context.Context, id string) (User, error) {
	u, found, err := r.Users.UserByID(ctx, id)
	if err == nil && !found {
		err = &ChangeError{Kind: NoSuchEntry, Entry: UserEntry, Name: id}
	}
	return u, err
}

// AllUsers returns all users, sorted by Username. It reads the whole table.
func AllUsers(ctx context.Context, users UserRegistry) ([]User, error) {
	all := []User{}
	for after := ""; ; {
		page, next, err := users.UsersAfter(ctx, after, 10_000) // more than a store reads at once
		if err != nil {
			return nil, err
		}
		if all, after = append(all, page...), next; next == "" {
			break
		}
	}
	slices.SortFunc(all, func(a, b User) int { return cmp.Compare(a.Username, b.Username) })
	return all, nil
}

// NewUser is a user for [UserRegistrar.AddUser], with one of three: Password, Hash and
// WithoutPassword.
type NewUser struct {
	Username string
	Roles    []string
	Disabled bool

	Password secret.Text // which Policy allows, and Passwords hashes
	// Hash returns a hash that Passwords verifies. It is called once, for a name that
	// nobody has, because it may take as long as a login.
	Hash func() (secret.Text, error)
	// WithoutPassword is somebody whom another issuer logs in, or who gets a password later.
	WithoutPassword bool
}

// AddUser adds a user with a new id, and with the name as [NormalUsername] returns it. It
// returns the user also with InDoubt, when nobody knows whether there is one now.
func (r *UserRegistrar) AddUser(ctx context.Context, n NewUser) (User, error) {
	n.Username = NormalUsername(n.Username)
	faults := []error{ValidateNameAndRoles(n.Username, n.Roles)}
	if n.Hash == nil && !n.WithoutPassword {
		faults = append(faults, r.Policy.Check(n.Username, n.Password))
	}
	if err := invalidEntry(UserEntry, n.Username, faults...); err != nil {
		return User{}, err
	}
	taken := &ChangeError{Kind: EntryExists, Entry: UserEntry, Name: n.Username}
	// Nothing is hashed or written for a name that is taken.
	if _, found, err := r.Users.User(ctx, n.Username); err != nil {
		return User{}, err
	} else if found {
		return User{}, taken
	}
	hash, err := r.firstHash(n)
	if err != nil {
		return User{}, err
	}
	u := User{Username: n.Username, ID: NewUserID(), Roles: n.Roles, Disabled: n.Disabled, Created: r.Now().Unix(), PasswordHash: hash}
	if n.Disabled {
		// Before there is somebody to log in. If the user is not saved after all,
		// nobody ever has the id.
		if err := r.Subjects.Raise(ctx, u.subject(), StateChange{Disabled: new(true), Why: []Cause{UserDisabled}}); err != nil {
			return User{}, err
		}
	}
	saved, err := r.Users.SaveUser(ctx, u)
	if errors.Is(err, ErrConflict) {
		return User{}, taken
	}
	if err != nil {
		return u, unanswered(UserEntry, n.Username, err)
	}
	return saved, nil
}

func (r *UserRegistrar) firstHash(n NewUser) (secret.Text, error) {
	switch {
	case n.Hash != nil:
		return n.Hash()
	case n.WithoutPassword:
		return secret.Text{}, nil
	}
	return r.Passwords.Hash(n.Password)
}

// UserChange is what to change of a user. Nil leaves something as it is.
type UserChange struct {
	Password *secret.Text // which Policy allows; empty is none, so that no password logs the user in
	Roles    *[]string    // instead of those from before
	Disabled *bool

	// Version, unless zero, is what the user's must be: else nothing is changed, and
	// the error is EntryChanged.
	Version uint64
}

func (c UserChange) causes() (why []Cause) {
	if c.Password != nil {
		why = append(why, PasswordChanged)
	}
	if c.Roles != nil {
		why = append(why, RolesChanged)
	}
	if c.Disabled != nil {
		why = append(why, causeOfDisabling(*c.Disabled))
	}
	return why
}

func causeOfDisabling(disabled bool) Cause {
	if disabled {
		return UserDisabled
	}
	return UserEnabled
}

// ChangeUser changes a user and ends all tokens issued before, for good, also if the user is
// already as the change says: passwords, roles and disabling are judged at login.
func (r *UserRegistrar) ChangeUser(ctx context.Context, u User, c UserChange) (saved User, err error) {
	var hash secret.Text
	if c.Password != nil && c.Password.Len() > 0 {
		if err := invalidEntry(UserEntry, u.Username, r.Policy.Check(u.Username, *c.Password)); err != nil {
			return User{}, err
		}
		if hash, err = r.Passwords.Hash(*c.Password); err != nil {
			return User{}, err
		}
	}
	// The user first and the epoch second, with the rest of the state, so that a login that
	// read the user of before is found out. A login may renew the hash meanwhile.
	err = untilNoConflict(func() error {
		now, err := r.User(ctx, u.Username)
		if err != nil {
			return err
		}
		if now.ID != u.ID { // somebody else, who was added since
			return &ChangeError{Kind: NoSuchEntry, Entry: UserEntry, Name: u.Username}
		}
		if c.Version > 0 && c.Version != now.Version {
			return &ChangeError{Kind: EntryChanged, Entry: UserEntry, Name: u.Username}
		}
		if r.OwnUsersMode.Owns(now) && (c.Password != nil || c.Roles != nil) {
			return invalidEntry(UserEntry, u.Username, errors.New("the password and the roles of this user are kept by your own users: change them there, and end the user's tokens here"))
		}
		if c.Password != nil {
			now.PasswordHash = hash
			if now.Origin == UserAsked { // from now on kept here, also if own users are asked again
				now.Origin = UserKept
			}
		}
		if c.Roles != nil {
			now.Roles = *c.Roles
		}
		if c.Disabled != nil {
			now.Disabled = *c.Disabled
		}
		if err := invalidEntry(UserEntry, u.Username, now.Validate()); err != nil {
			return err
		}
		saved, err = r.Users.SaveUser(ctx, now)
		return unanswered(UserEntry, u.Username, err)
	})
	if err != nil {
		return User{}, err
	}
	err = r.Subjects.Raise(ctx, u.subject(), StateChange{UserVersion: saved.Version, Disabled: c.Disabled, Why: c.causes()})
	if err == nil && c.Disabled != nil && *c.Disabled {
		// They are dead, and would live again if somebody deleted the state.
		_, err = r.signIns().End(ctx, u.subject(), Filter{})
	}
	if err != nil {
		return User{}, &ChangeError{Kind: HalfDone, Entry: UserEntry, Name: u.Username, Err: err}
	}
	return saved, nil
}

// SetPassword is ChangeUser with another password.
func (r *UserRegistrar) SetPassword(ctx context.Context, u User, password secret.Text) (User, error) {
	if password.Len() == 0 { // which would take the password away
		return User{}, invalidEntry(UserEntry, u.Username, r.Policy.Check(u.Username, password))
	}
	return r.ChangeUser(ctx, u, UserChange{Password: &password})
}

// SetUserDisabled is ChangeUser that refuses a user's logins, or lets the user log in
// again.
func (r *UserRegistrar) SetUserDisabled(ctx context.Context, u User, disabled bool) error {
	_, err := r.ChangeUser(ctx, u, UserChange{Disabled: &disabled})
	return err
}

// RemoveUser removes a user and all of the user's records. It leaves the
// subject's state, which refuses logins that read the user before: call
// [UserRegistrar.ForgetUser] when none of them can be left.
func (r *UserRegistrar) RemoveUser(ctx context.Context, u User) error {
	// Disabled before gone: a login that read the user is refused by the state.
	err := r.Subjects.Raise(ctx, u.subject(), StateChange{Disabled: new(true), Why: []Cause{UserRemoved}})
	if err != nil {
		return unanswered(UserEntry, u.Username, err)
	}
	_, err = r.signIns().End(ctx, u.subject(), Filter{})
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
// can be left: functions and fob serve end requests after 10 seconds. The state of
// somebody whom [OwnUsers] proved is kept, and refuses their next login: without it they
// would be back, under the same id.
func (r *UserRegistrar) ForgetUser(ctx context.Context, u User) error {
	// Records first: without the state they would be active again.
	_, err := r.signIns().End(ctx, u.subject(), Filter{})
	if err == nil && u.Origin == UserOfFob {
		err = r.Registry.Forget(ctx, u.subject())
	}
	return unanswered(UserEntry, u.Username, err)
}

func (r *UserRegistrar) signIns() *SignIns { return &SignIns{Tokens: r.Tokens} }
