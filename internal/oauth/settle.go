package oauth

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/fob-oauth/fob/internal/bearer"
)

// maxConflicts bounds how often one request loses to others. Losers adopt the
// winner's token and write no more, so a handful is plenty.
const maxConflicts = 10

// settle is the shell around the pure decisions: read, decide, compare-and-set,
// and on a conflict decide again with the record that won. It returns errStale
// if the decision needs newer knowledge of the client, the ring or the subject.
func (i *Issuer) settle(ctx context.Context, c claim, client Client, ring *bearer.MintRing, now int64, authoritative bool) (TokenResponse, error) {
	event := EventOf(ctx)
	event.at(c.locator)
	k := known{now: now, ring: ring.CheckRing, authoritative: authoritative}
	var reading Reading
	unread := true
	granted := false
	for range maxConflicts {
		if unread {
			var err error
			if reading, err = i.Tokens.Read(ctx, c.locator); err != nil {
				return TokenResponse{}, err
			}
			if reading.State.Disabled {
				return TokenResponse{}, c.denied
			}
			if c.userVersion < reading.State.UserVersion {
				// The password or the roles were changed while we looked at the old ones:
				// a token must not outlive them.
				if authoritative {
					return TokenResponse{}, c.denied
				}
				return TokenResponse{}, errStale{}
			}
			k.epochs = Epochs{reading.State.Epoch, client.Epoch, ring.IssuerEpoch()}
			unread = false
		}

		s := situation{known: k, ring: ring, client: client, granted: granted, rid: newRID()}
		var seen Nonce
		if record := reading.Record; reading.Found {
			seen = record.Nonce
			switch k.judge(record, c.locator) {
			case stale:
				return TokenResponse{}, k.wants(record)
			case tampered:
				event.Tampered++
			case alive:
				s.record, s.alive = record, true
			}
		}

		d := c.decide(s)
		if d.tampered {
			event.Tampered++
		}
		switch {
		case d.end:
			left, ended, err := i.Tokens.End(ctx, c.locator, EndCondition{Nonce: seen})
			if err != nil {
				return TokenResponse{}, err
			}
			if ended {
				event.Outcome = d.outcome
				return TokenResponse{}, d.refusal
			}
			reading.Record, reading.Found = left, true
			event.Raced++

		case d.refusal != nil:
			return TokenResponse{}, d.refusal

		case !d.save:
			event.Outcome = d.outcome
			return d.response, nil

		default:
			if !s.alive {
				if err := i.makeRoom(ctx, k, client, d.record); err != nil {
					return TokenResponse{}, err
				}
			}
			d.record.Nonce = newNonce()
			stands, found, err := i.Tokens.Save(ctx, d.record, seen)
			if err != nil {
				return TokenResponse{}, err
			}
			if found && stands.Nonce == d.record.Nonce {
				event.Outcome = d.outcome
				return d.response, nil
			}
			granted = true
			if found {
				event.Raced++
			}
			// Nothing stands: what we know of the subject may be from before it ended.
			reading.Record, reading.Found, unread = stands, found, !found
		}
		// What won was written after we read what we know.
		k.authoritative = false
	}
	return TokenResponse{}, Unavailable("settle the token", errTooManyConflicts)
}

// maxEvictions bounds the deletes of one request after a cap was lowered; the
// next ones go on.
const maxEvictions = 10

// makeRoom keeps a subject and client to their number of live Authorizations
// before another is made: those whose token was issued longest ago end. Two
// requests at once may pass the cap by one; the next repairs it.
func (i *Issuer) makeRoom(ctx context.Context, k known, client Client, coming Record) error {
	records, err := i.Tokens.List(ctx, coming.Authorization.Subject, client.ID)
	if err != nil {
		return err
	}
	loc := coming.Locator()
	records = slices.DeleteFunc(records, func(r Record) bool {
		v := k.judge(r, r.Locator())
		return r.Locator() == loc || v != alive && v != stale
	})
	excess := min(len(records)-(client.maxAuthorizations()-1), maxEvictions)
	if excess <= 0 {
		return nil
	}
	slices.SortFunc(records, func(a, b Record) int {
		la, lb := a.Locator(), b.Locator()
		return cmp.Or(cmp.Compare(a.lastIssued(), b.lastIssued()), bytes.Compare(la.Authorization[:], lb.Authorization[:]))
	})
	for _, r := range records[:excess] {
		// One that was used since we listed it stays: it is no longer the oldest.
		if _, _, err := i.Tokens.End(ctx, r.Locator(), EndCondition{Nonce: r.Nonce}); err != nil {
			return err
		}
	}
	return nil
}

// lastIssued is when a token of the record was last made, in Unix seconds.
func (r Record) lastIssued() int64 { return max(r.Access.IssuedAt, r.Refresh.IssuedAt) }
