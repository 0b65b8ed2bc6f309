package oauth

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/scope"
)

// DevicesScope lets a token list and end the devices of its user. It is an ordinary
// resource scope: it exists once the operator registers it, and only a client that
// is registered for it may ask for it.
const DevicesScope = "devices"

// Place is where a user is signed in: an app, and the device name that it gave, if
// it gave one. Names are labels and prove nothing: two phones under one name are
// one place.
type Place struct {
	Device scope.Device
	Client ledger.ClientID
}

// PlaceOf is where an Authorization is used.
func PlaceOf(a ledger.Authorization) Place { return Place{a.Scope.Device(), a.Client} }

// Compare orders by device and then by client. A token that is made or renewed does
// not move a place, so the pages of a list stay stable.
func (p Place) Compare(q Place) int {
	return cmp.Or(cmp.Compare(p.Device, q.Device), cmp.Compare(p.Client, q.Client))
}

// SignedIn is a place and the Authorizations there: one, or more where the app logs
// in for several sets of scopes.
type SignedIn struct {
	Place
	Scopes      []string // of all of them that exist, without the device, sorted and distinct
	FirstIssued int64    // Unix seconds: when the oldest was made
	LastIssued  int64    // Unix seconds: when one of the tokens was last made
	Expiry      int64    // Unix seconds: when the last token ends, if nothing is done
}

// Places lists where a subject is signed in, in order: only places behind after,
// and at most limit of them. more says whether others follow. Each page costs as
// much as List: all records are read, and those of other pages are dropped.
func (d *SignIns) Places(ctx context.Context, subject ledger.Subject, after Place, limit int) (page []SignedIn, more bool, err error) {
	found, err := d.List(ctx, subject, Filter{})
	if err != nil {
		return nil, false, err
	}
	registered, err := d.Clients.ResourceScopes(ctx)
	if err != nil {
		return nil, false, err
	}
	at := map[Place]*SignedIn{}
	for _, s := range found {
		place := PlaceOf(s.Authorization)
		if place.Compare(after) <= 0 {
			continue
		}
		in, found := at[place]
		if !found {
			in = &SignedIn{Place: place, FirstIssued: s.FirstIssued}
			at[place] = in
		}
		scopes, err := registered.only(s.Authorization.Scope)
		if err != nil {
			return nil, false, err
		}
		in.Scopes = append(in.Scopes, scopes.Ordinary()...)
		in.FirstIssued = min(in.FirstIssued, s.FirstIssued)
		in.LastIssued = max(in.LastIssued, s.LastIssued)
		in.Expiry = max(in.Expiry, s.Expiry)
	}
	for _, in := range at {
		slices.Sort(in.Scopes)
		in.Scopes = slices.Compact(in.Scopes)
		page = append(page, *in)
	}
	slices.SortFunc(page, func(a, b SignedIn) int { return a.Compare(b.Place) })
	if len(page) > limit {
		return page[:limit], true, nil
	}
	return page, false, nil
}

// EndDevice ends all Authorizations of a subject under a device name, of every
// client. It may be called again after an error, and when nothing is left. The
// Authorization at own, whose token the request came with, ends last: until then
// the same token can ask again. ended is how many there were.
func (d *SignIns) EndDevice(ctx context.Context, subject ledger.Subject, device scope.Device, own bearer.Locator) (ended int, err error) {
	if device == "" {
		return 0, errors.New("no device to end: the empty name would select them all")
	}
	records, err := d.Tokens.List(ctx, subject, "")
	if err != nil {
		return 0, err
	}
	records = slices.DeleteFunc(records, func(r ledger.Record) bool { return r.Authorization.Scope.Device() != device })
	if i := slices.IndexFunc(records, func(r ledger.Record) bool { return r.Locator() == own }); i >= 0 {
		records = append(slices.Delete(slices.Clone(records), i, i+1), records[i])
	}
	for _, r := range records {
		if err := d.end(ctx, r); err != nil {
			return ended, err
		}
		ended++
	}
	return ended, nil
}

// EndOthers ends the Authorizations of a subject at all places but keep. It may be
// called again after an error.
func (d *SignIns) EndOthers(ctx context.Context, subject ledger.Subject, keep Place) error {
	_, err := d.endWhere(ctx, subject, "", func(r ledger.Record) bool { return PlaceOf(r.Authorization) != keep })
	return err
}
