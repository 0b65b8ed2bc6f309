// Package warm opens a function's connections before its first request.
//
// Lambda gives a full core while a function starts and a fraction of one
// afterwards, so the TLS handshakes and the code paths of the first calls belong
// there.
package warm

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
)

// limit is well within the ten seconds that Lambda gives to a start.
const limit = 8 * time.Second

// Up fetches the key ring and, beside it, makes one real read of the tables.
//
// A ring that must not be served with is an error. An outage is logged and is
// none: for a function that does not start the gateway answers, with a body that
// is no OAuth error, while one that did start answers 503 until it is over.
func Up[R any](ctx context.Context, log *slog.Logger, clients *oauth.ClientCache, ring oauth.Keys[R]) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var wg sync.WaitGroup
	var readErr error
	wg.Go(func() { _, readErr = clients.ResourceScopes(ctx) })
	_, ringErr := ring.Ring(ctx)
	wg.Wait()
	if errors.Is(ringErr, bearer.ErrBadRing) {
		return ringErr
	}
	if err := errors.Join(ringErr, readErr); err != nil {
		log.ErrorContext(ctx, "started without warm connections", "error", err)
	}
	return nil
}
