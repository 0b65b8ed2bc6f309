package dynamo_test

import (
	"context"
	"testing"

	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/oauth"
)

// A login that another issuer proves, on an instance that knows the issuer. A user of the
// issuer costs what a refresh costs, and a user of fob also the read of that user.
func TestBudgetOfExchange(t *testing.T) {
	t.Run("dynoxide", func(t *testing.T) { testBudgetOfExchange(t, dynamotest.Engine(t), 1) })
	t.Run("local", func(t *testing.T) { testBudgetOfExchange(t, dynamotest.Local(t), 0) })
}

func testBudgetOfExchange(t *testing.T, endpoint string, absent float64) {
	exchange := func(w *budgetWorld, issuer, sub, scope string) func(context.Context) error {
		return w.token("app", oauth.Form{
			"grant_type": string(oauth.TokenExchangeGrant), "subject_token": `{"iss":"` + issuer + `","sub":"` + sub + `"}`,
			"subject_token_type": "urn:ietf:params:oauth:token-type:id_token", "scope": scope,
		})
	}
	type request = func(context.Context) error
	for _, test := range []struct {
		name    string
		prepare func(w *budgetWorld) request
		outcome oauth.Outcome
		code    oauth.Code
		price   price
	}{
		{"hashed, no item yet", func(w *budgetWorld) request {
			return exchange(w, budgetIssuer, "001234.abc", device(1))
		}, oauth.Issued, "", price{calls: map[string]int{read: 1, query: 1, put: 1}, none: 3, write: 1}},
		{"hashed, returned", func(w *budgetWorld) request {
			again := exchange(w, budgetIssuer, "001234.abc", device(1))
			w.must(again(w.t.Context()))
			return again
		}, oauth.Returned, "", price{calls: map[string]int{read: 1}, found: 1, none: 1}},
		{"hashed, next generation", func(w *budgetWorld) request {
			again := exchange(w, budgetIssuer, "001234.abc", device(1))
			w.must(again(w.t.Context()))
			w.now.Add(lifetime - 60)
			return again
		}, oauth.Issued, "", price{calls: map[string]int{read: 1, put: 1}, found: 1, none: 1, write: 1}},
		{"a user of fob, no item yet", func(w *budgetWorld) request {
			return exchange(w, budgetBackEnd, budgetUser, device(1))
		}, oauth.Issued, "", price{calls: map[string]int{read: 2, query: 1, put: 1}, found: 1, none: 3, write: 1}},
		{"a user of fob, returned", func(w *budgetWorld) request {
			again := exchange(w, budgetBackEnd, budgetUser, device(1))
			w.must(again(w.t.Context()))
			return again
		}, oauth.Returned, "", price{calls: map[string]int{read: 2}, found: 2, none: 1}},
		{"nobody of fob", func(w *budgetWorld) request {
			return exchange(w, budgetBackEnd, "stranger@example.com", device(1))
		}, "", oauth.InvalidRequest, price{calls: map[string]int{read: 1}, none: 1}},
		{"an issuer that is not registered", func(w *budgetWorld) request {
			return exchange(w, "https://evil.example", "ann", device(1))
		}, "", oauth.InvalidRequest, price{calls: map[string]int{get: 1}, found: 1}}, // both engines charge a GetItem of nothing
		{"not a JWT", func(w *budgetWorld) request {
			return w.token("app", oauth.Form{"grant_type": string(oauth.JWTBearerGrant), "assertion": "x", "scope": device(1)})
		}, "", oauth.InvalidGrant, price{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newBudgetWorld(t, endpoint)
			w.measure(test.prepare(w), test.outcome, test.code, test.price, absent)
		})
	}
}
