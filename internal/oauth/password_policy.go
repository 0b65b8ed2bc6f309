package oauth

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/fob-oauth/fob/internal/secret"
)

// PasswordPolicy is what a new password has to fulfil (NIST SP 800-63B-4 §3.1.1.2).
// Passwords that users have are not held to it: neither those that log in, nor hashes
// that are imported.
type PasswordPolicy struct {
	MinLength   int  // characters; zero means DefaultMinPassword
	AllowCommon bool // also the commonest passwords, and the username
}

// DefaultMinPassword is in characters. NIST asks for 15 where a password is all that
// a user shows, and for 8 at least.
const DefaultMinPassword = 8

// commonPasswords are the thousand commonest of at least 8 characters, a line each, in
// lower case: the head of the list that Royce Williams made of leaked passwords, as
// Django ships it.
//
//go:embed password_policy_common.txt
var commonPasswords string

var common = sync.OnceValue(func() map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(commonPasswords) {
		set[strings.TrimSuffix(line, "\n")] = true
	}
	return set
})

// Check reports the first fault of a new password, without repeating it.
func (p PasswordPolicy) Check(username string, password secret.Text) error {
	if err := ValidatePassword(password); err != nil {
		return err
	}
	least := cmp.Or(p.MinLength, DefaultMinPassword)
	text := password.Prepared().Reveal()
	lower := strings.ToLower(text)
	switch {
	case utf8.RuneCountInString(text) < least:
		return fmt.Errorf("a new password has at least %d characters", least)
	case p.AllowCommon:
		return nil
	case lower == strings.ToLower(username):
		return errors.New("a new password is not the username")
	case common()[lower]:
		return errors.New("the password is among the thousand that people use most, which are guessed first")
	}
	return nil
}
