package keys

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"

	"github.com/fob-oauth/fob/internal/secret"
)

// signingBits is the size of RSA keys that this package makes. It is what API Gateway and
// every library take, and the fastest to sign with that is still strong enough (NIST SP
// 800-57: to the end of 2030 and, for signatures that live minutes, beyond).
const signingBits = 2048

// NewSigningKey draws an RSA key and returns it as the mint secret has it: PKCS #8 in
// base64.
func NewSigningKey() (secret.Text, error) {
	key, err := rsa.GenerateKey(rand.Reader, signingBits)
	if err != nil {
		return secret.Text{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return secret.New(base64.StdEncoding.EncodeToString(der)), err
}

// PublicHalf returns the public key of a NewSigningKey as the check secret has it:
// SubjectPublicKeyInfo in base64. Its error quotes nothing.
func PublicHalf(private secret.Text) (secret.Text, error) {
	der, err := base64.StdEncoding.DecodeString(private.Reveal())
	if err != nil {
		return secret.Text{}, errNoSigningKey
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return secret.Text{}, errNoSigningKey
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	return secret.New(base64.StdEncoding.EncodeToString(public)), err
}

var errNoSigningKey = errors.New("a private key of the mint secret is not an RSA key in PKCS #8")
