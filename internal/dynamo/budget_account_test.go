package dynamo_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/secret"
)

// What a signed-in user does to the own account, without the token, which costs what /me
// does. The user is signed in on two devices.
func TestBudgetOfAccounts(t *testing.T) {
	t.Run("dynoxide", func(t *testing.T) { testBudgetOfAccounts(t, dynamotest.Engine(t), 1) })
	t.Run("local", func(t *testing.T) { testBudgetOfAccounts(t, dynamotest.Local(t), 0) })
}

func testBudgetOfAccounts(t *testing.T, endpoint string, absent float64) {
	w := newBudgetWorld(t, endpoint)
	users, tokens := w.issuer.Users.(*dynamo.Users), w.verifier.Tokens.(*dynamo.Tokens)
	a := &oauth.Account{
		Logins:    users,
		Registrar: &oauth.UserRegistrar{Users: users, Subjects: tokens, Tokens: tokens, Passwords: new(oauthtest.Passwords), Now: w.now.Now},
		SignIns:   w.verifier.SignIns(tokens),
	}
	phone := w.mustLogin("app", device(0)).RefreshToken
	w.mustLogin("app", device(1))
	next := secret.New("blue lamp on a desk")
	for _, step := range []struct {
		name    string
		request func(context.Context, oauth.Introspection) error
		price   price
	}{
		{"label a device", func(ctx context.Context, caller oauth.Introspection) error {
			_, err := a.SignIns.SetLabel(ctx, caller.Subject, oauth.HandleOf(caller.Subject, caller.Scope.Device()), strings.Repeat("x", oauth.MaxLabel))
			return err
		}, price{calls: map[string]int{get: 1, query: 1, put: 1}, found: 2, write: 1}},
		{"a wrong password", func(ctx context.Context, caller oauth.Introspection) error {
			_, err := a.ChangePassword(ctx, caller, w.source, next, next)
			if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Code != oauth.InvalidGrant {
				t.Errorf("%v, want invalid_grant", err)
			}
			return nil
		}, price{calls: map[string]int{get: 2, read: 1, update: 3}, found: 3, none: 3, write: 3}},
		{"change the password", func(ctx context.Context, caller oauth.Introspection) error {
			stays, err := a.ChangePassword(ctx, caller, w.source, secret.New(budgetPassword), next)
			if !stays {
				t.Error("the device is signed out")
			}
			return err
		}, price{calls: map[string]int{get: 5, read: 1, query: 1, put: 2, update: 1, remove: 1}, found: 10, write: 4}},
		{"leave", func(ctx context.Context, caller oauth.Introspection) error {
			return a.Delete(ctx, caller, w.source, next)
		}, price{calls: map[string]int{get: 2, read: 1, query: 1, update: 1, remove: 4}, found: 6, none: 1, write: 5}},
	} {
		t.Run(step.name, func(t *testing.T) {
			w.t = t
			caller, err := w.verifier.Holder(t.Context(), phone)
			if err != nil || !caller.Active {
				t.Fatal(caller.Active, err)
			}
			w.meter.reset()
			var event oauth.Event
			if err := step.request(oauth.WithEvent(t.Context(), &event), caller); err != nil {
				t.Fatal(err)
			}
			w.check(event, step.price, absent)
		})
	}
}
