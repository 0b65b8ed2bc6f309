package main

import (
	"context"
	"errors"
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
	r, users := s.registrar(), s.userRegistrar()
	r.Now = func() time.Time { return at }
	users.Now = r.Now
	if err := d.Seed(t.Context(), r, users); err != nil {
		t.Fatal(err)
	}
	return readSeeded(t, s)
}

// seeded is what is in the stores.
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

func newDemo(accessLifetime int64) laptop.Demo { return laptop.NewDemo(keys.NewText(), accessLifetime) }

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

func sameSeeded(t *testing.T, a, b seeded) bool {
	t.Helper()
	diff := cmp.Diff(a, b, cmp.AllowUnexported(seeded{}), cmp.Transformer("scope", scope.Set.String), cmp.Comparer(secret.Text.Equal))
	if diff != "" {
		t.Logf("-before +after:\n%s", diff)
	}
	return diff == ""
}

func TestDemoIsSeededOnce(t *testing.T) {
	onEachSeed(t, func(t *testing.T, s stores) {
		d := newDemo(0)
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
		if !sameSeeded(t, first, again) {
			t.Error("seeding a second time wrote")
		}
	})
}

// Somebody may be using the secrets that are there: another start does not end them.
func TestDemoKeepsItsSecrets(t *testing.T) {
	onEachSeed(t, func(t *testing.T, s stores) {
		first := newDemo(0)
		before := seed(t, first, s, seedTime)
		if err := newDemo(90).Seed(t.Context(), s.registrar(), s.userRegistrar()); !errors.Is(err, laptop.ErrOtherDemo) {
			t.Errorf("a demo with other secrets: %v", err)
		}
		if after := readSeeded(t, s); !knows(t, after, first) || !sameSeeded(t, before, after) {
			t.Error("it changed what was there")
		}

		// Also where the clients were removed and the user was not.
		for _, id := range []ledger.ClientID{laptop.DemoClient, laptop.DemoAPI} {
			if err := s.registrar().RemoveClient(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		if err := newDemo(0).Seed(t.Context(), s.registrar(), s.userRegistrar()); !errors.Is(err, laptop.ErrOtherDemo) {
			t.Errorf("a user with another password: %v", err)
		}
	})
}

func TestDemoLifetimeChanges(t *testing.T) {
	onEachSeed(t, func(t *testing.T, s stores) {
		d := newDemo(60)
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
		got := seed(t, newDemo(0), s, seedTime).scopes.Roles
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
		d := newDemo(0)
		errs := make([]error, 8)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() {
				errs[i] = d.Seed(t.Context(), s.registrar(), s.userRegistrar())
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
