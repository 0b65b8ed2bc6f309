package dynamo

import (
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/secret"
)

func scopes(t *testing.T, names ...string) scope.Set {
	t.Helper()
	s, err := scope.Of(names...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bytes16 and bytes32 are recognisable in base64: AQEB..., AgIC...
func bytes16(b byte) [16]byte { return [16]byte(slices.Repeat([]byte{b}, 16)) }

func bytes32(b byte) [32]byte { return [32]byte(slices.Repeat([]byte{b}, 32)) }

func fixtureRecord(t *testing.T) ledger.Record {
	slot := func(n byte) ledger.Slot {
		return ledger.Slot{Generation: uint32(n), KID: n + 1, IssuedAt: int64(n) + 2, Expiry: int64(n) + 3, Hash: bytes32(n)}
	}
	return ledger.Record{
		Nonce:   bytes16(1),
		Created: 100,
		Authorization: ledger.Authorization{
			Subject:   ledger.Subject{Kind: ledger.UserSubject, ID: "u_x"},
			Username:  "ann",
			Client:    "app",
			Format:    ledger.Opaque,
			Scope:     scopes(t, "mail", "admin", "device_ipad"),
			Audiences: []string{"api", "app"},
		},
		RID:            bytes16(2),
		Epochs:         ledger.Epochs{Subject: 3, Client: 4, Issuer: 5},
		Access:         slot(10),
		AccessPrev:     slot(20),
		Refresh:        slot(30),
		RefreshPrev:    slot(40),
		RefreshRotated: 50,
		RefreshIdle:    60,
		ScopesVersion:  70,
	}
}

// The next release must understand the items of deployed tables, and the release before
// it must understand what the next one writes. Change these lines only by adding.
func TestItemsAreThoseOfDeployedTables(t *testing.T) {
	client, _ := clientKey("app")
	issuer, _ := issuerKey("backend")
	for _, c := range []struct {
		name string
		item item
		want []string
	}{
		{"record", encodeRecord(fixtureRecord(t)), []string{
			"at {e N 13, g N 10, h B CgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgo=, i N 12, k N 11}",
			"at_prev {e N 23, g N 20, h B FBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQ=, i N 22, k N 21}",
			"au [S api, S app]",
			"cl S app",
			"cr N 100",
			"dv S ipad",
			"ec N 4", "ei N 5", "es N 3",
			"fm S opaque",
			"kd S user",
			"pk S R75pjDk4gp4O5rJDFJsI1g",
			"rid B AgICAgICAgICAgICAgICAg==",
			"rt {e N 33, g N 30, h B Hh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4=, i N 32, k N 31}",
			"rt_idle N 60",
			"rt_prev {e N 43, g N 40, h B KCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCg=, i N 42, k N 41}",
			"rt_rotated N 50",
			"sb S u_x",
			"sc S admin mail",
			"sk S A#7T_OyxJLtO0#NN3P9yVx740gDJ7VGar6Yw",
			"sv N 70",
			"ttl N 86443",
			"un S ann",
			"wn B AQEBAQEBAQEBAQEBAQEBAQ==",
		}},
		{"client", encodeClient(oauth.Client{
			ID: "app", Created: 1, Epoch: 2, Disabled: true,
			Secrets: []oauth.ClientSecret{{Hash: bytes32(1), Created: 3}}, JWKS: "{}",
			Trusts: oauth.Trust{Issuer: "https://b", Subject: "s"},
			Grants: []oauth.GrantType{oauth.PasswordGrant, oauth.RefreshTokenGrant},
			Scopes: scopes(t, "mail", "admin"), DefaultScopes: scopes(t, "mail"),
			Audiences: []string{"api"}, Introspects: []string{"api"}, SendsUserAddress: true,
			TokenFormat: ledger.JWT, AccessLifetime: 4, RefreshIdle: 5, RefreshAbsolute: 6, RefreshGrace: 8, MaxAuthorizations: 7,
		}, client), []string{
			"access_lifetime N 4",
			"au [S api]",
			"cr N 1",
			"default_scopes S mail",
			"disabled BOOL true",
			"epoch N 2",
			"grants [S password, S refresh_token]",
			"id S app",
			"idle_lifetime N 5",
			"introspects [S api]",
			"jwks S {}",
			"max_authorizations N 7",
			"pk S client#app",
			"public BOOL false",
			"refresh_grace N 8",
			"refresh_lifetime N 6",
			"scopes S admin mail",
			"secrets [{cr N 3, h B AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=}]",
			"sends_user_address BOOL true",
			"token_format S jwt",
			"trusts {issuer S https://b, sb S s}",
		}},
		{"issuer", encodeIssuer(oauth.TrustedIssuer{
			Signer: oauth.Signer{
				Name: "backend", Audiences: []string{"app"}, Algorithms: []string{"RS256"}, JWKS: "{}", JWKSURL: "https://b",
				MaxAge: 2, NonceRequired: true,
			},
			Created: 1, Subjects: oauth.HashedSubjects, UsernameClaim: "email", RolesClaim: "groups", Events: true,
		}, issuer), []string{
			"algorithms [S RS256]",
			"au [S app]",
			"cr N 1",
			"events BOOL true",
			"id S backend",
			"jwks S {}",
			"jwks_url S https://b",
			"max_age N 2",
			"nonce_required BOOL true",
			"pk S issuer#backend",
			"private_addresses BOOL false",
			"roles_claim S groups",
			"subjects S hashed",
			"username_claim S email",
		}},
		{"resource scopes", encodeResourceScopes(oauth.ResourceScopes{Roles: map[string][]string{"mail": nil, "admin": {"root"}}, Since: map[string]uint64{"admin": 80}}), []string{
			"pk S scopes",
			"scopes {admin [S root], mail []}",
			"since {admin N 80}",
		}},
		{"user", encodeUser(oauth.User{
			Username: "ann", ID: "u_x", PasswordHash: secret.New("$fixture$"), Roles: []string{"root"}, Created: 1, Disabled: true,
		}), []string{
			"cr N 1",
			"disabled BOOL true",
			"id S u_x",
			"ph S $fixture$",
			"pk S user#3fHbP3_O12MU4OBVfo4VYw",
			"roles [S root]",
			"un S ann",
		}},
		{"a user whom a login added", encodeUser(oauth.User{Username: "ann", ID: "u_x", Created: 1, Origin: oauth.UserAsked}), []string{
			"cr N 1",
			"id S u_x",
			"origin S asked",
			"ph S ",
			"pk S user#3fHbP3_O12MU4OBVfo4VYw",
			"un S ann",
		}},
	} {
		if d := cmp.Diff(c.want, show(c.item)); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

// show writes each attribute of an item as one line.
func show(it map[string]types.AttributeValue) []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(it)) {
		lines = append(lines, name+" "+showValue(it[name]))
	}
	return lines
}

func showValue(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return "S " + v.Value
	case *types.AttributeValueMemberN:
		return "N " + v.Value
	case *types.AttributeValueMemberB:
		return "B " + base64.StdEncoding.EncodeToString(v.Value)
	case *types.AttributeValueMemberBOOL:
		return "BOOL " + strconv.FormatBool(v.Value)
	case *types.AttributeValueMemberM:
		return "{" + strings.Join(show(v.Value), ", ") + "}"
	case *types.AttributeValueMemberL:
		var list []string
		for _, e := range v.Value {
			list = append(list, showValue(e))
		}
		return "[" + strings.Join(list, ", ") + "]"
	}
	return "?"
}

// A state that is swept is epoch 0, and everything that it killed lives again.
func TestStateMustNotBeMortal(t *testing.T) {
	it := stateKey(bytes16(1))
	it[attrEpoch], it[attrTTL] = number(7), number(9)
	if s, err := decodeState(it); err == nil {
		t.Errorf("a state with a ttl was read as %+v", s)
	}
}

func TestRolesThatGotLostDoNotOpenAScope(t *testing.T) {
	it := encodeResourceScopes(oauth.ResourceScopes{Roles: map[string][]string{"admin": {"root"}}})
	it[attrVersion] = number(1)
	for how, value := range wrong() {
		if how == "gone" || how == "an empty list" {
			continue // then the scope is gone, or an operator meant it
		}
		it[attrScopes] = &types.AttributeValueMemberM{Value: item{"admin": value}}
		if s, err := decodeResourceScopes(it); err == nil {
			t.Errorf("roles are %s: read as %v", how, s.Roles)
		}
	}
}

func TestClientSecretsAreReadStrictly(t *testing.T) {
	key, _ := clientKey("app")
	for _, field := range []string{attrHash, attrAdded} {
		for how, value := range wrong() {
			if field == attrAdded && (how == "a small number" || how == "a negative") {
				continue
			}
			it := encodeClient(oauth.Client{ID: "app"}, maps.Clone(key))
			it[attrVersion] = number(1)
			s := item{attrHash: octets(make([]byte, 32)), attrAdded: number(1)}
			spoil(s, field, value)
			it[attrSecrets] = &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberM{Value: s}}}
			if _, err := decodeClient(it); err == nil {
				t.Errorf("%s is %s: the secret was read", field, how)
			}
		}
	}
}
