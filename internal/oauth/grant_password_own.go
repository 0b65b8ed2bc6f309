package oauth

import (
	"context"
	"errors"
	"slices"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/secret"
)

// Where a team has its own users, fob keeps an entry of each person who logged in: it counts
// wrong passwords for the name, knows where the person was seen, and is what operators and
// back ends disable and remove. A name keeps its first id until that user is removed, and a
// removed one stays disabled (decision 75).

// stateOf is the state of somebody who has no entry.
func (i *Issuer) stateOf(ctx context.Context, client Client, u User) (SubjectState, error) {
	reading, err := i.Tokens.Read(ctx, ledger.Authorization{Subject: u.subject(), Client: client.ID}.Locator())
	return reading.State, err
}

// checkOwn asks the team's system, unless it proves the password here.
//
// With keep, somebody whom fob has is judged here. A wrong password of such a person and an
// unknown name must take as long, so both are hashed and asked, and the answer about the
// former is dropped: the password there may be one that was changed here.
func (g passwordGrant) checkOwn(ctx context.Context, client Client, a attempt, now int64) (checked, error) {
	var here checked
	if g.keep {
		var err error
		if here, err = g.checkHere(a); err != nil || here.why == "" {
			return here, err
		}
	}
	said, proved, err := g.own.Ask(ctx, g.username, g.password)
	if err != nil {
		if g.keep {
			// While the system is down, passwords of people who are kept here can be guessed:
			// a right one logs in. Counting those alone would show who they are.
			err = errors.Join(err, g.users.CountFailure(ctx, now, a.counters...))
		}
		return checked{}, err
	}
	user, found := a.login.User, a.login.Found
	if g.keep && found && user.Origin != UserAsked {
		return here, nil
	}
	id := OwnUserID(said.ID)
	refused := func(why Reason) (checked, error) { return checked{why: why}, nil }
	switch {
	case a.delayed:
		return refused(ReasonThrottled)
	case !proved:
		return refused(ReasonPassword)
	case NormalUsername(said.Username) != g.username:
		// Wrong passwords are counted for a name: with a second spelling, twice as many.
		return refused(ReasonSpelling)
	case said.Disabled || user.Disabled:
		return refused(ReasonDisabled)
	case found && user.ID != id:
		return refused(ReasonOtherID)
	case !found:
		user = User{Username: g.username, ID: id, Created: now}
		state, err := g.stateOf(ctx, client, user)
		if err != nil {
			return checked{}, err
		}
		if state.Disabled { // somebody who was removed, and who must not come back by this
			return refused(ReasonDisabled)
		}
	}
	slices.Sort(said.Roles) // another order is not a change
	said.Roles = slices.Compact(said.Roles)
	known := found && user.Origin == UserAsked && slices.Equal(user.Roles, said.Roles)
	user.Roles, user.Origin, user.PasswordHash = said.Roles, UserAsked, secret.Text{}
	keep := g.keep && provesAll(g.password)
	if known && !keep {
		return checked{user: user}, nil
	}
	save := func(ctx context.Context, u User) (User, error) { return g.saveOwn(ctx, u, a, keep, now) }
	return checked{user: user, save: save}, nil
}

// saveOwn writes the entry of somebody whom the team's system proved; with keep, also a hash
// of the password.
func (g passwordGrant) saveOwn(ctx context.Context, u User, a attempt, keep bool, now int64) (User, error) {
	if keep {
		var err error
		if u.PasswordHash, err = g.passwords.Hash(g.password); err != nil {
			return User{}, err
		}
		u.Origin = UserKept
	}
	saved, err := g.users.SaveUser(ctx, u)
	switch {
	case err == nil:
		return saved, nil
	case a.login.Found:
		// The login goes on, and the next one tries again. The version is the one that
		// was read, so a change since is found out.
		return u, nil
	case errors.Is(err, ErrConflict):
		return g.whoWasFirst(ctx, u, a, now)
	}
	return User{}, err // else a back end would not find who is signed in
}

// whoWasFirst is what a login of u gets where somebody has the name or the id already. An id
// has one name: under a second one, a password and roles that were taken away under the
// first would serve again.
func (g passwordGrant) whoWasFirst(ctx context.Context, u User, a attempt, now int64) (User, error) {
	login, err := g.users.Login(ctx, u.Username)
	if err != nil {
		return User{}, err
	}
	why := ReasonOtherName
	switch {
	case login.Found && login.User.ID == u.ID:
		// Another login of the same person. The version is zero, so a change since is found out.
		return u, nil
	case login.Found:
		why = ReasonOtherID
	}
	EventOf(ctx).Reason = why
	if err := g.users.CountFailure(ctx, now, a.counters...); err != nil {
		return User{}, err
	}
	return User{}, errWrongPassword
}

// maxWhole is how many bytes of a password bcrypt compares, which most systems have.
const maxWhole = 72

// provesAll reports whether a system that took a password has compared all of it: if not,
// a hash of all of it could be of another password than the owner's (decision 14).
func provesAll(p secret.Text) bool { return p.Len() < maxWhole && ValidatePassword(p) == nil }
