package password

import (
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/secret"
)

// A63: of a long password every byte counts, also those
// that bcrypt would have cut off.
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
