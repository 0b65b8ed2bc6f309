package oauth_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/storetest"
)

const issuerName = "https://issuer.example"

func someIssuer() oauth.TrustedIssuer {
	return oauth.TrustedIssuer{Signer: oauth.Signer{Name: issuerName, Audiences: []string{"com.example.app"}, Algorithms: []string{"RS256"}}}
}

func addIssuer(t *testing.T, r registrars, i oauth.TrustedIssuer) oauth.TrustedIssuer {
	t.Helper()
	saved, err := r.AddIssuer(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

// wantIssuerNow wants the issuer that a method returned to be the one that is stored.
func wantIssuerNow(t *testing.T, r registrars, returned oauth.TrustedIssuer, err error) oauth.TrustedIssuer {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	stored, err := r.TrustedIssuer(t.Context(), returned.Name)
	if d := diffStored(stored, returned); err != nil || d != "" {
		t.Fatalf("%v (-stored +returned):\n%s", err, d)
	}
	return stored
}

func TestRegistrarIssuers(t *testing.T) {
	onEveryStore(t, []storeTest{
		{"an issuer is added once and removed once", func(t *testing.T, s storetest.Stores) {
			r := newRegistrar(s)
			first := addIssuer(t, r, someIssuer())
			if i := wantIssuerNow(t, r, first, nil); i.Created != registrarNow.Unix() {
				t.Errorf("created %d", i.Created)
			}
			_, err := r.AddIssuer(t.Context(), someIssuer())
			wantChange(t, "add it twice", err, oauth.EntryExists)
			if err := r.RemoveIssuer(t.Context(), issuerName); err != nil {
				t.Fatal(err)
			}
			wantChange(t, "remove it twice", r.RemoveIssuer(t.Context(), issuerName), oauth.NoSuchEntry)
			_, err = r.EditIssuer(t.Context(), issuerName, func(*oauth.TrustedIssuer) error { return nil })
			wantChange(t, "edit nothing", err, oauth.NoSuchEntry)
			_, err = r.TrustedIssuer(t.Context(), issuerName)
			wantChange(t, "read nothing", err, oauth.NoSuchEntry)
		}},
		{"an issuer changes, but not whom its tokens mean", func(t *testing.T, s storetest.Stores) {
			r := newRegistrar(s)
			before := addIssuer(t, r, someIssuer())
			saved, err := r.EditIssuer(t.Context(), issuerName, func(i *oauth.TrustedIssuer) error {
				i.MaxAge, i.RolesClaim, i.Subjects = 30, "groups", oauth.HashedSubjects // the default, by name
				i.Audiences[0] = "com.example.other"
				return nil
			})
			if i := wantIssuerNow(t, r, saved, err); i.MaxAge != 30 || i.Audiences[0] != "com.example.other" || i.Version == before.Version {
				t.Errorf("it is %+v", i)
			}
			for what, edit := range map[string]func(*oauth.TrustedIssuer){
				"name":     func(i *oauth.TrustedIssuer) { i.Name += "/" },
				"subjects": func(i *oauth.TrustedIssuer) { i.Subjects, i.RolesClaim = oauth.NamedSubjects, "" },
			} {
				_, err := r.EditIssuer(t.Context(), issuerName, func(i *oauth.TrustedIssuer) error { edit(i); return nil })
				wantChange(t, "change its "+what, err, oauth.InvalidEntry)
			}
			same, err := r.EditIssuer(t.Context(), issuerName, func(*oauth.TrustedIssuer) error { return nil })
			if i := wantIssuerNow(t, r, same, err); i.Version != saved.Version {
				t.Errorf("nothing changed, and version %d became %d", saved.Version, i.Version)
			}
		}},
		{"what is wrong with an issuer is refused", func(t *testing.T, s storetest.Stores) {
			r := newRegistrar(s)
			key := assertiontest.NewKey(t, "ES256")
			bad := someIssuer()
			bad.Name, bad.Audiences, bad.Subjects, bad.RolesClaim = "http://issuer.example", nil, oauth.NamedSubjects, "groups"
			bad.JWKS = strings.Replace(assertiontest.JWKS(t, key), `"kty"`, `"d":"AA","kty"`, 1)
			_, err := r.AddIssuer(t.Context(), bad)
			wantChange(t, "add it", err, oauth.InvalidEntry)
			if n := strings.Count(err.Error(), "\n"); n != 2 {
				t.Errorf("not all three faults: %v", err)
			}
			odd := someIssuer()
			odd.Subjects = "email"
			_, err = r.AddIssuer(t.Context(), odd)
			wantChange(t, "add one with an unknown rule", err, oauth.InvalidEntry)
			addIssuer(t, r, someIssuer())
			own := errors.New("a fault of the caller's")
			for what, edit := range map[string]func(*oauth.TrustedIssuer) error{
				"keys of another algorithm": func(i *oauth.TrustedIssuer) error { i.JWKS = assertiontest.JWKS(t, key); return nil },
				"an unknown rule":           func(i *oauth.TrustedIssuer) error { i.Subjects = "email"; return nil },
				"a blank in a claim":        func(i *oauth.TrustedIssuer) error { i.UsernameClaim = "a b"; return nil },
				"a long claim":              func(i *oauth.TrustedIssuer) error { i.RolesClaim = strings.Repeat("a", 129); return nil },
				"an error":                  func(i *oauth.TrustedIssuer) error { i.MaxAge = 30; return own },
			} {
				_, err := r.EditIssuer(t.Context(), issuerName, edit)
				wantChange(t, what, err, oauth.InvalidEntry)
			}
			if i, err := r.TrustedIssuer(t.Context(), issuerName); err != nil || i.JWKS != "" || i.MaxAge != 0 {
				t.Errorf("it is %+v, %v", i, err)
			}
		}},
		{"an issuer's change that lost to another one is made on top of it", func(t *testing.T, s storetest.Stores) {
			r := newRegistrar(s)
			addIssuer(t, r, someIssuer())
			r.Issuers = &rivalIssuers{IssuerRegistry: s.Issuers, rounds: 3}
			saved, err := r.EditIssuer(t.Context(), issuerName, func(i *oauth.TrustedIssuer) error { i.NonceRequired = true; return nil })
			if i := wantIssuerNow(t, r, saved, err); !i.NonceRequired || i.MaxAge != 3 {
				t.Errorf("not both changes: %+v", i)
			}
		}},
	})
}

// rivalIssuers changes an issuer whenever somebody else is about to.
type rivalIssuers struct {
	oauth.IssuerRegistry
	rounds int
}

func (r *rivalIssuers) SaveIssuer(ctx context.Context, i oauth.TrustedIssuer) (oauth.TrustedIssuer, error) {
	if r.rounds > 0 {
		r.rounds--
		now, _, err := r.IssuerRegistry.TrustedIssuer(ctx, i.Name)
		if err != nil {
			return oauth.TrustedIssuer{}, err
		}
		now.MaxAge++
		if _, err := r.IssuerRegistry.SaveIssuer(ctx, now); err != nil {
			return oauth.TrustedIssuer{}, err
		}
	}
	return r.IssuerRegistry.SaveIssuer(ctx, i)
}

// Ids in deployed tables must be those of the next release.
func TestHashedUserID(t *testing.T) {
	ids := map[string]bool{}
	for _, who := range [][2]string{{"a", "bc"}, {"ab", "c"}, {"abc", ""}, {"", "abc"}, {"a", "BC"}} {
		id := oauth.HashedUserID(who[0], who[1])
		if ids[id] || oauth.SubjectOf(id) != (ledger.Subject{Kind: ledger.UserSubject, ID: id}) {
			t.Errorf("%q: %s", who, id)
		}
		ids[id] = true
	}
	if got, want := oauth.HashedUserID("https://appleid.apple.com", "001234.abc"), "u_4osozs6mkhs5saqr47azmhopcq"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A registration is believed for ten seconds, and one that is new works at once.
func TestIssuerCache(t *testing.T) {
	store, now := memory.NewIssuers(), time.Unix(1_800_000_000, 0)
	cache := oauth.NewIssuerCache(store, func() time.Time { return now })
	want := func(doing string, found bool, maxAge int64, calls int) {
		t.Helper()
		var event oauth.Event
		i, got, err := cache.TrustedIssuer(oauth.WithEvent(t.Context(), &event), issuerName)
		if err != nil || got != found || i.MaxAge != maxAge || event.StoreCalls != calls {
			t.Errorf("%s: found %v, oldest iat %d, %d calls, %v", doing, got, i.MaxAge, event.StoreCalls, err)
		}
	}
	want("nobody", false, 0, 1)
	i := someIssuer()
	i.MaxAge = 1
	i, err := store.SaveIssuer(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	want("added", true, 1, 1)
	i.MaxAge = 2
	if _, err := store.SaveIssuer(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	now = now.Add(10*time.Second - 1)
	want("changed", true, 1, 0)
	now = now.Add(1)
	want("after ten seconds", true, 2, 1)
	if _, err := store.RemoveIssuer(t.Context(), issuerName); err != nil {
		t.Fatal(err)
	}
	want("removed", true, 2, 0)
	now = now.Add(10 * time.Second)
	want("removed for ten seconds", false, 0, 1)
}
