package oauth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Algorithms are the signatures that fob verifies for others (RFC 7518 §3.1,
// RFC 8037). An HMAC is not among them: its key would let fob make the tokens that it verifies.
func Algorithms() []string { return []string{"RS256", "ES256", "ES384", "EdDSA"} }

const (
	// DefaultAssertionAge is the oldest iat that is taken, in seconds, of a signer
	// that sets none.
	DefaultAssertionAge = 600

	// MaxAssertionAge is the most that MaxAge of a signer may be, in seconds.
	MaxAssertionAge = 24 * 3600

	// MaxInlineKeys is the most bytes of Signer.JWKS.
	MaxInlineKeys = 32 * 1024

	// MaxEventAge is the oldest iat of a security event that is taken, in seconds, of any
	// signer. Transmitters try again for hours or days while fob is down.
	MaxEventAge = 7 * 24 * 3600

	maxSignerName      = 512 // bytes
	maxSignerAudiences = 20
	maxSignerAudience  = 512 // bytes
)

// Signer is somebody else whose JWTs (RFC 7519) fob believes, and within which
// bounds. An operator chose all of it; a token can choose none of it.
type Signer struct {
	// Name is what iss must be, byte for byte. It is an https URL, unless the keys
	// are in JWKS; then it may be any text, such as a client id.
	Name string
	// Audiences are the values that aud may have: the ids of the apps for an ID
	// token, or fob's address for an assertion made for fob. Each value of a
	// token's aud must be one of them.
	Audiences []string
	// Algorithms are some of [Algorithms].
	Algorithms []string
	// JWKS is a JWK Set (RFC 7517 §5) with public keys. If it is empty, the keys are
	// fetched from JWKSURL; if that is empty too, by discovery (OpenID Connect
	// Discovery 1.0 §4) from Name.
	JWKS    string
	JWKSURL string
	// MaxAge is the oldest iat that is taken, in seconds. Zero is DefaultAssertionAge.
	MaxAge int64
	// NonceRequired refuses a token without a nonce that the request proves.
	NonceRequired bool
	// PrivateAddresses lets the keys be fetched from loopback and private addresses.
	PrivateAddresses bool
}

// AssertionAge is MaxAge or its default, in seconds.
func (s Signer) AssertionAge() int64 { return cmp.Or(s.MaxAge, DefaultAssertionAge) }

// Validate returns all faults of a signer, joined. It does not look into JWKS: see
// [Assertions].CheckKeys.
func (s Signer) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	switch {
	case s.Name == "" || len(s.Name) > maxSignerName || !plain(s.Name):
		fault("an issuer has 1 to %d bytes of UTF-8 without blanks and characters that people cannot see", maxSignerName)
	case s.JWKS == "":
		if err := httpsURL(s.Name); err != nil {
			fault("issuer, without inline keys: %w", err)
		}
	}
	if n := len(s.Audiences); n == 0 || n > maxSignerAudiences {
		fault("an issuer has 1 to %d audiences", maxSignerAudiences)
	}
	for _, a := range s.Audiences {
		if a == "" || len(a) > maxSignerAudience || !plain(a) {
			fault("an audience has 1 to %d bytes of UTF-8 without blanks and characters that people cannot see", maxSignerAudience)
		}
	}
	if len(s.Algorithms) == 0 {
		fault("an issuer has at least one algorithm")
	}
	for _, a := range s.Algorithms {
		if !slices.Contains(Algorithms(), a) {
			fault("algorithm %q is not one of %s", a, strings.Join(Algorithms(), ", "))
		}
	}
	if s.JWKS != "" && s.JWKSURL != "" {
		fault("inline keys and an address of keys exclude each other")
	}
	if len(s.JWKS) > MaxInlineKeys {
		fault("inline keys have at most %d bytes", MaxInlineKeys)
	}
	if s.JWKSURL != "" {
		if err := httpsURL(s.JWKSURL); err != nil {
			fault("address of the keys: %w", err)
		}
	}
	if s.MaxAge < 0 || s.MaxAge > MaxAssertionAge {
		fault("the oldest iat is 1 to %d seconds ago", MaxAssertionAge)
	}
	return errors.Join(faults...)
}

// plain reports whether s has what people can see alone. A name that was copied with
// more would be that of no token, and look right.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r == ' ' || isUnseen(r) })
}

func httpsURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "":
		return errors.New("not an https URL")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#"):
		return errors.New("a URL with a user, a query or a fragment")
	}
	return nil
}

// Assertions verifies JWTs that others signed.
type Assertions interface {
	// Verify returns the claims of a token if a signer that find knows signed it, it
	// is in force, and it is what expect asks for.
	//
	// find is called at most once, with the iss that the token claims, and not at all
	// for a token whose form is wrong or that is not in force. It may return something else than what
	// is registered: the audiences of one use, say. Its error is returned as it is.
	//
	// Errors are a *[RefusedAssertion]; or match [ErrUnavailable] if the signer's keys
	// could not be fetched, or are too old to say whether the token is genuine; or are
	// faults of the Signer that find returned.
	Verify(ctx context.Context, token string, find FindSigner, expect Expectation) (Claims, error)

	// CheckKeys returns why a JWK Set cannot be the inline keys of a signer with these
	// algorithms.
	CheckKeys(jwks string, algorithms []string) error
}

// FindSigner looks up who has that name.
type FindSigner func(ctx context.Context, iss string) (s Signer, found bool, err error)

// Expectation is what a request says about a token that it presents. The zero value
// is that of an assertion (RFC 7523 §3).
type Expectation struct {
	// IDToken is true for an ID token (OpenID Connect Core 1.0 §2): it must not have
	// scope or scp, which access tokens have. An assertion may have one, for the
	// scopes that it asks for.
	IDToken bool
	// Nonce is the nonce as the app drew it. The claim must be its SHA-256, in
	// lower-case hexadecimal or in base64url without padding.
	Nonce string
	// Event is true for a security event token (RFC 8417): it must have jti and
	// events, and may lack sub and exp. Its iat may be [MaxEventAge] old, whatever the
	// signer's MaxAge; no nonce is asked of it; and its iss may be the signer's Name with a
	// slash at the end, as Google sends it. All other tokens must not have events, must
	// have sub and exp, and are typed as JWT or not at all.
	Event bool
}

// Claims are those of a verified token. Times are Unix seconds.
type Claims struct {
	Issuer        string
	Subject       string
	Audiences     []string
	IssuedAt      int64  // 0 for a token without, which then expires within the signer's AssertionAge
	Expires       int64  // 0 for an event without
	ID            string // jti; empty for none
	EmailVerified bool   // true also for the text "true", which Apple sends

	all map[string]json.RawMessage
}

// WithAll returns c with all claims of the token, as JSON, by name.
func (c Claims) WithAll(all map[string]json.RawMessage) Claims {
	c.all = all
	return c
}

// JSON is a claim as it was sent; nil if the token has none of that name.
func (c Claims) JSON(name string) json.RawMessage { return c.all[name] }

// Text is a claim that is a text. ok is false for any other and for none.
func (c Claims) Text(name string) (text string, ok bool) {
	raw := c.all[name]
	return text, len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &text) == nil
}

// Texts is a claim that is a list of texts, or one text. ok is false for any other
// and for none.
func (c Claims) Texts(name string) (texts []string, ok bool) {
	if one, ok := c.Text(name); ok {
		return []string{one}, true
	}
	var values []*string
	if raw := c.all[name]; len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &values) != nil {
		return nil, false
	}
	for _, v := range values {
		if v == nil {
			return nil, false
		}
		texts = append(texts, *v)
	}
	return texts, true
}

// RefusedAssertion is why a token proves nothing. Reason is fixed text for the log,
// and repeats no input. The client must not see it: it would help a forger.
type RefusedAssertion struct {
	Reason string
	About  RefusedPart
}

// RefusedPart is what of a token was refused, where a transmitter of events has to be told
// (RFC 8935 §2.4). It is empty for all else.
type RefusedPart string

const (
	RefusedIssuer   RefusedPart = "issuer"
	RefusedAudience RefusedPart = "audience"
	RefusedKey      RefusedPart = "key"
)

func (e *RefusedAssertion) Error() string { return "assertion refused: " + e.Reason }
