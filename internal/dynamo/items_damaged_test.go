package dynamo

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

// wrong are values that no attribute may have: one of every type, and
// the right types with contents that do not fit.
func wrong() map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"gone":           nil,
		"null":           &types.AttributeValueMemberNULL{Value: true},
		"another text":   text(" edited "),
		"a small number": number(1),
		"a negative":     number(-1),
		"a fraction":     &types.AttributeValueMemberN{Value: "1.5"},
		"a huge number":  &types.AttributeValueMemberN{Value: "99999999999999999999999999999999999999"},
		"short bytes":    octets([]byte{1}),
		"a flag":         flag(true),
		"an empty list":  texts(nil),
		"an odd list":    &types.AttributeValueMemberL{Value: []types.AttributeValue{number(1)}},
		"an empty map":   &types.AttributeValueMemberM{Value: item{}},
		"an odd map":     &types.AttributeValueMemberM{Value: item{"g": text("x"), "k": number(-1), "i": flag(true), "e": octets(nil), "h": octets([]byte{1})}},
		"a string set":   &types.AttributeValueMemberSS{Value: []string{"x"}},
	}
}

// Each attribute is spoiled in each way. Whatever comes of it, the nonce is
// still there, and what the token asserts either is as it was or no longer fits
// the key.
func TestDamagedRecordKeepsItsNonce(t *testing.T) {
	r := fixtureRecord(t)
	// Not part of the key; hashes, epochs and deadlines are for the domain to judge.
	outside := []string{"pk", "sk", "ttl", "cr", "rid", "es", "ec", "ei", "at", "at_prev", "rt", "rt_prev", "rt_rotated", "rt_idle", "sv"}
	noticed := 0
	for name := range encodeRecord(r) {
		for how, value := range wrong() {
			it := encodeRecord(r)
			spoil(it, name, value)
			got := decodeRecord(it)
			if name == "wn" {
				if got.Nonce != damagedNonce {
					t.Errorf("wn is %s: the nonce is %x", how, got.Nonce)
				}
				continue
			}
			if got.Nonce != r.Nonce {
				t.Errorf("%s is %s: the nonce is lost", name, how)
			}
			fits := got.Locator() == r.Locator()
			if fits && !got.Authorization.Equal(r.Authorization) {
				t.Errorf("%s is %s: the record asserts something else and fits its key", name, how)
			}
			if slices.Contains(outside, name) != fits {
				t.Errorf("%s is %s: the record fits its key: %v", name, how, fits)
			}
			if !fits {
				noticed++
			}
		}
	}
	if noticed == 0 {
		t.Error("nothing was noticed")
	}
}

func TestDamagedSlotHoldsNoToken(t *testing.T) {
	r := fixtureRecord(t)
	for name, slot := range map[string]func(ledger.Record) ledger.Slot{
		"at": func(r ledger.Record) ledger.Slot { return r.Access }, "at_prev": func(r ledger.Record) ledger.Slot { return r.AccessPrev },
		"rt": func(r ledger.Record) ledger.Slot { return r.Refresh }, "rt_prev": func(r ledger.Record) ledger.Slot { return r.RefreshPrev },
	} {
		for how, value := range wrong() {
			it := encodeRecord(r)
			spoil(it, name, value)
			if got := slot(decodeRecord(it)); got != (ledger.Slot{}) {
				t.Errorf("%s is %s: read as %+v", name, how, got)
			}
		}
	}
}

// Wherever the decoder is strict, nothing spoiled is read as if it were empty.
func TestStrictDecoders(t *testing.T) {
	versioned := func(it item) item {
		it[attrVersion] = number(3)
		it[attrNonce] = octets(slices.Repeat([]byte{9}, 16))
		return it
	}
	client, _ := clientKey("app")
	issuer, _ := issuerKey("backend")
	full := oauth.Client{
		ID: "app", Version: 3, Created: 1, Epoch: 2,
		Secrets: []oauth.ClientSecret{{Hash: bytes32(1), Created: 3}}, JWKS: "{}",
		Trusts: oauth.Trust{Issuer: "https://b", Subject: "s"},
		Grants: []oauth.GrantType{oauth.PasswordGrant},
		Scopes: scopes(t, "mail"), DefaultScopes: scopes(t, "mail"),
		Audiences: []string{"api"}, Introspects: []string{"api"}, SendsUserAddress: true, LoginAudiences: []string{"shop"},
		AccessLifetime: 4, RefreshIdle: 5, RefreshAbsolute: 6, MaxAuthorizations: 7,
	}
	for _, c := range []struct {
		name   string
		make   func() item
		decode func(item) error
		// Attributes that may be gone, and those that the decoder does not look at.
		optional, ignored []string
		// What some attribute may as well be.
		fine map[string][]string
	}{
		{
			name: "state",
			make: func() item {
				it := stateKey(bytes16(1))
				it[attrEpoch], it[attrDisabled], it[attrUserVersion] = number(7), flag(true), number(8)
				return it
			},
			decode:   func(it item) error { _, err := decodeState(it); return err },
			optional: []string{attrDisabled, attrUserVersion},
			ignored:  []string{partitionKey, sortKey},
			fine:     map[string][]string{attrEpoch: {"a small number"}, attrUserVersion: {"a small number"}, attrDisabled: {"a flag"}},
		},
		{
			name:   "client",
			make:   func() item { return versioned(encodeClient(full, maps.Clone(client))) },
			decode: func(it item) error { _, err := decodeClient(it); return err },
			optional: []string{
				attrSecrets, attrJWKS, attrTrusts, attrGrants, attrScopes, attrDefaultScopes, attrAudiences, attrIntrospects, attrSendsUserAddress, attrLoginAudiences,
				attrAccessLifetime, attrIdleLifetime, attrRefreshLifetime, attrMaxAuthorizations,
			},
			ignored: []string{attrNonce},
			fine: map[string][]string{
				attrVersion: {"a small number"}, attrAdded: {"a small number", "a negative"}, attrEpoch: {"a small number"},
				attrDisabled: {"a flag"}, attrPublic: {"a flag"},
				attrSecrets: {"an empty list"}, attrJWKS: {"another text"}, attrGrants: {"an empty list"}, attrAudiences: {"an empty list"}, attrIntrospects: {"an empty list"}, attrSendsUserAddress: {"a flag"}, attrLoginAudiences: {"an empty list"},
				attrAccessLifetime: {"a small number", "a negative"}, attrIdleLifetime: {"a small number", "a negative"},
				attrRefreshLifetime: {"a small number", "a negative"}, attrMaxAuthorizations: {"a small number"},
			},
		},
		{
			name: "issuer",
			make: func() item {
				return versioned(encodeIssuer(oauth.TrustedIssuer{
					Signer: oauth.Signer{
						Name: "backend", Audiences: []string{"app"}, Algorithms: []string{"RS256"}, JWKS: "{}", JWKSURL: "https://b", MaxAge: 2,
					},
					Subjects: oauth.HashedSubjects, UsernameClaim: "email", RolesClaim: "groups", Events: true,
				}, maps.Clone(issuer)))
			},
			decode:   func(it item) error { _, err := decodeIssuer(it); return err },
			optional: []string{attrJWKS, attrJWKSURL, attrMaxAge, attrSubjects, attrUsernameClaim, attrRolesClaim, attrEvents},
			ignored:  []string{attrNonce},
			fine: map[string][]string{
				attrVersion: {"a small number"}, attrAdded: {"a small number", "a negative"}, attrMaxAge: {"a small number", "a negative"},
				attrAudiences: {"an empty list"}, attrAlgorithms: {"an empty list"},
				attrNonceRequired: {"a flag"}, attrPrivateAddresses: {"a flag"}, attrEvents: {"a flag"},
				attrJWKS: {"another text"}, attrJWKSURL: {"another text"}, attrSubjects: {"another text"},
				attrUsernameClaim: {"another text"}, attrRolesClaim: {"another text"},
			},
		},
		{
			name: "issuer for clients",
			make: func() item {
				return versioned(encodeIssuer(oauth.TrustedIssuer{
					Signer: oauth.Signer{Name: "backend", Algorithms: []string{"RS256"}}, Subjects: oauth.ClientSubjects,
				}, maps.Clone(issuer)))
			},
			decode:   func(it item) error { _, err := decodeIssuer(it); return err },
			optional: []string{attrEvents},
			ignored:  []string{attrNonce},
			fine: map[string][]string{
				attrVersion: {"a small number"}, attrAdded: {"a small number", "a negative"}, attrAlgorithms: {"an empty list"},
				attrNonceRequired: {"a flag"}, attrPrivateAddresses: {"a flag"}, attrEvents: {"a flag"},
			},
		},
		{
			name: "resource scopes",
			make: func() item {
				return versioned(encodeResourceScopes(oauth.ResourceScopes{Roles: map[string][]string{"admin": {"root"}}, Since: map[string]uint64{"admin": 7}}))
			},
			decode:   func(it item) error { _, err := decodeResourceScopes(it); return err },
			optional: []string{attrSince},
			ignored:  []string{partitionKey, attrNonce},
			fine:     map[string][]string{attrVersion: {"a small number"}, attrScopes: {"an empty map"}, attrSince: {"an empty map"}},
		},
		{
			name: "user",
			make: func() item {
				return versioned(encodeUser(oauth.User{Username: "ann", ID: "u_x", PasswordHash: secret.New("$fixture$"), Roles: []string{"root"}, Disabled: true, Origin: oauth.UserKept}))
			},
			decode:   func(it item) error { _, err := decodeUser(it); return err },
			optional: []string{attrDisabled, attrRoles, attrOrigin},
			ignored:  []string{attrNonce},
			fine: map[string][]string{
				attrID: {"another text"}, attrPasswordHash: {"another text"}, attrVersion: {"a small number"},
				attrAdded: {"a small number", "a negative"}, attrRoles: {"an empty list"}, attrDisabled: {"a flag"},
			},
		},
		{
			name: "user's id",
			make: func() item {
				it, _ := userIDKey("u_x")
				it[attrUserKey] = userKey("ann")[partitionKey]
				return it
			},
			decode:  func(it item) error { _, err := decodeUserID(it); return err },
			ignored: []string{partitionKey}, // the user who is found has the id
		},
		{
			name: "counter",
			make: func() item {
				it := counterKey(bytes16(1))
				it[attrCount], it[attrLast], it[attrTTL] = number(7), number(8), number(9)
				return it
			},
			decode:  func(it item) error { _, err := decodeCounter(it); return err },
			ignored: []string{partitionKey, attrTTL},
			fine:    map[string][]string{attrCount: {"a small number"}, attrLast: {"a small number", "a negative"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.decode(c.make()); err != nil {
				t.Fatalf("whole: %v", err)
			}
			for name := range c.make() {
				for how, value := range wrong() {
					it := c.make()
					spoil(it, name, value)
					fine := slices.Contains(c.ignored, name) || slices.Contains(c.fine[name], how) ||
						how == "gone" && slices.Contains(c.optional, name)
					if err := c.decode(it); (err == nil) != fine {
						t.Errorf("%s is %s: %v; want it read: %v", name, how, err, fine)
					} else if err != nil && (strings.Contains(err.Error(), "$fixture$") || strings.Contains(err.Error(), "edited") && name != partitionKey) {
						t.Errorf("%s is %s: the error repeats a value: %v", name, how, err)
					}
				}
			}
		})
	}
}

func spoil(it item, name string, value types.AttributeValue) {
	if value == nil {
		delete(it, name)
		return
	}
	it[name] = value
}
