package oauth

import (
	"cmp"
	"context"
	"math"
	mathrand "math/rand/v2"
	"slices"

	"github.com/fob-oauth/fob/internal/ledger"
)

const (
	// maxNeighbours bounds what one new Authorization reads of the others.
	maxNeighbours = 100

	// maxEvictions bounds the deletes of one request after a cap was lowered; the
	// next requests go on.
	maxEvictions = 10
)

// makeRoom keeps a subject and client to their number of live Authorizations
// before another is made: those whose token was issued longest ago end. Two
// requests at once may pass the cap by one; the next repairs it.
//
// Where a subject has more than maxNeighbours records with the client, it judges by
// those whose keys are near the new one, and ends the oldest of them.
func (i *Issuer) makeRoom(ctx context.Context, v ledger.View, client Client, coming ledger.Record) error {
	// By chance, or somebody who chooses device names could make each next one where
	// no other is.
	after := mathrand.IntN(2) == 0 //nolint:gosec // keeps the count, guards no secret
	near, err := i.Tokens.Near(ctx, coming.Authorization, maxNeighbours, after)
	if err != nil {
		return err
	}
	loc := coming.Locator()
	records := slices.DeleteFunc(near.Records, func(r ledger.Record) bool {
		verdict := v.JudgeListed(r)
		return r.Locator() == loc || verdict != ledger.Alive && verdict != ledger.Behind
	})
	excess := min(len(records)-(allowedNear(client.maxAuthorizations(), near.Share)-1), maxEvictions)
	if excess <= 0 {
		return nil
	}
	slices.SortFunc(records, func(a, b ledger.Record) int {
		if older := cmp.Compare(a.LastIssued(), b.LastIssued()); older != 0 {
			return older
		}
		return a.Locator().Compare(b.Locator()) // which takes hashes
	})
	for _, r := range records[:excess] {
		// One that was used since we listed it stays: it is no longer the oldest.
		_, ended, err := i.Tokens.End(ctx, r.Locator(), ledger.EndCondition{Nonce: r.Nonce})
		if err != nil {
			return err
		}
		if ended {
			EventOf(ctx).Evicted++
		}
	}
	return nil
}

// allowedNear is how many live Authorizations may have their keys in a share of all
// keys: that share of the cap, and three standard deviations and two more, as chance
// does not spread keys evenly.
func allowedNear(most int, share float64) int {
	if share == 1 {
		return most
	}
	root := math.Sqrt(float64(most)*share) + 1.5
	return int(root * root)
}
