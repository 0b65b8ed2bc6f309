package oauth

import (
	"context"

	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/secret"
)

// passwordGrant is RFC 6749 §4.3. OAuth 2.1 dropped it and RFC 9700 §2.4 advises
// against it; it is here because per-device tokens were built on it, and off
// unless a client is registered for it.
type passwordGrant struct {
	username string
	password secret.Text
	scope    scope.Set
}

// An unknown, wrong, disabled and throttled user get the same answer (RFC 6749
// §4.3.2, RFC 9700 §4.3.2): it must not tell which names exist.
func errWrongPassword() error { return refuse(InvalidGrant, "the username or password is wrong") }

func parsePassword(form Form) (grant, error) {
	g := passwordGrant{username: form[paramUsername], password: secret.New(form[paramPassword])}
	switch {
	case g.username == "" || g.password.Len() == 0:
		return nil, refuse(InvalidRequest, "username or password is missing")
	case len(g.username) > MaxUsername:
		return nil, refuse(InvalidRequest, "username has more than 256 bytes")
	case g.password.Len() > MaxPassword:
		return nil, refuse(InvalidRequest, "password has more than 1024 bytes")
	}
	var err error
	g.scope, err = requestedScope(form)
	return g, err
}

func (g passwordGrant) prove(ctx context.Context, i *Issuer, s session) (claim, error) {
	pair, name := counters(g.username, s.source, s.now)
	login, err := i.Users.Login(ctx, g.username, pair.Key, name.Key)
	if err != nil {
		return claim{}, err
	}
	if login.throttled(s.now) {
		return claim{}, errWrongPassword()
	}
	// For a name that does not exist the hash is empty, and Verify does the same
	// work.
	ok, outdated, err := i.Passwords.Verify(g.password, login.User.PasswordHash)
	if err != nil {
		return claim{}, err
	}
	if !ok || !login.Found {
		if err := i.Users.CountFailure(ctx, s.now, pair, name); err != nil {
			return claim{}, err
		}
		return claim{}, errWrongPassword()
	}
	if login.Pair.Count > 0 {
		if err := i.Users.ClearFailures(ctx, pair.Key); err != nil {
			return claim{}, err
		}
	}
	user := login.User
	if outdated {
		user, err = i.rehash(ctx, user, g.password)
		if err != nil {
			return claim{}, err
		}
	}
	return i.issueClaim(ctx, s, proof{
		subject:     Subject{UserSubject, user.ID},
		username:    user.Username,
		roles:       user.Roles,
		userVersion: user.Version,
		mayRefresh:  true,
		denied:      errWrongPassword(),
	}, g.scope)
}

// rehash stores the password under the parameters of today. A store that cannot
// is no reason to refuse a login: the next one tries again. If the user was
// changed meanwhile, settle finds out by the version that was read.
func (i *Issuer) rehash(ctx context.Context, u User, password secret.Text) (User, error) {
	hash, err := i.Passwords.Hash(password)
	if err != nil {
		return User{}, err
	}
	renewed := u
	renewed.PasswordHash = hash
	if saved, err := i.Users.SaveUser(ctx, renewed); err == nil {
		return saved, nil
	}
	return u, nil
}
