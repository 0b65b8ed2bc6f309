package storetest

import (
	"context"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

var issuers = entries[oauth.TrustedIssuer]{
	kind:    "issuer",
	of:      testIssuer,
	name:    func(i oauth.TrustedIssuer) string { return i.Name },
	version: func(i *oauth.TrustedIssuer) *uint64 { return &i.Version },
	change:  func(i *oauth.TrustedIssuer, n int64) { i.MaxAge += n },
	spoil:   func(i oauth.TrustedIssuer) { i.Audiences[0], i.Algorithms[0] = "spoiled", "spoiled" },
	read: func(ctx context.Context, s Stores, name string) (oauth.TrustedIssuer, bool, error) {
		return s.Issuers.TrustedIssuer(ctx, name)
	},
	save: func(ctx context.Context, s Stores, i oauth.TrustedIssuer) (oauth.TrustedIssuer, error) {
		return s.Issuers.SaveIssuer(ctx, i)
	},
	remove: func(ctx context.Context, s Stores, name string) (bool, error) {
		return s.Issuers.RemoveIssuer(ctx, name)
	},
	list: func(ctx context.Context, s Stores) ([]oauth.TrustedIssuer, error) { return s.Issuers.ListIssuers(ctx) },
}

var issuersTests = append(issuers.tests(otherIssuers()...), []test{
	{"an issuer with inline keys has no address in its next version", func(t *testing.T, s Stores) {
		change := issuers.saved(t, s, testIssuer("a"))
		change.JWKSURL, change.JWKS = "", `{"keys":[]}`
		issuers.want(t, s, issuers.saved(t, s, change))
	}},
	{"issuers and clients of one name are apart", func(t *testing.T, s Stores) {
		client, issuer := clients.saved(t, s, testClient("same")), issuers.saved(t, s, testIssuer("same"))
		b, a := issuers.saved(t, s, testIssuer("b#")), issuers.saved(t, s, testIssuer("A"))
		issuers.wantAll(t, s, a, b, issuer)
		clients.wantAll(t, s, client)
		if _, err := s.Clients.RemoveClient(t.Context(), ledger.ClientID(issuer.Name)); err != nil {
			t.Fatal(err)
		}
		issuers.want(t, s, issuer)
	}},
}...)

func otherIssuers() []oauth.TrustedIssuer {
	inline := testIssuer("backend")
	inline.JWKSURL, inline.JWKS = "", `{"keys":[`+strings.Repeat(" ", 30_000)+`]}`
	return []oauth.TrustedIssuer{
		inline,
		{Signer: oauth.Signer{Name: "bare", Audiences: []string{"app"}, Algorithms: []string{"RS256"}}, Created: 5},
		{Signer: oauth.Signer{Name: "https://platform.example", Algorithms: []string{"ES384"}}, Created: 5, Subjects: oauth.ClientSubjects},
	}
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
