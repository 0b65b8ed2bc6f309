package dynamo_test

import (
	"context"
	"testing"

	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

// ownUsers prove everybody who has the password of the budgets.
type ownUsers struct{ roles []string }

func (o *ownUsers) Ask(_ context.Context, name string, password secret.Text) (oauth.OwnUser, bool, error) {
	return oauth.OwnUser{ID: name, Username: name, Roles: o.roles}, password.Equal(secret.New(budgetPassword)), nil
}

const budgetOwnUser = "carlotta.longname@mobile.example.com"

// A login where a team has its own users costs DynamoDB what each login costs. The first
// one of a person reads the state once more and writes the entry and its id; one with
// other roles writes the entry.
func TestBudgetOfOwnUsers(t *testing.T) {
	t.Run("dynoxide", func(t *testing.T) { testBudgetOfOwnUsers(t, dynamotest.Engine(t), 1) })
	t.Run("local", func(t *testing.T) { testBudgetOfOwnUsers(t, dynamotest.Local(t), 0) })
}

func testBudgetOfOwnUsers(t *testing.T, endpoint string, absent float64) {
	type request = func(context.Context) error
	for _, test := range []struct {
		name    string
		mode    oauth.OwnUsersMode
		prepare func(w *budgetWorld, login func(password string) request, own *ownUsers) request
		outcome oauth.Outcome
		code    oauth.Code
		price   price
	}{
		{"asked, the first login", oauth.AskedAtEach, func(_ *budgetWorld, login func(string) request, _ *ownUsers) request {
			return login(budgetPassword)
		}, oauth.Issued, "", price{calls: map[string]int{read: 3, query: 1, put: 1 + 1, update: 1}, none: 4 + 2 + 3, write: 3}},
		{"kept, the first login", oauth.AskedUntilFirst, func(_ *budgetWorld, login func(string) request, _ *ownUsers) request {
			return login(budgetPassword)
		}, oauth.Issued, "", price{calls: map[string]int{read: 3, query: 1, put: 1 + 1, update: 1}, none: 4 + 2 + 3, write: 3}},
		{"asked, returned", oauth.AskedAtEach, func(w *budgetWorld, login func(string) request, _ *ownUsers) request {
			w.must(login(budgetPassword)(w.t.Context()))
			return login(budgetPassword)
		}, oauth.Returned, "", price{calls: map[string]int{read: 2}, found: 2, none: 4}},
		{"kept, returned", oauth.AskedUntilFirst, func(w *budgetWorld, login func(string) request, _ *ownUsers) request {
			w.must(login(budgetPassword)(w.t.Context()))
			return login(budgetPassword)
		}, oauth.Returned, "", price{calls: map[string]int{read: 2}, found: 2, none: 4}},
		{"asked, returned, with other roles", oauth.AskedAtEach, func(w *budgetWorld, login func(string) request, own *ownUsers) request {
			w.must(login(budgetPassword)(w.t.Context()))
			own.roles = []string{"staff"}
			return login(budgetPassword)
		}, oauth.Returned, "", price{calls: map[string]int{read: 2, put: 1}, found: 2, none: 4, write: 1}},
		{"asked, wrong password", oauth.AskedAtEach, func(w *budgetWorld, login func(string) request, _ *ownUsers) request {
			w.must(login(budgetPassword)(w.t.Context()))
			return login("another")
		}, "", oauth.InvalidGrant, price{calls: map[string]int{read: 1, update: 3}, found: 1, none: 3, write: 3}},
		{"kept, wrong password", oauth.AskedUntilFirst, func(w *budgetWorld, login func(string) request, _ *ownUsers) request {
			w.must(login(budgetPassword)(w.t.Context()))
			return login("another")
		}, "", oauth.InvalidGrant, price{calls: map[string]int{read: 1, update: 3}, found: 1, none: 3, write: 3}},
		{"kept, a name that nobody has", oauth.AskedUntilFirst, func(_ *budgetWorld, login func(string) request, _ *ownUsers) request {
			return login("another")
		}, "", oauth.InvalidGrant, price{calls: map[string]int{read: 1, update: 3}, none: 4, write: 3}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, own := newBudgetWorld(t, endpoint), new(ownUsers)
			w.issuer.OwnUsers, w.issuer.OwnUsersMode = own, test.mode
			login := func(password string) request {
				form := passwordForm(password, device(1))
				form["username"] = budgetOwnUser
				return w.token("app", form)
			}
			w.measure(test.prepare(w, login, own), test.outcome, test.code, test.price, absent)
		})
	}
}
