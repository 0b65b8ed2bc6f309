package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

var issuersTests = []test{
	{"no issuer is absent and no error", func(t *testing.T, s Stores) {
		// Whatever a token may claim as iss is at worst unknown.
		for _, name := range []string{
			"https://nobody.example", "", "scopes", "client#nobody", "non\x00sense", "\xff\xfe", strings.Repeat("x", 16<<10),
		} {
			wantNoIssuer(t, s, name)
			if existed, err := s.Issuers.RemoveIssuer(t.Context(), name); existed || err != nil {
				t.Errorf("RemoveIssuer(%.20q) = %v, %v; want false", name, existed, err)
			}
		}
		wantIssuers(t, s)
	}},
	{"an issuer comes back whole", func(t *testing.T, s Stores) {
		bare := oauth.TrustedIssuer{
			Signer: oauth.Signer{Name: "bare", Audiences: []string{"app"}, Algorithms: []string{"RS256"}}, Created: 5,
		}
		inline := testIssuer("backend")
		inline.JWKSURL, inline.JWKS = "", `{"keys":[`+strings.Repeat(" ", 30_000)+`]}`
		forClients := oauth.TrustedIssuer{
			Signer: oauth.Signer{Name: "https://platform.example", Algorithms: []string{"ES384"}}, Created: 5, Subjects: oauth.ClientSubjects,
		}
		for _, i := range []oauth.TrustedIssuer{testIssuer("https://issuer.example"), bare, inline, forClients} {
			saved := saveIssuer(t, s, i)
			i.Version = saved.Version
			if d := diff(i, saved); d != "" || saved.Version == 0 {
				t.Errorf("SaveIssuer returned version %d and (-want +got):\n%s", saved.Version, d)
			}
			wantIssuer(t, s, saved)
		}
	}},
	{"an issuer is made only where there is none", func(t *testing.T, s Stores) {
		first := saveIssuer(t, s, testIssuer("a"))
		second := testIssuer("a")
		second.NonceRequired = !second.NonceRequired
		wantIssuerConflict(t, s, second)
		wantIssuer(t, s, first)
	}},
	{"an issuer is replaced in the very version that was read", func(t *testing.T, s Stores) {
		first := saveIssuer(t, s, testIssuer("a"))
		change := first
		change.MaxAge++
		change.JWKSURL = ""
		second := saveIssuer(t, s, change)
		if second.Version <= first.Version {
			t.Errorf("version %d after %d", second.Version, first.Version)
		}
		wantIssuer(t, s, second)
		wantIssuerConflict(t, s, change) // of the first version, which is gone
		ahead := second
		ahead.Version++
		wantIssuerConflict(t, s, ahead)
		wantIssuer(t, s, second)
	}},
	{"an issuer that was removed is gone", func(t *testing.T, s Stores) {
		saved, other := saveIssuer(t, s, testIssuer("a")), saveIssuer(t, s, testIssuer("b"))
		if existed, err := s.Issuers.RemoveIssuer(t.Context(), "a"); !existed || err != nil {
			t.Errorf("RemoveIssuer = %v, %v; want true", existed, err)
		}
		wantNoIssuer(t, s, "a")
		wantIssuerConflict(t, s, saved) // saving what was read does not bring it back
		wantNoIssuer(t, s, "a")
		if existed, err := s.Issuers.RemoveIssuer(t.Context(), "a"); existed || err != nil {
			t.Errorf("RemoveIssuer again = %v, %v; want false", existed, err)
		}
		wantIssuers(t, s, other)
	}},
	{"issuers and clients of one name are apart", func(t *testing.T, s Stores) {
		client, issuer := saveClient(t, s, testClient("same")), saveIssuer(t, s, testIssuer("same"))
		b, a := saveIssuer(t, s, testIssuer("b#")), saveIssuer(t, s, testIssuer("A"))
		wantIssuers(t, s, a, b, issuer)
		wantClients(t, s, client)
		if _, err := s.Clients.RemoveClient(t.Context(), ledger.ClientID(issuer.Name)); err != nil {
			t.Fatal(err)
		}
		wantIssuer(t, s, issuer)
	}},
	{"of many who save an issuer one wins", func(t *testing.T, s Stores) {
		saved := saveIssuer(t, s, testIssuer("a"))
		for _, base := range []oauth.TrustedIssuer{testIssuer("new"), saved} {
			won := make([]bool, crowd)
			together(crowd, func(n int) {
				i := base
				i.MaxAge = int64(n + 1)
				_, err := s.Issuers.SaveIssuer(t.Context(), i)
				if err != nil && !errors.Is(err, oauth.ErrConflict) {
					t.Error(err)
				}
				won[n] = err == nil
			})
			if n := count(won); n != 1 {
				t.Errorf("%s: %d won, want 1", base.Name, n)
			}
		}
	}},
	{"issuers are copies", func(t *testing.T, s Stores) {
		in, want := testIssuer("a"), testIssuer("a")
		spoil := func(i oauth.TrustedIssuer) { i.Audiences[0], i.Algorithms[0] = "spoiled", "spoiled" }
		want.Version = saveIssuer(t, s, in).Version
		spoil(in)
		wantIssuer(t, s, want)
		got, _, err := s.Issuers.TrustedIssuer(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		spoil(got)
		wantIssuer(t, s, want)
		list, err := s.Issuers.ListIssuers(t.Context())
		if err != nil || len(list) != 1 {
			t.Fatalf("ListIssuers = %d issuers, %v", len(list), err)
		}
		spoil(list[0])
		wantIssuer(t, s, want)
	}},
}

// testIssuer has something in every field but Version, and JWKS, which excludes
// JWKSURL.
func testIssuer(name string) oauth.TrustedIssuer {
	return oauth.TrustedIssuer{
		Signer: oauth.Signer{
			Name:             name,
			Audiences:        []string{"com.example.app", "com.example.other"},
			Algorithms:       oauth.Algorithms(),
			JWKSURL:          "https://issuer.example/keys",
			MaxAge:           700,
			NonceRequired:    true,
			PrivateAddresses: true,
		},
		Created:       1_700_000_000,
		Subjects:      oauth.HashedSubjects,
		UsernameClaim: "email",
		RolesClaim:    "cognito:groups",
		Events:        true,
	}
}

func saveIssuer(t *testing.T, s Stores, i oauth.TrustedIssuer) oauth.TrustedIssuer {
	t.Helper()
	saved, err := s.Issuers.SaveIssuer(t.Context(), i)
	if err != nil {
		t.Fatalf("SaveIssuer(%s): %v", i.Name, err)
	}
	return saved
}

func wantIssuer(t *testing.T, s Stores, want oauth.TrustedIssuer) {
	t.Helper()
	got, found, err := s.Issuers.TrustedIssuer(t.Context(), want.Name)
	if err != nil || !found {
		t.Fatalf("TrustedIssuer(%s) = found %v, %v", want.Name, found, err)
	}
	if d := diff(want, got); d != "" {
		t.Errorf("TrustedIssuer(%s) (-want +got):\n%s", want.Name, d)
	}
}

func wantNoIssuer(t *testing.T, s Stores, name string) {
	t.Helper()
	if got, found, err := s.Issuers.TrustedIssuer(t.Context(), name); found || err != nil {
		t.Errorf("TrustedIssuer(%.20q) = %+v, %v, %v; want it absent", name, got, found, err)
	}
}

func wantIssuers(t *testing.T, s Stores, want ...oauth.TrustedIssuer) {
	t.Helper()
	got, err := s.Issuers.ListIssuers(t.Context())
	if err != nil {
		t.Fatalf("ListIssuers: %v", err)
	}
	if d := diff(want, got); d != "" {
		t.Errorf("ListIssuers (-want +got):\n%s", d)
	}
}

func wantIssuerConflict(t *testing.T, s Stores, i oauth.TrustedIssuer) {
	t.Helper()
	_, err := s.Issuers.SaveIssuer(t.Context(), i)
	wantConflict(t, fmt.Sprintf("SaveIssuer of version %d", i.Version), err)
}
