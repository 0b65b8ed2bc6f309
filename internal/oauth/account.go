package oauth

import (
	"context"
	"errors"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/secret"
)

// AccountScope lets a refresh token change the password of its user, and delete the user. It
// is an ordinary resource scope.
const AccountScope = "account"

const (
	// FreshSignIn is for how many seconds a sign-in serves in the place of the password.
	FreshSignIn = 5 * 60

	// maxRemovals is how often a request removes its user before it gives up.
	maxRemovals = 3
)

// Account changes and deletes the user who is signed in, unless the password is with the
// team's own users; see [OwnUsersMode.Owns]. Its methods take what [Verifier.Holder] says of
// the token that asks, which must be a user's refresh token with [AccountScope], and the
// source as [TokenRequest] has it. It cannot mint.
type Account struct {
	Logins    Users // counts wrong passwords, together with the token endpoint
	Registrar *UserRegistrar
	SignIns   *SignIns
}

// ChangePassword replaces the password of the user, who shows the present one. A wrong one is
// refused, counted and delayed as at a login. All sign-ins end but those at the [Place] of the
// caller, which stay if stays is true. They end too if the token has no device, or if others
// ended the user's sign-ins at the same moment. Those that stay are inactive for as long as
// two calls to the store take.
//
// An error that matches [ErrUnavailable] may come after the change. The user may call again,
// with the new password as the present one too if the present one is refused then.
func (a *Account) ChangePassword(ctx context.Context, caller Introspection, source string, present, next secret.Text) (stays bool, err error) {
	// Before a try of the present one is spent.
	if err := invalidEntry(UserEntry, caller.Username, a.Registrar.Policy.Check(caller.Username, next)); err != nil {
		return false, err
	}
	for range maxStarts {
		user, err := a.owner(ctx, caller, source, present)
		if err != nil {
			return false, err
		}
		here, err := a.signInsHere(ctx, caller)
		if err != nil {
			return false, err
		}
		// Of the very version that was compared: somebody else may have changed the password since.
		_, err = a.Registrar.ChangeUser(ctx, user, UserChange{Password: &next, Version: user.Version})
		if IsChange(err, EntryChanged) {
			continue // a login may also have made the hash anew
		}
		if err != nil {
			return false, err
		}
		return a.carry(ctx, caller, here)
	}
	return false, Unavailable("change a password", errBusy)
}

// owner is the user of the caller, if the password is right.
func (a *Account) owner(ctx context.Context, caller Introspection, source string, password secret.Text) (User, error) {
	if ValidatePassword(password) != nil {
		return User{}, refuse(InvalidRequest, "the password is not 1 to 1024 bytes of UTF-8 without NUL")
	}
	client, found, err := a.SignIns.Clients.Client(ctx, caller.ClientID)
	if err != nil {
		return User{}, err
	}
	if !found {
		return User{}, Unavailable("read a client", errors.New("it was removed meanwhile"))
	}
	user, err := a.user(ctx, caller)
	if IsChange(err, NoSuchEntry) {
		return User{}, refuse(InvalidGrant, "the user has no password here")
	}
	if err != nil {
		return User{}, err
	}
	g := passwordGrant{
		users: a.Logins, passwords: a.Registrar.Passwords,
		username: user.Username, password: password, source: source, device: caller.Scope.Device(),
		// The token that asks was read a moment ago.
		signedIn: func(context.Context, Client, User) (bool, error) { return true, nil },
	}
	owner, err := g.owner(ctx, client, a.Registrar.Now().Unix())
	if err == nil && owner.ID != user.ID { // removed, and added again under the same name
		err = errWrongPassword
	}
	return owner, err
}

// user is the user of the caller, by id: the username of a token may be what an issuer says,
// and that of another user.
func (a *Account) user(ctx context.Context, caller Introspection) (User, error) {
	user, err := a.Registrar.UserByID(ctx, caller.Subject.ID)
	if err == nil && a.Registrar.OwnUsersMode.Owns(user) {
		err = refuse(InvalidGrant, "the password and the account are kept by another system, which changes and deletes them")
	}
	return user, err
}

// signInsHere are the active records at the place of the caller. There are none without a
// device: phones that send no name share one record.
func (a *Account) signInsHere(ctx context.Context, caller Introspection) ([]ledger.Record, error) {
	if caller.Scope.Device() == "" {
		return nil, nil
	}
	return a.SignIns.active(ctx, caller.Subject, Filter{Client: caller.ClientID, Device: caller.Scope.Device()})
}

// carry carries records over the raise of the epoch that this request made. It reports
// whether the caller's own is among them.
func (a *Account) carry(ctx context.Context, caller Introspection, records []ledger.Record) (own bool, err error) {
	if len(records) == 0 {
		return false, nil
	}
	state, err := a.Registrar.Subjects.State(ctx, caller.Subject)
	if err != nil {
		return false, err
	}
	for _, r := range records {
		rid := r.RID
		carried, err := a.SignIns.rewrite(ctx, r, func(r ledger.Record) (next ledger.Record, ok bool) {
			next, ok = r.Carried(state.Epoch)
			// One with another rid was made since by a login, which may have shown the old password.
			return next, ok && r.RID == rid
		})
		if err != nil {
			return false, err
		}
		own = own || carried && r.Locator() == caller.Locator
	}
	return own, nil
}

// Delete removes the user for good and ends all sign-ins. The user shows the password, or
// asks within [FreshSignIn] seconds of the sign-in that the token comes from; present is empty
// then. The id is never used again. A user of a registered issuer has no entry here: the
// sign-ins end, and what the issuer signed until now proves nothing any more; the same person may
// come back by a new login there, and has the same id.
//
// It cannot be asked for again with the same token once it took effect. So it is tried
// again by itself where a store did not answer.
func (a *Account) Delete(ctx context.Context, caller Introspection, source string, present secret.Text) error {
	var user User
	var err error
	if present.Len() > 0 {
		user, err = a.owner(ctx, caller, source, present)
	} else {
		if a.Registrar.Now().Unix()-caller.SignedIn > FreshSignIn {
			return refuse(InsufficientAuthentication, "send the password, or sign in anew and ask within 5 minutes")
		}
		user, err = a.user(ctx, caller)
	}
	if IsChange(err, NoSuchEntry) {
		return a.forgetGuest(ctx, caller.Subject)
	}
	if err != nil {
		return err
	}
	for range maxRemovals {
		if err = a.Registrar.RemoveUser(ctx, user); !errors.Is(err, ErrUnavailable) {
			break
		}
	}
	return err
}

// forgetGuest ends all that a user of a registered issuer has.
func (a *Account) forgetGuest(ctx context.Context, subject ledger.Subject) error {
	until := uint64(max(0, a.Registrar.Now().Unix())) + 1
	if err := a.Registrar.Subjects.Raise(ctx, subject, StateChange{UserVersion: until, Why: []Cause{UserRemoved}}); err != nil {
		return err
	}
	_, err := a.SignIns.End(ctx, subject, Filter{})
	return err
}
