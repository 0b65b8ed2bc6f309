package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

var clients = entries[oauth.Client]{
	kind:    "client",
	of:      testClient,
	name:    func(c oauth.Client) string { return string(c.ID) },
	version: func(c *oauth.Client) *uint64 { return &c.Version },
	change:  func(c *oauth.Client, n int64) { c.Epoch += uint64(n) },
	spoil: func(c oauth.Client) {
		c.Secrets[0].Created = -1
		c.Grants[0], c.Audiences[0], c.Introspects[0], c.LoginAudiences[0] = "spoiled", "spoiled", "spoiled", "spoiled"
	},
	read: func(ctx context.Context, s Stores, id string) (oauth.Client, bool, error) {
		return s.Clients.Client(ctx, ledger.ClientID(id))
	},
	save: func(ctx context.Context, s Stores, c oauth.Client) (oauth.Client, error) {
		return s.Clients.SaveClient(ctx, c)
	},
	remove: func(ctx context.Context, s Stores, id string) (bool, error) {
		return s.Clients.RemoveClient(ctx, ledger.ClientID(id))
	},
	list: func(ctx context.Context, s Stores) ([]oauth.Client, error) { return s.Clients.ListClients(ctx) },
}

var clientsTests = append(clients.tests(publicClient, clientOfManyScopes()), []test{
	{"a public client has no secret in its next version", func(t *testing.T, s Stores) {
		change := clients.saved(t, s, testClient("app"))
		change.Secrets, change.Public = nil, true
		clients.want(t, s, clients.saved(t, s, change))
	}},
	{"resource scopes are not a client", func(t *testing.T, s Stores) {
		saveResourceScopes(t, s, oauth.ResourceScopes{Roles: map[string][]string{"mail": nil}})
		clients.wantAll(t, s)
	}},
	{"all clients are listed, however many", func(t *testing.T, s Stores) {
		// More than the megabyte that DynamoDB returns at once.
		var want []oauth.Client
		for i := range 120 {
			c := testClient(fmt.Sprintf("client-%03d", i))
			for a := range 20 {
				c.Audiences = append(c.Audiences, fmt.Sprintf("https://%02d.example.com/%s", a, strings.Repeat("a", 230)))
				c.Introspects = append(c.Introspects, fmt.Sprintf("https://%02d.example.org/%s", a, strings.Repeat("i", 230)))
			}
			want = append(want, clients.saved(t, s, c))
		}
		clients.wantAll(t, s, want...)
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
}...)

var publicClient = oauth.Client{ID: "public", Created: 5, Epoch: 5, Public: true}

func clientOfManyScopes() oauth.Client {
	c := testClient("long")
	var names []string
	for i := range scope.MaxCount {
		names = append(names, fmt.Sprintf("%02d-%s", i, strings.Repeat("s", 100)))
	}
	c.Scopes = mustScopes(names...)
	return c
}

// testClient has something in every field but Version and Public.
func testClient(id string) oauth.Client {
	return oauth.Client{
		ID:       ledger.ClientID(id),
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

func saveResourceScopes(t *testing.T, s Stores, r oauth.ResourceScopes) {
	t.Helper()
	if err := s.Clients.SaveResourceScopes(t.Context(), r); err != nil {
		t.Fatalf("SaveResourceScopes: %v", err)
	}
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
