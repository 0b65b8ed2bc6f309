package password

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/fob-oauth/fob/internal/secret"
)

// The vectors, for the password example-password unless one says otherwise. None
// is made by this package or its libraries:
//
//	WSO2, LDAP    python3: base64(hashlib.new("sha256", password + salt).digest()), and the same by
//	              printf %s 'example-passwordZXhhbXBsZS1zYWx0LTAwMQ==' | openssl dgst -sha256 -binary | base64
//	PBKDF2        python3: hashlib.pbkdf2_hmac("sha256", password, salt, 10000, 32), and the same by
//	              openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt pass:... -kdfopt salt:... -kdfopt iter:10000 PBKDF2
//	              and, for UTF-8 and SHA-384, by Java's SecretKeyFactory, which WSO2 calls
//	bcrypt        python3: bcrypt.hashpw(password, b"$2b$08$ExampleSaltExampleSale") of bcrypt 4.0.1; $2y$ by crypt.crypt of libxcrypt
//	argon2id      python3: argon2.low_level.hash_secret of argon2-cffi
const (
	wso2Salt = "ZXhhbXBsZS1zYWx0LTAwMQ==" // WSO2 takes these characters, and not what they decode to
	umlauts  = "pässwörd"
)

type vector struct {
	name     string
	password string // example-password unless set
	foreign  Foreign
	wrapped  bool
}

func wso2(digest, hash string) Foreign {
	return Foreign{Hash: secret.New(hash), Salt: secret.New(wso2Salt), Digest: digest}
}

func wso2PBKDF2(prf, hash string, bits int) Foreign {
	return Foreign{Hash: secret.New(hash), Salt: secret.New(wso2Salt), Digest: "PBKDF2", PRF: prf, Iterations: 10000, KeyBits: bits}
}

func named(hash string) Foreign { return Foreign{Hash: secret.New(hash)} }

var vectors = []vector{
	{name: "WSO2 SHA-1", foreign: wso2("SHA-1", "/IGigCi6bV+7/gxO3RttU2EV5N0="), wrapped: true},
	{name: "WSO2 SHA, as Java calls it", foreign: wso2("SHA", "/IGigCi6bV+7/gxO3RttU2EV5N0="), wrapped: true},
	{name: "WSO2 SHA-256", foreign: wso2("SHA-256", "QasIxB6SuXPYIiIdOsSYxuSflB94KvtLQ2FT/YKZORk="), wrapped: true},
	{name: "WSO2 SHA-384", foreign: wso2("SHA-384", "4md8mc7W3mOov9fkKm6g3CUHqSZZQ7OC0oRmJnANLIj+A7mSPP3JoYRVqft6tN/T"), wrapped: true},
	{
		name:    "WSO2 SHA-512",
		foreign: wso2("SHA-512", "TQR8nQKahkgkM/oBs0cSy65OESy6luJ2WedfZOlA+nzSn/e06c1iVFi0qIMyf8o7VD1kpjvU7360wBya8rJAbw=="), wrapped: true,
	},
	{name: "WSO2 SHA-256, UTF-8", password: umlauts, foreign: wso2("sha256", "Mae+gZMfYjKmMXgqjP1wKb27Hu1d9iA6xawgOKiIVS4"), wrapped: true},
	{name: "WSO2 SHA-256 without salt", foreign: Foreign{Hash: secret.New("pLf72pF5BVugBbg/4dnVWMheX2r8LOQHFDns2rhkuY4="), Digest: "SHA-256"}, wrapped: true},
	{name: "WSO2 PBKDF2 of SHA-1", foreign: wso2PBKDF2("PBKDF2WithHmacSHA1", "C33m9XAlA9HwFzGHGKr84QEvgv8=", 160), wrapped: true},
	{name: "WSO2 PBKDF2 of SHA-256", foreign: wso2PBKDF2("PBKDF2WithHmacSHA256", "kRbqQQCgtC9jN66vEXqoeK7hpdIVzjdM/0QwtGmRL34=", 256), wrapped: true},
	{name: "WSO2 PBKDF2 of SHA-384", foreign: wso2PBKDF2("PBKDF2WithHmacSHA384", "zr04zNdJEA/sUzt/A0ykxgWBBMOHIR/gQcmvdMHOOmlS1pvZwDKfcHj6ugLKZEYI", 0), wrapped: true},
	{
		name:    "WSO2 PBKDF2 of SHA-512",
		foreign: wso2PBKDF2("PBKDF2WithHmacSHA512", "5v8CNuJoydUXzQ825oV551nxjhDgAt3Hu6WFon7NAP1zxWW6Aeo1fHqtQMoUCSx5Egw4TpE5TdiKYneTvJQZ3A==", 512), wrapped: true,
	},
	{
		name: "WSO2 PBKDF2, UTF-8", password: umlauts,
		foreign: wso2PBKDF2("PBKDF2WithHmacSHA256", "g4GHMWxcXXVITiyQrREE6u1pe3EjnLT/OyVBPKcLKbk=", 256), wrapped: true,
	},
	{name: "PBKDF2 of SHA-1", foreign: named("$pbkdf2-sha1$i=10000,l=20$ZXhhbXBsZS1zYWx0LTAwMQ$J/TprObiybgoLsQtGC+xXq+yBOk"), wrapped: true},
	{name: "PBKDF2 of SHA-256", foreign: named("$pbkdf2-sha256$i=10000,l=32$ZXhhbXBsZS1zYWx0LTAwMQ$lW9yc9QpsLLahiMvWBVSv+R3Hc9P6+fwpH5nXiSrRko"), wrapped: true},
	{
		name:    "PBKDF2 of SHA-512",
		foreign: named("$pbkdf2-sha512$i=10000,l=64$ZXhhbXBsZS1zYWx0LTAwMQ$pqpRu0/lgOWaxTBQDiaF7MNahpK0qrxbBH4tM/kymYPNKYff/uSD3zagELT2DQ2bs2yZWxIoz73Z+osegR0jIw"),
		wrapped: true,
	},
	{name: "LDAP SSHA", foreign: named("{SSHA}1sEDjrngtFkNBTRFza7boLlshiFleGFtcGxlIQ=="), wrapped: true},
	{name: "LDAP SSHA256", foreign: named("{SSHA256}fuDb75yQ2pRpTCgxA12+WX9kY7eCOHQWcyvlh1YkvK5leGFtcGxlIQ=="), wrapped: true},
	{name: "LDAP SSHA384", foreign: named("{ssha384}r0LucjlaTYOfu41CwAEe7zq3i0xv7i65cg8hSrsnAYbx4c2tqS4+YPTlEZOxiE7+ZXhhbXBsZSE="), wrapped: true},
	{
		name: "LDAP SSHA512", wrapped: true,
		foreign: named("{SSHA512}JjSsdq3N0b0NYVnbNHKTNM337spQepFWqwRZVvVlFEdsUGwCNEEu0btLhSn91T31KvjvBQ2MdA2pZd3hIS5G9GV4YW1wbGUh"),
	},
	{name: "LDAP SHA", foreign: named("{SHA}VV2iDfINQXLgDxtz18OUOAIFUnA="), wrapped: true},
	{name: "LDAP SHA256", foreign: named("{SHA256}pLf72pF5BVugBbg/4dnVWMheX2r8LOQHFDns2rhkuY4="), wrapped: true},
	{name: "bcrypt 2a", foreign: named("$2a$08$ExampleSaltExampleSaleVwt8ENgsJvYjsqbO1kh25lIRvU4ryOO")},
	{name: "bcrypt 2b", foreign: named("$2b$08$ExampleSaltExampleSaleVwt8ENgsJvYjsqbO1kh25lIRvU4ryOO")},
	{name: "bcrypt 2y", foreign: named("$2y$08$ExampleSaltExampleSaleVwt8ENgsJvYjsqbO1kh25lIRvU4ryOO")},
	{name: "bcrypt, UTF-8", password: umlauts, foreign: named("$2b$08$ExampleSaltExampleSalehLROw2maAzbYiE3.SURN9bT9DVsSX06")},
	{name: "argon2id", foreign: named("$argon2id$v=19$m=4096,t=3,p=4$ZXhhbXBsZS1zYWx0LTAwMQ$+fzgTYLSDEOG0Bfnf5c1VDLgzbSSYZZVgem90f81WTY")},
}

func (v vector) clear() string {
	if v.password == "" {
		return "example-password"
	}
	return v.password
}

func (v vector) stored(t *testing.T) secret.Text {
	t.Helper()
	checked, err := v.foreign.Check()
	if err != nil {
		t.Fatalf("Check: %v", err)
	}
	stored, err := checked.Stored()
	if err != nil {
		t.Fatalf("Stored: %v", err)
	}
	return stored
}

func TestImportedHashesVerify(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			stored := v.stored(t)
			for _, try := range []struct {
				password string
				ok       bool
			}{
				{v.clear(), true},
				{v.clear() + "x", false},
				{v.clear()[1:], false},
				{"", false},
				{v.clear() + wso2Salt, false}, // the salt is not part of the password
			} {
				ok, outdated, err := Hasher{}.Verify(secret.New(try.password), stored)
				if ok != try.ok || err != nil || !outdated {
					t.Errorf("Verify(%q) = %v, outdated %v, %v; want %v, outdated", try.password, ok, outdated, err, try.ok)
				}
			}
		})
	}
}

// A fast hash never lies in the table, not even as a part of what does.
func TestFastHashesAreWrapped(t *testing.T) {
	for _, v := range vectors {
		stored := v.stored(t).Reveal()
		over := strings.HasPrefix(stored, wrappedPrefix)
		if over != v.wrapped {
			t.Errorf("%s: wrapped is %v, want %v", v.name, over, v.wrapped)
		}
		if !over {
			continue
		}
		if want := "$argon2id$v=19$m=19456,t=2,p=1$"; !strings.Contains(stored, want) {
			t.Errorf("%s: no %s in it", v.name, want)
		}
		checked, _ := v.foreign.Check()
		digest := []byte(checked.digest.Reveal())
		for name, text := range map[string]string{
			"the hash":              strings.TrimRight(v.foreign.Hash.Reveal(), "="),
			"the digest":            string(digest),
			"the digest in base64":  phcBase64.EncodeToString(digest),
			"the digest in hex":     fmt.Sprintf("%x", digest),
			"a part of the digest":  phcBase64.EncodeToString(digest[:9]),
			"another part, shifted": phcBase64.EncodeToString(digest[3:12]),
		} {
			if strings.Contains(stored, text) {
				t.Errorf("%s: %s is stored", v.name, name)
			}
		}
	}
}

// Two users with one password and one salt are stored unlike.
func TestWrappingHasASaltOfItsOwn(t *testing.T) {
	v := vectors[2]
	if a, b := v.stored(t), v.stored(t); a.Equal(b) {
		t.Error("the same is stored twice")
	}
}

// bcrypt compares 72 bytes of a password. A longer one logs in as before, but proves
// only these: it must not become the password, which would lock out its owner. Nor must
// one of 72 bytes, which may be the beginning of the owner's.
func TestLongBcryptPasswords(t *testing.T) {
	// Of 80 times p.
	stored := vector{foreign: named("$2b$08$ExampleSaltExampleSaleqQEaRE1Rv2b4ifI96Mqg.fjR540E15i")}.stored(t)
	for n, want := range map[int]bool{71: false, 72: true, 73: true, 80: true, 1024: true} {
		ok, outdated, err := Hasher{}.Verify(secret.New(strings.Repeat("p", n)), stored)
		if ok != want || err != nil {
			t.Errorf("%d bytes: %v, %v; want %v", n, ok, err, want)
		}
		if ok && outdated {
			t.Errorf("%d bytes are stored anew", n)
		}
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(strings.Repeat("p", 71)), minCost)
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]bool{71: true, 72: false} {
		ok, outdated, err := Hasher{}.Verify(secret.New(strings.Repeat("p", n)), secret.New(string(hash)))
		if ok != want || ok && !outdated || err != nil {
			t.Errorf("%d bytes of 71: %v, to be stored anew %v, %v", n, ok, outdated, err)
		}
	}
}

// Other texts that have the hash of the password log in, as they did in the old
// system, and are not stored.
func TestOtherTextsWithTheHash(t *testing.T) {
	pbkdf2 := vectors[slices.IndexFunc(vectors, func(v vector) bool { return v.name == "PBKDF2 of SHA-256" })]
	bcrypt := vectors[slices.IndexFunc(vectors, func(v vector) bool { return v.name == "bcrypt 2b" })]
	for _, v := range []vector{pbkdf2, bcrypt} {
		other := v.clear() + "\x00" // HMAC pads with NUL
		if v.name == bcrypt.name {
			other += v.clear() // bcrypt repeats password and NUL
		}
		ok, outdated, err := Hasher{}.Verify(secret.New(other), v.stored(t))
		if !ok || outdated || err != nil {
			t.Errorf("%s: %v, to be stored anew %v, %v", v.name, ok, outdated, err)
		}
	}
}

func TestForeignHashesThatAreRefused(t *testing.T) {
	const (
		sha256Hash = "QasIxB6SuXPYIiIdOsSYxuSflB94KvtLQ2FT/YKZORk="
		bcryptTail = "$ExampleSaltExampleSaleVwt8ENgsJvYjsqbO1kh25lIRvU4ryOO"
		key32      = "lW9yc9QpsLLahiMvWBVSv+R3Hc9P6+fwpH5nXiSrRko"
		salt16     = "ZXhhbXBsZS1zYWx0LTAwMQ"
	)
	with := func(change func(f *Foreign)) Foreign {
		f := wso2PBKDF2("PBKDF2WithHmacSHA256", "kRbqQQCgtC9jN66vEXqoeK7hpdIVzjdM/0QwtGmRL34=", 256)
		change(&f)
		return f
	}
	for _, tt := range []struct {
		foreign Foreign
		says    string
	}{
		{Foreign{}, "there is no password hash"},
		{named(sha256Hash), "does not name its kind"},
		{wso2("SHA-512", sha256Hash), "the hash has 32 bytes, and one of this kind has 64"},
		{wso2("SHA-256", "41ab08c41e92b973d822221d3ac498c6e49f941f782afb4b436153fd82993919"), "has 48 bytes"}, // hex
		{wso2("SHA-256", sha256Hash[:20]+"\n"+sha256Hash[20:]), "not in base64"},
		{wso2("SHA-256", "*"+sha256Hash[1:]), "not in base64"},
		{wso2("MD5", "AAAAAAAAAAAAAAAAAAAAAA=="), "MD5 is not taken"},
		{wso2("PLAIN_TEXT", "example-password"), "plain text is not taken"},
		{wso2("SHA3-256", sha256Hash), "digest that fob does not know"},
		{Foreign{Hash: secret.New(sha256Hash), Digest: "SHA-256", Salt: secret.New(strings.Repeat("s", 257))}, "a salt of more than 256 bytes"},
		{Foreign{Hash: secret.New(sha256Hash), Digest: "SHA-256", Iterations: 10}, "for PBKDF2 alone"},
		{named("{SMD5}AAAAAAAAAAAAAAAAAAAAAGV4YW1wbGUh"), "LDAP hash of a kind that fob does not know"},
		{named("{CRYPT}" + bcryptTail), "LDAP hash of a kind that fob does not know"},
		{named("{SSHA}VV2iDfINQXLgDxtz18OUOAIFUnA="), "too short for its kind"}, // no salt
		{named("{SHA}1sEDjrngtFkNBTRFza7boLlshiFleGFtcGxlIQ=="), "the hash has 28 bytes, and one of this kind has 20"},
		{named("{SSHA}?"), "not in base64"},
		{named("{SSHA"), "too short for its kind"},
		{with(func(f *Foreign) { f.Iterations = 0 }), "needs prf and iterations"},
		{with(func(f *Foreign) { f.Iterations = -1 }), "less than 1"},
		{with(func(f *Foreign) { f.Iterations = maxPBKDF2 + 1 }), "more than 1000000 iterations"},
		{with(func(f *Foreign) { f.PRF = "" }), "needs prf and iterations"},
		{with(func(f *Foreign) { f.PRF = "PBKDF2WithHmacMD5" }), "a prf that fob does not know"},
		{with(func(f *Foreign) { f.PRF = "SHA256" }), "a prf that fob does not know"},
		{with(func(f *Foreign) { f.KeyBits = 32 }), "dk_length is 32, and the hash has 256 bits"},
		{with(func(f *Foreign) { f.Salt = secret.Text{} }), "PBKDF2 without a salt"},
		{with(func(f *Foreign) { f.Hash, f.KeyBits = secret.New("QUJDRA=="), 32 }), "less than 128"},
		{named("$pbkdf2-sha256$i=1000001,l=32$" + salt16 + "$" + key32), "more than 1000000 iterations"},
		{named("$pbkdf2-sha256$i=0,l=32$" + salt16 + "$" + key32), "cannot be read"},
		{named("$pbkdf2-sha256$i=0,l=0$" + salt16 + "$" + key32), "cannot be read"},
		{named("$pbkdf2-sha256$i=010,l=32$" + salt16 + "$" + key32), "cannot be read"},
		{named("$pbkdf2-sha256$i=10000,l=20$" + salt16 + "$" + key32), "has 32 bytes, and one of this kind has 20"},
		{named("$pbkdf2-md5$i=10000,l=32$" + salt16 + "$" + key32), "a digest that fob does not know"},
		{named("$pbkdf2-sha256$10000$" + salt16 + "$" + key32), "cannot be read"},
		{named("$2b$07" + bcryptTail), "bcrypt of cost 7; fob runs 8 to 14"},
		{named("$2b$15" + bcryptTail), "bcrypt of cost 15; fob runs 8 to 14"},
		{named("$2x$08" + bcryptTail), "of a kind that fob does not know"},
		{named("$2b$08" + bcryptTail + "A"), "bcrypt that cannot be read"},
		{named("$2b$0x" + bcryptTail), "bcrypt that cannot be read"},
		{named("$2b$08" + bcryptTail[:53] + "="), "bcrypt that cannot be read"},
		{named("$argon2i$v=19$m=19456,t=2,p=1$" + salt16 + "$" + key32), "of a kind that fob does not know"},
		{named("$argon2id$v=16$m=19456,t=2,p=1$" + salt16 + "$" + key32), "argon2id that cannot be read"},
		{named("$argon2id$v=19$m=19456,t=2,p=1,x=1$" + salt16 + "$" + key32), "argon2id that cannot be read"},
		{named("$argon2id$v=19$m=262145,t=2,p=1$" + salt16 + "$" + key32), "beyond the parameters"},
		{named("$argon2id$v=19$m=64,t=1,p=1$" + salt16 + "$" + key32), "beyond the parameters"},
		{named("$argon2id$v=19$m=19456,t=11,p=1$" + salt16 + "$" + key32), "beyond the parameters"},
		{named("$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$QUJD"), "too short or too long"},
		{named("$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$"), "too short or too long"},
		{named(wrappedPrefix + "sha256$" + salt16 + nobody), "of a kind that fob does not know"},
		{Foreign{Hash: secret.New("$2b$08" + bcryptTail), Digest: "SHA-256"}, "names its own kind, and there is a digest"},
		{Foreign{Hash: secret.New("{SHA}VV2iDfINQXLgDxtz18OUOAIFUnA="), Salt: secret.New("salt")}, "names its own kind"},
		{named("example-password"), "does not name its kind"},
		{named("$"), "of a kind that fob does not know"},
	} {
		_, err := tt.foreign.Check()
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("Check of %q, %q: %v; want %q", tt.foreign.Hash.Reveal(), tt.foreign.Digest, err, tt.says)
			continue
		}
		if h := tt.foreign.Hash.Reveal(); len(h) > 1 && strings.Contains(err.Error(), h) {
			t.Errorf("the error repeats the hash: %v", err)
		}
	}
}

// An edited item must not cost more than a login may, and is an error, never a
// wrong password.
func TestVerifyRefusesLegacyBeyondBounds(t *testing.T) {
	const salt = "ZXhhbXBsZS1zYWx0LTAwMQ"
	for _, stored := range []string{
		"$wrapped$md5$" + salt + nobody,
		"$wrapped$sha256$" + salt,
		"$wrapped$sha256$" + salt + "$argon2id$v=19$m=262145,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"$wrapped$sha256$" + salt + "$2b$08$ExampleSaltExampleSaleVwt8ENgsJvYjsqbO1kh25lIRvU4ryOO",
		"$wrapped$sha256$" + salt + "=" + nobody,
		"$wrapped$sha256$" + strings.Repeat("AAAA", 100) + nobody,
		"$wrapped$sha256$sha256$" + salt + nobody,
		"$wrapped$pbkdf2-sha256,i=1000001,l=32$" + salt + nobody,
		"$wrapped$pbkdf2-sha256,i=0,l=0$" + salt + nobody,
		"$wrapped$pbkdf2-sha256,i=10000,l=65$" + salt + nobody,
		"$wrapped$pbkdf2-sha256,i=10000$" + salt + nobody,
		"$wrapped$pbkdf2-sha256$" + salt + nobody,
		"$wrapped$",
		"$2b$15$ExampleSaltExampleSaleVwt8ENgsJvYjsqbO1kh25lIRvU4ryOO",
		"$2b$03$ExampleSaltExampleSaleVwt8ENgsJvYjsqbO1kh25lIRvU4ryOO",
		"$2x$08$ExampleSaltExampleSaleVwt8ENgsJvYjsqbO1kh25lIRvU4ryOO",
		"{SHA}VV2iDfINQXLgDxtz18OUOAIFUnA=",
		"$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$", // fits every password
	} {
		ok, _, err := Hasher{}.Verify(secret.New("example-password"), secret.New(stored))
		if ok || err == nil {
			t.Errorf("Verify with %s = %v, %v", stored, ok, err)
		}
		if err != nil && strings.Contains(err.Error(), stored) {
			t.Errorf("the error repeats the hash: %v", err)
		}
	}
}

// An accepted hash can be stored and read again, and an error repeats nothing of it.
func FuzzForeign(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.foreign.Hash.Reveal(), v.foreign.Salt.Reveal(), v.foreign.Digest, v.foreign.PRF, v.foreign.Iterations, v.foreign.KeyBits)
	}
	f.Fuzz(func(t *testing.T, hash, salt, digest, prf string, iterations, bits int) {
		foreign := Foreign{secret.New(hash), secret.New(salt), digest, prf, iterations, bits}
		checked, err := foreign.Check()
		if err != nil {
			if len(hash) > 16 && strings.Contains(err.Error(), hash) || len(salt) > 16 && strings.Contains(err.Error(), salt) {
				t.Errorf("the error repeats the hash or its salt: %v", err)
			}
			return
		}
		if checked.stored.Len() > 0 {
			if stored := checked.stored.Reveal(); stored != hash || strings.HasPrefix(stored, wrappedPrefix) {
				t.Errorf("%q is stored as %q", hash, stored)
			}
			return
		}
		l, over, ok := parseWrapped(checked.legacy.prefix() + nobody)
		if !ok || over != nobody || l.prefix() != checked.legacy.prefix() || checked.digest.Len() != l.size() {
			t.Errorf("%+v is read as %+v, %v", checked.legacy, l, ok)
		}
	})
}

// One hash has one spelling.
func FuzzWrapped(f *testing.F) {
	f.Add("$wrapped$sha256$ZXhhbXBsZS1zYWx0LTAwMQ" + nobody)
	f.Add("$wrapped$sha1$" + nobody)
	f.Add("$wrapped$pbkdf2-sha512,i=10000,l=64$ZXhhbXBsZS1zYWx0LTAwMQ" + nobody)
	f.Fuzz(func(t *testing.T, stored string) {
		l, over, ok := parseWrapped(stored)
		if !ok {
			if l.salt != nil || over != "" {
				t.Error("a refused hash gave something")
			}
			return
		}
		if l.prefix()+over != stored {
			t.Errorf("%q is written as %q", stored, l.prefix()+over)
		}
	})
}
