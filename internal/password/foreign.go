package password

import (
	"errors"
	"fmt"
	"strings"

	"github.com/alexedwards/argon2id"

	"github.com/fob-oauth/fob/internal/secret"
)

// Foreign is a password hash as another system keeps it. Hash alone is enough if
// it names its own kind:
//
//	$argon2id$v=19$m=19456,t=2,p=1$<salt>$<key>
//	$2a$, $2b$ and $2y$ of bcrypt
//	$pbkdf2-sha256$i=10000,l=32$<salt>$<key>, also sha1, sha384 and sha512
//	{SSHA}, {SSHA256}, {SSHA384}, {SSHA512}, {SHA}, {SHA256}, ... of LDAP
//
// Otherwise it is in base64, and the other fields say what it is, as WSO2's
// JDBCUserStoreManager and its PBKDF2 hash provider use them. There the salt is
// the text in UM_SALT_VALUE and not what it decodes to; a round of SHA appends it
// to the password.
type Foreign struct {
	Hash       secret.Text
	Salt       secret.Text
	Digest     string // such as SHA-256, or PBKDF2
	PRF        string // of PBKDF2, such as PBKDF2WithHmacSHA256
	Iterations int    // of PBKDF2
	KeyBits    int    // of PBKDF2; zero is as many as Hash has
}

// Checked is a Foreign that was found good.
type Checked struct {
	stored secret.Text // unless it has to be wrapped
	legacy legacy
	digest secret.Text
}

// Stored returns what Verify takes. It does the work of one Hash if the hash has
// to be wrapped.
func (c Checked) Stored() (secret.Text, error) {
	if c.stored.Len() > 0 {
		return c.stored, nil
	}
	return c.legacy.wrap(c.digest)
}

// Lower bounds of what is stored as it came. Verify does not hold to them.
const (
	minMemory     = 4 * 1024 // KiB
	minArgon2Salt = 8
)

// Check says why a hash cannot be imported, without quoting it, or returns what
// can.
func (f Foreign) Check() (Checked, error) {
	h := f.Hash.Reveal()
	scheme, isPHC := phcScheme(h)
	isLDAP := strings.HasPrefix(h, "{")
	if (isPHC || isLDAP) && (f.Salt.Len() > 0 || f.Digest != "" || f.PRF != "" || f.Iterations != 0 || f.KeyBits != 0) {
		return Checked{}, errors.New("the hash names its own kind, and there is a digest, salt or other setting next to it")
	}
	switch {
	case h == "":
		return Checked{}, errors.New("there is no password hash")
	case isPHC:
		return checkPHC(h, scheme)
	case isLDAP:
		return checkLDAP(h)
	case f.Digest == "":
		return Checked{}, errors.New("the hash does not name its kind, and there is no digest next to it")
	}
	return f.checkNamed()
}

// phcScheme is the name between the first two dollars.
func phcScheme(h string) (string, bool) {
	rest, ok := strings.CutPrefix(h, "$")
	if !ok {
		return "", false
	}
	scheme, _, _ := strings.Cut(rest, "$")
	return scheme, true
}

func checkPHC(h, scheme string) (Checked, error) {
	switch scheme {
	case "argon2id":
		return checkArgon2id(h)
	case "2a", "2b", "2y":
		return checkBcrypt(h)
	}
	if digest, ok := strings.CutPrefix(scheme, pbkdf2Prefix); ok {
		return checkPBKDF2(h, digest)
	}
	return Checked{}, errors.New("a hash of a kind that fob does not know; it knows argon2id, bcrypt, pbkdf2-sha1 to -sha512, and salted SHA")
}

func checkArgon2id(h string) (Checked, error) {
	p, salt, key, err := argon2id.DecodeHash(h)
	if err == nil && fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", p.Memory, p.Iterations, p.Parallelism,
		phcBase64.EncodeToString(salt), phcBase64.EncodeToString(key)) != h {
		err = argon2id.ErrInvalidHash // the library lets more pass than it reads
	}
	switch {
	case err != nil:
		return Checked{}, errors.New("argon2id that cannot be read; it is $argon2id$v=19$m=...,t=...,p=...$salt$key")
	case p.Memory < minMemory || p.Memory > maxMemory || p.Iterations < 1 || p.Iterations > maxIterations || p.Parallelism < 1:
		return Checked{}, fmt.Errorf("argon2id beyond the parameters that fob runs: m=%d to %d, t=1 to %d", minMemory, maxMemory, maxIterations)
	case p.SaltLength < minArgon2Salt || p.SaltLength > maxSalt || p.KeyLength < minKey || p.KeyLength > maxKey:
		return Checked{}, errors.New("argon2id with a salt or key that is too short or too long")
	}
	return Checked{stored: secret.New(h)}, nil
}

func checkBcrypt(h string) (Checked, error) {
	if !isBcrypt(h) {
		return Checked{}, errors.New("bcrypt that cannot be read; it has 60 characters")
	}
	if cost := bcryptCost(h); cost < minCost || cost > maxCost {
		return Checked{}, fmt.Errorf("bcrypt of cost %d; fob runs %d to %d", cost, minCost, maxCost)
	}
	return Checked{stored: secret.New(h)}, nil
}

// checkPBKDF2 reads $pbkdf2-sha256$i=10000,l=32$salt$key.
func checkPBKDF2(h, digest string) (Checked, error) {
	parts := strings.Split(h, "$")
	unreadable := errors.New("PBKDF2 that cannot be read; it is $pbkdf2-sha256$i=...,l=...$salt$key")
	if len(parts) != 5 {
		return Checked{}, unreadable
	}
	l := legacy{digest: digest}
	var ok bool
	if l.iterations, l.length, ok = parsePBKDF2Params(parts[2]); !ok {
		return Checked{}, unreadable
	}
	salt, ok := decodeBase64(parts[3])
	key, ok2 := decodeBase64(parts[4])
	if !ok || !ok2 {
		return Checked{}, unreadable
	}
	l.salt = salt
	return checkLegacy(l, key)
}

// checkLDAP reads {SSHA256} and base64 of digest and salt.
func checkLDAP(h string) (Checked, error) {
	scheme, text, _ := strings.Cut(strings.TrimPrefix(h, "{"), "}")
	name := strings.ToLower(scheme)
	name, salted := strings.CutPrefix(name, "s")
	if salted && !strings.HasPrefix(name, "s") {
		name, salted = "s"+name, false // {SHA256} also begins with an s
	}
	if name == "sha" {
		name = "sha1"
	}
	if digests[name] == nil {
		return Checked{}, errors.New("an LDAP hash of a kind that fob does not know; it knows {SSHA}, {SSHA256}, {SSHA384}, {SSHA512}, and these without salt")
	}
	all, ok := decodeBase64(text)
	if !ok {
		return Checked{}, errors.New("an LDAP hash that is not in base64")
	}
	l := legacy{digest: name}
	size := l.size()
	switch {
	case len(all) < size || salted && len(all) == size:
		return Checked{}, errors.New("an LDAP hash that is too short for its kind")
	case salted:
		l.salt = all[size:]
		all = all[:size]
	}
	return checkLegacy(l, all)
}

// checkNamed is for WSO2's columns.
func (f Foreign) checkNamed() (Checked, error) {
	name := strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(f.Digest))
	switch name {
	case "md5":
		return Checked{}, errors.New("MD5 is not taken: give this user a new password")
	case "plaintext":
		return Checked{}, errors.New("a password in plain text is not taken: use fob user add")
	}
	digest, ok := decodeBase64(f.Hash.Reveal())
	if !ok {
		return Checked{}, errors.New("the hash is not in base64")
	}
	l := legacy{salt: []byte(f.Salt.Reveal())}
	switch name {
	case "pbkdf2":
		var known bool
		l.digest, known = strings.CutPrefix(strings.ToLower(f.PRF), "pbkdf2withhmac")
		l.iterations, l.length = f.Iterations, len(digest)
		switch {
		case f.PRF == "" || f.Iterations == 0:
			return Checked{}, errors.New("PBKDF2 needs prf and iterations next to it; WSO2's own are PBKDF2WithHmacSHA256 and 10000")
		case !known || digests[l.digest] == nil:
			return Checked{}, errors.New("a prf that fob does not know; it knows PBKDF2WithHmacSHA1 to PBKDF2WithHmacSHA512")
		case f.KeyBits != 0 && f.KeyBits != 8*len(digest):
			return Checked{}, fmt.Errorf("dk_length is %d, and the hash has %d bits", f.KeyBits, 8*len(digest))
		}
		return checkLegacy(l, digest)
	case "sha":
		name = "sha1" // Java's name for it
	}
	l.digest = name
	switch {
	case digests[name] == nil:
		return Checked{}, errors.New("a digest that fob does not know; it knows SHA-1, SHA-256, SHA-384, SHA-512 and PBKDF2")
	case f.PRF != "" || f.Iterations != 0 || f.KeyBits != 0:
		return Checked{}, errors.New("prf, iterations and dk_length are for PBKDF2 alone")
	}
	return checkLegacy(l, digest)
}

func checkLegacy(l legacy, digest []byte) (Checked, error) {
	if err := l.check(); err != nil {
		return Checked{}, err
	}
	if len(digest) != l.size() {
		return Checked{}, fmt.Errorf("the hash has %d bytes, and one of this kind has %d", len(digest), l.size())
	}
	return Checked{legacy: l, digest: secret.New(string(digest))}, nil
}

// decodeBase64 takes padding or none, and no line breaks.
func decodeBase64(text string) ([]byte, bool) {
	if padded := len(text)%4 == 0; padded {
		text = strings.TrimSuffix(strings.TrimSuffix(text, "="), "=")
	}
	if strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	b, err := phcBase64.DecodeString(text)
	return b, err == nil
}
