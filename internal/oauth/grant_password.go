package oauth

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/secret"
)

// passwordGrant is RFC 6749 §4.3. OAuth 2.1 dropped it and RFC 9700 §2.4 advises
// against it; it is here because per-device tokens were built on it, and off
// unless a client is registered for it.
type passwordGrant struct {
	users     Users
	passwords Passwords
	nameTag   func(ctx context.Context, username string) string
	username  string
	password  secret.Text
	source    string
	// userSource is where the user is, as a back end says. It is empty if none does.
	userSource string
	device     scope.Device

	// signedIn reports whether the token that the login asks for is there already.
	signedIn func(ctx context.Context, client Client, u User) (bool, error)

	own     OwnUsers // nil where fob alone has users
	keep    bool     // somebody whom own proved, with a hash of fob
	stateOf func(ctx context.Context, client Client, u User) (SubjectState, error)
}

// An unknown, wrong, disabled and throttled user get the same answer (RFC 6749
// §4.3.2, RFC 9700 §4.3.2): it must not reveal which names exist.
var errWrongPassword = refuse(InvalidGrant, "the username or password is wrong")

func (i *Issuer) parsePassword(req TokenRequest, q question) (grant, error) {
	g := passwordGrant{
		users: i.Users, passwords: i.Passwords, nameTag: i.nameTag, source: req.Source, userSource: req.UserSource, device: q.scope.Device(),
		signedIn: func(ctx context.Context, client Client, u User) (bool, error) {
			return i.signedIn(ctx, client, u, q)
		},
		own: i.OwnUsers, keep: i.OwnUsersMode == AskedUntilFirst, stateOf: i.stateOf,
		username: NormalUsername(req.Form[paramUsername]), password: secret.New(req.Form[paramPassword]),
	}
	switch {
	case g.username == "" || g.password.Len() == 0:
		return nil, refuse(InvalidRequest, "username or password is missing")
	case len(g.username) > MaxUsername:
		return nil, refuse(InvalidRequest, "username has more than 256 bytes")
	case g.password.Prepared().Len() > MaxPassword:
		return nil, refuse(InvalidRequest, "password has more than 1024 bytes")
	}
	return g, nil
}

func (g passwordGrant) prove(ctx context.Context, client Client, now int64) (proof, error) {
	if g.userSource != "" {
		// Not ignored: its users would go on to share a source, and nobody would see why.
		if client.Public || !client.SendsUserAddress {
			return proof{}, refuse(InvalidRequest, "the client is not registered to send user_address")
		}
		g.source = g.userSource
		EventOf(ctx).UserSource = g.userSource
	}
	EventOf(ctx).Name = g.nameTag(ctx, g.username)
	user, err := g.owner(ctx, client, now)
	if err != nil {
		return proof{}, err
	}
	return proof{
		subject:     user.subject(),
		username:    user.Username,
		roles:       user.Roles,
		userVersion: user.Version,
		mayRefresh:  true,
		denied:      errWrongPassword,
	}, nil
}

// nameTag stands for a username in the log. Without a ring nothing does: a right password fails
// later on, and a wrong one is refused as ever.
func (i *Issuer) nameTag(ctx context.Context, username string) string {
	ring, err := i.Keys.Ring(ctx)
	if err != nil {
		return ""
	}
	return ring.NameTag(username)
}

// owner is the user of that name, if the password is right. It counts a wrong one. A login
// calls it, and [Account] where a user who is signed in shows the password again.
func (g passwordGrant) owner(ctx context.Context, client Client, now int64) (User, error) {
	a, admitted, err := g.admit(ctx, client, now)
	if err != nil {
		return User{}, err
	}
	if !admitted {
		EventOf(ctx).Reason = ReasonThrottled
		return User{}, errWrongPassword
	}
	var c checked
	if g.own == nil {
		c, err = g.checkHere(a)
	} else {
		c, err = g.checkOwn(ctx, client, a, now)
	}
	if err != nil {
		return User{}, err
	}
	if c.why != "" {
		EventOf(ctx).Reason = c.why
		if err := g.users.CountFailure(ctx, now, a.counters...); err != nil {
			return User{}, err
		}
		return User{}, errWrongPassword
	}
	user, unsaved := c.user.seenAt(g.source, now)
	switch {
	case c.save != nil:
		if user, err = c.save(ctx, user); err != nil {
			return User{}, err
		}
	case unsaved:
		// If that fails, the login goes on, and the next one tries again.
		_ = g.users.SaveSources(ctx, user)
	}
	if a.login.Counters[0].Count > 0 {
		if err := g.users.ClearFailures(ctx, a.counters[0].Key); err != nil {
			return User{}, err
		}
	}
	return user, nil
}

// checked is what became of a password.
type checked struct {
	user User
	why  Reason // it proves nobody; empty for one that does
	// save stores the user and returns what is there. Nil if there is nothing to store but
	// where the user signed in.
	save func(context.Context, User) (User, error)
}

// checkHere compares the password with the hash that fob has. For a name that does not
// exist the hash is empty, and Verify does the same work.
func (g passwordGrant) checkHere(a attempt) (checked, error) {
	c := checked{user: a.login.User}
	ok, outdated, err := g.passwords.Verify(g.password, c.user.PasswordHash)
	switch {
	case err != nil:
	case a.delayed:
		c.why = ReasonThrottled
	case !ok || !a.login.Found:
		c.why = ReasonPassword
	case c.user.Disabled: // whose password must not be confirmed: it is counted like a wrong one
		c.why = ReasonDisabled
	case outdated:
		c.save = g.rehash
	}
	return c, err
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

// Guessing passwords. Wrong ones are counted for the pair of name and source address,
// for the name alone, and for the source alone if the client has no secret; a back
// end with one has all its users at one source, unless it names theirs. Each counter has a fixed window whose
// number is in its key, so that a count never has to be reset. Nothing locks a name for
// good, and a name that does not exist is counted like one that does. Who need not wait
// for a delay is in grant_password_delayed.go.
//
// Counting needs a write, so it comes after a wrong password, not before each:
// a burst of parallel guesses gets as many tries as run at once. The stage's
// throttle and the function's concurrency bound the burst.

// delay is how long logins wait after wrong passwords.
type delay struct {
	window   int64 // seconds that a counter counts for
	patience int   // wrong passwords until the first delay
	first    int64 // seconds; it doubles with each wrong password
	longest  int64 // seconds
}

var (
	// A client library may send each wrong password twice to probe how the server
	// wants its credentials, so the pair has some patience.
	pairDelay   = delay{window: 24 * 3600, patience: 10, first: 1, longest: 15 * 60}
	nameDelay   = delay{window: 3600, patience: 100, first: 30, longest: 30}
	sourceDelay = delay{window: 3600, patience: 100, first: 10, longest: 10}
)

const counterGrace = 3600 // seconds: how much longer than its window a counter is kept

// counter is the one that counts for fields at now.
func (d delay) counter(now int64, name string, fields ...string) (c ExpiringCounter) {
	window := now / d.window
	number := binary.BigEndian.AppendUint64(nil, uint64(window)) //nolint:gosec // never negative
	ledger.Key(c.Key[:], name, append(fields, string(number))...)
	c.TTL = (window+1)*d.window + counterGrace
	return c
}

// runs reports whether a login has to wait.
func (d delay) runs(c Counter, now int64) bool {
	n := c.Count - d.patience
	if n < 0 {
		return false
	}
	wait := d.longest
	if n < 16 {
		wait = min(wait, d.first<<n)
	}
	return now < c.Last+wait
}

// attempt is a login with a password that does the work of one.
type attempt struct {
	login Login
	// counters are for a wrong password. A right one clears the first.
	counters []ExpiringCounter
	delayed  bool // it is refused, whatever the password
}

// admit reads the user and the counters, in one call to the store. ok is false for a
// login that is refused at once.
func (g passwordGrant) admit(ctx context.Context, client Client, now int64) (a attempt, ok bool, err error) {
	a.counters = []ExpiringCounter{
		pairDelay.counter(now, "fob pair counter 1", g.username, g.source),
		nameDelay.counter(now, "fob name counter 1", g.username),
	}
	delays := []delay{pairDelay, nameDelay}
	if (client.Public || g.userSource != "") && g.source != "" { // where the gateway names no source, all would share it
		a.counters = append(a.counters, sourceDelay.counter(now, "fob source counter 1", g.source))
		delays = append(delays, sourceDelay)
	}
	keys := make([]CounterKey, len(a.counters))
	for i, c := range a.counters {
		keys[i] = c.Key
	}
	if a.login, err = g.users.Login(ctx, g.username, keys...); err != nil {
		return a, false, err
	}
	pair, others := pairDelay.runs(a.login.Counters[0], now), false
	for i, d := range delays[1:] {
		others = others || d.runs(a.login.Counters[i+1], now)
	}
	if pair || others {
		return g.admitDelayed(ctx, client, a, pair, now)
	}
	return a, true, nil
}

// KnownSource is a source address where a user signed in.
type KnownSource struct {
	Hash [8]byte // of the user's id and the source
	Last int64   // Unix seconds: when the user last signed in there, up to sourceRenewed too early
}

const (
	maxSources     = 16
	sourceLifetime = 90 * 24 * 3600 // seconds
	sourceRenewed  = 30 * 24 * 3600 // seconds
	// sourceKept is for how many seconds a source is not replaced by another one. Without
	// it a user of more sources than are kept would write with each login.
	sourceKept = 24 * 3600
)

func (u User) sourceHash(source string) (h [8]byte) {
	ledger.Key(h[:], "fob known source 1", u.ID, source)
	return h
}

// knows reports whether the user signed in at a source within the last 90 days.
func (u User) knows(source string, now int64) bool {
	hash := u.sourceHash(source)
	return slices.ContainsFunc(u.Sources, func(s KnownSource) bool { return s.Hash == hash && now < s.Last+sourceLifetime })
}

// seenAt is the user with a source among the known ones, and whether that has to be
// saved. A source that was noted within the last 30 days is not noted again, so that a
// login from a usual place costs no write.
func (u User) seenAt(source string, now int64) (seen User, changed bool) {
	if source == "" {
		return u, false
	}
	hash := u.sourceHash(source)
	others := slices.DeleteFunc(slices.Clone(u.Sources), func(s KnownSource) bool { return s.Hash == hash || now >= s.Last+sourceLifetime })
	slices.SortStableFunc(others, func(a, b KnownSource) int { return cmp.Compare(b.Last, a.Last) })
	for _, s := range u.Sources {
		if s.Hash == hash && now < s.Last+sourceRenewed {
			return u, false
		}
	}
	if len(others) >= maxSources {
		if others = others[:maxSources]; now < others[maxSources-1].Last+sourceKept {
			return u, false
		}
		others = others[:maxSources-1]
	}
	u.Sources = append([]KnownSource{{hash, now}}, others...)
	return u, true
}
