// Package storetest is the specification of the stores of package oauth, as
// tests: [Run] holds a backend to every sentence of their contracts. Tests of the
// domain find here what they need around a store: [Faulty] and [CheckInvariants].
package storetest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

// Stores is one backend, empty and of nobody else.
type Stores struct {
	Tokens       oauth.Tokens
	Subjects     oauth.Subjects      // of the same state that Tokens.Read returns
	Registry     oauth.TokenRegistry // of the same records and states
	Clients      oauth.ClientRegistry
	Issuers      oauth.IssuerRegistry
	Users        oauth.Users
	UserRegistry oauth.UserRegistry // of the same users

	// Damage edits the record at loc from outside, past the store, so
	// that it no longer fits its key. Its nonce stays.
	Damage func(t *testing.T, loc bearer.Locator)
}

// Run holds the backend that open makes to the contracts in package oauth. Each
// test opens its own.
func Run(t *testing.T, open func(t *testing.T) Stores) {
	suites := []struct {
		name  string
		tests []test
	}{
		{"Tokens", slices.Concat(tokensTests, nearTests)},
		{"Subjects", subjectsTests},
		{"Registry", registryTests},
		{"Clients", clientsTests},
		{"Issuers", issuersTests},
		{"Users", slices.Concat(usersTests, userIDTests)},
		{"All", allTests},
	}
	for _, suite := range suites {
		t.Run(suite.name, func(t *testing.T) {
			for _, test := range suite.tests {
				t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
			}
		})
	}
}

type test struct {
	name string
	run  func(t *testing.T, s Stores)
}

// allTests are those that hold for every method of every store.
var allTests = []test{
	{"a canceled context is an outage", func(t *testing.T, s Stores) {
		for _, m := range Methods(s) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			wantUnavailable(t, m.Name, m.Call(ctx))
		}
	}},
	{"a deadline that has passed is an outage", func(t *testing.T, s Stores) {
		for _, m := range Methods(s) {
			ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
			defer cancel()
			wantUnavailable(t, m.Name, m.Call(ctx))
		}
	}},
	{"calls are counted", func(t *testing.T, s Stores) {
		for _, m := range Methods(s) {
			var event oauth.Event
			if err := m.Call(oauth.WithEvent(t.Context(), &event)); err != nil {
				t.Errorf("%s: %v", m.Name, err)
			}
			if event.StoreCalls < 1 || m.once && event.StoreCalls > 1 {
				t.Errorf("%s counted %d calls", m.Name, event.StoreCalls)
			}
		}
	}},
}

// Method is one method of one store, with arguments.
type Method struct {
	Name string
	Call func(ctx context.Context) error

	once bool // must be one call to the store when nothing goes wrong
}

// Methods are all methods of the stores. On an empty backend without faults they
// succeed when they are called in this order.
func Methods(s Stores) []Method {
	r := Record("everywhere")
	loc := r.Locator()
	user := testUser("everywhere")
	return []Method{
		{"Tokens.Read", func(ctx context.Context) error {
			_, err := s.Tokens.Read(ctx, loc)
			return err
		}, true},
		{"Tokens.Save", func(ctx context.Context) error {
			_, _, err := s.Tokens.Save(ctx, r, ledger.Nonce{})
			return err
		}, true},
		{"Tokens.List", func(ctx context.Context) error {
			_, err := s.Tokens.List(ctx, r.Authorization.Subject, r.Authorization.Client)
			return err
		}, true},
		{"Tokens.MarkReplayed", func(ctx context.Context) error {
			return s.Tokens.MarkReplayed(ctx, loc, r.Nonce)
		}, true},
		{"Tokens.Near", func(ctx context.Context) error {
			_, err := s.Tokens.Near(ctx, r.Authorization, 1, true)
			return err
		}, true},
		{"Tokens.End", func(ctx context.Context) error {
			_, _, err := s.Tokens.End(ctx, loc, ledger.EndCondition{Nonce: r.Nonce})
			return err
		}, true},
		{"TokenRegistry.Each", func(ctx context.Context) error {
			return s.Registry.Each(ctx, func(ledger.Record) error { return nil })
		}, false},
		{"Subjects.State", func(ctx context.Context) error {
			_, err := s.Subjects.State(ctx, r.Authorization.Subject)
			return err
		}, true},
		{"Subjects.Raise", func(ctx context.Context) error {
			return s.Subjects.Raise(ctx, r.Authorization.Subject, oauth.StateChange{})
		}, true},
		{"TokenRegistry.Forget", func(ctx context.Context) error {
			return s.Registry.Forget(ctx, r.Authorization.Subject)
		}, true},
		{"Clients.Client", func(ctx context.Context) error {
			_, _, err := s.Clients.Client(ctx, "everywhere")
			return err
		}, true},
		{"Clients.ResourceScopes", func(ctx context.Context) error {
			_, err := s.Clients.ResourceScopes(ctx)
			return err
		}, true},
		{"Clients.SaveClient", func(ctx context.Context) error {
			_, err := s.Clients.SaveClient(ctx, testClient("everywhere"))
			return err
		}, true},
		{"Clients.ListClients", func(ctx context.Context) error {
			_, err := s.Clients.ListClients(ctx)
			return err
		}, false},
		{"Clients.RemoveClient", func(ctx context.Context) error {
			_, err := s.Clients.RemoveClient(ctx, "everywhere")
			return err
		}, true},
		{"Clients.SaveResourceScopes", func(ctx context.Context) error {
			return s.Clients.SaveResourceScopes(ctx, oauth.ResourceScopes{Roles: map[string][]string{"mail": nil}})
		}, true},
		{"Issuers.TrustedIssuer", func(ctx context.Context) error {
			_, _, err := s.Issuers.TrustedIssuer(ctx, "everywhere")
			return err
		}, true},
		{"IssuerRegistry.SaveIssuer", func(ctx context.Context) error {
			_, err := s.Issuers.SaveIssuer(ctx, testIssuer("everywhere"))
			return err
		}, true},
		{"IssuerRegistry.ListIssuers", func(ctx context.Context) error {
			_, err := s.Issuers.ListIssuers(ctx)
			return err
		}, false},
		{"IssuerRegistry.RemoveIssuer", func(ctx context.Context) error {
			_, err := s.Issuers.RemoveIssuer(ctx, "everywhere")
			return err
		}, true},
		{"Users.Login", func(ctx context.Context) error {
			_, err := s.Users.Login(ctx, user.Username, counter("pair"), counter("name"))
			return err
		}, true},
		{"Users.SaveSources", func(ctx context.Context) error { return s.Users.SaveSources(ctx, user) }, true},
		{"Users.CountFailure", func(ctx context.Context) error {
			return s.Users.CountFailure(ctx, 1, oauth.ExpiringCounter{Key: counter("pair"), TTL: late})
		}, false},
		{"Users.ClearFailures", func(ctx context.Context) error {
			return s.Users.ClearFailures(ctx, counter("pair"))
		}, true},
		{"Users.SaveUser", func(ctx context.Context) error {
			_, err := s.Users.SaveUser(ctx, user)
			return err
		}, false},
		{"UserRegistry.User", func(ctx context.Context) error {
			_, _, err := s.UserRegistry.User(ctx, user.Username)
			return err
		}, true},
		{"UserRegistry.UserByID", func(ctx context.Context) error {
			_, _, err := s.UserRegistry.UserByID(ctx, user.ID)
			return err
		}, false},
		{"UserRegistry.SaveUser", func(ctx context.Context) error {
			_, err := s.UserRegistry.SaveUser(ctx, testUser("registry"))
			return err
		}, false},
		{"UserRegistry.UsersAfter", func(ctx context.Context) error {
			_, _, err := s.UserRegistry.UsersAfter(ctx, "", 10)
			return err
		}, false},
		{"UserRegistry.RemoveUser", func(ctx context.Context) error {
			_, err := s.UserRegistry.RemoveUser(ctx, testUser("registry"))
			return err
		}, false},
	}
}

// Record returns a record with something in every field, for a user's
// Authorization on that device. Each call has another nonce; all else depends on
// device alone.
func Record(device scope.Device) ledger.Record {
	scopes, err := scope.Of("calendar", "mail")
	if err != nil {
		panic(err) // the lines above are wrong
	}
	slot := func(name string, generation uint32, issued, lifetime int64) ledger.Slot {
		return ledger.Slot{
			Generation: generation, KID: 3, IssuedAt: issued, Expiry: issued + lifetime,
			Hash: hash(string(device) + " " + name),
		}
	}
	// Far ahead: an engine that sweeps must leave it alone.
	const now, hour, day = 4_000_000_000, 3600, 24 * 3600
	return ledger.Record{
		Nonce:   nonce(),
		Created: now - 2*day,
		Authorization: ledger.Authorization{
			Subject:   ledger.Subject{Kind: ledger.UserSubject, ID: "u_subject"},
			Username:  "ann@example.com",
			Client:    "mobile-app",
			Format:    ledger.JWT,
			Scope:     scopes.WithDevice(device),
			Audiences: []string{"https://api.example.com", "mobile-app"},
			Issuer:    "https://auth.example.com",
		},
		RID:            bearer.RID(digest("rid " + string(device))[:16]),
		Epochs:         ledger.Epochs{Subject: 0, Client: now - 300*day, Issuer: 1<<64 - 1},
		Access:         slot("at", 7, now, hour),
		AccessPrev:     slot("at_prev", 6, now-hour+60, hour),
		Refresh:        slot("rt", 2, now-day, 90*day),
		RefreshPrev:    slot("rt_prev", 1, now-2*day, 90*day),
		RefreshRotated: now - day,
		RefreshIdle:    now + 30*day,
		ScopesVersion:  1<<64 - 2,
		Label:          "Ann\u2019s phone",
	}
}

// sparseRecord has nothing in every field that may be empty.
func sparseRecord() ledger.Record {
	r := Record("")
	r.Authorization.Subject = ledger.Subject{Kind: ledger.ClientSubject, ID: "backend"}
	r.Authorization.Client = "backend"
	r.Authorization.Scope = scope.Set{}
	r.Authorization.Audiences = []string{"backend"}
	r.Authorization.Username = ""
	r.Authorization.Format, r.Authorization.Issuer = ledger.Opaque, ""
	r.Epochs = ledger.Epochs{}
	r.AccessPrev, r.Refresh, r.RefreshPrev = ledger.Slot{}, ledger.Slot{}, ledger.Slot{}
	r.RefreshRotated, r.RefreshIdle = 0, 0
	r.Label = ""
	return r
}

// next is the same Authorization after another write.
func next(r ledger.Record) ledger.Record {
	r.Nonce = nonce()
	r.AccessPrev = r.Access
	r.Access.Generation++
	r.Access.Hash = hash(fmt.Sprint(r.Access.Generation, r.RID))
	return r
}

var nonces struct {
	sync.Mutex
	n int
}

// nonce is another one each time, and looks like no secret.
func nonce() ledger.Nonce {
	nonces.Lock()
	defer nonces.Unlock()
	nonces.n++
	return ledger.Nonce(digest(fmt.Sprint("nonce ", nonces.n))[:16])
}

func hash(label string) bearer.Hash { return bearer.Hash(digest("hash " + label)) }

func counter(label string) oauth.CounterKey {
	return oauth.CounterKey(digest("counter " + label)[:16])
}

func digest(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

// diff compares what was stored with what came back. Which of the empty slices
// it is says nothing. Most values are equal in all, which cmp finds out much later:
// internal/proof/faults compares some hundred thousand records.
func diff(want, got any) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.Transformer("scope", scope.Set.String))
}

// together calls f n times at once and waits for all.
func together(n int, f func(i int)) {
	var start, done sync.WaitGroup
	start.Add(1)
	for i := range n {
		done.Go(func() {
			start.Wait()
			f(i)
		})
	}
	start.Done()
	done.Wait()
}

const crowd = 24 // how many do the same at once
