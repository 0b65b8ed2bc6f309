package oauth

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/scope"
)

// DevicesScope lets a token list and end the devices of its user. It is an ordinary
// resource scope: it exists once the operator registers it, and only a client that
// is registered for it may ask for it.
const DevicesScope = "devices"

// UsersScope lets a client that speaks for itself look after all users, and SignOutScope
// lets it sign out any user. They are ordinary resource scopes too.
const (
	UsersScope   = "users"
	SignOutScope = "sign-out"
)

// Handle stands for the name of a user's device where the name must not be shown: ~,
// which no name has, and base64url without padding of the first 16 bytes of a SHA-256
// over the user and the name ([ledger.Key]). The back end that made the name can compute it. It
// is empty for the empty name. A name that can be guessed can be found from it.
type Handle string

const (
	handlePrefix = "~"
	handleBytes  = 16
)

// HandleOf returns the handle of a subject's device.
func HandleOf(subject ledger.Subject, device scope.Device) Handle {
	if device == "" {
		return ""
	}
	var key [handleBytes]byte
	ledger.Key(key[:], "fob device 1", subject.ID, string(device))
	return Handle(handlePrefix + base64.RawURLEncoding.EncodeToString(key[:]))
}

// ParseHandle accepts exactly what HandleOf could return for a device.
func ParseHandle(text string) (h Handle, ok bool) {
	body, isHandle := strings.CutPrefix(text, handlePrefix)
	key, err := base64.RawURLEncoding.Strict().DecodeString(body)
	// The decoder skips line breaks.
	if !isHandle || err != nil || len(key) != handleBytes || base64.RawURLEncoding.EncodeToString(key) != body {
		return "", false
	}
	return Handle(text), true
}

// Place is where a user is signed in: an app, and the device name that it gave, if
// it gave one. Names are labels and prove nothing: two phones under one name are
// one place.
type Place struct {
	Device scope.Device
	Client ledger.ClientID
}

// placeOf is where an Authorization is used.
func placeOf(a ledger.Authorization) Place { return Place{a.Scope.Device(), a.Client} }

// Position is where a place is in the list of its user: in the order of handles and
// then of clients. In the order of names somebody who signs in under names of their own
// could find another name by where it lies between them. A token that is made or renewed
// does not move a place, so the pages of a list stay stable.
type Position struct {
	Handle Handle
	Client ledger.ClientID
}

// Compare orders positions.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Handle, q.Handle), cmp.Compare(p.Client, q.Client))
}

// SignedInPlace is a place with its Authorizations: one, or more where the app logs
// in for several sets of scopes. Its times are full hours that do not move when
// somebody refreshes, see revealed.
type SignedInPlace struct {
	Place
	Position    Position
	Scopes      []string // of all of them that exist, without the device, sorted and distinct
	FirstIssued int64    // Unix seconds: the hour in which the oldest was made
	LastIssued  int64    // Unix seconds: the hour in which a token was last made, before the present hour
	Expiry      int64    // Unix seconds: no token lives longer, however often it is used
	Label       string   // what people call the device; see [SignIns.SetLabel]
}

const hour = 3600

// hourOf is the beginning of an hour in UTC.
func hourOf(t int64) int64 { return t - t%hour }

// revealed is what users see of the times of a record. The list is open to everybody
// with an access token. Somebody who also has a copy of the refresh token and sees when
// the phone refreshes could do so within the grace, each time, and nobody would notice.
// So what happened since the present hour began does not show until the longest grace
// that a client can have, and one minute for clocks, have passed since the turn of the hour.
func revealed(r ledger.Record, now int64) (first, last, expiry int64) {
	since := hourOf(now - maxRefreshGrace - 60)
	first = hourOf(r.Created)
	last, ok := r.LastIssuedBefore(since)
	switch {
	case ok:
		last = hourOf(last)
	case r.Created >= since:
		last = first
	default: // the record remembers two renewals, and both are too young
		last = since
	}
	return first, last, hourOf(r.Deadline(now) + hour - 1)
}

// Places lists where a subject is signed in, in order: only places behind after,
// and at most limit of them. more says whether others follow. Each page costs as
// much as List: all records are read, and those of other pages are dropped.
func (d *SignIns) Places(ctx context.Context, subject ledger.Subject, after Position, limit int) (page []SignedInPlace, more bool, err error) {
	records, err := d.active(ctx, subject, Filter{})
	if err != nil {
		return nil, false, err
	}
	registered, err := d.Clients.ResourceScopes(ctx)
	if err != nil {
		return nil, false, err
	}
	now := d.Now().Unix()
	at := map[Place]*SignedInPlace{}
	for _, r := range records {
		place := placeOf(r.Authorization)
		position := Position{HandleOf(subject, place.Device), place.Client}
		if position.Compare(after) <= 0 {
			continue
		}
		first, last, expiry := revealed(r, now)
		in, found := at[place]
		if !found {
			in = &SignedInPlace{Place: place, Position: position, FirstIssued: first}
			at[place] = in
		}
		scopes, err := registered.only(r.Authorization.Scope)
		if err != nil {
			return nil, false, err
		}
		in.Scopes = append(in.Scopes, scopes.Ordinary()...)
		in.FirstIssued = min(in.FirstIssued, first)
		in.LastIssued = max(in.LastIssued, last)
		in.Expiry = max(in.Expiry, expiry)
		in.Label = max(in.Label, r.Label) // a sign-in that came later has none
	}
	for _, in := range at {
		slices.Sort(in.Scopes)
		in.Scopes = slices.Compact(in.Scopes)
		page = append(page, *in)
	}
	slices.SortFunc(page, func(a, b SignedInPlace) int { return a.Position.Compare(b.Position) })
	if len(page) > limit {
		return page[:limit], true, nil
	}
	return page, false, nil
}

// EndDevice ends all Authorizations of a subject on the device of a handle, of every
// client. It may be called again after an error, and when nothing is left. The
// Authorization at own, whose token the request came with, ends last: until then
// the same token can ask again. ended is how many there were.
func (d *SignIns) EndDevice(ctx context.Context, subject ledger.Subject, device Handle, own bearer.Locator) (ended int, err error) {
	if device == "" {
		return 0, errors.New("no device to end: the empty handle is that of all tokens without a device")
	}
	return d.endWhere(ctx, subject, "", own, func(a ledger.Authorization) bool { return HandleOf(subject, a.Scope.Device()) == device })
}

// EndOthers ends the Authorizations of a subject at all places but keep. It may be
// called again after an error.
func (d *SignIns) EndOthers(ctx context.Context, subject ledger.Subject, keep Place) error {
	_, err := d.endWhere(ctx, subject, "", bearer.Locator{}, func(a ledger.Authorization) bool { return placeOf(a) != keep })
	return err
}

// EndOtherDevices ends the Authorizations of a subject on all devices but the one of a
// handle, and those without a device. It may be called again after an error.
func (d *SignIns) EndOtherDevices(ctx context.Context, subject ledger.Subject, keep Handle) error {
	if keep == "" {
		return errors.New("no device to keep: the empty handle is that of all tokens without a device")
	}
	_, err := d.endWhere(ctx, subject, "", bearer.Locator{}, func(a ledger.Authorization) bool { return HandleOf(subject, a.Scope.Device()) != keep })
	return err
}
