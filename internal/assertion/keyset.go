package assertion

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

const (
	maxKeys    = 100
	minRSABits = 2048 // RFC 7518 §3.3
)

// keySet are the public keys of a JWK Set that can verify something.
type keySet []jose.JSONWebKey

// parseKeys reads a JWK Set. Keys that it cannot use are left out, as RFC 7517 §5
// asks. A set with a private key is an error: it belongs into no table and no answer.
func parseKeys(text []byte) (keySet, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(text, &set) != nil { // its error would quote the text
		return nil, errors.New("not a JWK Set")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("a JWK Set with %d keys, and %d are the most", len(set.Keys), maxKeys)
	}
	keys := keySet{}
	for _, raw := range set.Keys {
		var private struct{ D, K, P, Q json.RawMessage }
		if json.Unmarshal(raw, &private) == nil && (private.D != nil || private.K != nil || private.P != nil || private.Q != nil) {
			return nil, errors.New("a JWK Set with a private or symmetric key")
		}
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) != nil || algorithmOf(key) == "" || key.Use != "" && key.Use != "sig" || !mayVerify(raw) {
			continue
		}
		if key.Algorithm == "" || key.Algorithm == algorithmOf(key) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// mayVerify reports whether the operations of a key, if it has any, include the one
// that fob does with it (RFC 7517 §4.3). go-jose does not read them.
func mayVerify(raw []byte) bool {
	var key struct {
		Operations *[]string `json:"key_ops"`
	}
	return json.Unmarshal(raw, &key) == nil && (key.Operations == nil || slices.Contains(*key.Operations, "verify"))
}

// algorithmOf is the only algorithm of a key that fob verifies; empty for none. A key
// of one algorithm never verifies another, whatever a token says.
func algorithmOf(key jose.JSONWebKey) string {
	switch k := key.Key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() >= minRSABits {
			return "RS256"
		}
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return "ES256"
		case elliptic.P384(): // AWS STS signs with it
			return "ES384"
		}
	case ed25519.PublicKey:
		return "EdDSA"
	}
	return ""
}

// suitable are the keys of the id that the token names. If it names none, they are
// those that made its signature.
func (s keySet) suitable(t parsed) []jose.JSONWebKey {
	var keys []jose.JSONWebKey
	for _, k := range s {
		if algorithmOf(k) == t.alg && (t.hasKid && k.KeyID == t.kid || !t.hasKid && made(k, t)) {
			keys = append(keys, k)
		}
	}
	return keys
}

// made reports whether a key made the signature of t.
func made(k jose.JSONWebKey, t parsed) bool {
	_, err := t.jws.Verify(k.Key)
	return err == nil
}

// CheckKeys implements [oauth.Assertions].
func (*Verifier) CheckKeys(jwks string, algorithms []string) error {
	keys, err := parseKeys([]byte(jwks))
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(keys, func(k jose.JSONWebKey) bool { return slices.Contains(algorithms, algorithmOf(k)) }) {
		return fmt.Errorf("a JWK Set without a public key for %s", strings.Join(algorithms, " or "))
	}
	return nil
}
