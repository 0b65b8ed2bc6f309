package dynamo

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// The next release must find the items of deployed tables.
func TestKeysAreThoseOfDeployedTables(t *testing.T) {
	loc := bearer.Locator{
		Subject:       [16]byte{0xfb, 0xff, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
		Client:        [8]byte{0xff, 0xfe, 2, 3, 4, 5, 6, 7},
		Authorization: [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0xff},
	}
	client, _ := clientKey("a#b")
	issuer, _ := issuerKey("https://issuer.example/a#b")
	userID, _ := userIDKey("u_x")
	for _, c := range []struct {
		name string
		key  item
		want [2]string
	}{
		{"record", recordKey(loc), [2]string{"-_8CAwQFBgcICQoLDA0ODw", "A#__4CAwQFBgc#AQIDBAUGBwgJCgsMDQ4P_w"}},
		{"state", stateKey(loc.Subject), [2]string{"-_8CAwQFBgcICQoLDA0ODw", "S"}},
		{"client", client, [2]string{"client#a#b", ""}},
		{"issuer", issuer, [2]string{"issuer#https://issuer.example/a#b", ""}},
		{"resource scopes", resourceScopesKey(), [2]string{"scopes", ""}},
		{"user", userKey("ann@example.com"), [2]string{"user#0eRHYQWXt-Smd7utwMOmrg", ""}},
		{"user's id", userID, [2]string{"id#u_x", ""}},
		{"counter", counterKey(oauth.CounterKey(loc.Authorization)), [2]string{"count#AQIDBAUGBwgJCgsMDQ4P_w", ""}},
	} {
		if d := cmp.Diff(c.want, c.key.identity()); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
		attributes := 1
		if c.want[1] != "" {
			attributes = 2
		}
		if len(c.key) != attributes {
			t.Errorf("%s: %d attributes in the key, want %d", c.name, len(c.key), attributes)
		}
	}
	if got, want := listPrefix(nil), "A#"; got != want {
		t.Errorf("prefix of a subject's records %q, want %q", got, want)
	}
	if got, want := listPrefix(&loc.Client), "A#__4CAwQFBgc#"; got != want {
		t.Errorf("prefix of a client's records %q, want %q", got, want)
	}
}

func TestClientKeyRefusesWhatIsNoKey(t *testing.T) {
	for id, want := range map[ledger.ClientID]bool{
		"": true, "scopes": true, "\x00": true,
		ledger.ClientID(strings.Repeat("x", 2041)): true,
		ledger.ClientID(strings.Repeat("x", 2042)): false,
		"\xff": false,
	} {
		if _, ok := clientKey(id); ok != want {
			t.Errorf("clientKey(%.20q) = %v, want %v", id, ok, want)
		}
		if _, ok := issuerKey(string(id)); ok != want {
			t.Errorf("issuerKey(%.20q) = %v, want %v", id, ok, want)
		}
	}
}

// Near estimates by the place of keys how many there are.
func TestPlacesAreInTheOrderOfDynamoDB(t *testing.T) {
	const keys = 2000
	var texts []string
	for n := range keys {
		var k [16]byte
		ledger.Key(k[:], "test", strconv.Itoa(n))
		texts = append(texts, base64url(k[:]))
	}
	slices.Sort(texts)
	for n, text := range texts {
		if place := placeOf(text); n > 0 && place <= placeOf(texts[n-1]) || math.Abs(place-float64(n)/keys) > 0.05 {
			t.Fatalf("%s, the %d. of %d, is at %v", text, n, keys, place)
		}
	}
	if placeOf("") != 0 || placeOf(afterBase64URL) != 1 || texts[keys-1] >= afterBase64URL {
		t.Errorf("from %v to %v, want 0 to 1", placeOf(""), placeOf(afterBase64URL))
	}
}
