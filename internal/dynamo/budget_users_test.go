package dynamo_test

import (
	"context"
	"testing"

	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/secret"
)

// What a back end asks of users, without the token, which costs what /me does.
func TestBudgetOfUsers(t *testing.T) {
	t.Run("dynoxide", func(t *testing.T) { testBudgetOfUsers(t, dynamotest.Engine(t), 1) })
	t.Run("local", func(t *testing.T) { testBudgetOfUsers(t, dynamotest.Local(t), 0) })
}

func testBudgetOfUsers(t *testing.T, endpoint string, absent float64) {
	w := newBudgetWorld(t, endpoint)
	users, tokens := w.issuer.Users.(*dynamo.Users), w.verifier.Tokens.(*dynamo.Tokens)
	r := &oauth.UserRegistrar{Users: users, Subjects: tokens, Tokens: tokens, Passwords: new(oauthtest.Passwords), Now: w.now.Now}
	var ann oauth.User
	for _, step := range []struct {
		name    string
		request func(context.Context) error
		price   price
	}{
		{"add", func(ctx context.Context) (err error) {
			ann, err = r.AddUser(ctx, oauth.NewUser{Username: "ann@mobile.example.com", Password: secret.New("blue lamp on a desk")})
			return err
		}, price{calls: map[string]int{get: 1, update: 1, put: 1}, found: 1, write: 2}}, // a read of nothing by GetItem costs a unit too
		{"add again", func(ctx context.Context) error {
			_, err := r.AddUser(ctx, oauth.NewUser{Username: "ann@mobile.example.com", Password: secret.New("blue lamp on a desk")})
			if oauth.IsChange(err, oauth.EntryExists) {
				return nil
			}
			return err
		}, price{calls: map[string]int{get: 1}, found: 1}},
		{"find by id", func(ctx context.Context) error {
			_, err := r.UserByID(ctx, ann.ID)
			return err
		}, price{calls: map[string]int{get: 2}, found: 2}},
		{"change", func(ctx context.Context) error {
			_, err := r.ChangeUser(ctx, ann, oauth.UserChange{Roles: new([]string{"editor"}), Version: ann.Version})
			return err
		}, price{calls: map[string]int{get: 1, put: 1, update: 1}, found: 1, write: 2}},
		{"disable", func(ctx context.Context) error { return r.SetUserDisabled(ctx, ann, true) },
			price{calls: map[string]int{get: 1, put: 1, update: 1, query: 1}, found: 1, none: 1, write: 2}},
		{"remove", func(ctx context.Context) error { return r.RemoveUser(ctx, ann) },
			price{calls: map[string]int{update: 1, query: 1, remove: 2}, none: 1, write: 3}},
	} {
		t.Run(step.name, func(t *testing.T) {
			w.t = t
			w.meter.reset()
			var event oauth.Event
			if err := step.request(oauth.WithEvent(t.Context(), &event)); err != nil {
				t.Fatal(err)
			}
			w.check(event, step.price, absent)
		})
	}
}
