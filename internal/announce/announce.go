// Package announce says what happened to users, for other systems: [Of] makes [Event]s of
// a write to the tokens table. docs/events-out.md documents them and
// docs/events-out.schema.json is their JSON Schema.
//
// An event has no token, no hash of one, no username and no name of a device. It is about
// users alone: what clients do for themselves is not announced.
package announce

import (
	"slices"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// Event is something that happened to a user.
type Event struct {
	// ID is the same each time that the event is delivered.
	ID   string `json:"id"`
	Type Type   `json:"type"`
	Time int64  `json:"time"` // Unix seconds: when it was written
	User string `json:"sub"`
	// Client and Handle say which sign-in it is about, as /users/{id}/devices does. An
	// event without Client is about all of the user's.
	Client ledger.ClientID `json:"client_id,omitempty"`
	Handle oauth.Handle    `json:"handle,omitempty"`
	Reason Reason          `json:"reason,omitempty"` // of SignedOut
}

// Type is what happened.
type Type string

const (
	NewDevice            Type = "new_device"
	SignedOut            Type = "signed_out"
	RefreshTokenReplayed Type = "refresh_token_replayed"
	PasswordChanged      Type = "password_changed" // or taken away
	RolesChanged         Type = "roles_changed"
	UserDisabled         Type = "user_disabled"
	UserEnabled          Type = "user_enabled"
	UserRemoved          Type = "user_removed"
)

// Reason is why somebody is signed out: one of these, or, where all sign-ins of a user
// end, an [oauth.Cause].
type Reason string

const (
	Ended    Reason = "ended"    // one sign-in: by the app, the person, a back end, an operator or the limit
	Replayed Reason = "replayed" // one sign-in: its refresh token came back
	Asked    Reason = "sign_out" // all: by the person, a back end or an operator
)

// ofCause is the event that goes with a cause. A security event of an issuer is none of its
// own: it is the reason of a sign-out.
var ofCause = map[oauth.Cause]Type{
	oauth.PasswordChanged: PasswordChanged,
	oauth.RolesChanged:    RolesChanged,
	oauth.UserDisabled:    UserDisabled,
	oauth.UserEnabled:     UserEnabled,
	oauth.UserRemoved:     UserRemoved,
}

// Of returns the events of a write, none if it is about no user. Their ids begin with
// that of the write.
func Of(w oauth.Write) []Event {
	switch {
	case w.Made != nil:
		return events(w, w.Made.Authorization.Subject, Event{Type: NewDevice}.of(*w.Made))
	case w.Ended != nil && w.Replayed:
		return events(w, w.Ended.Authorization.Subject,
			Event{Type: RefreshTokenReplayed}.of(*w.Ended), Event{Type: SignedOut, Reason: Replayed}.of(*w.Ended))
	case w.Ended != nil && w.Ended.LastExpiry() > w.At: // else it had run out
		return events(w, w.Ended.Authorization.Subject, Event{Type: SignedOut, Reason: Ended}.of(*w.Ended))
	case w.Raised != nil:
		return events(w, w.Raised.Subject, raised(*w.Raised)...)
	}
	return nil
}

func (e Event) of(r ledger.Record) Event {
	a := r.Authorization
	e.Client, e.Handle = a.Client, oauth.HandleOf(a.Subject, a.Scope.Device())
	return e
}

// raised are the events of an epoch: what was done to the user, and that it ended all
// sign-ins, of which one who was disabled had none.
func raised(r oauth.Raise) (all []Event) {
	for _, cause := range r.Why {
		repeated := cause == oauth.UserDisabled && r.Before.Disabled || cause == oauth.UserEnabled && !r.Before.Disabled
		if done, known := ofCause[cause]; known && !repeated {
			all = append(all, Event{Type: done})
		}
	}
	if r.Before.Disabled {
		return all
	}
	reason := Asked
	if len(r.Why) > 0 {
		reason = Reason(r.Why[len(r.Why)-1])
	}
	return append(all, Event{Type: SignedOut, Reason: reason})
}

func events(w oauth.Write, who ledger.Subject, all ...Event) []Event {
	if who.Kind != ledger.UserSubject {
		return nil
	}
	all = slices.Clone(all)
	for i := range all {
		all[i].ID, all[i].Time, all[i].User = w.ID+"-"+string(all[i].Type), w.At, who.ID
	}
	return all
}
