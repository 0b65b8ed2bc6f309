package oauth

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
)

// Issuer answers the token endpoint (RFC 6749 §3.2).
type Issuer struct {
	Tokens    Tokens
	Clients   *ClientCache
	Users     Users
	Passwords Passwords
	// OwnUsers are asked who a name and a password are, when OwnUsersMode says. Nil for users
	// of fob alone.
	OwnUsers     OwnUsers
	OwnUsersMode OwnUsersMode
	// Issuers and Assertions are for logins that others prove. Without them those grants
	// are not supported.
	Issuers    *IssuerCache
	Assertions Assertions

	Keys Keys[*bearer.MintRing]
	Now  func() time.Time

	// Grants are the grant types of this deployment, which a client's registration
	// cannot widen. Nil means all.
	Grants []GrantType
}

// TokenRequest is one request to the token endpoint.
type TokenRequest struct {
	Credentials Credentials
	Form        Form
	// Issuer is the service's own identifier as the request reached it: the iss of a JWT,
	// and whom an assertion of the client must be for. It may be empty.
	Issuer string
	// Source is where the request came from as the gateway saw it, or an edge that proved
	// itself, never as any other header says: an IPv4 address or an IPv6 /64.
	Source string
	// UserSource is the same of ParamUserAddress, and empty without it. It counts in the
	// place of Source for a client that authenticated and SendsUserAddress.
	UserSource string
}

const (
	// maxStarts is how often a request is decided: first with the caches, and again
	// with everything read anew if the record is newer than they are. The third start
	// is for a kill switch that is thrown during the second.
	maxStarts = 3

	// maxConflicts bounds how often one request loses to others. Losers adopt the
	// winner's token and write no more, so a handful is plenty.
	maxConflicts = 10
)

// Token issues, returns or refreshes a token. It returns [*Error] for a refusal
// and an error that matches [ErrUnavailable] when it could not find out.
//
// A grant proves who asks; the scope policy settles for which Authorization;
// package ledger decides; the record is written only under the condition that it
// is still the one that was read. On a conflict the record that won is judged
// and decided about.
func (i *Issuer) Token(ctx context.Context, req TokenRequest) (ledger.Answer, error) {
	event, none := EventOf(ctx), ledger.Answer{}

	// 1. Parse the form once, into types. No store is asked.
	asked, err := i.parse(req)
	event.Grant = asked.grantType
	if err != nil {
		return none, err
	}
	now := i.Now().Unix()

	var ahead ledger.Nonce // nonce of the record that was newer than the view of the last start
starts:
	for start := range maxStarts {
		fresh := start > 0

		// 2. Authenticate the client.
		client, err := i.authenticate(ctx, req, fresh)
		if err != nil {
			return none, err
		}
		if !client.Allows(asked.grantType) {
			return none, refuse(UnauthorizedClient, "the client is not registered for this grant_type")
		}

		// 3. The grant proves who asks, or what was granted before.
		proved, err := asked.grant.prove(ctx, client, now)
		if err != nil {
			return none, err
		}

		// 4. The scope policy says for which Authorization.
		registered, err := i.Clients.readScopes(ctx, fresh)
		if err != nil {
			return none, err
		}
		var authorization ledger.Authorization
		loc := proved.refresh.Locator
		if proved.isLogin() {
			if authorization, err = i.authorize(ctx, client, registered, proved, asked); err != nil {
				return none, err
			}
			loc = authorization.Locator()
		}
		event.at(loc)

		// The grant may have fetched a newer ring for its token.
		ring, err := ringOf(ctx, i.Keys, fresh)
		if err != nil {
			return none, err
		}
		rules := ledger.Rules{Terms: client.terms()}
		var reading Reading
		unread, granted := true, false // granted: this request was granted before, and lost a race
		for range maxConflicts {
			// 5. Read the record, or take the one that won, and judge it.
			if unread {
				if reading, err = i.Tokens.Read(ctx, loc); err != nil {
					return none, err
				}
				// The password or the roles were changed since they were read: a token must
				// not outlive them.
				outdated := proved.userVersion < reading.State.UserVersion
				if reading.State.Disabled || outdated && (fresh || proved.dated) {
					return none, deny(event, proved, reading.State)
				}
				if outdated {
					continue starts
				}
				if authorization.Format == ledger.JWT && !ring.Signs() {
					if ring, err = i.ringThatSigns(ctx); err != nil {
						return none, err
					}
				}
				rules.Ring, rules.View, unread = ring, viewOf(now, ring, reading.State, client, registered, ahead), false
			}
			var current *ledger.Record
			var seen ledger.Nonce
			if reading.Found {
				seen = reading.Record.Nonce
				switch rules.Judge(reading.Record, loc) {
				case ledger.Behind:
					ahead = seen
					continue starts
				case ledger.Tampered:
					event.Tampered++
				case ledger.Alive:
					current = &reading.Record
				}
			}

			if current != nil && current.Authorization.Format == ledger.JWT && !ring.Signs() { // a refresh
				if _, err := i.ringThatSigns(ctx); err != nil {
					return none, err
				}
				continue starts
			}

			// 6. Decide: the same token again, the next one, or none.
			var decided ledger.Decision
			refusal := errCannotMint
			if proved.isLogin() {
				withRefresh := mayHaveRefreshToken(client, proved, authorization)
				decided = rules.Issue(current, authorization, withRefresh, newRID())
			} else {
				decided, refusal = rules.Refresh(current, proved.refresh, proved.shown, granted), errInvalidRefresh
				if err := checkRefresh(event, client, registered, asked, decided); err != nil {
					return none, err
				}
			}
			if decided.Tampered {
				event.Tampered++
			}

			// 7. Save it under the condition of what was read, or go on from 5 with the
			// record that won.
			switch decided.Do {
			case ledger.Refuse:
				if !proved.isLogin() {
					event.Reason = reasonOf(rules.View, reading, proved.refresh)
				}
				return none, refusal

			case ledger.Return:
				event.Outcome = outcomeOf(proved, decided)
				return decided.Answer, nil

			case ledger.End:
				// The note is for others. If it fails, the end is tried anyway: a stolen
				// token matters more than its announcement.
				_ = i.Tokens.MarkReplayed(ctx, loc, seen)
				left, ended, err := i.Tokens.End(ctx, loc, ledger.EndCondition{Nonce: seen})
				if err != nil {
					return none, err
				}
				if ended {
					event.Outcome = Replayed
					return none, refusal
				}
				reading.Record = left
				event.Raced++

			case ledger.Save:
				if current == nil {
					if err := i.makeRoom(ctx, rules.View, client, decided.Record); err != nil {
						return none, err
					}
				}
				decided.Record.Nonce = NewNonce()
				won, found, err := i.Tokens.Save(ctx, decided.Record, seen)
				if err != nil {
					return none, err
				}
				if found && won.Nonce == decided.Record.Nonce {
					event.Outcome = outcomeOf(proved, decided)
					return decided.Answer, nil
				}
				granted = true
				if found {
					event.Raced++
				}
				// Where nothing is left, the subject's state may have moved as well.
				reading.Record, reading.Found, unread = won, found, !found
			}
		}
		return none, Unavailable("issue a token", errBusy)
	}
	return none, Unavailable("issue a token", errOutdated)
}

var (
	errBusy       = errors.New("it is written to again and again")
	errOutdated   = errors.New("the record is newer than the client, the key ring or the user")
	errCannotMint = errors.New("the key ring cannot mint under its active key")
	errNoPair     = errors.New("the active key has no pair for signatures: fob key pair makes one")
)

// ringThatSigns looks for a pair that this instance does not know yet, at most once a minute:
// where somebody took it out of the secrets, each request for a JWT comes here.
func (i *Issuer) ringThatSigns(ctx context.Context) (*bearer.MintRing, error) {
	ring, err := i.Keys.ReloadForUnknownKey(ctx)
	if err == nil && !ring.Signs() {
		err = Unavailable("sign a JWT", errNoPair)
	}
	return ring, err
}

// authenticate proves the client of a request by whatever it showed.
func (i *Issuer) authenticate(ctx context.Context, req TokenRequest, fresh bool) (Client, error) {
	if req.Credentials.Assertion.Len() > 0 {
		return i.authenticateAssertion(ctx, req.Credentials, req.Issuer, fresh)
	}
	return authenticate(ctx, i.Clients, req.Credentials, fresh)
}

func outcomeOf(p proof, d ledger.Decision) Outcome {
	switch {
	case d.Repeated:
		return Repeated
	case !p.isLogin():
		return Refreshed
	case d.Issued:
		return Issued
	}
	return Returned
}

// mayHaveRefreshToken: a rotating token must not be shared by two phones, so a
// public client gets one only for a named device (RFC 9700 §4.14).
func mayHaveRefreshToken(c Client, p proof, a ledger.Authorization) bool {
	return p.mayRefresh && c.Allows(RefreshTokenGrant) && (!c.Public || a.Scope.Device() != "")
}

// deny is the answer for a subject that is disabled, or that was changed since the
// proof was made.
func deny(e *Event, p proof, state SubjectState) error {
	e.Reason = ReasonEpoch
	if state.Disabled {
		e.Reason = ReasonDisabled
	}
	return p.denied
}

func ringOf[R any](ctx context.Context, keys Keys[R], fresh bool) (R, error) {
	if fresh {
		return keys.Reload(ctx)
	}
	return keys.Ring(ctx)
}

// viewOf is what records are judged by, everywhere. ahead is the nonce of the
// record that an older view was behind, if everything was read anew since.
func viewOf(now int64, ring interface {
	ledger.KeyStates
	IssuerEpoch() uint64
}, state SubjectState, client Client, registered ResourceScopes, ahead ledger.Nonce) ledger.View {
	return ledger.View{
		Now:    now,
		Keys:   ring,
		Epochs: ledger.Epochs{Subject: state.Epoch, Client: client.Epoch, Issuer: ring.IssuerEpoch()},
		Scopes: ledger.ScopeVersions{Current: registered.Version, Since: registered.Since},
		Ahead:  ahead,
	}
}

// NewNonce draws the nonce of one write.
func NewNonce() (n ledger.Nonce) {
	_, _ = rand.Read(n[:]) // never fails; it ends the program instead
	return n
}

func newRID() (r bearer.RID) {
	_, _ = rand.Read(r[:])
	return r
}
