package password

import (
	"testing"

	"github.com/fob-oauth/fob/internal/secret"
)

func TestKinds(t *testing.T) {
	const salt16, key32 = "ZXhhbXBsZS1zYWx0LTAwMQ", "lW9yc9QpsLLahiMvWBVSv+R3Hc9P6+fwpH5nXiSrRko"
	const bcryptTail = "$ExampleSaltExampleSaleVwt8ENgsJvYjsqbO1kh25lIRvU4ryOO"
	for _, tt := range []struct {
		foreign   Foreign
		want      Kind
		revealing bool
	}{
		{named("$2b$08" + bcryptTail), "bcrypt:8", true}, // sooner
		{named("$2a$09" + bcryptTail), "bcrypt:9", true},
		{named("$2y$12" + bcryptTail), "bcrypt:12", true},
		{named("$pbkdf2-sha256$i=600000,l=32$" + salt16 + "$" + key32), "pbkdf2-sha256:600000:32", true},
		{wso2PBKDF2("PBKDF2WithHmacSHA256", "kRbqQQCgtC9jN66vEXqoeK7hpdIVzjdM/0QwtGmRL34=", 256), "pbkdf2-sha256:10000:32", false},
		{wso2("SHA-1", "/IGigCi6bV+7/gxO3RttU2EV5N0="), "", false},
		{named("$argon2id$v=19$m=4096,t=3,p=4$" + salt16 + "$+fzgTYLSDEOG0Bfnf5c1VDLgzbSSYZZVgem90f81WTY"), "argon2id:4096:3:4", true},
		{named("$argon2id$v=19$m=65536,t=3,p=1$" + salt16 + "$" + key32), "argon2id:65536:3:1", true},
		{named("$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$" + key32), "", false},
	} {
		checked, err := tt.foreign.Check()
		if err != nil {
			t.Fatal(err)
		}
		if kind := checked.Kind(); kind != tt.want || kind.Revealing() != tt.revealing {
			t.Errorf("%s: kind %q, revealing %v; want %q, %v", tt.foreign.Hash.Reveal(), kind, kind.Revealing(), tt.want, tt.revealing)
		}
		stored, err := checked.Stored()
		if err != nil {
			t.Fatal(err)
		}
		if kind := kindOf(stored.Reveal()); kind != tt.want {
			t.Errorf("%s: the kind of what is stored is %q, want %q", tt.foreign.Hash.Reveal(), kind, tt.want)
		}
	}
	own, err := Hasher{}.Hash(secret.New("x"))
	if err != nil || kindOf(own.Reveal()) != "" || kindOf("") != "" {
		t.Errorf("the kind of fob's hash is %q, %v", kindOf(own.Reveal()), err)
	}
}
