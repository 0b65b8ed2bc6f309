// Package memory keeps tokens, clients and users in maps: the stores of package
// oauth without a database.
//
// It exists for `fob serve` on a laptop and for tests, and no deployed function
// links it. Each store has one lock around its map; that lock is the store's own
// business and stands in for the atomic conditional writes of a database, so
// nothing outside may rely on more than the contract says. What goes in and what
// comes out are deep copies. Nothing is swept: a process does not live that long.
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
