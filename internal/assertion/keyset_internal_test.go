package assertion

import (
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
)

// FuzzKeys: whatever an issuer sends as its keys, each that is taken has an algorithm
// that fob verifies, and no private key is among them.
func FuzzKeys(f *testing.F) {
	keys := []assertiontest.Key{assertiontest.NewKey(f, "RS256"), assertiontest.NewKey(f, "ES256"), assertiontest.NewKey(f, "ES384"), assertiontest.NewKey(f, "EdDSA")}
	good := assertiontest.JWKS(f, keys...)
	f.Add(good)
	for _, change := range [][2]string{
		{`"x":"`, `"x":"A`}, {`"y":"`, `"y":""`}, {`"n":"`, `"n":"AA`}, {`"e":"`, `"e":"_____`}, {`"P-256"`, `"P-521"`}, {`"kty":`, `"d":"AA","kty":`},
		{`"use":"sig"`, `"x5c":["AA"]`}, {`"use":"sig"`, `"key_ops":["sign"]`}, {`"kid":"`, `"kid":null,"k":"`}, {`{"keys":`, `{"Keys":`},
	} {
		f.Add(strings.ReplaceAll(good, change[0], change[1]))
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, err := parseKeys([]byte(text))
		for _, k := range set {
			if err != nil || algorithmOf(k) == "" || !k.IsPublic() || !k.Valid() {
				t.Errorf("%q: a key for %q, %v", text, algorithmOf(k), err)
			}
		}
	})
}
