// Package assertion verifies JWTs that others signed: ID tokens (OpenID Connect Core
// 1.0 §2), assertions (RFC 7523) and security event tokens (RFC 8417). [New] makes a
// [Verifier], which is an [oauth.Assertions].
//
// It knows what makes a JWT genuine, and not what one entitles to. The signature is
// go-jose's business; what may be asked of it is decided here, in this order:
//
//  1. the form, and whether it is in force, which costs nothing but CPU: parse.go, claims.go
//  2. who is said to have signed it: the caller looks that up
//  3. whether the token is for fob: claims.go
//  4. the signature, for which keys may be fetched: source.go, fetch.go, address.go
//
// So nothing is fetched for a token that would be refused anyway, and nothing at all
// at an address that a token names.
package assertion

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/fob-oauth/fob/internal/oauth"
)

// Verifier implements [oauth.Assertions]. It keeps the keys that it fetched.
type Verifier struct {
	fetcher *fetcher
	now     func() time.Time

	mu      sync.Mutex // guards what follows; never held during a fetch
	sources map[place]*source
}

var _ oauth.Assertions = (*Verifier)(nil)

// place is where keys are fetched. There are as many as an operator registered
// since the process began.
type place struct {
	issuer  string // for discovery
	jwksURL string // instead of it
	private bool
}

// New returns a verifier that asks now for the wall clock. roots are the authorities
// that may vouch for the addresses of keys; nil are those of the system.
func New(now func() time.Time, roots *x509.CertPool) *Verifier {
	return &Verifier{fetcher: newFetcher(roots), now: now, sources: map[place]*source{}}
}

// Verify implements [oauth.Assertions].
func (v *Verifier) Verify(ctx context.Context, token string, find oauth.FindSigner, expect oauth.Expectation) (oauth.Claims, error) {
	now := v.now()
	t, err := parse(token, expect)
	if err != nil {
		return oauth.Claims{}, err
	}
	if err := t.inForce(expect, now); err != nil {
		return oauth.Claims{}, err
	}
	signer, found, err := find(ctx, t.claims.Issuer)
	if err != nil {
		return oauth.Claims{}, err
	}
	if !found {
		return oauth.Claims{}, refusedFor(oauth.RefusedIssuer, "the issuer is not registered")
	}
	if err := signer.Validate(); err != nil {
		return oauth.Claims{}, fmt.Errorf("registered issuer %q: %w", signer.Name, err)
	}
	if err := t.judge(signer, expect, now); err != nil {
		return oauth.Claims{}, err
	}
	if err := v.authenticate(ctx, t, signer); err != nil {
		return oauth.Claims{}, err
	}
	return t.claims, nil
}

// authenticate returns nil if a key of the signer made the signature.
func (v *Verifier) authenticate(ctx context.Context, t parsed, signer oauth.Signer) error {
	var keys []jose.JSONWebKey
	if signer.JWKS == "" {
		var err error
		if keys, err = v.source(signer).keysFor(ctx, t); err != nil {
			return err
		}
	} else {
		set, err := parseKeys([]byte(signer.JWKS))
		if err != nil {
			return fmt.Errorf("registered keys of %q: %w", signer.Name, err)
		}
		keys = set.suitable(t)
	}
	if !slices.ContainsFunc(keys, func(k jose.JSONWebKey) bool { return made(k, t) }) {
		return refusedFor(oauth.RefusedKey, "no key of the issuer made the signature")
	}
	return nil
}

func (v *Verifier) source(signer oauth.Signer) *source {
	at := place{issuer: signer.Name, private: signer.PrivateAddresses}
	if signer.JWKSURL != "" {
		at = place{jwksURL: signer.JWKSURL, private: signer.PrivateAddresses}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.sources[at]
	if s == nil {
		s = newSource(func(ctx context.Context) (keySet, error) { return v.fetcher.keys(ctx, at) }, v.now)
		v.sources[at] = s
	}
	return s
}

func refused(reason string) error { return refusedFor("", reason) }

func refusedFor(about oauth.RefusedPart, reason string) error {
	return &oauth.RefusedAssertion{Reason: reason, About: about}
}
