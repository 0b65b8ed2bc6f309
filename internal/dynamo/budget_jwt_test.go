package dynamo_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/wire"
)

// signJWTs gives JWTs to the clients of the budgets, for as long as opaque tokens live.
func (w *budgetWorld) signJWTs(endpoint string) {
	w.t.Helper()
	for _, id := range []ledger.ClientID{"backend", "app"} {
		c, _, err := w.f.Clients.Client(w.t.Context(), id)
		w.must(err)
		c.TokenFormat, c.AccessLifetime = ledger.JWT, lifetime
		_, err = w.f.Clients.SaveClient(w.t.Context(), c)
		w.must(err)
	}
	w.ring = oauthtest.SigningRing(w.t, "")
	w.issuer, w.verifier = w.instance(endpoint)
}

// Each request costs with a JWT what it costs with an opaque token, but for one: a record has
// the issuer in addition, and so the records of a full cap are a read unit more.
func TestBudgetOfJWTs(t *testing.T) {
	t.Run("dynoxide", func(t *testing.T) { testBudgetOfJWTs(t, dynamotest.Engine(t), 1) })
	t.Run("local", func(t *testing.T) { testBudgetOfJWTs(t, dynamotest.Local(t), 0) })
}

func testBudgetOfJWTs(t *testing.T, endpoint string, absent float64) {
	for _, test := range budgetRows() {
		t.Run(test.name, func(t *testing.T) {
			w := newBudgetWorld(t, endpoint)
			w.signJWTs(endpoint)
			request, want := test.prepare(w), test.price
			if test.name == "password, no item yet and the cap is full" {
				want.found++ // the 25 records are more than 12 KB
			}
			w.measure(request, test.outcome, test.code, want, absent)
		})
	}

	// The records are the larger ones.
	size := func(format func(*budgetWorld)) int {
		w := newBudgetWorld(t, endpoint)
		format(w)
		w.mustLogin("app", device(1))
		return sizeOf(w.f.Items(t, w.f.Tables.Tokens)[0])
	}
	opaque, jwt := size(func(*budgetWorld) {}), size(func(w *budgetWorld) { w.signJWTs(endpoint) })
	if jwt <= opaque {
		t.Errorf("the record of a JWT has %d bytes, and that of an opaque token %d", jwt, opaque)
	}

	w := newBudgetWorld(t, endpoint)
	w.signJWTs(endpoint)
	w.measure(func(ctx context.Context) error {
		rec := httptest.NewRecorder()
		v := &oauth.Verifier{Keys: oauthtest.Keys[*bearer.CheckRing]{Always: w.ring.CheckRing}, Now: time.Now}
		wire.KeySet(v, wire.Options{}).ServeHTTP(rec, httptest.NewRequestWithContext(ctx, http.MethodGet, wire.KeySetPath, nil))
		if rec.Code != http.StatusOK {
			return fmt.Errorf("the key set: %d %s", rec.Code, rec.Body)
		}
		return nil
	}, "", "", free, absent)
}
