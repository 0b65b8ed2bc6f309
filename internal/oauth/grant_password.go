package oauth

import (
	"context"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/secret"
)

// passwordGrant is RFC 6749 §4.3. OAuth 2.1 dropped it and RFC 9700 §2.4 advises
// against it; it is here because per-device tokens were built on it, and off
// unless a client is registered for it.
type passwordGrant struct {
	users     Users
	passwords Passwords
	username  string
	password  secret.Text
	source    string
}

// An unknown, wrong, disabled and throttled user get the same answer (RFC 6749
// §4.3.2, RFC 9700 §4.3.2): it must not tell which names exist.
func errWrongPassword() error { return refuse(InvalidGrant, "the username or password is wrong") }

func parsePassword(users Users, passwords Passwords, req TokenRequest) (grant, error) {
	g := passwordGrant{
		users: users, passwords: passwords, source: req.Source,
		username: req.Form[paramUsername], password: secret.New(req.Form[paramPassword]),
	}
	switch {
	case g.username == "" || g.password.Len() == 0:
		return nil, refuse(InvalidRequest, "username or password is missing")
	case len(g.username) > MaxUsername:
		return nil, refuse(InvalidRequest, "username has more than 256 bytes")
	case g.password.Len() > MaxPassword:
		return nil, refuse(InvalidRequest, "password has more than 1024 bytes")
	}
	return g, nil
}

func (g passwordGrant) prove(ctx context.Context, _ Client, now int64) (proof, error) {
	pair, name := counters(g.username, g.source, now)
	login, err := g.users.Login(ctx, g.username, pair.Key, name.Key)
	if err != nil {
		return proof{}, err
	}
	if login.throttled(now) {
		return proof{}, errWrongPassword()
	}
	// For a name that does not exist the hash is empty, and Verify does the same
	// work.
	ok, outdated, err := g.passwords.Verify(g.password, login.User.PasswordHash)
	if err != nil {
		return proof{}, err
	}
	if !ok || !login.Found {
		if err := g.users.CountFailure(ctx, now, pair, name); err != nil {
			return proof{}, err
		}
		return proof{}, errWrongPassword()
	}
	if login.Pair.Count > 0 {
		if err := g.users.ClearFailures(ctx, pair.Key); err != nil {
			return proof{}, err
		}
	}
	user := login.User
	if outdated {
		if user, err = g.rehash(ctx, user); err != nil {
			return proof{}, err
		}
	}
	return proof{
		subject:     ledger.Subject{Kind: ledger.UserSubject, ID: user.ID},
		username:    user.Username,
		roles:       user.Roles,
		userVersion: user.Version,
		mayRefresh:  true,
		denied:      errWrongPassword(),
	}, nil
}

// rehash stores the password under the parameters of today. A store that cannot
// is no reason to refuse a login: the next one tries again. If the user was
// changed meanwhile, the version that was read shows it.
func (g passwordGrant) rehash(ctx context.Context, u User) (User, error) {
	hash, err := g.passwords.Hash(g.password)
	if err != nil {
		return User{}, err
	}
	renewed := u
	renewed.PasswordHash = hash
	if saved, err := g.users.SaveUser(ctx, renewed); err == nil {
		return saved, nil
	}
	return u, nil
}
