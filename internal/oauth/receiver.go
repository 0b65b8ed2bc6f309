package oauth

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/secret"
)

// Receiver takes security events (RFC 8417) from registered issuers: that an account was
// disabled or deleted, or that a user withdrew the consent to an app. Those that
// [EventTypes] marks end all sign-ins of their user, and the user may sign in again.
type Receiver struct {
	Issuers    *IssuerCache
	Assertions Assertions
	Subjects   Subjects
}

const (
	riscEvents  = "https://schemas.openid.net/secevent/risc/event-type/"  // OpenID RISC Profile 1.0 §2
	caepEvents  = "https://schemas.openid.net/secevent/caep/event-type/"  // OpenID CAEP 1.0 §3
	oauthEvents = "https://schemas.openid.net/secevent/oauth/event-type/" // Google's
	ssfEvents   = "https://schemas.openid.net/secevent/ssf/event-type/"   // OpenID Shared Signals Framework 1.0
)

// eventTypes are the types of events that are known, and whether they end the sign-ins of
// their user. All others are acknowledged and change nothing, as RFC 8417 §2 wants of
// events that a receiver does not understand. docs/events-in.md has this table with
// reasons.
var eventTypes = map[string]bool{
	// Apple's have short names.
	"consent-revoked": true,
	"account-delete":  true,
	"account-deleted": true,
	"email-enabled":   false,
	"email-disabled":  false,

	riscEvents + "account-disabled":                   true,
	riscEvents + "account-purged":                     true,
	riscEvents + "account-credential-change-required": true,
	riscEvents + "credential-compromise":              true,
	riscEvents + "sessions-revoked":                   true,
	riscEvents + "account-enabled":                    false,
	riscEvents + "identifier-changed":                 false,
	riscEvents + "identifier-recycled":                false,
	riscEvents + "opt-in":                             false,
	riscEvents + "opt-out-initiated":                  false,
	riscEvents + "opt-out-cancelled":                  false,
	riscEvents + "opt-out-effective":                  false,
	riscEvents + "recovery-activated":                 false,
	riscEvents + "recovery-information-changed":       false,
	riscEvents + "verification":                       false,

	caepEvents + "session-revoked":          true,
	caepEvents + "session-established":      false,
	caepEvents + "session-presented":        false,
	caepEvents + "token-claims-change":      false,
	caepEvents + "credential-change":        false,
	caepEvents + "assurance-level-change":   false,
	caepEvents + "device-compliance-change": false,
	caepEvents + "risk-level-change":        false,

	oauthEvents + "tokens-revoked": true,
	oauthEvents + "token-revoked":  false,

	ssfEvents + "verification":   false,
	ssfEvents + "stream-updated": false,
}

// EventTypes are the types of security events that are known, and whether they end the
// sign-ins of their user.
func EventTypes() map[string]bool { return maps.Clone(eventTypes) }

// Receive does what a security event asks for. It may be called again with the same event,
// and does it once: sign-ins that were made after the event with a token that the issuer
// made after the event live on.
//
// Errors are an *[Error] with a code of RFC 8935 §2.4, and nothing was done; or match
// [ErrUnavailable], and the event has to be sent again; or are a fault of the registration.
func (r *Receiver) Receive(ctx context.Context, token secret.Text) error {
	line := EventOf(ctx)
	var issuer TrustedIssuer
	claims, err := r.Assertions.Verify(ctx, token.Reveal(), func(ctx context.Context, iss string) (Signer, bool, error) {
		i, found, err := r.sender(ctx, iss)
		if found {
			issuer, line.Issuer = i, i.Name
		}
		return i.Signer, found && i.Events && i.SubjectRule() == HashedSubjects, err
	}, Expectation{Event: true})
	if err == nil {
		var users []ledger.Subject
		if users, err = issuer.endedBy(line, claims); err == nil {
			return r.end(ctx, users, claims)
		}
	}
	if refused, ok := errors.AsType[*RefusedAssertion](err); ok {
		line.Reason, line.Refusal = ReasonAssertion, refused.Reason
		return eventRefusal(refused.About)
	}
	return err
}

// sender is the registered issuer that an event names. Google's events have a slash at the
// end of iss, which its ID tokens do not have.
func (r *Receiver) sender(ctx context.Context, iss string) (TrustedIssuer, bool, error) {
	i, found, err := r.Issuers.TrustedIssuer(ctx, iss)
	if bare, ok := strings.CutSuffix(iss, "/"); ok && !found && err == nil {
		return r.Issuers.TrustedIssuer(ctx, bare)
	}
	return i, found, err
}

func eventRefusal(about RefusedPart) error {
	switch about {
	case RefusedIssuer:
		return refuse(InvalidIssuer, "events of this issuer are not taken")
	case RefusedAudience:
		return refuse(InvalidAudience, "an audience is not registered for the issuer")
	case RefusedKey:
		return refuse(InvalidKey, "no key of the issuer made the signature")
	}
	return refuse(InvalidRequest, "the event is not accepted")
}

// end ends all sign-ins of the users that were made by tokens of the issuer as old as the
// event or older. The version that a state gets is the second after the event, and a login
// needs a token of that second or later. So a state with that version or a higher one has
// no sign-in that this event could end.
func (r *Receiver) end(ctx context.Context, users []ledger.Subject, c Claims) error {
	line := EventOf(ctx)
	for _, user := range users {
		key := ledger.SubjectKey(user)
		line.Locator = hex.EncodeToString(key[:4])
		if err := r.Subjects.Raise(ctx, user, StateChange{UserVersion: uint64(max(0, c.IssuedAt)) + 1, Once: true, Why: []Cause{SecurityEvent}}); err != nil {
			return err
		}
	}
	line.Outcome = Noted
	if len(users) > 0 {
		line.Outcome = SignedOut
	}
	return nil
}

// endedBy are the users whose sign-ins the events of a token end. All of them are known
// before one is ended.
func (i TrustedIssuer) endedBy(line *Event, c Claims) (users []ledger.Subject, err error) {
	events, err := eventsOf(c)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(events)) {
		ends, known := eventTypes[name]
		switch {
		case ends:
			sub, ok := i.userOf(c, events[name])
			if !ok {
				return nil, &RefusedAssertion{Reason: "the event does not name a user by the iss and sub of this issuer"}
			}
			users = append(users, i.hashedSubject(sub))
			line.SecurityEvent = shortName(name)
		case line.SecurityEvent != "":
		case known:
			line.SecurityEvent = shortName(name)
		default:
			line.SecurityEvent = "unknown"
		}
	}
	return users, nil
}

func shortName(eventType string) string { return eventType[strings.LastIndex(eventType, "/")+1:] }

var errNoEvents = &RefusedAssertion{Reason: "events is not an object of events"}

// eventsOf are the events of a token by their type (RFC 8417 §2.2). Apple sends a text in
// the place of the object, with the JSON of one event in it.
func eventsOf(c Claims) (map[string]Claims, error) {
	if text, ok := c.Text("events"); ok {
		event, ok := membersOf(json.RawMessage(text))
		name, isText := event.Text("type")
		if !ok || !isText {
			return nil, errNoEvents
		}
		return map[string]Claims{name: event}, nil
	}
	members, _ := membersOf(c.JSON("events"))
	if len(members.all) == 0 {
		return nil, errNoEvents
	}
	events := map[string]Claims{}
	for name, raw := range members.all {
		event, ok := membersOf(raw)
		if !ok {
			return nil, errNoEvents
		}
		events[name] = event
	}
	return events, nil
}

// userOf is the sub of the user that an event is about: Apple's is a member of the event;
// RISC has a subject there, the Shared Signals Framework has sub_id next to the events (RFC
// 9493), and the rest is sub. A user of another issuer is not this issuer's to end.
func (i TrustedIssuer) userOf(c Claims, event Claims) (sub string, ok bool) {
	if _, apple := c.Text("events"); apple {
		sub, ok = event.Text("sub")
		return sub, ok && sub != ""
	}
	for _, identifier := range []json.RawMessage{event.JSON("subject"), c.JSON("sub_id")} {
		if identifier == nil {
			continue
		}
		id, _ := membersOf(identifier)
		if user := id.JSON("user"); user != nil { // of a session or a device, say
			id, _ = membersOf(user)
		}
		iss, _ := id.Text("iss")
		sub, ok = id.Text("sub")
		return sub, ok && sub != "" && (iss == i.Name || iss == i.Name+"/")
	}
	return c.Subject, c.Subject != ""
}

// membersOf are those of a JSON object.
func membersOf(raw json.RawMessage) (Claims, bool) {
	var all map[string]json.RawMessage
	ok := json.Unmarshal(raw, &all) == nil && all != nil
	return Claims{}.WithAll(all), ok
}
