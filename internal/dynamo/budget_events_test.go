package dynamo_test

import (
	"context"
	"testing"

	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

// event is what a transmitter sends that signs with this key.
func (w *budgetWorld) event(key assertiontest.Key, issuer, eventType string) func(context.Context) error {
	w.t.Helper()
	token := key.Sign(w.t, assertiontest.Members{"typ": "secevent+jwt"}, assertiontest.Members{
		"iss": issuer, "aud": "com.example.app", "jti": "1", "iat": w.now.Load(), "sub": "001234.abc",
		"events": assertiontest.Members{eventType: assertiontest.Members{}},
	})
	receiver := &oauth.Receiver{Issuers: w.issuer.Issuers, Assertions: w.issuer.Assertions, Subjects: w.issuer.Tokens.(*dynamo.Tokens)}
	return func(ctx context.Context) error { return receiver.Receive(ctx, secret.New(token)) }
}

// An event that ends sign-ins is one write, for any user and however often it
// comes. One that does nothing, and one that is forged, cost nothing.
func TestBudgetOfEvents(t *testing.T) {
	t.Run("dynoxide", func(t *testing.T) { testBudgetOfEvents(t, dynamotest.Engine(t), 1) })
	t.Run("local", func(t *testing.T) { testBudgetOfEvents(t, dynamotest.Local(t), 0) })
}

func testBudgetOfEvents(t *testing.T, endpoint string, absent float64) {
	const disabled = "https://schemas.openid.net/secevent/risc/event-type/account-disabled"
	type request = func(context.Context) error
	nothing := price{calls: map[string]int{get: 1}, found: 1} // both engines charge a GetItem of nothing
	forger := assertiontest.NewKey(t, "ES256")
	for _, test := range []struct {
		name    string
		prepare func(w *budgetWorld) request
		outcome oauth.Outcome
		code    oauth.Code
		price   price
	}{
		{"signs out", func(w *budgetWorld) request {
			w.exchanged()
			return w.event(w.key, budgetIssuer, disabled)
		}, oauth.SignedOut, "", price{calls: map[string]int{update: 1}, write: 1}},
		{"about nobody who signed in", func(w *budgetWorld) request {
			return w.event(w.key, budgetIssuer, disabled)
		}, oauth.SignedOut, "", price{calls: map[string]int{update: 1}, write: 1}},
		{"nothing to do", func(w *budgetWorld) request {
			return w.event(w.key, budgetIssuer, "https://example.com/other")
		}, oauth.Noted, "", price{}},
		{"forged", func(w *budgetWorld) request {
			return w.event(forger, budgetIssuer, disabled)
		}, "", oauth.InvalidKey, price{}},
		{"an issuer that is not for events", func(w *budgetWorld) request {
			return w.event(w.key, budgetBackEnd, disabled)
		}, "", oauth.InvalidIssuer, price{}},
		{"an issuer that is not registered", func(w *budgetWorld) request {
			return w.event(w.key, "https://evil.example", disabled)
		}, "", oauth.InvalidIssuer, nothing},
		{"the login afterwards, refused", func(w *budgetWorld) request {
			login := w.exchange(budgetIssuer, "001234.abc")
			w.must(w.event(w.key, budgetIssuer, disabled)(w.t.Context()))
			return login
		}, "", oauth.InvalidRequest, price{calls: map[string]int{read: 1}, found: 1, none: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newBudgetWorld(t, endpoint)
			w.measure(test.prepare(w), test.outcome, test.code, test.price, absent)
		})
	}
}
