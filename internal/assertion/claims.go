package assertion

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"time"

	"github.com/fob-oauth/fob/internal/oauth"
)

const (
	// clockSkew is how far, in seconds, an issuer's clock may be off either way.
	clockSkew = 60
	// maxLife bounds exp, in seconds from iat. MaxAge of the signer is what limits the
	// use of a token; a longer life than this is a mistake in units.
	maxLife = 366 * 24 * 3600
)

// inForce refuses a token that is not in force. For that its signer need not be known.
func (t parsed) inForce(expect oauth.Expectation, now time.Time) error {
	c, at := t.claims, now.Unix()
	issued, oldest := cmp.Or(c.IssuedAt, at), int64(oauth.MaxAssertionAge)
	if expect.Event {
		oldest = oauth.MaxEventAge
	}
	switch {
	case issued > at+clockSkew:
		return refused("issued in the future")
	case issued < at-oldest-clockSkew:
		return refused("issued too long ago for any issuer")
	case t.before > at+clockSkew:
		return refused("not in force yet")
	case c.Expires == 0: // an event
		return nil
	case c.Expires <= at-clockSkew:
		return refused("expired")
	case c.Expires > issued+maxLife:
		return refused("expires too far in the future")
	}
	return nil
}

// judge refuses a token that is not for fob, or older than its signer's may be.
func (t parsed) judge(signer oauth.Signer, expect oauth.Expectation, now time.Time) error {
	c := t.claims
	if c.Issuer != signer.Name && !(expect.Event && c.Issuer == signer.Name+"/") {
		return refused("another issuer than the one that was looked up")
	}
	if !slices.Contains(signer.Algorithms, t.alg) {
		return refused("the issuer is not registered for the algorithm")
	}
	for _, a := range c.Audiences {
		// OpenID Connect Core 1.0 §3.1.3.7: an audience that is not trusted refuses all.
		if !slices.Contains(signer.Audiences, a) {
			return refusedFor(oauth.RefusedAudience, "an audience is not registered for the issuer, or for the client")
		}
	}
	at, age := now.Unix(), signer.AssertionAge()
	switch {
	case expect.Event:
		return nil // inForce judged its age, and no app draws a nonce for it
	case c.IssuedAt != 0 && c.IssuedAt < at-age-clockSkew:
		return refused("issued too long ago")
	case c.IssuedAt == 0 && c.Expires > at+age+clockSkew:
		// A token without iat has to end as early as one that was issued now and is used
		// as late as possible.
		return refused("lives too long for a token without iat")
	}
	return t.judgeNonce(signer, expect)
}

// judgeNonce compares the nonce claim with hashes of the request's nonce. The raw nonce never
// is in the token, so a thief who has nothing but the token cannot name it. That is why
// the claim must not be the nonce itself.
func (t parsed) judgeNonce(signer oauth.Signer, expect oauth.Expectation) error {
	if expect.Nonce == "" {
		if signer.NonceRequired {
			return refused("a nonce is required")
		}
		return nil
	}
	if t.nonce == nil {
		return refused("the token has no nonce")
	}
	sum := sha256.Sum256([]byte(expect.Nonce))
	same := 0
	for _, text := range []string{hex.EncodeToString(sum[:]), base64.RawURLEncoding.EncodeToString(sum[:])} {
		same |= subtle.ConstantTimeCompare([]byte(*t.nonce), []byte(text))
	}
	if same != 1 {
		return refused("the nonce is not of this request")
	}
	return nil
}
