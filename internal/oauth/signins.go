package oauth

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/scope"
)

// SignIns lists the Authorizations of a subject that are active, and ends them
// without one of their tokens: for operators, and for users who look after their
// own devices. It cannot mint.
type SignIns struct {
	Tokens   Tokens
	Subjects Subjects
	Clients  *ClientCache
	// Keys may be nil for an operator who may not read the key ring. Then tokens that
	// a retired key or the issuer epoch ended are listed as if they were active.
	Keys Keys[*bearer.CheckRing]
	Now  func() time.Time
}

// Filter selects Authorizations. Its zero fields select all.
type Filter struct {
	Client ledger.ClientID
	Device scope.Device
}

func (f Filter) selects(a ledger.Authorization) bool {
	return (f.Client == "" || a.Client == f.Client) && (f.Device == "" || a.Scope.Device() == f.Device)
}

// List returns the records of a subject in which anything is active, the one issued last
// first. It costs one query for all clients, one read of the subject's state, and one for
// each client, and for the resource scopes, if they are not cached.
func (d *SignIns) List(ctx context.Context, subject ledger.Subject, f Filter) ([]ledger.Record, error) {
	found, err := d.active(ctx, subject, f)
	lastIssuedFirst(found)
	return found, err
}

// active is List in no order.
func (d *SignIns) active(ctx context.Context, subject ledger.Subject, f Filter) (found []ledger.Record, err error) {
	// The state comes first: a record that is made meanwhile is then ahead of it, and
	// not dead.
	state, err := d.Subjects.State(ctx, subject)
	if err != nil {
		return nil, err
	}
	records, err := d.Tokens.List(ctx, subject, f.Client)
	if err != nil {
		return nil, err
	}
	now := d.Now().Unix()
	gone := map[ledger.ClientID]bool{}
	for _, r := range records {
		if !f.selects(r.Authorization) {
			continue
		}
		ok, err := d.isActive(ctx, r, state, now, gone)
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, r)
		}
	}
	return found, nil
}

// ListAll is List for all subjects, for operators: it reads the whole table.
func (d *SignIns) ListAll(ctx context.Context, registry TokenRegistry, f Filter) (found []ledger.Record, err error) {
	now := d.Now().Unix()
	states := map[ledger.Subject]SubjectState{}
	gone := map[ledger.ClientID]bool{}
	err = registry.Each(ctx, func(r ledger.Record) error {
		if !f.selects(r.Authorization) {
			return nil
		}
		subject := r.Authorization.Subject
		state, known := states[subject]
		if !known {
			var err error
			if state, err = d.Subjects.State(ctx, subject); err != nil {
				return err
			}
			states[subject] = state
		}
		ok, err := d.isActive(ctx, r, state, now, gone)
		if ok {
			found = append(found, r)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	lastIssuedFirst(found)
	return found, nil
}

func lastIssuedFirst(all []ledger.Record) {
	slices.SortFunc(all, func(a, b ledger.Record) int {
		order := cmp.Or(cmp.Compare(b.LastIssued(), a.LastIssued()), cmp.Compare(a.Authorization.Scope.Device(), b.Authorization.Scope.Device()))
		if order != 0 {
			return order
		}
		return a.Locator().Compare(b.Locator()) // which takes hashes
	})
}

// isActive reports whether anything in a record is active. It keeps in gone the clients that
// do not exist, which the cache does not.
func (d *SignIns) isActive(ctx context.Context, r ledger.Record, state SubjectState, now int64, gone map[ledger.ClientID]bool) (bool, error) {
	id := r.Authorization.Client
	if gone[id] || state.Disabled {
		return false, nil
	}
	client, exists, err := d.Clients.Client(ctx, id)
	if err != nil {
		return false, err
	}
	if !exists {
		gone[id] = true
	}
	if !exists || client.Disabled {
		return false, nil
	}
	registered, err := d.Clients.ResourceScopes(ctx)
	if err != nil {
		return false, err
	}
	view := viewOf(now, everyKey{r.Epochs.Issuer}, state, client, registered, ledger.Nonce{})
	if d.Keys != nil {
		ring, err := d.Keys.Ring(ctx)
		if err != nil {
			return false, err
		}
		view = viewOf(now, ring, state, client, registered, ledger.Nonce{})
	}
	// A record that the view is behind was written a moment ago: it is listed.
	v := view.JudgeListed(r)
	return v == ledger.Alive || v == ledger.Behind, nil
}

// everyKey takes the place of a key ring that the operator may not read. The list
// may then show tokens that have ended (SignIns.Keys). It never decides whether a token
// is accepted, only what a SignIns lists.
type everyKey struct{ issuerEpoch uint64 }

func (everyKey) Knows(uint8) bool      { return true }
func (everyKey) Verifies(uint8) bool   { return true }
func (everyKey) HasPair(uint8) bool    { return true }
func (k everyKey) IssuerEpoch() uint64 { return k.issuerEpoch }

// End ends all Authorizations of a subject that the filter selects, also dead ones
// (a client that is disabled may be enabled again), with one conditional delete
// each, and returns how many. It may be called again after an error.
func (d *SignIns) End(ctx context.Context, subject ledger.Subject, f Filter) (ended int, err error) {
	return d.endWhere(ctx, subject, f.Client, bearer.Locator{}, f.selects)
}

// endWhere is End for what selects picks, of one client only unless that is empty. The
// Authorization at last, if there is one, ends after all others.
func (d *SignIns) endWhere(ctx context.Context, subject ledger.Subject, client ledger.ClientID, last bearer.Locator, selects func(ledger.Authorization) bool) (ended int, err error) {
	records, err := d.Tokens.List(ctx, subject, client)
	if err != nil {
		return 0, err
	}
	records = slices.DeleteFunc(records, func(r ledger.Record) bool { return !selects(r.Authorization) })
	if i := slices.IndexFunc(records, func(r ledger.Record) bool { return r.Locator() == last }); i >= 0 {
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

// EndAll is End for all subjects, for operators: it reads the whole table.
func (d *SignIns) EndAll(ctx context.Context, registry TokenRegistry, f Filter) (ended int, err error) {
	err = registry.Each(ctx, func(r ledger.Record) error {
		if !f.selects(r.Authorization) {
			return nil
		}
		if err := d.end(ctx, r); err != nil {
			return err
		}
		ended++
		return nil
	})
	return ended, err
}

// end ends the Authorization of a record, also if others write it at the same time.
func (d *SignIns) end(ctx context.Context, r ledger.Record) error {
	loc := r.Locator()
	for range maxConflicts {
		left, ended, err := d.Tokens.End(ctx, loc, ledger.EndCondition{Nonce: r.Nonce})
		if err != nil || ended {
			return err
		}
		EventOf(ctx).Raced++
		r = left
	}
	return Unavailable("end an authorization", errBusy)
}

// rewrite changes a record that is there, also if others write it at the same time. change
// returns what to write, and false to leave the record as it is. done is false then, and where
// there is no record any more.
func (d *SignIns) rewrite(ctx context.Context, r ledger.Record, change func(ledger.Record) (ledger.Record, bool)) (done bool, err error) {
	for range maxConflicts {
		next, ok := change(r)
		if !ok {
			return false, nil
		}
		next.Nonce = NewNonce()
		won, found, err := d.Tokens.Save(ctx, next, r.Nonce)
		if err != nil || !found || won.Nonce == next.Nonce {
			return found, err
		}
		EventOf(ctx).Raced++
		r = won
	}
	return false, Unavailable("change an authorization", errBusy)
}

// SignOut ends everything that a subject has, everywhere, with one write.
func (d *SignIns) SignOut(ctx context.Context, subject ledger.Subject) error {
	return d.Subjects.Raise(ctx, subject, StateChange{})
}
