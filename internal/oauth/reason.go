package oauth

import (
	"errors"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
)

// Reason is why a token is inactive or a request was refused, in one word. It is for
// the log alone: an answer that distinguished the causes would show strangers which
// tokens and users exist. docs/runbook.md explains each word.
type Reason string

// Why a token is inactive, or does not serve here.
const (
	ReasonUnknown  Reason = "unknown"  // fob did not make it
	ReasonExpired  Reason = "expired"  // its time or its idle time has passed
	ReasonEnded    Reason = "ended"    // revoked, ended by the cap or a replay, or replaced by later tokens
	ReasonDisabled Reason = "disabled" // its user or its client is disabled or was removed
	ReasonEpoch    Reason = "epoch"    // signed out everywhere, password or roles changed, client or issuer epoch raised
	ReasonKey      Reason = "key"      // the key that it was made under is retired
	ReasonScope    Reason = "scope"    // a scope of it was taken from somebody, or removed and added again, since the login
	ReasonTampered Reason = "tampered" // somebody edited its item
	ReasonAudience Reason = "audience" // it is for another audience than this caller or API
	ReasonClient   Reason = "client"   // it is another client's
	ReasonKind     Reason = "kind"     // a refresh token in the place of an access token, or the reverse
)

// Why a scope was refused. Event.Scope names it.
const (
	ReasonScopeUnknown Reason = "scope_unknown" // the registry does not have it
	ReasonScopeClient  Reason = "scope_client"  // the client is not registered for it
	ReasonScopeRole    Reason = "scope_role"    // the user has none of its roles
	ReasonScopeOther   Reason = "scope_other"   // a refresh asks for another set or device than was granted
)

// Why a refresh was refused whose refresh token is alive.
const (
	ReasonIssuer Reason = "issuer" // the JWT of the sign-in names another issuer than this request
)

// Why the authorizer refused a token that is active.
const (
	ReasonRoute Reason = "route" // the policy has scopes by route, and no line for this one
)

// Why a login with a password was refused.
const (
	ReasonPassword  Reason = "password"   // the name or the password is wrong
	ReasonAssertion Reason = "assertion"  // the token of another issuer is not accepted; see Event.Refusal
	ReasonSpelling  Reason = "spelling"   // the team's own users call that person by another name
	ReasonOtherID   Reason = "other_id"   // the name is of another person than the last time, or of a user of fob
	ReasonOtherName Reason = "other_name" // the team's own users gave that person another name
	ReasonThrottled Reason = "throttled"  // too many wrong ones before; the password decided nothing
)

// inactive is the answer for a token that says nothing here, with the reason for the
// log.
func inactive(e *Event, why Reason) (Introspection, error) {
	e.Reason = why
	return Introspection{}, nil
}

// reasonOfOpening says why a bearer could not be opened: err is a bearer.ErrInvalid.
func reasonOfOpening(err error) Reason {
	if errors.Is(err, bearer.ErrRetiredKey) {
		return ReasonKey
	}
	return ReasonUnknown
}

// reasonOf says why t is not active by this view of what was read from its locator.
func reasonOf(v ledger.View, reading Reading, t bearer.Token) Reason {
	r := reading.Record
	slot, expiry, _ := v.Active(r, t)
	switch {
	case !reading.Found:
		return ReasonEnded
	case r.Locator() != t.Locator:
		return ReasonTampered
	case r.Epochs != v.Epochs:
		return ReasonEpoch
	case !v.GrantCounts(r):
		return ReasonScope
	case slot.Generation != t.Generation:
		return ReasonEnded
	case !v.Keys.Verifies(slot.KID):
		return ReasonKey
	case expiry <= v.Now:
		return ReasonExpired
	}
	return ReasonEnded // the generation of another record, which this one replaced
}
