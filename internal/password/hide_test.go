package password

import (
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/secret"
)

func TestParseKind(t *testing.T) {
	for _, text := range []string{
		"", "bcrypt:8", "bcrypt:14", "pbkdf2-sha1:1:20", "pbkdf2-sha512:1000000:64", "argon2id:4096:1:1", "argon2id:262144:10:255",
	} {
		if k, err := ParseKind(text); err != nil || string(k) != text {
			t.Errorf("ParseKind(%q) = %q, %v", text, k, err)
		}
	}
	for _, text := range []string{
		"bcrypt", "bcrypt:", "bcrypt:7", "bcrypt:15", "bcrypt:012", "bcrypt:12:1", "bcrypt:-8", "bcrypt: 12", "$2b$12$", "md5:1",
		"pbkdf2-sha256:0:32", "pbkdf2-sha256:1000001:32", "pbkdf2-sha256:1000:15", "pbkdf2-sha256:1000:65", "pbkdf2-md5:1000:32", "pbkdf2-sha256:1000",
		"argon2id:4095:1:1", "argon2id:262145:1:1", "argon2id:4096:11:1", "argon2id:4096:0:1", "argon2id:4096:1:0", "argon2id:4096:1:256",
		"argon2id:19456:2:1", // fob's own
	} {
		if k, err := ParseKind(text); err == nil {
			t.Errorf("ParseKind(%q) = %q", text, k)
		}
	}
}

// With Hide, each login does the work of fob's own hash and of the hidden kind, so that
// its time does not depend on who the user is.
func TestHide(t *testing.T) {
	const password = "example-password"
	own, err := Hasher{}.Hash(secret.New(password))
	if err != nil {
		t.Fatal(err)
	}
	stored := func(f Foreign) secret.Text { return vector{foreign: f}.stored(t) }
	for _, tt := range []struct {
		kind     Kind
		imported secret.Text
		argon2id int           // comparisons as memory shows them: fob's own and the kind's
		least    time.Duration // what no machine does the work of the kind in
	}{
		{"bcrypt:12", stored(named("$2b$12$ExampleSaltExampleSaleVwt8ENgsJvYjsqbO1kh25lIRvU4ryOO")), 1, 100 * time.Millisecond},
		{"pbkdf2-sha256:1000000:32", stored(named("$pbkdf2-sha256$i=1000000,l=32$ZXhhbXBsZS1zYWx0LTAwMQ$lW9yc9QpsLLahiMvWBVSv+R3Hc9P6+fwpH5nXiSrRko")), 1, 100 * time.Millisecond},
		{"argon2id:77824:2:1", stored(named("$argon2id$v=19$m=77824,t=2,p=1$ZXhhbXBsZS1zYWx0LTAwMQ$lW9yc9QpsLLahiMvWBVSv+R3Hc9P6+fwpH5nXiSrRko")), 5, 0},
	} {
		h := Hasher{Hide: tt.kind}
		for _, login := range []struct {
			name, password string
			hash           secret.Text
		}{
			{"right", password, own},
			{"wrong", "wrong", own},
			{"imported", "wrong", tt.imported},
			{"imported, of another kind", "wrong", stored(wso2("SHA-1", "/IGigCi6bV+7/gxO3RttU2EV5N0="))},
			{"a name of nobody's", password, secret.Text{}},
		} {
			var ok bool
			var err error
			start := time.Now()
			argon2id := comparisons(func() { ok, _, err = h.Verify(secret.New(login.password), login.hash) })
			took := time.Since(start)
			if ok != (login.name == "right") || err != nil {
				t.Errorf("%s, %s: Verify = %v, %v", tt.kind, login.name, ok, err)
			}
			if argon2id != tt.argon2id || took < tt.least {
				t.Errorf("%s, %s: memory of %d comparisons, %v; want %d, at least %v", tt.kind, login.name, argon2id, took, tt.argon2id, tt.least)
			}
		}
	}
}
