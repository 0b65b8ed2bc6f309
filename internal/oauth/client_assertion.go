package oauth

import (
	"context"
	"errors"
	"fmt"

	"github.com/fob-oauth/fob/internal/ledger"
)

const (
	// clientAssertionLife is how far ahead exp of a client's assertion may be, and how
	// old its iat, in seconds. It bounds replays, which are not stored: decision 44.
	clientAssertionLife = 60
	// clientAssertionSkew is how far a client's clock may be off, in seconds.
	clientAssertionSkew = 60

	// maxClientKeys is the most bytes of Client.JWKS. Each request reads them.
	maxClientKeys = 4096
)

// authenticateAssertion proves the client of a request by the JWT that it signed (RFC 7523 §2.2).
func (i *Issuer) authenticateAssertion(ctx context.Context, cred Credentials, now int64, fresh bool) (Client, error) {
	if i.Assertions == nil || cred.Audience == "" {
		return Client{}, errInvalidClient()
	}
	var client Client
	event := EventOf(ctx)
	claims, err := i.Assertions.Verify(ctx, cred.Assertion.Reveal(), func(ctx context.Context, iss string) (Signer, bool, error) {
		id := ledger.ClientID(iss)
		if !PlausibleClientID(id) || cred.ID != "" && cred.ID != id {
			return Signer{}, false, nil
		}
		c, found, err := i.Clients.read(ctx, id, fresh)
		event.Claimed = c.ID // empty if not found
		if err != nil || !found || c.Disabled || c.Public || c.JWKS == "" {
			return Signer{}, false, err
		}
		client = c
		return c.signer(cred.Audience), true, nil
	}, Expectation{})
	refused := func(why string) (Client, error) {
		event.Refusal = why
		return Client{}, errInvalidClient()
	}
	if r, ok := errors.AsType[*RefusedAssertion](err); ok {
		return refused(r.Reason)
	}
	switch {
	case err != nil:
		return Client{}, err
	case claims.Issuer != claims.Subject:
		return refused("sub is not the client that signed") // RFC 7523 §3
	case claims.ID == "":
		return refused("an assertion of a client without jti") // OpenID Connect Core 1.0 §9
	case claims.Expires > now+clientAssertionLife+clientAssertionSkew:
		return refused("an assertion of a client that lives too long")
	}
	event.Client, event.Claimed = client.ID, ""
	return client, nil
}

// signer is the client as the signer of its assertions.
func (c Client) signer(audience string) Signer {
	return Signer{
		Name:       string(c.ID),
		Audiences:  []string{audience},
		Algorithms: Algorithms(),
		JWKS:       c.JWKS,
		MaxAge:     clientAssertionLife,
	}
}

// faultOfKeys does not look into the keys: see ofKeys.
func (c Client) faultOfKeys() error {
	switch {
	case c.Public && c.JWKS != "":
		return errors.New("a public client has no keys")
	case len(c.JWKS) > maxClientKeys:
		return fmt.Errorf("the keys of a client have at most %d bytes", maxClientKeys)
	}
	return nil
}

// ofKeys has the faults of keys that cannot do what the client is for.
func (r *Registrar) ofKeys(c Client) error {
	if c.JWKS == "" {
		return nil
	}
	var faults []error
	if len(c.Secrets) == 0 && len(c.Introspects) > 0 {
		faults = append(faults, errors.New("a client that introspects needs a secret: an assertion serves at /token alone"))
	}
	if len(c.JWKS) <= maxClientKeys {
		faults = append(faults, r.Assertions.CheckKeys(c.JWKS, Algorithms()))
	}
	return errors.Join(faults...)
}
