package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/secret"
)

// ClientSecret is the SHA-256 of a secret of 256 bits, or of one brought along
// from another system.
type ClientSecret struct {
	Hash    [32]byte
	Created int64 // Unix seconds
}

// NewClientSecret draws a secret of 256 bits. Its alphabet is the same raw and
// form-encoded, so clients that forget RFC 6749 §2.3.1 still work.
func NewClientSecret() secret.Text {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return secret.New(base64.RawURLEncoding.EncodeToString(b[:]))
}

// HashClientSecret is how a client secret is stored. One round is enough for 256
// random bits.
func HashClientSecret(s secret.Text) [32]byte { return sha256.Sum256([]byte(s.Reveal())) }

// minClientSecret is how many printable ASCII characters 128 bits take at least, which
// is what RFC 6749 §10.10 asks of a secret that no person has to remember.
const minClientSecret = 20

// ValidateClientSecret holds a new secret to RFC 6749 appendix A.2, and to 20 characters:
// one that an operator brings along may be guessed, from a copy of the table without any
// brake. A secret that a client has already is not held to it.
func ValidateClientSecret(s secret.Text) error {
	if s.Len() < minClientSecret {
		return fmt.Errorf("a client secret has at least %d characters: fewer cannot hold 128 bits", minClientSecret)
	}
	if strings.ContainsFunc(s.Reveal(), func(c rune) bool { return c < ' ' || c > '~' }) {
		return errors.New("a client secret has printable ASCII characters only")
	}
	return nil
}

// HasSecret reports whether s is a secret of the client.
func (c Client) HasSecret(s secret.Text) bool {
	hash := HashClientSecret(s)
	return slices.ContainsFunc(c.Secrets, func(has ClientSecret) bool {
		return subtle.ConstantTimeCompare(has.Hash[:], hash[:]) == 1
	})
}

// Credentials are what a request showed to authenticate its client (RFC 6749 §2.3):
// an id with a secret, or the id alone, as public clients do. It does not matter
// whether they came by Basic or in the body, and an empty secret is none.
type Credentials struct {
	ID     ledger.ClientID
	Secret secret.Text
	// Assertion is a JWT that the client signed, in the place of a secret; ID may be
	// empty then. Audience is the issuer identifier that it must be for.
	Assertion secret.Text
	Audience  string
}

// ErrInvalidClient is every failure of client authentication. All of them read
// alike, so that an answer does not reveal which clients exist.
var ErrInvalidClient = &Error{InvalidClient, "client authentication failed"}

func errInvalidClient() error { return ErrInvalidClient }

// authenticate proves the client of a request, public clients by their id alone.
// With fresh the registration is read past the cache.
func authenticate(ctx context.Context, clients *ClientCache, cred Credentials, fresh bool) (Client, error) {
	if !PlausibleClientID(cred.ID) || cred.Assertion.Len() > 0 { // only Issuer has a verifier
		return Client{}, errInvalidClient()
	}
	c, found, err := clients.read(ctx, cred.ID, fresh)
	if err != nil {
		return Client{}, err
	}
	hash := HashClientSecret(cred.Secret)
	matched, older := 0, 0
	for i, s := range c.Secrets {
		same := subtle.ConstantTimeCompare(s.Hash[:], hash[:])
		matched |= same
		if i < len(c.Secrets)-1 {
			older |= same
		}
	}
	ok := found && !c.Disabled
	if c.Public {
		ok = ok && cred.Secret.Len() == 0
	} else {
		ok = ok && cred.Secret.Len() > 0 && matched == 1
	}
	event := EventOf(ctx)
	if !ok {
		event.Claimed = c.ID // empty if not found
		return Client{}, errInvalidClient()
	}
	event.Client, event.OlderSecret = c.ID, older == 1
	return c, nil
}
