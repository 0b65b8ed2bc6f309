package password

import (
	"runtime"
	"testing"

	"github.com/alexedwards/argon2id"

	"github.com/fob-oauth/fob/internal/secret"
)

const (
	composed   = "pässwörd"             // NFC, as most keyboards send it
	decomposed = "pa\u0308sswo\u0308rd" // NFD: the same characters, other bytes
)

// asOthersStore is a hash that knows nothing of Unicode's forms.
func asOthersStore(t *testing.T, password string) string {
	t.Helper()
	hash, err := argon2id.CreateHash(password, &params)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// A password that was set on one keyboard is typed on another. An imported hash is of
// the bytes that the other system got.
func TestFormsOfOnePassword(t *testing.T) {
	hash := func(password string) string {
		h, err := Hasher{}.Hash(secret.New(password))
		if err != nil {
			t.Fatal(err)
		}
		return h.Reveal()
	}
	const longDecomposed = decomposed + decomposed + decomposed + decomposed + decomposed + decomposed // 72 bytes, 60 in NFC
	const bcryptOfLong = "$2b$08$ExampleSaltExampleSalesjqKy1yiJWS4FDBdrdR0V.rRtZFa9Ue"                // by crypt.crypt of libxcrypt
	for _, tt := range []struct {
		name, password, hash string
		ok, outdated         bool
	}{
		{"set composed, typed composed", composed, hash(composed), true, false},
		{"set composed, typed decomposed", decomposed, hash(composed), true, false},
		{"set decomposed, typed composed", composed, hash(decomposed), true, false},
		{"set decomposed, typed decomposed", decomposed, hash(decomposed), true, false},
		{"a space of another kind", "correct\u00a0horse", hash("correct horse"), true, false},
		{"another letter", "passwörd", hash(composed), false, false},
		{"another case", "Pässwörd", hash(composed), false, false},
		{"compatible is not the same", "ﬁsh and chips", hash("fish and chips"), false, false},

		// The bytes were proved as a whole, so their composed form may take their place.
		{"imported decomposed, typed decomposed", decomposed, asOthersStore(t, decomposed), true, true},
		{"imported decomposed, typed composed", composed, asOthersStore(t, decomposed), false, false},
		{"imported composed, typed decomposed", decomposed, asOthersStore(t, composed), true, false},
		{"bcrypt of 72 decomposed bytes", longDecomposed, bcryptOfLong, true, false},
		{"bcrypt of 72 decomposed bytes, and more", longDecomposed + "o\u0308", bcryptOfLong, true, false},
	} {
		ok, outdated, err := Hasher{}.Verify(secret.New(tt.password), secret.New(tt.hash))
		if ok != tt.ok || ok && outdated != tt.outdated || err != nil {
			t.Errorf("%s: Verify(%+q) = %v, outdated %v, %v; want %v, %v", tt.name, tt.password, ok, outdated, err, tt.ok, tt.outdated)
		}
	}
}

// How much work a login costs depends on the password that was sent, and not on whether
// its name exists or its password is right. One that is in NFC costs one comparison.
func TestFormsCostTheSame(t *testing.T) {
	right, err := Hasher{}.Hash(secret.New(composed))
	if err != nil {
		t.Fatal(err)
	}
	hashes := map[string]secret.Text{
		"right":              right,
		"right as it is":     secret.New(asOthersStore(t, decomposed)),
		"wrong":              secret.New(asOthersStore(t, "another")),
		"a name of nobody's": {},
	}
	for password, want := range map[string]int{"password": 1, composed: 1, decomposed: 2} {
		for name, hash := range hashes {
			if got := comparisons(func() { _, _, _ = Hasher{}.Verify(secret.New(password), hash) }); got != want {
				t.Errorf("%+q, %s: %d comparisons, want %d", password, name, got, want)
			}
		}
	}
}

// comparisons counts how often the memory of one argon2id was allocated.
func comparisons(run func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run()
	runtime.ReadMemStats(&after)
	return int((after.TotalAlloc - before.TotalAlloc) / (uint64(params.Memory) << 10))
}
