package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fob-oauth/fob/internal/ledger"
)

const (
	// clientAssertionAge is how old iat of an assertion that a client signed may be, in
	// seconds. It bounds replays, which are not stored: decision 44.
	clientAssertionAge = 60

	// maxClientKeys is the most bytes of Client.JWKS. Each request reads them.
	maxClientKeys = 4096
	// maxTrustedSubject is the most bytes of Trust.Subject, as of any sub that is read.
	maxTrustedSubject = 512
)

// Trust is whose word a client takes for itself: a platform signs for the workload that
// the client is, an AWS role, a GitHub workflow or a Kubernetes service account. See
// decision 50.
type Trust struct {
	Issuer  string // the name of a [TrustedIssuer] for [ClientSubjects]
	Subject string // what sub must be, byte for byte
}

// Asserts reports whether an assertion can prove the client (RFC 7523 §2.2), so that it
// needs no secret at the token endpoint.
func (c Client) Asserts() bool { return c.JWKS != "" || c.Trusts != Trust{} }

// authenticateAssertion proves the client of a request that shows an assertion: one that
// the client signed, or one that an issuer which it trusts signed about its subject. It must
// be for audience.
func (i *Issuer) authenticateAssertion(ctx context.Context, cred Credentials, audience string, fresh bool) (Client, error) {
	if i.Assertions == nil || audience == "" {
		return Client{}, ErrInvalidClient
	}
	var client Client
	event := EventOf(ctx)
	claims, err := i.Assertions.Verify(ctx, cred.Assertion.Reveal(), func(ctx context.Context, iss string) (signer Signer, found bool, err error) {
		id := cred.ID
		if id == "" { // RFC 7521 §4.2: it is optional
			id = ledger.ClientID(iss)
		}
		if !PlausibleClientID(id) {
			return Signer{}, false, nil
		}
		c, found, err := i.Clients.read(ctx, id, fresh)
		event.Claimed = c.ID // empty if not found
		switch {
		case err != nil:
			return Signer{}, false, err
		case !found || c.Disabled || c.Public:
			return Signer{}, false, &RefusedAssertion{Reason: "the client is unknown, disabled or public"}
		case c.JWKS != "":
			signer = c.signer(audience)
		case iss == c.Trusts.Issuer:
			if signer, err = i.signerFor(ctx, c, audience); err != nil {
				return Signer{}, false, err
			}
		default:
			return Signer{}, false, &RefusedAssertion{Reason: "the client has no keys and does not trust the issuer"}
		}
		client = c
		return signer, true, nil
	}, Expectation{})
	if err == nil {
		err = client.faultOf(claims)
	}
	if r, ok := errors.AsType[*RefusedAssertion](err); ok {
		event.Refusal = r.Reason
		return Client{}, ErrInvalidClient
	}
	if err != nil {
		return Client{}, err
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
		MaxAge:     clientAssertionAge,
	}
}

// signerFor is the issuer that the client trusts, as the signer of its assertions.
func (i *Issuer) signerFor(ctx context.Context, c Client, audience string) (Signer, error) {
	issuer, found, err := i.Issuers.TrustedIssuer(ctx, c.Trusts.Issuer)
	switch {
	case err != nil:
		return Signer{}, err
	case !found:
		return Signer{}, &RefusedAssertion{Reason: "the issuer is not registered"}
	}
	EventOf(ctx).Issuer = issuer.Name
	if issuer.SubjectRule() != ClientSubjects {
		return Signer{}, &RefusedAssertion{Reason: "the issuer proves users, not clients"}
	}
	return issuer.signerForClients(audience), nil
}

// faultOf is why the claims of an assertion whose signature is right do not prove c.
func (c Client) faultOf(claims Claims) error {
	switch {
	case c.JWKS == "" && claims.Subject != c.Trusts.Subject:
		return &RefusedAssertion{Reason: "sub is another one than the client trusts"}
	case c.JWKS == "" && onBehalf(claims):
		return &RefusedAssertion{Reason: "sub is not who asked AWS for the token"}
	case c.JWKS == "":
		return nil
	case claims.Subject != string(c.ID): // RFC 7523 §3
		return &RefusedAssertion{Reason: "sub is not the client that signed"}
	case claims.ID == "": // OpenID Connect Core 1.0 §9
		return &RefusedAssertion{Reason: "an assertion of a client without jti"}
	}
	return nil
}

// onBehalf reports whether AWS STS signed a token whose sub is not the principal that asked
// for it. In the mode OriginIdentity, sub is what a login in front of AWS calls its user, and
// a user may be called like a role. Tokens from before that mode have no principal_id.
func onBehalf(claims Claims) bool {
	raw := claims.JSON("https://sts.amazonaws.com/")
	if raw == nil {
		return false
	}
	var aws map[string]json.RawMessage
	if json.Unmarshal(raw, &aws) != nil {
		return true
	}
	asked, _ := Claims{}.WithAll(aws).Text("principal_id")
	return aws["principal_id"] != nil && asked != claims.Subject
}

// faultsOfAssertions does not look into the keys, and does not look up the issuer: see
// faultsOfKeys and faultOfTrust.
func (c Client) faultsOfAssertions() error {
	var faults []error
	switch {
	case c.Public && c.JWKS != "":
		faults = append(faults, errors.New("a public client has no keys"))
	case len(c.JWKS) > maxClientKeys:
		faults = append(faults, fmt.Errorf("the keys of a client have at most %d bytes", maxClientKeys))
	}
	t := c.Trusts
	switch {
	case t == Trust{}:
	case c.Public:
		faults = append(faults, errors.New("a public client trusts no issuer"))
	case c.JWKS != "":
		faults = append(faults, errors.New("a client has keys or trusts an issuer, and not both"))
	case t.Issuer == "" || t.Subject == "":
		faults = append(faults, errors.New("trust takes an issuer and a subject: any subject of an issuer could be anybody"))
	case strings.Contains(t.Subject, "*"):
		faults = append(faults, errors.New("a trusted subject is compared byte for byte: * is not a wildcard"))
	case len(t.Subject) > maxTrustedSubject || !utf8.ValidString(t.Subject) || strings.ContainsFunc(t.Subject, unicode.IsControl) || strings.TrimSpace(t.Subject) != t.Subject:
		faults = append(faults, fmt.Errorf("a trusted subject has 1 to %d bytes of UTF-8 without control characters, and no blanks around it", maxTrustedSubject))
	}
	return errors.Join(faults...)
}
