package storetest_test

import (
	"errors"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/storetest"
)

func newStores() storetest.Stores {
	tokens, users := memory.NewTokens(), memory.NewUsers()
	return storetest.Stores{Tokens: tokens, Subjects: tokens, Registry: tokens, Clients: memory.NewClients(), Issuers: memory.NewIssuers(), Users: users, UserRegistry: users}
}

func wantInjected(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, oauth.ErrUnavailable) || !errors.Is(err, storetest.ErrInjected) {
		t.Errorf("%v; want an injected outage", err)
	}
}

func TestFaultyFailsTheCallItWasTold(t *testing.T) {
	for _, c := range []struct {
		how   storetest.Fault
		there bool
	}{{storetest.Before, false}, {storetest.After, true}} {
		stores := newStores()
		f := storetest.NewFaulty(stores)
		f.Fail(2, c.how)
		r := storetest.Record("ipad")
		if got, err := f.Read(t.Context(), r.Locator()); err != nil || got.Found {
			t.Fatalf("the first call: %v, %v", got.Found, err)
		}
		var event oauth.Event
		there, found, err := f.Save(oauth.WithEvent(t.Context(), &event), r, ledger.Nonce{})
		wantInjected(t, err)
		if found || there.Nonce != (ledger.Nonce{}) {
			t.Error("the call that failed gave its result away")
		}
		if event.StoreCalls != 1 {
			t.Errorf("the call that failed counted %d times in the event", event.StoreCalls)
		}
		if got, err := stores.Tokens.Read(t.Context(), r.Locator()); err != nil || got.Found != c.there {
			t.Errorf("fault %v: the write took effect: %v, %v; want %v", c.how, got.Found, err, c.there)
		}
		// Tried again with the same arguments it succeeds, either way.
		if there, found, err := f.Save(t.Context(), r, ledger.Nonce{}); err != nil || !found || there.Nonce != r.Nonce {
			t.Errorf("the call after: found %v, %v", found, err)
		}
		if f.Calls() != 3 {
			t.Errorf("%d calls, want 3", f.Calls())
		}
	}
}

func TestFaultyBreaksEachMethodUntilItIsRepaired(t *testing.T) {
	for _, how := range []storetest.Fault{storetest.Before, storetest.After} {
		stores := newStores()
		f := storetest.NewFaulty(stores)
		faulty := stores // those of operators stay whole
		faulty.Tokens, faulty.Subjects, faulty.Users = f, f, f
		broken := map[string]bool{
			"Tokens.Read": true, "Tokens.Save": true, "Tokens.MarkReplayed": true, "Tokens.End": true, "Tokens.List": true, "Tokens.Near": true,
			"Subjects.State": true, "Subjects.Raise": true,
			"Users.Login": true, "Users.CountFailure": true, "Users.ClearFailures": true, "Users.SaveUser": true, "Users.SaveSources": true,
		}
		f.Break(how)
		for _, m := range storetest.Methods(faulty) {
			if err := m.Call(t.Context()); broken[m.Name] {
				wantInjected(t, err)
			}
		}
		_, _, err := f.Client(t.Context(), "app")
		wantInjected(t, err)
		_, err = f.ResourceScopes(t.Context())
		wantInjected(t, err)
		if want := len(broken) + 2; f.Calls() != want {
			t.Errorf("%d calls, want %d", f.Calls(), want)
		}
		f.Fail(1, how)
		f.Repair()
		if _, err := f.Read(t.Context(), storetest.Record("ipad").Locator()); err != nil {
			t.Errorf("after the repair: %v", err)
		}
	}
}

// With no fault a Faulty is the store.
func TestFaultyWithoutFaultsIsTheStore(t *testing.T) {
	stores := newStores()
	f := storetest.NewFaulty(stores)
	stores.Tokens, stores.Subjects, stores.Users = f, f, f
	for _, m := range storetest.Methods(stores) {
		var event oauth.Event
		if err := m.Call(oauth.WithEvent(t.Context(), &event)); err != nil || event.StoreCalls != 1 {
			t.Errorf("%s: %d calls, %v", m.Name, event.StoreCalls, err)
		}
	}
	client, err := stores.Clients.SaveClient(t.Context(), oauth.Client{ID: "app"})
	if err != nil {
		t.Fatal(err)
	}
	if got, found, err := f.Client(t.Context(), "app"); err != nil || !found || got.Version != client.Version {
		t.Errorf("Client = %+v, %v, %v", got, found, err)
	}
	if got, err := f.ResourceScopes(t.Context()); err != nil || len(got.Roles) == 0 {
		t.Errorf("ResourceScopes = %+v, %v", got, err)
	}
}
