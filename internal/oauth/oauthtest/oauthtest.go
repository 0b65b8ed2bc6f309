// Package oauthtest is what tests of fob share around package oauth: [Keys] that
// never turn, [Passwords] that cost nothing, a [Clock], and valid registrations
// ([SaveClient], [SaveUser]). Faults of the stores are in package storetest.
//
// Its secrets contain CANARY, so that a test can search logs and answers for them.
package oauthtest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/secret"
)

// Clock shows one time, in Unix seconds, until a test moves it.
type Clock struct{ atomic.Int64 }

// Now is the time as the domain asks for it.
func (c *Clock) Now() time.Time { return time.Unix(c.Load(), 0).UTC() }

var rings sync.Map // *bearer.MintRing by seed: suites ask for one some 100,000 times

// Ring returns a key ring of one active key. Rings of different seeds do not
// verify each other's tokens.
func Ring(t testing.TB, seed string) *bearer.MintRing {
	t.Helper()
	if ring, found := rings.Load(seed); found {
		return ring.(*bearer.MintRing)
	}
	ring, err := bearer.ParseMintRing(
		[]byte(`{"1": "CANARY mint key text of the tests `+seed+`"}`),
		[]byte(`{"issuer_epoch": 0, "states": {"1": "active"}, "1": "CANARY check key text of the tests `+seed+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	rings.Store(seed, ring)
	return ring
}

var pair = sync.OnceValues(func() (private, public []byte) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	private, _ = x509.MarshalPKCS8PrivateKey(key) // neither fails for an RSA key
	public, _ = x509.MarshalPKIXPublicKey(&key.PublicKey)
	return private, public
})

// SigningRing is Ring with a pair, with which JWTs are signed.
func SigningRing(t testing.TB, seed string) *bearer.MintRing {
	t.Helper()
	private, public := pair()
	ring, err := bearer.ParseMintRing(
		fmt.Appendf(nil, `{"1": "CANARY mint key text of the tests %s", "signing": {"1": %q}}`, seed, base64.StdEncoding.EncodeToString(private)),
		fmt.Appendf(nil, `{"issuer_epoch": 0, "states": {"1": "active"}, "1": "CANARY check key text of the tests %s", "signing": {"1": %q}}`, seed, base64.StdEncoding.EncodeToString(public)))
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// Keys is [oauth.Keys] with one ring for ever.
type Keys[R any] struct{ Always R }

func (k Keys[R]) Ring(context.Context) (R, error)                { return k.Always, nil }
func (k Keys[R]) Reload(context.Context) (R, error)              { return k.Always, nil }
func (k Keys[R]) ReloadForUnknownKey(context.Context) (R, error) { return k.Always, nil }

// Passwords is [oauth.Passwords] without the cost of argon2id. The zero value
// works.
type Passwords struct {
	Runs   atomic.Int64 // calls of Verify
	During func()       // if set, Verify calls it
}

func (*Passwords) Hash(p secret.Text) (secret.Text, error) {
	return secret.New("hash of " + p.Reveal()), nil
}

// OutdatedHash is one that verifies, and that the domain must replace.
func OutdatedHash(p string) secret.Text { return secret.New("outdated hash of " + p) }

func (h *Passwords) Verify(p, hash secret.Text) (ok, outdated bool, err error) {
	h.Runs.Add(1)
	if h.During != nil {
		h.During()
	}
	outdated = hash.Equal(OutdatedHash(p.Reveal()))
	return outdated || hash.Equal(secret.New("hash of "+p.Reveal())), outdated, nil
}

// Scopes parses a scope parameter.
func Scopes(t testing.TB, s string) scope.Set {
	t.Helper()
	set, err := scope.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// Secret and Password are those of each client and user here.
func Secret(id ledger.ClientID) string { return "CANARY-secret-of-" + string(id) }
func Password(user string) string      { return "CANARY-password-of-" + user }

// Hashes are the secrets of a registration.
func Hashes(secrets ...string) (all []oauth.ClientSecret) {
	for _, s := range secrets {
		all = append(all, oauth.ClientSecret{Hash: oauth.HashClientSecret(secret.New(s))})
	}
	return all
}

// Credentials are those with which a client of [SaveClient] authenticates. The
// one called app is public in all tests.
func Credentials(id ledger.ClientID) oauth.Credentials {
	if id == "app" {
		return oauth.Credentials{ID: id}
	}
	return oauth.Credentials{ID: id, Secret: secret.New(Secret(id))}
}

// SaveClient registers c as it was made at a time in Unix seconds, with its
// [Secret] unless it is public or has others.
func SaveClient(t testing.TB, clients oauth.ClientRegistry, c oauth.Client, at int64) {
	t.Helper()
	c.Created, c.Epoch = at, uint64(at) //nolint:gosec // not negative
	if !c.Public && c.Secrets == nil {
		c.Secrets = Hashes(Secret(c.ID))
	}
	if err := c.Validate(); err != nil {
		t.Fatalf("register the client %s: %v", c.ID, err)
	}
	if _, err := clients.SaveClient(t.Context(), c); err != nil {
		t.Fatalf("register the client %s: %v", c.ID, err)
	}
}

// SaveUser registers u with the password, hashed by [Passwords].
func SaveUser(t testing.TB, users oauth.UserRegistry, u oauth.User, password string) oauth.User {
	t.Helper()
	u.PasswordHash, _ = new(Passwords).Hash(secret.New(password))
	u, err := users.SaveUser(t.Context(), u)
	if err != nil {
		t.Fatalf("register the user %s: %v", u.Username, err)
	}
	return u
}
