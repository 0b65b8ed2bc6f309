package password

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fob-oauth/fob/internal/secret"
)

// ParseKind reads a [Kind], within the bounds of what Foreign takes.
func ParseKind(text string) (Kind, error) {
	k := Kind(text)
	if text == "" {
		return k, nil
	}
	if checked, err := (Foreign{Hash: secret.New(k.sample())}).Check(); err != nil || checked.Kind() != k {
		return "", errors.New("a kind of hash is written as bcrypt:12, pbkdf2-sha256:600000:32 or argon2id:65536:3:4, within what fob user import takes")
	}
	return k, nil
}

// sample is a hash of the kind, of a password that nobody has, as other systems keep it.
func (k Kind) sample() string {
	zeros := func(n int) string { return phcBase64.EncodeToString(make([]byte, min(max(n, 0), maxKey))) }
	switch name, n := k.parts(); {
	case name == "bcrypt" && len(n) == 1:
		return fmt.Sprintf("$2b$%02d$", n[0]) + strings.Repeat(".", bcryptLen-7)
	case name == "argon2id" && len(n) == 3:
		return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", n[0], n[1], n[2], zeros(16), zeros(32))
	case strings.HasPrefix(name, pbkdf2Prefix) && len(n) == 2:
		return fmt.Sprintf("$%s$i=%d,l=%d$%s$%s", name, n[0], n[1], zeros(16), zeros(n[1]))
	}
	return ""
}

// hide does what is left of the work of a comparison with fob's own hash and of one with
// a hash of the kind, where stored has been or will be compared. The kind is not empty.
func (k Kind) hide(password secret.Text, stored string) {
	checked, err := Foreign{Hash: secret.New(k.sample())}.Check()
	if err != nil {
		return // ParseKind did not make it
	}
	switch same, wrapped := kindOf(stored) == k, checked.stored.Len() == 0; {
	case same && wrapped: // over it lies an argon2id hash like fob's own
	case same:
		_, _, _ = verifyArgon2id(password, nobody)
	case wrapped:
		_, _ = checked.legacy.sum(password)
	default:
		_, _, _ = compare(password, checked.stored.Reveal())
	}
}
