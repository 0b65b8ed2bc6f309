package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

var clientsTests = []test{
	{"no client is absent and no error", func(t *testing.T, s Stores) {
		// Whatever a request may send as a client id is at worst unknown.
		for _, id := range []ledger.ClientID{
			"nobody", "", "scopes", "client#nobody", "non\x00sense", "\xff\xfe", ledger.ClientID(strings.Repeat("x", 16<<10)),
		} {
			wantNoClient(t, s, id)
			if existed, err := s.Clients.RemoveClient(t.Context(), id); existed || err != nil {
				t.Errorf("RemoveClient(%.20q) = %v, %v; want false", id, existed, err)
			}
		}
		wantClients(t, s)
	}},
	{"what was saved comes back whole", func(t *testing.T, s Stores) {
		full, public, long := testClient("full"), oauth.Client{ID: "public", Created: 5, Epoch: 5, Public: true}, testClient("long")
		var names []string
		for i := range scope.MaxCount {
			names = append(names, fmt.Sprintf("%02d-%s", i, strings.Repeat("s", 100)))
		}
		long.Scopes = mustScopes(names...)
		for _, c := range []oauth.Client{full, public, long} {
			saved := saveClient(t, s, c)
			c.Version = saved.Version
			if d := diff(c, saved); d != "" || saved.Version == 0 {
				t.Errorf("SaveClient returned version %d and (-want +got):\n%s", saved.Version, d)
			}
			wantClient(t, s, saved)
		}
	}},
	{"a client is made only where there is none", func(t *testing.T, s Stores) {
		first := saveClient(t, s, testClient("app"))
		second := testClient("app")
		second.Disabled = !second.Disabled
		wantClientConflict(t, s, second)
		wantClientConflict(t, s, testClient("app")) // nor the same once more
		wantClient(t, s, first)
	}},
	{"a client is replaced in the very version that was read", func(t *testing.T, s Stores) {
		first := saveClient(t, s, testClient("app"))
		change := first
		change.Epoch++
		change.Secrets = nil
		change.Public = true
		second := saveClient(t, s, change)
		if second.Version <= first.Version {
			t.Errorf("version %d after %d", second.Version, first.Version)
		}
		wantClient(t, s, second)
		wantClientConflict(t, s, change) // of the first version, which is gone
		ahead := second
		ahead.Version++
		wantClientConflict(t, s, ahead)
		wantClient(t, s, second)
	}},
	{"a client that was removed is gone", func(t *testing.T, s Stores) {
		saved, other := saveClient(t, s, testClient("app")), saveClient(t, s, testClient("other"))
		if existed, err := s.Clients.RemoveClient(t.Context(), "app"); !existed || err != nil {
			t.Errorf("RemoveClient = %v, %v; want true", existed, err)
		}
		wantNoClient(t, s, "app")
		wantClientConflict(t, s, saved) // saving what was read does not bring it back
		wantNoClient(t, s, "app")
		if existed, err := s.Clients.RemoveClient(t.Context(), "app"); existed || err != nil {
			t.Errorf("RemoveClient again = %v, %v; want false", existed, err)
		}
		wantClients(t, s, other)
	}},
	{"all clients are listed by id", func(t *testing.T, s Stores) {
		saveResourceScopes(t, s, oauth.ResourceScopes{Roles: map[string][]string{"mail": nil}}) // are not a client
		b, a, c := saveClient(t, s, testClient("b")), saveClient(t, s, testClient("A")), saveClient(t, s, testClient("b#"))
		wantClients(t, s, a, b, c)
	}},
	{"all clients are listed, however many", func(t *testing.T, s Stores) {
		// More than the megabyte that DynamoDB returns at once.
		var want []oauth.Client
		for i := range 120 {
			c := testClient(ledger.ClientID(fmt.Sprintf("client-%03d", i)))
			for a := range 20 {
				c.Audiences = append(c.Audiences, fmt.Sprintf("https://%02d.example.com/%s", a, strings.Repeat("a", 230)))
				c.Introspects = append(c.Introspects, fmt.Sprintf("https://%02d.example.org/%s", a, strings.Repeat("i", 230)))
			}
			want = append(want, saveClient(t, s, c))
		}
		wantClients(t, s, want...)
	}},
	{"of many who save a client one wins", func(t *testing.T, s Stores) {
		saved := saveClient(t, s, testClient("app"))
		for _, base := range []oauth.Client{testClient("new"), saved} {
			won := make([]bool, crowd)
			together(crowd, func(i int) {
				c := base
				c.AccessLifetime = int64(i + 1)
				_, err := s.Clients.SaveClient(t.Context(), c)
				if err != nil && !errors.Is(err, oauth.ErrConflict) {
					t.Error(err)
				}
				won[i] = err == nil
			})
			if n := count(won); n != 1 {
				t.Errorf("%s: %d won, want 1", base.ID, n)
			}
		}
	}},
	{"clients are copies", func(t *testing.T, s Stores) {
		in := testClient("app")
		want := testClient("app")
		spoil := func(c oauth.Client) {
			c.Secrets[0].Created = -1
			c.Grants[0], c.Audiences[0], c.Introspects[0], c.LoginAudiences[0] = "spoiled", "spoiled", "spoiled", "spoiled"
		}
		saved := saveClient(t, s, in)
		want.Version = saved.Version
		spoil(in)
		wantClient(t, s, want)
		got, _, err := s.Clients.Client(t.Context(), "app")
		if err != nil {
			t.Fatal(err)
		}
		spoil(got)
		wantClient(t, s, want)
		list, err := s.Clients.ListClients(t.Context())
		if err != nil || len(list) != 1 {
			t.Fatalf("ListClients = %d clients, %v", len(list), err)
		}
		spoil(list[0])
		wantClient(t, s, want)
	}},
	{"no resource scopes are an empty map", func(t *testing.T, s Stores) {
		got, err := s.Clients.ResourceScopes(t.Context())
		if err != nil || got.Version != 0 || got.Roles == nil || len(got.Roles) != 0 {
			t.Errorf("ResourceScopes = %#v, %v; want version 0 and an empty map", got, err)
		}
	}},
	{"resource scopes are replaced in the very version that was read", func(t *testing.T, s Stores) {
		first := oauth.ResourceScopes{
			Roles: map[string][]string{"mail": nil, "admin": {"root", "operator"}, "a.b:c/d#e": {"x"}},
			Since: map[string]uint64{"admin": 1, "a.b:c/d#e": 1<<64 - 1},
		}
		saveResourceScopes(t, s, first)
		got := wantResourceScopes(t, s, first.Roles)
		if d := diff(first.Since, got.Since); d != "" {
			t.Errorf("Since (-want +got):\n%s", d)
		}
		if got.Version == 0 {
			t.Error("version 0 after the first save")
		}
		for _, version := range []uint64{0, got.Version + 1} {
			wantConflict(t, "SaveResourceScopes", s.Clients.SaveResourceScopes(t.Context(), oauth.ResourceScopes{Version: version}))
			wantResourceScopes(t, s, first.Roles)
		}
		saveResourceScopes(t, s, oauth.ResourceScopes{Version: got.Version, Roles: map[string][]string{"calendar": {"staff"}}})
		second := wantResourceScopes(t, s, map[string][]string{"calendar": {"staff"}})
		if second.Version <= got.Version {
			t.Errorf("version %d after %d", second.Version, got.Version)
		}
		saveResourceScopes(t, s, oauth.ResourceScopes{Version: second.Version})
		wantResourceScopes(t, s, map[string][]string{})
	}},
	{"resource scopes are copies", func(t *testing.T, s Stores) {
		in := oauth.ResourceScopes{Roles: map[string][]string{"admin": {"root"}}, Since: map[string]uint64{"admin": 1}}
		want := map[string][]string{"admin": {"root"}}
		saveResourceScopes(t, s, in)
		in.Roles["admin"][0], in.Since["admin"] = "spoiled", 2
		got := wantResourceScopes(t, s, want)
		got.Roles["admin"][0] = "spoiled"
		got.Roles["more"] = nil
		got.Since["admin"]++
		if again := wantResourceScopes(t, s, want); got.Since["admin"] != 2 || again.Since["admin"] != 1 {
			t.Errorf("Since was spoiled: %v", again.Since)
		}
	}},
}

// testClient has something in every field but Version.
func testClient(id ledger.ClientID) oauth.Client {
	return oauth.Client{
		ID:       id,
		Created:  1_700_000_000,
		Epoch:    1_700_000_001,
		Disabled: true,
		Secrets: []oauth.ClientSecret{
			{Hash: hash("one"), Created: 1_700_000_002},
			{Hash: hash("two"), Created: 1_700_000_003},
		},
		JWKS:              `{"keys":[]}`,
		Trusts:            oauth.Trust{Issuer: "https://issuer.example", Subject: "arn:aws:iam::123456789012:role/nightly"},
		Grants:            oauth.GrantTypes(),
		Scopes:            mustScopes("admin", "calendar", "mail"),
		DefaultScopes:     mustScopes("mail"),
		Audiences:         []string{"https://api.example.com"},
		Introspects:       []string{"https://api.example.com", "https://other.example.com"},
		SendsUserAddress:  true,
		TokenFormat:       ledger.JWT,
		LoginAudiences:    []string{"com.example.shop", "com.example.shop.web"},
		AccessLifetime:    600,
		RefreshIdle:       601,
		RefreshAbsolute:   602,
		RefreshGrace:      599,
		MaxAuthorizations: 603,
		LongestLife:       604,
	}
}

func mustScopes(names ...string) scope.Set {
	s, err := scope.Of(names...)
	if err != nil {
		panic(err) // the test is wrong
	}
	return s
}

func saveClient(t *testing.T, s Stores, c oauth.Client) oauth.Client {
	t.Helper()
	saved, err := s.Clients.SaveClient(t.Context(), c)
	if err != nil {
		t.Fatalf("SaveClient(%s): %v", c.ID, err)
	}
	return saved
}

func saveResourceScopes(t *testing.T, s Stores, r oauth.ResourceScopes) {
	t.Helper()
	if err := s.Clients.SaveResourceScopes(t.Context(), r); err != nil {
		t.Fatalf("SaveResourceScopes: %v", err)
	}
}

func wantClient(t *testing.T, s Stores, want oauth.Client) {
	t.Helper()
	got, found, err := s.Clients.Client(t.Context(), want.ID)
	if err != nil || !found {
		t.Fatalf("Client(%s) = found %v, %v", want.ID, found, err)
	}
	if d := diff(want, got); d != "" {
		t.Errorf("Client(%s) (-want +got):\n%s", want.ID, d)
	}
}

func wantNoClient(t *testing.T, s Stores, id ledger.ClientID) {
	t.Helper()
	if got, found, err := s.Clients.Client(t.Context(), id); found || err != nil {
		t.Errorf("Client(%.20q) = %+v, %v, %v; want it absent", id, got, found, err)
	}
}

func wantClients(t *testing.T, s Stores, want ...oauth.Client) {
	t.Helper()
	got, err := s.Clients.ListClients(t.Context())
	if err != nil {
		t.Fatalf("ListClients: %v", err)
	}
	if d := diff(want, got); d != "" {
		t.Errorf("ListClients (-want +got):\n%s", d)
	}
}

func wantClientConflict(t *testing.T, s Stores, c oauth.Client) {
	t.Helper()
	_, err := s.Clients.SaveClient(t.Context(), c)
	wantConflict(t, fmt.Sprintf("SaveClient of version %d", c.Version), err)
}

func wantConflict(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, oauth.ErrConflict) || errors.Is(err, oauth.ErrUnavailable) {
		t.Errorf("%s = %v; want ErrConflict", what, err)
	}
}

func wantResourceScopes(t *testing.T, s Stores, want map[string][]string) oauth.ResourceScopes {
	t.Helper()
	got, err := s.Clients.ResourceScopes(t.Context())
	if err != nil {
		t.Fatalf("ResourceScopes: %v", err)
	}
	if d := diff(want, got.Roles); d != "" {
		t.Errorf("ResourceScopes (-want +got):\n%s", d)
	}
	return got
}
