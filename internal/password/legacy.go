package password

import (
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // what others stored; argon2id lies over it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"hash"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"

	"github.com/fob-oauth/fob/internal/secret"
)

// A legacy hash is one that cannot stay as it is: a round of SHA, which a graphics
// card guesses by the billions a second, or PBKDF2, of which WSO2 runs a sixtieth
// of what is recommended. The table gets argon2id over its digest:
//
//	$wrapped$sha256$<salt>$argon2id$v=19$m=...,t=...,p=...$<salt>$<key>
//	$wrapped$pbkdf2-sha256,i=10000,l=32$<salt>$argon2id$...
//
// with salts in base64 without padding. Verify computes the digest of the password
// first and compares it by argon2id.
type legacy struct {
	digest     string // of digests
	iterations int    // of PBKDF2; zero is digest(password + salt)
	length     int    // of PBKDF2's key in bytes
	salt       []byte
}

const (
	wrappedPrefix = "$wrapped$"
	pbkdf2Prefix  = "pbkdf2-"
)

// Bounds of a legacy hash: of what it may cost, and of what is a hash at all.
const (
	maxPBKDF2 = 1_000_000 // iterations, a third of a second on a full core
	minKey    = 16
	maxKey    = 64
	maxSalt   = 256
)

// digests are those that other systems run. Not MD5: see docs/decisions/0014.
var digests = map[string]func() hash.Hash{
	"sha1":   sha1.New,
	"sha256": sha256.New,
	"sha384": sha512.New384,
	"sha512": sha512.New,
}

// phcBase64 takes one spelling of each value.
var phcBase64 = base64.RawStdEncoding.Strict()

// size is the length of the digest in bytes.
func (l legacy) size() int {
	if l.iterations > 0 {
		return l.length
	}
	return digests[l.digest]().Size()
}

// sum computes the digest of a password.
func (l legacy) sum(password secret.Text) ([]byte, error) {
	if l.iterations > 0 {
		return pbkdf2.Key(digests[l.digest], password.Reveal(), l.salt, l.iterations, l.length)
	}
	h := digests[l.digest]()
	_, _ = h.Write([]byte(password.Reveal())) // a hash never fails
	_, _ = h.Write(l.salt)
	return h.Sum(nil), nil
}

// wrap returns what is stored for a digest. It does the work of one Hash.
func (l legacy) wrap(digest secret.Text) (secret.Text, error) {
	over, err := hashArgon2id(digest)
	if err != nil {
		return secret.Text{}, err
	}
	return secret.New(l.prefix() + over.Reveal()), nil
}

// prefix is the part before the argon2id hash.
func (l legacy) prefix() string {
	kind := l.digest
	if l.iterations > 0 {
		kind = pbkdf2Prefix + l.digest + ",i=" + strconv.Itoa(l.iterations) + ",l=" + strconv.Itoa(l.length)
	}
	return wrappedPrefix + kind + "$" + phcBase64.EncodeToString(l.salt)
}

// parseWrapped reads what wrap wrote, and nothing else.
func parseWrapped(stored string) (l legacy, over string, ok bool) {
	rest, ok := strings.CutPrefix(stored, wrappedPrefix)
	if !ok {
		return legacy{}, "", false
	}
	kind, rest, _ := strings.Cut(rest, "$")
	salt, rest, found := strings.Cut(rest, "$")
	l.digest = kind
	if text, isPBKDF2 := strings.CutPrefix(kind, pbkdf2Prefix); isPBKDF2 {
		l.digest, text, _ = strings.Cut(text, ",")
		l.iterations, l.length, ok = parsePBKDF2Params(text)
	}
	var err error
	l.salt, err = phcBase64.DecodeString(salt)
	if !found || !ok || err != nil || strings.ContainsAny(salt, "\r\n") || l.check() != nil {
		return legacy{}, "", false
	}
	return l, "$" + rest, true
}

// parsePBKDF2Params reads i=10000,l=32.
func parsePBKDF2Params(text string) (iterations, length int, ok bool) {
	i, l, found := strings.Cut(text, ",")
	iterations, ok = parseParam(i, "i=")
	length, ok2 := parseParam(l, "l=")
	return iterations, length, found && ok && ok2 && iterations > 0 && length > 0
}

func parseParam(text, name string) (int, bool) {
	digits, ok := strings.CutPrefix(text, name)
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && strconv.Itoa(n) == digits
}

// check holds a legacy hash to what Verify is ready to compute.
func (l legacy) check() error {
	switch isPBKDF2 := l.iterations != 0 || l.length != 0; {
	case digests[l.digest] == nil:
		return errors.New("a digest that fob does not know")
	case isPBKDF2 && (l.iterations < 1 || l.iterations > maxPBKDF2):
		return errors.New("PBKDF2 with less than 1 or more than " + strconv.Itoa(maxPBKDF2) + " iterations")
	case isPBKDF2 && (l.length < minKey || l.length > maxKey):
		return errors.New("PBKDF2 with a key of less than 128 or more than 512 bits")
	case isPBKDF2 && len(l.salt) == 0:
		return errors.New("PBKDF2 without a salt")
	case len(l.salt) > maxSalt:
		return errors.New("a salt of more than " + strconv.Itoa(maxSalt) + " bytes")
	}
	return nil
}

func verifyWrapped(password secret.Text, stored string) (bool, error) {
	l, over, ok := parseWrapped(stored)
	if !ok {
		return false, errNotOurs
	}
	digest, err := l.sum(password)
	if err != nil {
		return false, errors.New("compare a password: the digest of another system does not run")
	}
	match, _, err := verifyArgon2id(secret.New(string(digest)), over)
	return match, err
}

// bcrypt is stored as it came: it is slow enough, and its digest cannot be had
// from the library without a comparison.
const (
	minCost = 8 // about as slow as params
	maxCost = 14

	bcryptLen = 60
)

func notBcryptBase64(c rune) bool {
	return c != '.' && c != '/' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
}

func bcryptCost(hash string) int { return int(hash[4]-'0')*10 + int(hash[5]-'0') }

// maxBcrypt is how many bytes of a password bcrypt compares.
const maxBcrypt = 72

// isWhole reports whether a comparison that took the password proved all of it, so
// that it may be stored under another hash. bcrypt compares 72 bytes, and the NUL behind
// the password if it is shorter: 72 bytes may be the beginning of a longer one. HMAC, and so
// PBKDF2, pads with NUL, and so does bcrypt in effect: with it, two passwords have one
// hash. HMAC also takes a long password for its digest, which is not UTF-8.
func isWhole(password secret.Text, hash string) bool {
	s := password.Reveal()
	switch {
	case isBcrypt(hash):
		return len(s) < maxBcrypt && isText(s)
	case strings.HasPrefix(hash, wrappedPrefix):
		return isText(s)
	}
	return true // argon2id
}

func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// verifyBcrypt compares the first 72 bytes of a password, as every bcrypt does: users
// whose system took longer ones keep their passwords.
func verifyBcrypt(password secret.Text, hash string) (bool, error) {
	if cost := bcryptCost(hash); cost < bcrypt.MinCost || cost > maxCost {
		return false, errNotOurs
	}
	err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password.Reveal()))
	if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return false, nil
	}
	if err != nil {
		return false, errNotOurs // the cause could quote the hash
	}
	return true, nil
}
