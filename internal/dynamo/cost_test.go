package dynamo_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/storetest"
)

// usual is as large as a record gets with input that is usual: all slots, a
// UUID for a device, eight scopes.
func usual(t *testing.T) ledger.Record {
	r := storetest.Record("123e4567-e89b-12d3-a456-426614174000")
	set, err := scope.Of("openid", "offline_access", "calendar.read", "calendar.write", "mail.read", "mail.send", "contacts.read", "files.read")
	if err != nil {
		t.Fatal(err)
	}
	r.Authorization.Scope = set.WithDevice(r.Authorization.Scope.Device())
	r.Authorization.Subject.ID = "u_abcdefghijklmnopqrstuvwxyz"
	r.Authorization.Client = "0123456789abcdefghijklmnopqr"
	r.Authorization.Audiences = []string{"https://api.mobile.example.com/v1", "https://files.mobile.example.com/v1"}
	r.Authorization.Username = "annabel.longname@mobile.example.com"
	return r
}

// The budgets of the design: calls and capacity units are money.
func TestCost(t *testing.T) {
	t.Run("dynoxide", func(t *testing.T) { testCost(t, dynamotest.Engine(t), 1) })
	t.Run("local", func(t *testing.T) { testCost(t, dynamotest.Local(t), 0) })
}

// absent is what the engine charges a batch or a query for an item that is not
// there: one unit as AWS does, or by mistake none.
func testCost(t *testing.T, endpoint string, absent float64) {
	s := dynamotest.New(t, endpoint).Stores()
	r := usual(t)
	loc, a := r.Locator(), r.Authorization
	renewed := r
	renewed.Nonce = ledger.Nonce{1}
	large := storetest.Record("large")
	for i := range 10 {
		large.Authorization.Audiences = append(large.Authorization.Audiences, fmt.Sprint(i, strings.Repeat("x", 100)))
	}
	pair, name := oauth.ExpiringCounter{Key: oauth.CounterKey{1}, TTL: 1 << 33}, oauth.ExpiringCounter{Key: oauth.CounterKey{2}, TTL: 1 << 33}

	read := func(ctx context.Context) error {
		_, err := s.Tokens.Read(ctx, loc)
		return err
	}
	save := func(r ledger.Record, seen ledger.Nonce) func(context.Context) error {
		return func(ctx context.Context) error { return saved(s.Tokens.Save(ctx, r, seen)) }
	}
	list := func(ctx context.Context) error {
		_, err := s.Tokens.List(ctx, a.Subject, a.Client)
		return err
	}
	end := func(ctx context.Context) error {
		_, ended, err := s.Tokens.End(ctx, loc, ledger.EndCondition{Client: a.Client, Kind: bearer.Refresh, Hash: r.RefreshPrev.Hash})
		return should("end", ended, err)
	}
	raise := func(ctx context.Context) error {
		return s.Subjects.Raise(ctx, a.Subject, oauth.StateChange{UserVersion: 2})
	}
	login := func(ctx context.Context) error {
		_, err := s.Users.Login(ctx, "ann", pair.Key, name.Key)
		return err
	}
	saveUser := func(ctx context.Context) error {
		_, err := s.Users.SaveUser(ctx, oauth.User{Username: "ann", ID: "u_x"})
		return err
	}
	replaceUser := func(ctx context.Context) error {
		u, _, err := s.UserRegistry.User(t.Context(), "ann")
		if err != nil {
			return err
		}
		_, err = s.Users.SaveUser(ctx, u)
		return err
	}
	userByID := func(ctx context.Context) error {
		_, found, err := s.UserRegistry.UserByID(ctx, "u_x")
		return should("find it", found, err)
	}
	usersAfter := func(ctx context.Context) error {
		page, _, err := s.UserRegistry.UsersAfter(ctx, "", 100)
		return should("find it", len(page) == 1, err)
	}
	removeUser := func(ctx context.Context) error {
		existed, err := s.UserRegistry.RemoveUser(ctx, oauth.User{Username: "ann", ID: "u_x"})
		return should("remove it", existed, err)
	}
	countFailures := func(ctx context.Context) error { return s.Users.CountFailure(ctx, 1, pair, name) }
	clearFailures := func(ctx context.Context) error { return s.Users.ClearFailures(ctx, pair.Key) }
	saveClient := func(ctx context.Context) error {
		_, err := s.Clients.SaveClient(ctx, oauth.Client{ID: "app"})
		return err
	}
	readClient := func(ctx context.Context) error {
		_, found, err := s.Clients.Client(ctx, "app")
		return should("find it", found, err)
	}
	readScopes := func(ctx context.Context) error {
		_, err := s.Clients.ResourceScopes(ctx)
		return err
	}
	for _, step := range []struct {
		name string
		call func(context.Context) error
		want oauth.Event
	}{
		{"read nothing", read, oauth.Event{StoreCalls: 1, ReadUnits: 2 * absent}},
		{"list nothing", list, oauth.Event{StoreCalls: 1, ReadUnits: absent}},
		{"make a record", save(r, ledger.Nonce{}), oauth.Event{StoreCalls: 1, WriteUnits: 1}},
		{"raise an epoch", raise, oauth.Event{StoreCalls: 1, WriteUnits: 1}},
		{"read a record and a state", read, oauth.Event{StoreCalls: 1, ReadUnits: 2}},
		{"list one", list, oauth.Event{StoreCalls: 1, ReadUnits: 1}},
		{"replace a record", save(renewed, r.Nonce), oauth.Event{StoreCalls: 1, WriteUnits: 1}},
		{"end a record", end, oauth.Event{StoreCalls: 1, WriteUnits: 1}},
		{"make a record of unusual size", save(large, ledger.Nonce{}), oauth.Event{StoreCalls: 1, WriteUnits: 2}},
		{"login of nobody", login, oauth.Event{StoreCalls: 1, ReadUnits: 3 * absent}},
		{"make a user", saveUser, oauth.Event{StoreCalls: 2, WriteUnits: 2}},
		{"replace a user", replaceUser, oauth.Event{StoreCalls: 1, WriteUnits: 1}},
		{"find a user by id", userByID, oauth.Event{StoreCalls: 2, ReadUnits: 2}},
		{"count failures", countFailures, oauth.Event{StoreCalls: 2, WriteUnits: 2}},
		{"login", login, oauth.Event{StoreCalls: 1, ReadUnits: 3}},
		{"a page of users", usersAfter, oauth.Event{StoreCalls: 1, ReadUnits: 1}},
		{"remove a user", removeUser, oauth.Event{StoreCalls: 2, WriteUnits: 2}},
		{"clear failures", clearFailures, oauth.Event{StoreCalls: 1, WriteUnits: 1}},
		{"save a client", saveClient, oauth.Event{StoreCalls: 1, WriteUnits: 1}},
		{"read a client", readClient, oauth.Event{StoreCalls: 1, ReadUnits: 1}},
		{"read no resource scopes", readScopes, oauth.Event{StoreCalls: 1, ReadUnits: 1}},
	} {
		var got oauth.Event
		if err := step.call(oauth.WithEvent(t.Context(), &got)); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if d := cmp.Diff(step.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, d)
		}
	}
}

// The sweep goes by the attribute and not by what the domain computes later.
func TestItemsSayWhenTheyMayBeSwept(t *testing.T) {
	onEngines(t, func(t *testing.T, endpoint string) {
		f := dynamotest.New(t, endpoint)
		s := f.Stores()
		r := storetest.Record("ipad")
		if err := saved(s.Tokens.Save(t.Context(), r, ledger.Nonce{})); err != nil {
			t.Fatal(err)
		}
		if err := s.Subjects.Raise(t.Context(), r.Authorization.Subject, oauth.StateChange{UserVersion: 1, Disabled: new(true)}); err != nil {
			t.Fatal(err)
		}
		if err := s.Users.CountFailure(t.Context(), 7, oauth.ExpiringCounter{Key: oauth.CounterKey{1}, TTL: 4_000_000_123}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Users.SaveUser(t.Context(), oauth.User{Username: "ann", ID: "u_x"}); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, table := range []string{f.Tables.Tokens, f.Tables.Users} {
			for _, item := range f.Items(t, table) {
				kind := text(item["sk"])
				if kind == "" {
					kind = text(item["pk"])
				}
				kind, _, _ = strings.Cut(kind, "#")
				got[kind] = text(item["ttl"])
			}
		}
		want := map[string]string{"A": fmt.Sprint(r.TTL()), "S": "", "count": "4000000123", "user": "", "id": ""}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("ttl by kind of item (-want +got):\n%s", d)
		}
	})
}
