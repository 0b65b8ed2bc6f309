package oauth

import (
	"context"
	"encoding/hex"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
)

// Outcome is the result of a request in one word, for the log and the metrics.
type Outcome string

const (
	Issued    Outcome = "issued"    // a new access token
	Returned  Outcome = "returned"  // the current access token once more
	Refreshed Outcome = "refreshed" // by a refresh token
	Repeated  Outcome = "repeated"  // refreshed, by a rotated refresh token within its grace
	Replayed  Outcome = "replayed"  // a rotated refresh token came back: Authorization ended
	Revoked   Outcome = "revoked"   // also when there was nothing to revoke
	Active    Outcome = "active"
	Inactive  Outcome = "inactive"
	Listed    Outcome = "listed" // a user, users or devices
	Added     Outcome = "added"  // a user, by a back end; also changed and removed
	Changed   Outcome = "changed"
	Removed   Outcome = "removed"
	Described Outcome = "described"  // the metadata
	SignedOut Outcome = "signed_out" // the user of a security event, everywhere; also when that was done before
	Noted     Outcome = "noted"      // a security event that changes nothing
	Denied    Outcome = "denied"     // the client or the user was refused
	Failed    Outcome = "failed"     // fob could not find out, or broke
)

// Event is the line that one request leaves for the operator. It is filled by
// the goroutine that serves the request, and written once when it ends. It holds
// no bearer, secret, username or form value.
type Event struct {
	Client ledger.ClientID
	// Claimed is the registered client that failed to authenticate. An id that is not
	// registered is left out: it may be a secret in the wrong place.
	Claimed ledger.ClientID
	// OlderSecret says that the client showed the one of its two secrets that is to
	// be dropped.
	OlderSecret bool

	Grant GrantType
	// Name stands for the username of a login by password; see [bearer.MintRing.NameTag].
	// It changes when another key becomes active.
	Name string
	// UserSource is where the user of a login is, as a back end says that may: an IPv4
	// address or an IPv6 /64.
	UserSource string
	Outcome    Outcome
	Code       Code
	// Issuer is the registered one whose token proved the login, the client or the event,
	// or was refused. Refusal is why a token of an issuer or of a client was: fixed text
	// that repeats nothing of it.
	Issuer  string
	Refusal string
	// SecurityEvent is the last part of the type of a security event; unknown if fob
	// does not know the type. See [EventTypes].
	SecurityEvent string
	Reason        Reason // why the token is inactive or the request was refused, if it is known
	// Scope is the one for which the request was refused: its name if an operator wrote
	// it, else its number in the request.
	Scope string
	// Subject is the id of the user whom a back end asked about. It is not a name, and means
	// nothing once the user is removed.
	Subject string
	// Locator is the beginning of the subject's and the client's key: enough to
	// find the item, not enough to be a token.
	Locator string

	StoreCalls int     // calls to the store, not counting the SDK's retries
	ReadUnits  float64 // capacity units consumed
	WriteUnits float64

	Raced    int // writes lost to another request for the same Authorization
	Tampered int // items that were edited from outside
	// Evicted is how many Authorizations the cap ended, to make room for another. A request
	// that does so at the same moment may count the same ones: to a store, one that is gone has
	// ended, as its own first try may have deleted it.
	Evicted int
}

func (e *Event) at(loc bearer.Locator) {
	e.Locator = hex.EncodeToString(loc.Subject[:4]) + "-" + hex.EncodeToString(loc.Client[:4])
}

type eventKey struct{}

// WithEvent makes EventOf(ctx) return e.
func WithEvent(ctx context.Context, e *Event) context.Context {
	return context.WithValue(ctx, eventKey{}, e)
}

// EventOf returns the event of the request that ctx belongs to, or one that
// nobody reads.
func EventOf(ctx context.Context) *Event {
	if e, ok := ctx.Value(eventKey{}).(*Event); ok {
		return e
	}
	return new(Event)
}
