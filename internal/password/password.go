// Package password hashes passwords with argon2id (RFC 9106) in the PHC string
// format, by the parameters that OWASP recommends for interactive logins. It also
// takes the hashes of other systems, see Foreign, so that their users keep their
// passwords.
//
// All that it stores is slow to guess: a fast hash of another system is wrapped in
// argon2id (legacy.go). Only the functions
// token and users and the operator's program link it.
package password

import (
	"errors"
	"fmt"
	"strings"

	"github.com/alexedwards/argon2id"

	"github.com/fob-oauth/fob/internal/secret"
)

// Hasher implements oauth.Passwords. It keeps nothing and may be used at once by
// many; each run takes 19 MiB and, on a full Lambda core, some 20 ms.
type Hasher struct {
	// Hide makes each comparison also do the work of one with a hash of this kind, so
	// that time does not tell users with such hashes from other users, and from names
	// that do not exist.
	Hide Kind
}

// params are those of today. Hashes made under others still verify, and are
// reported as outdated.
var params = argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// Bounds of what a stored hash may cost, so that an edited item cannot stall the
// function.
const (
	maxMemory     = 256 * 1024 // KiB
	maxIterations = 10
)

// nobody is the hash that a name without a user is compared with. It costs as much
// work as params, and its key of zeros matches no known password. An imported hash
// can take longer until its user has logged in once, see docs/decisions/0024.
const nobody = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// Hash makes a new hash with a random salt, of the password as [secret.Text.Prepared]
// returns it.
func (Hasher) Hash(password secret.Text) (secret.Text, error) {
	return hashArgon2id(password.Prepared())
}

func hashArgon2id(text secret.Text) (secret.Text, error) {
	h, err := argon2id.CreateHash(text.Reveal(), &params)
	if err != nil {
		return secret.Text{}, errors.New("hash a password") // the cause could quote it
	}
	return secret.New(h), nil
}

// errNotOurs does not quote the hash.
var errNotOurs = errors.New("read a password hash: of no kind we know, or beyond the parameters we run")

// Verify compares a password with a hash in constant time: first as Hash takes it and
// then, if that is another text, as it was sent, because other systems hash that. It
// always does both, so that its time depends on the password that was sent alone. For
// the empty hash it reports false after the same work.
//
// A hash of another system, and one of a password as it was sent, is outdated, unless it
// proved less than the whole password (see isWhole). An error means that neither Hash
// nor Foreign makes such a hash.
func (h Hasher) Verify(password, hash secret.Text) (ok, outdated bool, err error) {
	prepared := password.Prepared()
	ok, outdated, err = h.compareHidden(prepared, hash.Reveal())
	if err != nil || prepared.Equal(password) {
		return ok, outdated, err
	}
	okAsSent, _, err := h.compareHidden(password, hash.Reveal())
	if okAsSent && !ok {
		return true, isWhole(password, hash.Reveal()), err
	}
	return ok, outdated, err
}

// compareHidden is compare after the work that hides which kind of hash it is.
func (h Hasher) compareHidden(password secret.Text, hash string) (ok, outdated bool, err error) {
	if h.Hide != "" {
		h.Hide.hide(password, hash)
	}
	return compare(password, hash)
}

// compare takes a password as it is.
func compare(password secret.Text, hash string) (ok, outdated bool, err error) {
	switch {
	case hash == "":
		_, _, err := verifyArgon2id(password, nobody)
		return false, false, err
	case strings.HasPrefix(hash, wrappedPrefix):
		ok, err := verifyWrapped(password, hash)
		return ok, isWhole(password, hash), err
	case isBcrypt(hash):
		ok, err := verifyBcrypt(password, hash)
		return ok, isWhole(password, hash), err
	default:
		return verifyArgon2id(password, hash)
	}
}

func verifyArgon2id(password secret.Text, hash string) (ok, outdated bool, err error) {
	p, _, _, err := argon2id.DecodeHash(hash)
	if err != nil || p.Memory > maxMemory || p.Iterations > maxIterations || p.Iterations == 0 || p.Parallelism == 0 || p.KeyLength < minKey {
		return false, false, errNotOurs
	}
	match, err := argon2id.ComparePasswordAndHash(password.Reveal(), hash)
	if err != nil {
		return false, false, fmt.Errorf("compare a password: %w", err)
	}
	return match, *p != params, nil
}

// isBcrypt reports whether hash is bcrypt's as everybody means it: $2a$, $2b$ and
// $2y$ are names of one function. $2x$ is another one, with a fault, and $2$ a
// third.
func isBcrypt(hash string) bool {
	return len(hash) == bcryptLen && (strings.HasPrefix(hash, "$2a$") || strings.HasPrefix(hash, "$2b$") || strings.HasPrefix(hash, "$2y$")) &&
		'0' <= hash[4] && hash[4] <= '9' && '0' <= hash[5] && hash[5] <= '9' && hash[6] == '$' &&
		!strings.ContainsFunc(hash[7:], notBcryptBase64)
}
