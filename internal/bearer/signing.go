package bearer

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"sync"
)

// signingMember is the member of both secrets that holds the pairs of RSA keys, from key
// id to base64: PKCS #8 in the mint secret, SubjectPublicKeyInfo in the check secret. A
// key needs a pair only where clients get JWTs.
const signingMember = "signing"

// The sizes of an RSA key, in bits. API Gateway takes up to 4096.
const (
	minSigningBits = 2048
	maxSigningBits = 4096
)

// verifying is the public half of a pair.
type verifying struct {
	rsa    *rsa.PublicKey
	id     string // the kid of its JWTs, which no other key of any ring has
	header string // of its JWTs, encoded
}

// signing gives the private half. It is parsed when the first JWT is asked for: that takes
// longer than all the rest of a ring.
type signing = func() (*rsa.PrivateKey, error)

func parseVerifying(texts map[uint8][]byte, states map[uint8]State) (map[uint8]*verifying, error) {
	public := map[uint8]*verifying{}
	seen := map[string]uint8{}
	for kid, der := range texts {
		if _, known := states[kid]; !known {
			return nil, fmt.Errorf("key %d has a public key for signatures and no state", kid)
		}
		v, err := newVerifying(der)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", kid, err)
		}
		// The end of one key would leave the pair trusted, and published.
		if other, doubled := seen[v.id]; doubled {
			return nil, fmt.Errorf("keys %d and %d have one pair for signatures", min(kid, other), max(kid, other))
		}
		seen[v.id] = kid
		public[kid] = v
	}
	return public, nil
}

var errNotPublic = fmt.Errorf("signing must be the SubjectPublicKeyInfo of an RSA key of %d to %d bits, in base64", minSigningBits, maxSigningBits)

func newVerifying(der []byte) (*verifying, error) {
	parsed, err := x509.ParsePKIXPublicKey(der)
	public, isRSA := parsed.(*rsa.PublicKey)
	if err != nil || !isRSA || public.N.BitLen() < minSigningBits || public.N.BitLen() > maxSigningBits {
		return nil, errNotPublic
	}
	sum := sha256.Sum256(der)
	id := encoding.EncodeToString(sum[:12])
	return &verifying{rsa: public, id: id, header: encodeHeader(id)}, nil
}

// parseSigning returns the private halves, unparsed, and takes them out of members.
func parseSigning(members map[string]json.RawMessage, check *CheckRing) (map[uint8]signing, error) {
	texts, err := parseSigningMember(members)
	if err != nil {
		return nil, err
	}
	private := map[uint8]signing{}
	for kid, der := range texts {
		if v := check.verifying[kid]; v != nil { // else its public half is not written yet
			private[kid] = sync.OnceValues(func() (*rsa.PrivateKey, error) { return parsePrivate(der, v) })
		}
	}
	for kid := range check.verifying {
		if private[kid] == nil && check.Verifies(kid) {
			return nil, fmt.Errorf("the %s key %d has no private key for signatures", check.states[kid], kid)
		}
	}
	return private, nil
}

// parsePrivate quotes nothing of what it reads.
func parsePrivate(der []byte, public *verifying) (*rsa.PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	private, isRSA := parsed.(*rsa.PrivateKey)
	if err != nil || !isRSA || !private.PublicKey.Equal(public.rsa) {
		return nil, badRing("mint", errors.New("a private key for signatures is not that of the public one"))
	}
	return private, nil
}

// parseSigningMember takes the member out of members.
func parseSigningMember(members map[string]json.RawMessage) (map[uint8][]byte, error) {
	raw, ok := members[signingMember]
	if !ok {
		return nil, nil
	}
	delete(members, signingMember)
	var texts map[string]string
	if json.Unmarshal(raw, &texts) != nil || texts == nil {
		return nil, errors.New("signing must be an object from key id to a text")
	}
	all := map[uint8][]byte{}
	for id, text := range texts {
		kid, err := parseKID(id)
		if err != nil {
			return nil, err
		}
		if all[kid], err = base64.StdEncoding.Strict().DecodeString(text); err != nil {
			return nil, fmt.Errorf("key %d: signing must be base64", kid)
		}
	}
	return all, nil
}

// Signs reports whether the active key has a pair.
func (r *CheckRing) Signs() bool { return r.verifying[r.active] != nil }

// Signs reports whether new JWTs can be made: whether the active key has a pair, and both
// halves belong together. Without that a live record would look like an edited one.
func (r *MintRing) Signs() bool {
	if !r.CheckRing.Signs() {
		return false
	}
	_, err := r.signing[r.active]()
	return err == nil
}

// HasPair reports whether JWTs can be verified under kid.
func (r *CheckRing) HasPair(kid uint8) bool { return r.verifying[kid] != nil }

const (
	// MaxAccessLifetime is the longest life of an access token of any client, in seconds.
	MaxAccessLifetime = 30 * 24 * 3600

	// JWTsLeft is for how long a JWT under a key can live after the key became verify-only, in
	// seconds. Instances that were behind made JWTs under it for a minute more, and clocks
	// differ: an hour covers both by far.
	JWTsLeft = MaxAccessLifetime + 3600
)

// jwtsEnded reports whether no JWT under kid can live. No setting of a client can change that
// later, or could before. fob goes on verifying under kid: it compares a JWT with its record.
func (r *CheckRing) jwtsEnded(kid uint8, now int64) bool {
	since, said := r.since[kid]
	return r.states[kid] == VerifyOnly && said && now-JWTsLeft >= since // a sum with since could overflow
}

// A JWK is a public key as it is published (RFC 7517 §4, RFC 7518 §6.3.1).
type JWK struct {
	Type      string `json:"kty"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	ID        string `json:"kid"`
	Modulus   string `json:"n"`
	Exponent  string `json:"e"`
}

// JWKS are the keys of the JWTs that can be active now, and those that will be: all with a
// pair, by key id, but the retired ones and those whose JWTs have ended. now is Unix seconds.
func (r *CheckRing) JWKS(now int64) []JWK {
	all := []JWK{}
	for _, kid := range slices.Sorted(maps.Keys(r.verifying)) {
		if v := r.verifying[kid]; r.Verifies(kid) && !r.jwtsEnded(kid, now) {
			all = append(all, JWK{
				Type: "RSA", Use: "sig", Algorithm: algorithm, ID: v.id,
				Modulus:  encoding.EncodeToString(v.rsa.N.Bytes()),
				Exponent: encoding.EncodeToString(big.NewInt(int64(v.rsa.E)).Bytes()),
			})
		}
	}
	return all
}
