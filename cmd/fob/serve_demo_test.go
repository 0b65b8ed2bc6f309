package main

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/laptop"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/password"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/secret"
)

var seedTime = time.Unix(1_800_000_000, 0)

// onEachSeed runs a test of the demo in memory and on DynamoDB.
func onEachSeed(t *testing.T, test func(t *testing.T, s stores)) {
	t.Run("memory", func(t *testing.T) { test(t, newMemoryStores()) })
	t.Run("dynamodb", func(t *testing.T) {
		f := dynamotest.New(t, dynamotest.Engine(t))
		test(t, newDynamoStores(f.DB, f.Tables))
	})
}

func seed(t *testing.T, d laptop.Demo, s stores, at time.Time) seeded {
	t.Helper()
	r := s.registrar()
	r.Now = func() time.Time { return at }
	if err := d.Seed(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return readSeeded(t, s)
}

// seeded is what stands in the stores.
type seeded struct {
	clients map[ledger.ClientID]oauth.Client
	scopes  oauth.ResourceScopes
	user    oauth.User
	state   oauth.SubjectState // of the user
}

func readSeeded(t *testing.T, s stores) seeded {
	t.Helper()
	all, err := s.clients.ListClients(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := seeded{clients: map[ledger.ClientID]oauth.Client{}}
	for _, c := range all {
		got.clients[c.ID] = c
	}
	if got.scopes, err = s.clients.ResourceScopes(t.Context()); err != nil {
		t.Fatal(err)
	}
	user, found, err := s.users.User(t.Context(), laptop.DemoUsername)
	if err != nil || !found {
		t.Fatalf("found %v, %v", found, err)
	}
	got.user = user
	of := ledger.Authorization{Subject: ledger.Subject{Kind: ledger.UserSubject, ID: user.ID}}
	reading, err := s.tokens.Read(t.Context(), of.Locator())
	if err != nil {
		t.Fatal(err)
	}
	got.state = reading.State
	return got
}

func newDemo(t *testing.T, accessLifetime int64) laptop.Demo {
	t.Helper()
	ring, err := keys.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return laptop.DeriveDemo(ring, accessLifetime)
}

func knows(t *testing.T, s seeded, d laptop.Demo) bool {
	t.Helper()
	ok, _, err := password.Hasher{}.Verify(secret.New(d.JSON().Password), s.user.PasswordHash)
	if err != nil {
		t.Fatal(err)
	}
	return ok &&
		s.clients[laptop.DemoClient].Secrets[0].Hash == oauth.HashClientSecret(secret.New(d.JSON().ClientSecret)) &&
		s.clients[laptop.DemoAPI].Secrets[0].Hash == oauth.HashClientSecret(secret.New(d.JSON().ResourceClientSecret))
}

func TestDemoIsSeededOnce(t *testing.T) {
	onEachSeed(t, func(t *testing.T, s stores) {
		d := newDemo(t, 0)
		first := seed(t, d, s, seedTime)
		if !knows(t, first, d) {
			t.Error("the demo's secrets are not in the stores")
		}
		for id, want := range map[ledger.ClientID]string{laptop.DemoClient: "devices read write", laptop.DemoApp: "devices read write", laptop.DemoAPI: ""} {
			c := first.clients[id]
			if c.Scopes.String() != want || c.Public != (id == laptop.DemoApp) || c.Epoch != uint64(seedTime.Unix()) {
				t.Errorf("%s: scopes %q, public %v, epoch %d", id, c.Scopes, c.Public, c.Epoch)
			}
		}
		again := seed(t, d, s, seedTime.Add(time.Hour))
		if diff := cmp.Diff(first, again, cmp.AllowUnexported(seeded{}),
			cmp.Transformer("scope", scope.Set.String),
			cmp.Comparer(secret.Text.Equal)); diff != "" {
			t.Errorf("seeding a second time wrote (-first +second):\n%s", diff)
		}
	})
}

// Another key ring has other secrets, and knows none of the tokens before.
func TestDemoFollowsTheKeyRing(t *testing.T) {
	onEachSeed(t, func(t *testing.T, s stores) {
		before := newDemo(t, 0)
		old := seed(t, before, s, seedTime)
		after := newDemo(t, 90)
		renewed := seed(t, after, s, seedTime.Add(-time.Hour)) // a clock that is behind
		if knows(t, renewed, before) || !knows(t, renewed, after) {
			t.Error("the secrets are not those of the second ring")
		}
		if renewed.user.ID != old.user.ID {
			t.Error("the user became another one")
		}
		if renewed.state.Epoch <= old.state.Epoch || renewed.state.UserVersion != renewed.user.Version {
			t.Errorf("the user's state is %+v after a new password of version %d", renewed.state, renewed.user.Version)
		}
		for _, id := range []ledger.ClientID{laptop.DemoClient, laptop.DemoAPI} {
			if renewed.clients[id].Epoch <= old.clients[id].Epoch {
				t.Errorf("the epoch of %s was not raised", id)
			}
		}
		if got := renewed.clients[laptop.DemoClient].AccessLifetime; got != 90 {
			t.Errorf("access lifetime %d", got)
		}
	})
}

func TestDemoLifetimeChanges(t *testing.T) {
	onEachSeed(t, func(t *testing.T, s stores) {
		d := newDemo(t, 60)
		old := seed(t, d, s, seedTime)
		d.AccessLifetime = 120
		renewed := seed(t, d, s, seedTime)
		for _, id := range []ledger.ClientID{laptop.DemoClient, laptop.DemoApp} {
			if got := renewed.clients[id].AccessLifetime; got != 120 {
				t.Errorf("%s: access lifetime %d", id, got)
			}
			if renewed.clients[id].Epoch != old.clients[id].Epoch {
				t.Errorf("%s: another lifetime ended its tokens", id)
			}
		}
	})
}

func TestDemoLeavesOtherScopes(t *testing.T) {
	onEachSeed(t, func(t *testing.T, s stores) {
		roles := map[string][]string{"read": {"reader"}, "publish": {"editor"}}
		if err := s.clients.SaveResourceScopes(t.Context(), oauth.ResourceScopes{Roles: roles}); err != nil {
			t.Fatal(err)
		}
		got := seed(t, newDemo(t, 0), s, seedTime).scopes.Roles
		roles["write"] = nil
		for name, want := range roles {
			if have, ok := got[name]; !ok || len(have) != len(want) {
				t.Errorf("%s: roles %v, want %v", name, have, want)
			}
		}
	})
}

func TestDemosSeededTogether(t *testing.T) {
	onEachSeed(t, func(t *testing.T, s stores) {
		var writes atomic.Int32
		s.clients = countingClients{s.clients, &writes}
		s.users = countingUsers{s.users, &writes}
		d := newDemo(t, 0)
		errs := make([]error, 8)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() {
				errs[i] = d.Seed(t.Context(), s.registrar())
			})
		}
		all.Wait()
		for _, err := range errs {
			if err != nil {
				t.Error(err)
			}
		}
		got := readSeeded(t, s)
		if !knows(t, got, d) || len(got.clients) != 3 {
			t.Errorf("%d clients, and secrets known: %v", len(got.clients), knows(t, got, d))
		}
		if n := writes.Load(); n != 5 {
			t.Errorf("%d writes, want one for each of three clients, the scopes and the user", n)
		}
	})
}

// countingClients counts writes that took effect.
type countingClients struct {
	oauth.ClientRegistry
	writes *atomic.Int32
}

func (c countingClients) SaveClient(ctx context.Context, client oauth.Client) (oauth.Client, error) {
	saved, err := c.ClientRegistry.SaveClient(ctx, client)
	if err == nil {
		c.writes.Add(1)
	}
	return saved, err
}

func (c countingClients) SaveResourceScopes(ctx context.Context, s oauth.ResourceScopes) error {
	err := c.ClientRegistry.SaveResourceScopes(ctx, s)
	if err == nil {
		c.writes.Add(1)
	}
	return err
}

type countingUsers struct {
	users
	writes *atomic.Int32
}

func (c countingUsers) SaveUser(ctx context.Context, u oauth.User) (oauth.User, error) {
	saved, err := c.users.SaveUser(ctx, u)
	if err == nil {
		c.writes.Add(1)
	}
	return saved, err
}
