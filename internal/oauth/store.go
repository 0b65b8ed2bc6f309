package oauth

import (
	"context"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/secret"
)

// The stores. Rules for all methods of all of them:
//
//   - Absence is found == false with a nil error. An error means that the store
//     could not find out, and must match ErrUnavailable.
//   - Reads must be strongly consistent: they see every write that returned
//     before they began.
//   - A write must be durable when it returns nil. When it returns an error it
//     may or may not have happened; the caller may call again with the same
//     arguments, except for Save.
//   - Methods may be called concurrently, and must give up when ctx ends.

// SubjectState applies to all records of a subject. Absent means the zero value.
type SubjectState struct {
	Epoch    uint64
	Disabled bool

	// UserVersion is the lowest User.Version whose password and roles may still
	// prove anything: a login that read an older one starts over. For a user of an issuer
	// it is the earliest iat, in Unix seconds, of a token that may.
	UserVersion uint64
}

// Reading is what Tokens.Read finds.
type Reading struct {
	Record ledger.Record
	Found  bool
	State  SubjectState
}

// Tokens keeps one Record for each Authorization, and one state for each subject.
type Tokens interface {
	// Read returns the record at loc and the state of its subject. The two must
	// be read in one call to the store; they need not be one snapshot. A record
	// that was damaged from outside must come back as found, with its Nonce, so
	// that it can be replaced; a state that cannot be read whole is an error.
	Read(ctx context.Context, loc bearer.Locator) (Reading, error)

	// Save puts r at r.Locator() in one atomic step, if the record there carries the
	// nonce seen, or if there is none when seen is zero. It returns the record that
	// is there afterwards: r itself when it was saved, now or by an earlier try whose
	// reply was lost (the store must recognise it by r.Nonce); else the record that
	// won, or found == false if there is none any more. Losing is not an error.
	//
	// Save must not retry under another condition than the caller's. While seen is
	// zero it must not retry at all, unless the first try certainly did nothing: the
	// record could have been made, handed out and ended in between, and a second try
	// would bring it back. Then Save must read the record, and return that.
	Save(ctx context.Context, r ledger.Record, seen ledger.Nonce) (won ledger.Record, found bool, err error)

	// End deletes the record at loc in one atomic step if it fulfils the condition.
	// ended is true also if there is no record any more: an absent Authorization is
	// inactive. Otherwise left is the record that is still there.
	End(ctx context.Context, loc bearer.Locator, when ledger.EndCondition) (left ledger.Record, ended bool, err error)

	// List returns the records of a subject, of one client only unless client is
	// empty, dead ones included, in no order. One whose fields do not give its key
	// must be left out: somebody edited it.
	List(ctx context.Context, subject ledger.Subject, client ledger.ClientID) ([]ledger.Record, error)

	// MarkReplayed notes in the record at loc, if it carries the nonce seen, that a refresh
	// token of it was replayed, and changes nothing else. Callers then End the record:
	// the note is for those who follow the table, who would not know why it went. Save
	// must drop the note. A record that is not there, or has another nonce, is not an error.
	MarkReplayed(ctx context.Context, loc bearer.Locator, seen ledger.Nonce) error

	// Near returns the records of a's subject and client, as List does, if at most most
	// are stored. If there are more, it returns at most most of them: the nearest in
	// the order of keys, from the key of a upwards, or downwards without after. The order
	// is the store's own. It must not read more than twice most records, and one, however
	// many are stored.
	Near(ctx context.Context, a ledger.Authorization, most int, after bool) (Neighbours, error)
}

// Neighbours is what Tokens.Near finds.
type Neighbours struct {
	Records []ledger.Record // dead ones included, in no order
	// Share is the part of all possible keys between that of a and the farthest of
	// Records, from 0 to 1. It is 1 if they are all. A key is a hash, so about that part
	// of all records lies there.
	Share float64
}

// Subjects keeps the kill switches of single subjects.
type Subjects interface {
	// State returns the subject's state; none is the zero value.
	State(ctx context.Context, subject ledger.Subject) (SubjectState, error)

	// Raise adds one to the subject's epoch, and applies the rest of the change, in
	// one atomic step. The step happens at least once: if the network kept an earlier
	// try, it may happen again, also some moments after Raise returned. Then a user
	// who logged in since has to log in once more; nothing comes back to life. See
	// [StateChange].Once for a step that happens at most once.
	Raise(ctx context.Context, subject ledger.Subject, change StateChange) error
}

// TokenRegistry is what an operator does with records and states.
type TokenRegistry interface {
	// Each calls visit with each record of all subjects, dead ones included, in no
	// order, and stops at its first error, which it returns. It costs a read of the
	// whole table. Records that are written meanwhile may be missed. One whose
	// fields do not give its key must be left out: somebody edited it.
	Each(ctx context.Context, visit func(ledger.Record) error) error

	// Forget deletes a subject's state, so that it is the zero value. Tokens that its
	// epoch ended would be active again, so it is only for a subject that was removed,
	// has no record, and is known to no request that is still running.
	Forget(ctx context.Context, subject ledger.Subject) error
}

// StateChange is what goes with a raised epoch.
type StateChange struct {
	// UserVersion, if not zero, becomes the state's if it is higher.
	UserVersion uint64
	// Disabled, if not nil, becomes the state's.
	Disabled *bool
	// Once leaves out the whole change, the epoch too, if the state's UserVersion is not
	// lower than this one, which must not be zero. So the step happens at most once.
	Once bool
	// Why is kept in the state for those who follow the table; nothing is decided by it.
	// None is a sign-out that somebody asked for.
	Why []Cause
}

// Cause is what was done to a user whose epoch was raised.
type Cause string

const (
	PasswordChanged Cause = "password" // or taken away
	RolesChanged    Cause = "roles"
	UserDisabled    Cause = "disabled"
	UserEnabled     Cause = "enabled"
	UserRemoved     Cause = "removed"
	SecurityEvent   Cause = "issuer" // of a registered issuer, see [Receiver]
)

// Clients reads registrations. See ClientCache for the one that requests use.
type Clients interface {
	Client(ctx context.Context, id ledger.ClientID) (c Client, found bool, err error)
	// ResourceScopes returns all of them; none is an empty map.
	ResourceScopes(ctx context.Context) (ResourceScopes, error)
}

// ClientRegistry is what an operator does with clients and resource scopes.
type ClientRegistry interface {
	Clients

	// SaveClient creates c if c.Version is zero and no such client exists, or
	// replaces the one of that very Version. It returns c with its new Version,
	// see NextVersion, or ErrConflict.
	SaveClient(ctx context.Context, c Client) (Client, error)
	RemoveClient(ctx context.Context, id ledger.ClientID) (existed bool, err error)
	// ListClients returns all, sorted by ID.
	ListClients(ctx context.Context) ([]Client, error)
	// SaveResourceScopes replaces all of them if they are still of that Version,
	// or returns ErrConflict.
	SaveResourceScopes(ctx context.Context, s ResourceScopes) error
}

// Issuers reads registrations of issuers. See IssuerCache for the one that requests
// use.
type Issuers interface {
	TrustedIssuer(ctx context.Context, name string) (i TrustedIssuer, found bool, err error)
}

// IssuerRegistry is what an operator does with issuers.
type IssuerRegistry interface {
	Issuers

	// SaveIssuer creates i if i.Version is zero and no issuer of that Name exists, or
	// replaces the one of that very Version. It returns i with its new Version, see
	// NextVersion, or ErrConflict.
	SaveIssuer(ctx context.Context, i TrustedIssuer) (TrustedIssuer, error)
	RemoveIssuer(ctx context.Context, name string) (existed bool, err error)
	// ListIssuers returns all, sorted by Name.
	ListIssuers(ctx context.Context) ([]TrustedIssuer, error)
}

// Users is what a login needs. A team that has its own users implements [OwnUsers].
type Users interface {
	// Login returns the user of that name, which is as NormalUsername returns it, compared
	// byte for byte, and the counters in the order of their keys, in one call to the store.
	Login(ctx context.Context, username string, counters ...CounterKey) (Login, error)

	// CountFailure adds one to each counter and sets its Last to now; each may be
	// swept from its ttl on. Times are Unix seconds.
	CountFailure(ctx context.Context, now int64, counters ...ExpiringCounter) error

	// ClearFailures forgets a counter.
	ClearFailures(ctx context.Context, counter CounterKey) error

	// SaveUser creates u if u.Version is zero and neither such a name nor a user of that
	// ID exists, or replaces the user of that very Version. It returns u with its new
	// Version, see NextVersion, or ErrConflict. Of two names for one ID at once at most one
	// may be made; after a creation that failed, another name for its ID may be in conflict for a minute.
	SaveUser(ctx context.Context, u User) (User, error)

	// SaveSources replaces the Sources of the user of u's Username, ID and Version, which
	// keeps that Version. If no such user exists it does nothing.
	SaveSources(ctx context.Context, u User) error
}

// NextVersion is the Version after seen: higher, and no lower than the time, so
// that what is saved after a table was restored from a backup is newer than
// everything that was there before.
func NextVersion(seen uint64, now time.Time) uint64 {
	return max(seen+1, uint64(max(0, now.Unix())))
}

// Login is what Users.Login finds.
type Login struct {
	User     User
	Found    bool
	Counters []Counter
}

// Counter counts wrong passwords. The zero Counter has counted none.
type Counter struct {
	Count int
	Last  int64 // Unix seconds
}

// CounterKey names a counter of wrong passwords within one window of time.
type CounterKey [16]byte

// ExpiringCounter is a counter to add to, and when it may be swept.
type ExpiringCounter struct {
	Key CounterKey
	TTL int64 // Unix seconds
}

// UserRegistry is what an operator does with users.
type UserRegistry interface {
	User(ctx context.Context, username string) (u User, found bool, err error)
	// UserByID returns the user of that id, and must not read all users for it. Once
	// SaveUser has returned a user it must find that user.
	UserByID(ctx context.Context, id string) (u User, found bool, err error)
	SaveUser(ctx context.Context, u User) (User, error)
	// UsersAfter returns at most limit users, in an order of the store's own, and where
	// the next page begins, which is empty behind the last. It may return fewer while
	// there are more. after is empty for the first page, or the next of the one before; any
	// other text begins a page somewhere. A user who is there all the time must be in
	// exactly one of the pages.
	UsersAfter(ctx context.Context, after string, limit int) (page []User, next string, err error)
	// RemoveUser deletes the user of that Username and ID in one atomic step. A
	// user who was added under the same name since has another ID and stays.
	// existed may be false after an earlier try whose reply was lost. When it returns
	// nil, nothing is kept under the ID.
	RemoveUser(ctx context.Context, u User) (existed bool, err error)
}

// Passwords hashes passwords slowly. Its errors are faults of the hash or of the
// machine, never a wrong password.
type Passwords interface {
	// Hash must take the password as [secret.Text.Prepared] returns it.
	Hash(password secret.Text) (secret.Text, error)

	// Verify compares a password with a hash. outdated asks for a new Hash of that
	// password; it must be false where the comparison proved less than the whole
	// password. For the empty hash Verify must report false after the same work.
	Verify(password, hash secret.Text) (ok, outdated bool, err error)
}

// Keys gives the key ring in force: R is *bearer.CheckRing or *bearer.MintRing.
// Errors must match ErrUnavailable.
type Keys[R any] interface {
	// Ring returns a ring that is at most 60 seconds old by the wall clock.
	Ring(ctx context.Context) (R, error)
	// Reload reads the ring past the cache.
	Reload(ctx context.Context) (R, error)
	// ReloadForUnknownKey is Reload for a key id that the ring lacks. Since
	// anybody can send one, it must reach the source at most once a minute and
	// otherwise return the ring at hand.
	ReloadForUnknownKey(ctx context.Context) (R, error)
}
