// Package memory keeps tokens, clients and users in maps: the stores of package
// oauth without a database.
//
// It is for `fob serve` on a laptop and for tests; no deployed function links it.
// Locks stand for the atomic conditional writes of a database, so callers may rely
// on no more than the contract of the stores says. Values are copied deeply on their
// way in and out. Nothing is swept: a process does not live that long.
package memory

import (
	"context"

	"github.com/fob-oauth/fob/internal/oauth"
)

// begin counts a call, and refuses one whose time is up, as a database would.
func begin(ctx context.Context, doing string) error {
	oauth.EventOf(ctx).StoreCalls++
	if ctx.Err() != nil {
		return oauth.Unavailable(doing, context.Cause(ctx))
	}
	return nil
}
