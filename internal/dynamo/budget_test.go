package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/secret"
)

// The budgets of the design, verb by verb, over the real domain: what a warm
// instance that has its client records costs in calls and in capacity units.
// TestCost holds the single calls of the stores to theirs.
func TestBudget(t *testing.T) {
	t.Run("dynoxide", func(t *testing.T) { testBudget(t, dynamotest.Engine(t), 1) })
	t.Run("local", func(t *testing.T) { testBudget(t, dynamotest.Local(t), 0) })
}

const (
	read, query     = "BatchGetItem", "Query"
	get             = "GetItem"
	put, update     = "PutItem", "UpdateItem"
	remove          = "DeleteItem"
	cap25, lifetime = oauth.DefaultMaxAuthorizations, oauth.DefaultAccessLifetime
)

// price is what one request may cost.
type price struct {
	calls map[string]int // requests on the wire, by operation
	found float64        // read units for items that are there
	none  float64        // read units for items that are not: AWS charges for these too
	write float64
}

// free is what a request costs that reaches no table.
var free price

// budgetRow is one request, and what it may cost.
type budgetRow struct {
	name string
	// prepare returns the one request that is measured.
	prepare func(w *budgetWorld) func(context.Context) error
	outcome oauth.Outcome
	code    oauth.Code
	price   price
}

// budgetRows are what TestBudget measures, and what docs/performance.md is made of.
func budgetRows() []budgetRow {
	return []budgetRow{
		// Issue.
		{"client_credentials, returned", func(w *budgetWorld) func(context.Context) error {
			w.mustIssue("backend", "")
			return w.issue("backend", "")
		}, oauth.Returned, "", price{calls: map[string]int{read: 1}, found: 1, none: 1}},
		{"client_credentials, returned, after a sign-out", func(w *budgetWorld) func(context.Context) error {
			w.must(w.f.Tokens.Raise(w.t.Context(), ledger.Subject{Kind: ledger.ClientSubject, ID: "backend"}, oauth.StateChange{}))
			w.mustIssue("backend", "")
			return w.issue("backend", "")
		}, oauth.Returned, "", price{calls: map[string]int{read: 1}, found: 2}},
		{"client_credentials, next generation", func(w *budgetWorld) func(context.Context) error {
			w.mustIssue("backend", "")
			w.now.Add(lifetime - 60)
			return w.issue("backend", "")
		}, oauth.Issued, "", price{calls: map[string]int{read: 1, put: 1}, found: 1, none: 1, write: 1}},
		{"client_credentials, no item yet", func(w *budgetWorld) func(context.Context) error {
			return w.issue("backend", "")
		}, oauth.Issued, "", price{calls: map[string]int{read: 1, query: 1, put: 1}, none: 3, write: 1}},
		// The query reads 25 items, here of some 450 bytes. At 1 KB each it would take
		// 7 units.
		{"client_credentials, no item yet and the cap is full", func(w *budgetWorld) func(context.Context) error {
			for i := range cap25 {
				w.mustIssue("backend", device(i))
			}
			return w.issue("backend", device(cap25))
		}, oauth.Issued, "", price{calls: map[string]int{read: 1, query: 1, remove: 1, put: 1}, found: 3, none: 2, write: 2}},
		{"password, returned", func(w *budgetWorld) func(context.Context) error {
			w.mustLogin("app", "")
			return w.login("app", budgetPassword, "")
		}, oauth.Returned, "", price{calls: map[string]int{read: 2}, found: 2, none: 4}},
		{"password, next generation", func(w *budgetWorld) func(context.Context) error {
			w.mustLogin("app", device(1))
			w.now.Add(lifetime - 60)
			return w.login("app", budgetPassword, device(1))
		}, oauth.Issued, "", price{calls: map[string]int{read: 2, put: 1}, found: 2, none: 4, write: 1}},
		{"password, no item yet", func(w *budgetWorld) func(context.Context) error {
			return w.login("app", budgetPassword, device(1))
		}, oauth.Issued, "", price{calls: map[string]int{read: 2, query: 1, put: 1}, found: 1, none: 6, write: 1}},
		{"password, no item yet, confidential", func(w *budgetWorld) func(context.Context) error {
			return w.login("backend", budgetPassword, device(1))
		}, oauth.Issued, "", price{calls: map[string]int{read: 2, query: 1, put: 1}, found: 1, none: 5, write: 1}},
		{"password, no item yet, from a new source", func(w *budgetWorld) func(context.Context) error {
			w.source = "192.0.2.2"
			return w.login("app", budgetPassword, device(1))
		}, oauth.Issued, "", price{calls: map[string]int{read: 2, query: 1, put: 1, update: 1}, found: 1, none: 6, write: 2}},
		{"password, no item yet and the cap is full", func(w *budgetWorld) func(context.Context) error {
			for i := range cap25 {
				w.mustLogin("app", device(i))
			}
			return w.login("app", budgetPassword, device(cap25))
		}, oauth.Issued, "", price{calls: map[string]int{read: 2, query: 1, remove: 1, put: 1}, found: 1 + 3, none: 5, write: 2}},
		{"wrong password", func(w *budgetWorld) func(context.Context) error {
			return w.login("app", "another", "")
		}, "", oauth.InvalidGrant, price{calls: map[string]int{read: 1, update: 3}, found: 1, none: 3, write: 3}},
		{"right password of a disabled user", func(w *budgetWorld) func(context.Context) error {
			u, _, err := w.f.Users.User(w.t.Context(), budgetUser)
			w.must(err)
			u.Disabled = true
			_, err = w.f.Users.SaveUser(w.t.Context(), u)
			w.must(err)
			return w.login("app", budgetPassword, "")
		}, "", oauth.InvalidGrant, price{calls: map[string]int{read: 1, update: 3}, found: 1, none: 3, write: 3}}, // like a wrong one
		{"wrong password, delayed", func(w *budgetWorld) func(context.Context) error {
			for range 10 {
				w.refused(oauth.InvalidGrant, w.login("app", "another", ""))
			}
			return w.login("app", budgetPassword, "")
		}, "", oauth.InvalidGrant, price{calls: map[string]int{read: 1}, found: 4}},
		{"wrong password, delayed by what others did at the source", func(w *budgetWorld) func(context.Context) error {
			w.source = "192.0.2.2"
			for range 100 {
				w.refused(oauth.InvalidGrant, w.token("app", oauth.Form{"grant_type": "password", "username": fmt.Sprint(w.now.Add(1)), "password": "another"}))
			}
			return w.login("app", budgetPassword, "")
		}, "", oauth.InvalidGrant, price{calls: map[string]int{read: 1, update: 3}, found: 2, none: 2, write: 3}}, // like a wrong one
		{"password, delayed, for a device where nobody is signed in", func(w *budgetWorld) func(context.Context) error {
			w.mustLogin("app", device(2))
			for range 10 {
				w.refused(oauth.InvalidGrant, w.login("app", "another", ""))
			}
			return w.login("app", budgetPassword, device(1))
		}, "", oauth.InvalidGrant, price{calls: map[string]int{read: 2}, found: 4, none: 2}},
		{"password, delayed, for a device where the user is signed in", func(w *budgetWorld) func(context.Context) error {
			w.mustLogin("app", device(1))
			for range 10 {
				w.refused(oauth.InvalidGrant, w.login("app", "another", ""))
			}
			return w.login("app", budgetPassword, device(1))
		}, oauth.Returned, "", price{calls: map[string]int{read: 4}, found: 7, none: 3}},
		{"password, returned, after a wrong one", func(w *budgetWorld) func(context.Context) error {
			w.mustLogin("app", "")
			w.refused(oauth.InvalidGrant, w.login("app", "another", ""))
			return w.login("app", budgetPassword, "")
		}, oauth.Returned, "", price{calls: map[string]int{read: 2, remove: 1}, found: 5, none: 1, write: 1}},
		{"password, a scope that the client may not have", func(w *budgetWorld) func(context.Context) error {
			return w.login("app", budgetPassword, "other") // says nothing about a disabled user
		}, "", oauth.InvalidScope, price{calls: map[string]int{read: 2}, found: 1, none: 5}},

		// Refresh.
		{"refresh, confidential, returned", func(w *budgetWorld) func(context.Context) error {
			return w.refresh("backend", w.mustLogin("backend", "").RefreshToken)
		}, oauth.Refreshed, "", price{calls: map[string]int{read: 1}, found: 1, none: 1}},
		{"refresh, confidential, next access token", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("backend", "")
			w.now.Add(lifetime/2 + 1)
			return w.refresh("backend", first.RefreshToken)
		}, oauth.Refreshed, "", price{calls: map[string]int{read: 1, put: 1}, found: 1, none: 1, write: 1}},
		{"refresh, public, rotation", func(w *budgetWorld) func(context.Context) error {
			return w.refresh("app", w.mustLogin("app", device(1)).RefreshToken)
		}, oauth.Refreshed, "", price{calls: map[string]int{read: 1, put: 1}, found: 1, none: 1, write: 1}},
		{"refresh, public, rotation and next access token", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.now.Add(lifetime/2 + 1)
			return w.refresh("app", first.RefreshToken) // all four slots are full then
		}, oauth.Refreshed, "", price{calls: map[string]int{read: 1, put: 1}, found: 1, none: 1, write: 1}},
		{"refresh, public, after a lost reply", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.must(w.refresh("app", first.RefreshToken)(w.t.Context()))
			return w.refresh("app", first.RefreshToken)
		}, oauth.Repeated, "", price{calls: map[string]int{read: 1}, found: 1, none: 1}},
		{"refresh, public, replay", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.must(w.refresh("app", first.RefreshToken)(w.t.Context()))
			w.now.Add(oauth.DefaultRefreshGrace + 1)
			return w.refresh("app", first.RefreshToken)
		}, oauth.Replayed, oauth.InvalidGrant, price{calls: map[string]int{read: 1, update: 1, remove: 1}, found: 1, none: 1, write: 2}},
		{"refresh, revoked", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.must(w.revoke("app", first.RefreshToken)(w.t.Context()))
			return w.refresh("app", first.RefreshToken)
		}, "", oauth.InvalidGrant, price{calls: map[string]int{read: 1}, none: 2}},

		// Introspect.
		{"introspect", func(w *budgetWorld) func(context.Context) error {
			return w.introspect("api", w.mustLogin("app", device(1)).AccessToken)
		}, oauth.Active, "", price{calls: map[string]int{read: 1}, found: 1, none: 1}},
		{"introspect a refresh token", func(w *budgetWorld) func(context.Context) error {
			return w.introspect("backend", w.mustLogin("backend", "").RefreshToken)
		}, oauth.Active, "", price{calls: map[string]int{read: 1}, found: 1, none: 1}},
		{"introspect, revoked", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.must(w.revoke("app", first.RefreshToken)(w.t.Context()))
			return w.introspect("api", first.AccessToken)
		}, oauth.Inactive, "", price{calls: map[string]int{read: 1}, none: 2}},

		// Revoke. A delete that finds nothing, or something else, is answered without
		// the capacity that it consumed; AWS charges a write unit for it too.
		{"revoke an access token", func(w *budgetWorld) func(context.Context) error {
			return w.revoke("app", w.mustLogin("app", device(1)).AccessToken)
		}, oauth.Revoked, "", price{calls: map[string]int{remove: 1}, write: 1}},
		{"revoke a refresh token", func(w *budgetWorld) func(context.Context) error {
			return w.revoke("backend", w.mustLogin("backend", "").RefreshToken)
		}, oauth.Revoked, "", price{calls: map[string]int{remove: 1}, write: 1}},
		{"revoke, expired", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.now.Add(lifetime)
			return w.revoke("app", first.AccessToken)
		}, oauth.Revoked, "", price{calls: map[string]int{remove: 1}, write: 1}},
		{"revoke, revoked", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.must(w.revoke("app", first.AccessToken)(w.t.Context()))
			return w.revoke("app", first.AccessToken)
		}, oauth.Revoked, "", price{calls: map[string]int{remove: 1}}},
		{"revoke, from before another login", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.must(w.revoke("app", first.AccessToken)(w.t.Context()))
			w.mustLogin("app", device(1))
			return w.revoke("app", first.AccessToken)
		}, oauth.Revoked, "", price{calls: map[string]int{remove: 1}}},

		// Devices: the token is read first, like introspection, and then what it asks
		// for. A query reads all that the user has; see TestBudgetOfManyDevices.
		{"devices: list", func(w *budgetWorld) func(context.Context) error {
			return w.list(w.mustLogin("app", device(1)).AccessToken)
		}, oauth.Active, "", price{calls: map[string]int{read: 1, get: 1, query: 1}, found: 3, none: 1}},
		{"devices: end one", func(w *budgetWorld) func(context.Context) error {
			w.mustLogin("backend", device(2))
			w.mustLogin("app", device(2))
			return w.endDevice(w.mustLogin("app", device(1)).RefreshToken, 2)
		}, oauth.Active, "", price{calls: map[string]int{read: 1, query: 1, remove: 2}, found: 2, none: 1, write: 2}},
		{"devices: end one that is gone", func(w *budgetWorld) func(context.Context) error {
			return w.endDevice(w.mustLogin("app", device(1)).RefreshToken, 2)
		}, oauth.Active, "", price{calls: map[string]int{read: 1, query: 1}, found: 2, none: 1}},
		{"devices: sign out others", func(w *budgetWorld) func(context.Context) error {
			w.mustLogin("backend", device(1))
			w.mustLogin("app", device(2))
			return w.signOutOthers(w.mustLogin("app", device(1)).RefreshToken)
		}, oauth.Active, "", price{calls: map[string]int{read: 1, query: 1, remove: 2}, found: 2, none: 1, write: 2}},
		{"devices: sign out all", func(w *budgetWorld) func(context.Context) error {
			w.mustLogin("backend", device(1))
			w.mustLogin("app", device(2))
			return w.signOutAll(w.mustLogin("app", device(1)).RefreshToken)
		}, oauth.Active, "", price{calls: map[string]int{read: 1, update: 1}, found: 1, none: 1, write: 1}},
		{"devices: a token that was revoked", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.must(w.revoke("app", first.AccessToken)(w.t.Context()))
			return w.list(first.AccessToken)
		}, oauth.Inactive, "", price{calls: map[string]int{read: 1}, none: 2}},
		{"devices: a token that expired", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.now.Add(lifetime)
			return w.list(first.AccessToken)
		}, oauth.Inactive, "", free},

		// The authorizer and /me, which read a token like introspection, without a client
		// that asks.
		{"authorizer", func(w *budgetWorld) func(context.Context) error {
			return w.access(w.mustLogin("app", device(1)).AccessToken)
		}, oauth.Active, "", price{calls: map[string]int{read: 1}, found: 1, none: 1}},
		{"authorizer, after a sign-out", func(w *budgetWorld) func(context.Context) error {
			w.must(w.f.Tokens.Raise(w.t.Context(), ledger.Subject{Kind: ledger.UserSubject, ID: "u_abcdefghijklmnopqrstuvwxyz"}, oauth.StateChange{}))
			return w.access(w.mustLogin("app", device(1)).AccessToken)
		}, oauth.Active, "", price{calls: map[string]int{read: 1}, found: 2}},
		{"authorizer, revoked", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.must(w.revoke("app", first.RefreshToken)(w.t.Context()))
			return w.access(first.AccessToken)
		}, oauth.Inactive, "", price{calls: map[string]int{read: 1}, none: 2}},
		{"authorizer, expired", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.now.Add(lifetime)
			return w.access(first.AccessToken)
		}, oauth.Inactive, "", free},
		{"authorizer, a refresh token", func(w *budgetWorld) func(context.Context) error {
			return w.access(w.mustLogin("app", device(1)).RefreshToken)
		}, oauth.Inactive, "", free},

		// These are refused before the store is asked.
		{"refresh, expired", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("backend", "")
			w.now.Add(oauth.DefaultRefreshAbsolute)
			return w.refresh("backend", first.RefreshToken)
		}, "", oauth.InvalidGrant, free},
		{"introspect, expired", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.now.Add(lifetime)
			return w.introspect("api", first.AccessToken)
		}, oauth.Inactive, "", free},
		{"refresh by another client", func(w *budgetWorld) func(context.Context) error {
			return w.refresh("app", w.mustLogin("backend", "").RefreshToken)
		}, "", oauth.InvalidGrant, free},
		{"introspect by a stranger", func(w *budgetWorld) func(context.Context) error {
			return w.introspect("backend", w.mustLogin("app", device(1)).AccessToken)
		}, oauth.Inactive, "", free},
		{"revoke by another client", func(w *budgetWorld) func(context.Context) error {
			return w.revoke("backend", w.mustLogin("app", device(1)).AccessToken)
		}, oauth.Revoked, oauth.InvalidGrant, free},
		{"wrong client secret", func(w *budgetWorld) func(context.Context) error {
			wrong := oauthtest.Credentials("backend")
			wrong.Secret = secret.New("another")
			return func(ctx context.Context) error {
				_, err := w.issuer.Token(ctx, oauth.TokenRequest{Credentials: wrong, Form: oauth.Form{"grant_type": "client_credentials"}})
				return err
			}
		}, "", oauth.InvalidClient, free},
		{"grant that the client may not use", func(w *budgetWorld) func(context.Context) error {
			return w.token("api", oauth.Form{"grant_type": "client_credentials"})
		}, "", oauth.UnauthorizedClient, free},
		{"malformed scope", func(w *budgetWorld) func(context.Context) error {
			return w.token("backend", oauth.Form{"grant_type": "client_credentials", "scope": "device_"})
		}, "", oauth.InvalidScope, free},
		{"scope that the client may not have", func(w *budgetWorld) func(context.Context) error {
			return w.token("backend", oauth.Form{"grant_type": "client_credentials", "scope": "other"})
		}, "", oauth.InvalidScope, free},
	}
}

// testBudget takes what the engine charges for an item that is not there: one
// unit as AWS does, or by mistake none.
func testBudget(t *testing.T, endpoint string, absent float64) {
	for _, test := range budgetRows() {
		t.Run(test.name, func(t *testing.T) {
			w := newBudgetWorld(t, endpoint)
			request := test.prepare(w)
			w.measure(request, test.outcome, test.code, test.price, absent)
		})
	}

	// Anybody can send these, as often as they like.
	w := newBudgetWorld(t, endpoint)
	user, client := w.mustLogin("app", device(1)), w.mustLogin("backend", "")
	endpoints := map[string]struct {
		request func(bearer.Bearer) func(context.Context) error
		genuine bearer.Bearer
		outcome oauth.Outcome
		code    oauth.Code
	}{
		"refresh":                      {func(b bearer.Bearer) func(context.Context) error { return w.refresh("backend", b) }, client.RefreshToken, "", oauth.InvalidGrant},
		"introspect":                   {func(b bearer.Bearer) func(context.Context) error { return w.introspect("api", b) }, user.AccessToken, oauth.Inactive, ""},
		"introspect the refresh token": {func(b bearer.Bearer) func(context.Context) error { return w.introspect("backend", b) }, client.RefreshToken, oauth.Inactive, ""},
		"revoke":                       {func(b bearer.Bearer) func(context.Context) error { return w.revoke("app", b) }, user.AccessToken, oauth.Revoked, ""},
		"authorizer":                   {w.access, user.AccessToken, oauth.Inactive, ""},
		"devices":                      {w.list, user.AccessToken, oauth.Inactive, ""},
		"revoke the refresh token":     {func(b bearer.Bearer) func(context.Context) error { return w.revoke("app", b) }, user.RefreshToken, oauth.Revoked, ""},
	}
	for name, e := range endpoints {
		t.Run("forged: "+name, func(t *testing.T) {
			w.t = t
			for what, forged := range forgeries(t, e.genuine) {
				w.meter.reset()
				var event oauth.Event
				err := e.request(forged)(oauth.WithEvent(t.Context(), &event))
				refused, _ := errors.AsType[*oauth.Error](err)
				if (e.code == "") != (err == nil) || e.code != "" && (refused == nil || refused.Code != e.code) || event.Outcome != e.outcome {
					t.Errorf("%s: outcome %q and error %v, want %q and %q", what, event.Outcome, err, e.outcome, e.code)
				}
				w.check(event, free, absent)
			}
			// The control: what was forged after costs something.
			w.meter.reset()
			if err := e.request(e.genuine)(t.Context()); err != nil || w.meter.reset().total() == 0 {
				t.Errorf("the genuine token: no call, or %v", err)
			}
		})
	}
}
