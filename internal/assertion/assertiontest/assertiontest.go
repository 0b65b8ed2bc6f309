// Package assertiontest is an issuer of JWTs on loopback for tests: with https, a
// discovery document, a key set that turns, and outages. It signs with package crypto
// alone, so it can also make tokens that a JOSE library would refuse to make.
package assertiontest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // RS256, ES256
	_ "crypto/sha512" // ES384
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
)

// Key signs JWTs.
type Key struct {
	ID        string
	Algorithm string // one that fob verifies
	Signer    crypto.Signer
}

var (
	rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })
	number atomic.Int64
)

// NewKey makes a key of an algorithm with an id of its own. Those for RS256 are one
// key under several ids, since a new one takes long.
func NewKey(t testing.TB, algorithm string) Key {
	t.Helper()
	k := Key{ID: fmt.Sprintf("key-%d", number.Add(1)), Algorithm: algorithm}
	var err error
	switch algorithm {
	case "RS256":
		k.Signer, err = rsaKey()
	case "ES256":
		k.Signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		k.Signer, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "EdDSA":
		_, k.Signer, err = ed25519.GenerateKey(rand.Reader)
	default:
		t.Fatalf("no algorithm %q", algorithm)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Members is a JSON object.
type Members map[string]any

// Sign signs these claims. header is added to alg, kid and typ, and wins.
func (k Key) Sign(t testing.TB, header, claims Members) string {
	t.Helper()
	all := Members{"alg": k.Algorithm, "kid": k.ID, "typ": "JWT"}
	for name, value := range header {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	return k.SignRaw(t, text(t, all), text(t, claims))
}

// SignRaw signs a header and a payload as they are.
func (k Key) SignRaw(t testing.TB, header, payload string) string {
	t.Helper()
	input := base64url([]byte(header)) + "." + base64url([]byte(payload))
	hash := crypto.SHA256
	if k.Algorithm == "ES384" {
		hash = crypto.SHA384
	}
	h := hash.New()
	h.Write([]byte(input))
	digest := h.Sum(nil)
	var signature []byte
	var err error
	switch key := k.Signer.(type) {
	case ed25519.PrivateKey:
		signature = ed25519.Sign(key, []byte(input))
	case *ecdsa.PrivateKey:
		var r, s *big.Int
		if r, s, err = ecdsa.Sign(rand.Reader, key, digest); err == nil {
			size := (key.Curve.Params().BitSize + 7) / 8
			signature = make([]byte, 2*size) // RFC 7518 §3.4
			r.FillBytes(signature[:size])
			s.FillBytes(signature[size:])
		}
	case *rsa.PrivateKey:
		signature, err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest)
	}
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64url(signature)
}

// JWK is the public key as RFC 7517 writes it.
func (k Key) JWK() Members {
	m := Members{"kid": k.ID, "alg": k.Algorithm, "use": "sig"}
	switch key := k.Signer.Public().(type) {
	case ed25519.PublicKey:
		m["kty"], m["crv"], m["x"] = "OKP", "Ed25519", base64url(key)
	case *ecdsa.PublicKey:
		point, _ := key.Bytes() // of a key that was made here
		half := 1 + len(point)/2
		m["kty"], m["crv"], m["x"], m["y"] = "EC", key.Curve.Params().Name, base64url(point[1:half]), base64url(point[half:])
	case *rsa.PublicKey:
		m["kty"], m["n"], m["e"] = "RSA", base64url(key.N.Bytes()), base64url(big.NewInt(int64(key.E)).Bytes())
	}
	return m
}

// JWKS is a set of these public keys.
func JWKS(t testing.TB, keys ...Key) string {
	t.Helper()
	return setOf(t, keys, Key.JWK)
}

func setOf(t testing.TB, keys []Key, jwk func(Key) Members) string {
	t.Helper()
	list := []Members{}
	for _, k := range keys {
		list = append(list, jwk(k))
	}
	return text(t, Members{"keys": list})
}

// Issuer is the server.
type Issuer struct {
	URL   string
	Roots *x509.CertPool // what vouches for URL

	discoveries, sets atomic.Int64

	mu     sync.Mutex // guards what follows
	keys   []Key
	before func(http.ResponseWriter, *http.Request) bool
}

// New starts a server that ends with the test. It signs with one key for ES256.
func New(t testing.TB) *Issuer {
	t.Helper()
	return start(t, kind{
		keysPath: "/keys",
		// Members that a client does not know are part of every real document.
		document: func(url string) Members {
			return Members{
				"issuer": url, "jwks_uri": url + "/keys", "authorization_endpoint": url + "/authorize",
				"response_types_supported": []string{"code"}, "subject_types_supported": []string{"pairwise"},
				"id_token_signing_alg_values_supported": []string{"RS256"}, "claims_supported": []string{"aud", "sub"},
			}
		},
		jwk: Key.JWK,
	}, NewKey(t, "ES256"))
}

// kind is how an issuer shows what it has.
type kind struct {
	path     string // of the issuer below the server
	keysPath string // below path
	document func(url string) Members
	jwk      func(Key) Members
}

func start(t testing.TB, k kind, keys ...Key) *Issuer {
	t.Helper()
	i := &Issuer{keys: keys}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+k.path+"/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		i.discoveries.Add(1)
		write(w, text(t, k.document(i.URL)))
	})
	mux.HandleFunc("GET "+k.path+k.keysPath, func(w http.ResponseWriter, _ *http.Request) {
		i.sets.Add(1)
		i.mu.Lock()
		keys := i.keys
		i.mu.Unlock()
		write(w, setOf(t, keys, k.jwk))
	})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		before := i.before
		i.mu.Unlock()
		if before == nil || !before(w, r) {
			mux.ServeHTTP(w, r)
		}
	}))
	server.Config.ErrorLog = log.New(t.Output(), "", 0) // refused handshakes are part of tests
	server.StartTLS()
	t.Cleanup(server.Close)
	i.URL = server.URL + k.path
	i.Roots = x509.NewCertPool()
	i.Roots.AddCert(server.Certificate())
	return i
}

// Publish replaces the keys that the set shows.
func (i *Issuer) Publish(keys ...Key) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = keys
}

// Key is the last key that the set shows.
func (i *Issuer) Key() Key {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keys[len(i.keys)-1]
}

// Before is called ahead of each answer. It returns true if it has answered; nil
// ends that.
func (i *Issuer) Before(answer func(http.ResponseWriter, *http.Request) bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.before = answer
}

// Fetches is how often the discovery document and the key set were asked for.
func (i *Issuer) Fetches() (discoveries, sets int64) {
	return i.discoveries.Load(), i.sets.Load()
}

func write(w http.ResponseWriter, document string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(document)) // the client may have gone
}

func text(t testing.TB, m Members) string {
	b, err := json.Marshal(m)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
