package oauth_test

import (
	"os"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

func TestPasswordPolicy(t *testing.T) {
	for _, test := range []struct {
		what, password string
		policy         oauth.PasswordPolicy
		want           string // in the error; empty is none
	}{
		{"seven characters", "q7#vLm2", oauth.PasswordPolicy{}, "at least 8 characters"},
		{"eight", "q7#vLm2x", oauth.PasswordPolicy{}, ""},
		{"characters, not bytes", "ééééééé", oauth.PasswordPolicy{}, "at least 8 characters"},
		{"however they are written", strings.Repeat("e\u0301", 7), oauth.PasswordPolicy{}, "at least 8 characters"},
		{"eight of two bytes", "éàéüéöéä", oauth.PasswordPolicy{}, ""},
		{"by setting", "q7#vLm2x", oauth.PasswordPolicy{MinLength: 15}, "at least 15 characters"},
		{"fewer by setting", "q7#v", oauth.PasswordPolicy{MinLength: 4}, ""},
		{"a common one", "password1", oauth.PasswordPolicy{}, "people use most"},
		{"in capitals", "PassWord1", oauth.PasswordPolicy{}, "people use most"},
		{"the last of the list", last(t), oauth.PasswordPolicy{}, "people use most"},
		{"the username", "ann@Example.com", oauth.PasswordPolicy{}, "not the username"},
		{"a common one by setting", "password1", oauth.PasswordPolicy{AllowCommon: true}, ""},
		{"the username by setting", "ann@example.com", oauth.PasswordPolicy{AllowCommon: true}, ""},
		{"no text at all, by setting", "a\x00bcdefghi", oauth.PasswordPolicy{MinLength: 1, AllowCommon: true}, "NUL"},
	} {
		err := test.policy.Check("ann@example.com", secret.New(test.password))
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.what, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), test.password) {
			t.Errorf("%s: the error repeats the password", test.what)
		}
	}
}

func last(t *testing.T) string {
	t.Helper()
	list, err := os.ReadFile("password_policy_common.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(list)), "\n")
	if len(lines) != 1000 {
		t.Fatalf("%d passwords", len(lines))
	}
	return lines[999]
}
