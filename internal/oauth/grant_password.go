package oauth

import (
	"context"
	"encoding/binary"

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
// §4.3.2, RFC 9700 §4.3.2): it must not reveal which names exist.
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
		denied:      errWrongPassword,
	}, nil
}

// rehash stores the password under the parameters of today. If that
// fails, the login goes on, and the next one tries again. If the password
// or the roles were changed meanwhile, Token sees it by the version that was read.
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

// Guessing passwords. Wrong ones are counted for the pair of name and source
// address and for the name alone, each within a fixed window whose number is in
// the counter's key, so that a count never has to be reset. While a delay runs,
// a login is refused without hashing and without counting. Nothing locks a name
// for good (that would let anybody lock out anybody), and a name that does not
// exist is counted like one that does.
//
// Counting needs a write, so it comes after a wrong password, not before each:
// a burst of parallel guesses gets as many tries as run at once. The stage's
// throttle and the function's concurrency bound the burst.

const (
	pairWindow = 24 * 3600 // seconds
	nameWindow = 3600

	// A client library may send each wrong password twice to probe how the server
	// wants its credentials, so the pair has some patience.
	pairPatience = 10
	maxPairDelay = 15 * 60

	namePatience = 100
	nameDelay    = 30

	counterGrace = 3600 // how much longer than its window a counter is kept
)

// counters are the two that count wrong passwords for a name at a source now.
func counters(username, source string, now int64) (pair, name ExpiringCounter) {
	counter := func(length int64, name string, fields ...string) (c ExpiringCounter) {
		window := now / length
		number := binary.BigEndian.AppendUint64(nil, uint64(window)) //nolint:gosec // never negative
		ledger.Key(c.Key[:], name, append(fields, string(number))...)
		c.TTL = (window+1)*length + counterGrace
		return c
	}
	return counter(pairWindow, "fob pair counter 1", username, source), counter(nameWindow, "fob name counter 1", username)
}

// throttled reports whether a delay runs: 2^n seconds after the n-th wrong
// password past the patience of the pair, up to 15 minutes, and 30 seconds
// between tries on a name that was guessed at from everywhere.
func (l Login) throttled(now int64) bool {
	if n := l.Pair.Count - pairPatience; n >= 0 {
		delay := int64(maxPairDelay)
		if n < 10 {
			delay = min(delay, 1<<n)
		}
		if now < l.Pair.Last+delay {
			return true
		}
	}
	return l.Name.Count >= namePatience && now < l.Name.Last+nameDelay
}
