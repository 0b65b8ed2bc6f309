package dynamo_test

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"
	"testing"

	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

// A new Authorization costs no more for a subject with ten thousand live ones than for
// one with some hundred: two queries of 101 and 100 records, here of some 360 bytes. At
// 1 KB each they would take 26 and 25 units.
func TestBudgetOfTheCap(t *testing.T) {
	t.Run("dynoxide", func(t *testing.T) { testBudgetOfTheCap(t, dynamotest.Engine(t), 1, 10_000) })
	// It is slow to write.
	t.Run("local", func(t *testing.T) { testBudgetOfTheCap(t, dynamotest.Local(t), 0, 1000) })
}

func testBudgetOfTheCap(t *testing.T, endpoint string, absent float64, many int) {
	w := newBudgetWorld(t, endpoint)
	backend, _, err := w.f.Clients.Client(t.Context(), "backend")
	w.must(err)
	backend.MaxAuthorizations = 10_000
	backend, err = w.f.Clients.SaveClient(t.Context(), backend)
	w.must(err)
	w.issuer, w.verifier = w.instance(endpoint)

	few := map[string]int{read: 1, query: 1, put: 1}
	full := map[string]int{read: 1, query: 2, put: 1}
	live := 0
	for _, step := range []struct {
		live  int
		price price
	}{
		{0, price{calls: few, none: 3, write: 1}},
		{1, price{calls: few, found: 1, none: 2, write: 1}},
		{25, price{calls: few, found: 3, none: 2, write: 1}},
		{100, price{calls: few, found: 9, none: 2, write: 1}},
		// As many as the second query may read have their keys on either side.
		{many, price{calls: full, found: 18, none: 2, write: 1}},
	} {
		w.save(live, step.live)
		w.meter.reset()
		var event oauth.Event
		w.must(w.issue("backend", device(step.live))(oauth.WithEvent(t.Context(), &event)))
		w.checkPrice(event, step.price, absent)
		live = step.live + 1
	}
}

// save adds the records of the client's own devices from one number to another. They
// are those of the domain in all that matters to a read.
func (w *budgetWorld) save(from, to int) {
	w.t.Helper()
	if from >= to {
		return
	}
	all, err := w.f.Tokens.List(w.t.Context(), ledger.Subject{Kind: ledger.ClientSubject, ID: "backend"}, "backend")
	w.must(err)
	var wg sync.WaitGroup
	for lane := range 8 {
		wg.Go(func() {
			for n := from + lane; n < to; n += 8 {
				r := all[0]
				name, err := scope.ParseDevice(strings.TrimPrefix(device(n), scope.DevicePrefix))
				if err != nil {
					w.t.Error(err)
					return
				}
				r.Authorization.Scope = r.Authorization.Scope.WithDevice(name)
				_, _ = rand.Read(r.Nonce[:])
				if _, _, err := w.f.Tokens.Save(w.t.Context(), r, ledger.Nonce{}); err != nil {
					w.t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// Sixteen first requests of one user at once, when the cap is full. For one device each that
// finds no record makes room and tries to make it; one succeeds, and the others return its token.
// For sixteen devices all may end the same oldest ones, and then pass the cap together;
// the next ends what is too much. Nobody tries again.
func TestBudgetOfFirstRequestsAtOnce(t *testing.T) {
	t.Run("dynoxide", func(t *testing.T) { testBudgetOfFirstRequestsAtOnce(t, dynamotest.Engine(t)) })
	t.Run("local", func(t *testing.T) { testBudgetOfFirstRequestsAtOnce(t, dynamotest.Local(t)) })
}

func testBudgetOfFirstRequestsAtOnce(t *testing.T, endpoint string) {
	const requests = 16
	for _, test := range []struct {
		name    string
		device  func(n int) string
		made    int // records
		removes int // at most
	}{
		{"one device", func(int) string { return device(100) }, 1, requests},
		{"sixteen devices", func(n int) string { return device(100 + n) }, requests, 10 * requests},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newBudgetWorld(t, endpoint)
			for n := range cap25 {
				w.mustLogin("app", device(n))
				w.now.Add(1)
			}
			w.meter.reset()
			var wg sync.WaitGroup
			for n := range requests {
				login := w.login("app", budgetPassword, test.device(n))
				wg.Go(func() {
					if err := login(context.WithoutCancel(t.Context())); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			seen := w.meter.reset()
			t.Logf("%v, %v read units, %v write units", seen.calls, seen.reads, seen.writes)
			if n := seen.calls[remove]; n < 1 || n > test.removes {
				t.Errorf("%d deletes, want 1 to %d", n, test.removes)
			}
			if n := seen.calls[put]; n < test.made || n > requests || seen.calls[query] != n {
				t.Errorf("%d queries and %d writes, want %d to %d, and as many of both", seen.calls[query], n, test.made, requests)
			}
			if n := seen.calls[read]; n < 2*requests || n > 3*requests {
				t.Errorf("%d reads", n)
			}

			w.now.Add(1)
			w.mustLogin("app", device(200))
			w.now.Add(1)
			w.mustLogin("app", device(201))
			live := 0
			for _, item := range w.f.Items(t, w.f.Tables.Tokens) {
				if item["sk"] != nil {
					live++
				}
			}
			t.Logf("%d live ones after two more logins", live)
			if live > cap25 {
				t.Errorf("%d live ones after two more logins, want %d", live, cap25)
			}
		})
	}
}
