package dynamo_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// A user with 25 devices on each of 10 clients: a page costs one query over all 250,
// whatever its size; signing out of all but one is a delete each, and of all is one
// write. At 1 KB an item the query would take 62 units; here they have some 450
// bytes.
func TestBudgetOfManyDevices(t *testing.T) {
	t.Run("dynoxide", func(t *testing.T) { testBudgetOfManyDevices(t, dynamotest.Engine(t), 1) })
	t.Run("local", func(t *testing.T) { testBudgetOfManyDevices(t, dynamotest.Local(t), 0) })
}

func testBudgetOfManyDevices(t *testing.T, endpoint string, absent float64) {
	const clients = 10
	w := newBudgetWorld(t, endpoint)
	app, found, err := w.f.Clients.Client(t.Context(), "app")
	if err != nil || !found {
		t.Fatal(found, err)
	}
	var mine bearer.Bearer
	for c := range clients {
		app.ID, app.Version = ledger.ClientID(fmt.Sprintf("app-%d", c)), 0
		_, err := w.f.Clients.SaveClient(t.Context(), app)
		w.must(err)
		for n := range cap25 {
			credentials := oauth.Credentials{ID: app.ID}
			r, err := w.issuer.Token(t.Context(), oauth.TokenRequest{Credentials: credentials, Form: passwordForm(budgetPassword, device(n)), Source: "192.0.2.1"})
			w.must(err)
			mine = r.RefreshToken
		}
	}
	for _, step := range []struct {
		name    string
		request func(context.Context) error
		price   price
	}{
		{"list", w.list(mine), price{calls: map[string]int{read: 1, get: 1, query: 1}, found: 1 + 1 + 30, none: 1}},
		{"end one", w.endDevice(mine, 0), price{calls: map[string]int{read: 1, query: 1, remove: clients}, found: 1 + 30, none: 1, write: clients}},
		{"sign out others", w.signOutOthers(mine), price{calls: map[string]int{read: 1, query: 1, remove: clients*(cap25-1) - 1}, found: 1 + 29, none: 1, write: clients*(cap25-1) - 1}},
		{"sign out all", w.signOutAll(mine), price{calls: map[string]int{read: 1, update: 1}, found: 1, none: 1, write: 1}},
	} {
		w.meter.reset()
		var event oauth.Event
		if err := step.request(oauth.WithEvent(t.Context(), &event)); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		w.check(event, step.price, absent)
	}
}
