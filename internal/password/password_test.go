package password

import (
	"fmt"
	"strings"
	"testing"

	"github.com/alexedwards/argon2id"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

var _ oauth.Passwords = Hasher{}

func TestVerify(t *testing.T) {
	hash, err := Hasher{}.Hash(secret.New("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "$argon2id$v=19$m=19456,t=2,p=1$"; !strings.HasPrefix(hash.Reveal(), want) {
		t.Errorf("Hash() does not begin with %s", want)
	}
	cheap, err := argon2id.CreateHash("correct horse", &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 8, KeyLength: 16})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, password string
		hash           secret.Text
		ok, outdated   bool
	}{
		{"right", "correct horse", hash, true, false},
		{"wrong", "correct horsf", hash, false, false},
		{"prefix", "correct", hash, false, false},
		{"nobody", "correct horse", secret.Text{}, false, false},
		{"right under old parameters", "correct horse", secret.New(cheap), true, true},
		{"wrong under old parameters", "wrong", secret.New(cheap), false, true},
	} {
		ok, outdated, err := Hasher{}.Verify(secret.New(tt.password), tt.hash)
		if ok != tt.ok || outdated != tt.outdated || err != nil {
			t.Errorf("%s: Verify() = %v, %v, %v; want %v, %v", tt.name, ok, outdated, err, tt.ok, tt.outdated)
		}
	}
}

// A name that does not exist must cost what one that does costs.
func TestNobodyCostsTheSame(t *testing.T) {
	p, salt, key, err := argon2id.DecodeHash(nobody)
	if err != nil || *p != params || len(salt) != int(params.SaltLength) || len(key) != int(params.KeyLength) {
		t.Errorf("nobody is hashed with %+v, %v; want %+v", p, err, params)
	}
}

func TestVerifyRefusesForeignHashes(t *testing.T) {
	for _, hash := range []string{
		"plain", "$2b$10$abcdefghijklmnopqrstuv", "$argon2id$v=19$m=19456,t=2,p=1$", "$argon2i$v=19$m=19456,t=2,p=1$AAAA$AAAA",
		fmt.Sprintf("$argon2id$v=19$m=%d,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA", maxMemory+1),
		fmt.Sprintf("$argon2id$v=19$m=19456,t=%d,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA", maxIterations+1),
		"$argon2id$v=19$m=19456,t=0,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA",
	} {
		ok, _, err := Hasher{}.Verify(secret.New("p"), secret.New(hash))
		if ok || err == nil {
			t.Errorf("Verify with %s = %v, %v", hash, ok, err)
		}
		if err != nil && strings.Contains(err.Error(), hash) {
			t.Errorf("the error repeats the hash: %v", err)
		}
	}
}

// A63: every byte of a long password counts, also those that bcrypt cuts off.
func TestLongPasswords(t *testing.T) {
	for _, n := range []int{64, 72, 200, 1024} {
		password := strings.Repeat("p", n)
		hash, err := Hasher{}.Hash(secret.New(password))
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			name, password string
			want           bool
		}{
			{"itself", password, true},
			{"another last byte", password[:n-1] + "q", false},
			{"one byte less", password[:n-1], false},
			{"one byte more", password + "p", false},
		} {
			if ok, _, err := (Hasher{}).Verify(secret.New(tt.password), hash); ok != tt.want || err != nil {
				t.Errorf("%d bytes, %s: %v, %v; want %v", n, tt.name, ok, err, tt.want)
			}
		}
	}
}
