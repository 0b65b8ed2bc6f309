package oauth

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/secret"
)

// Defaults of a client's settings, used where the setting is zero. Times are
// seconds.
const (
	DefaultAccessLifetime    = 3600
	DefaultJWTLifetime       = 600 // of access tokens that are JWTs: an API that verifies them itself sees no revocation
	DefaultRefreshIdle       = 30 * 24 * 3600
	DefaultRefreshAbsolute   = 90 * 24 * 3600
	DefaultRefreshGrace      = 60
	DefaultMaxAuthorizations = 25

	maxAccessLifetime    = bearer.MaxAccessLifetime
	maxRefreshAbsolute   = 366 * 24 * 3600
	minRefreshGrace      = 30
	maxRefreshGrace      = 10 * 60
	maxMaxAuthorizations = 10_000
	maxClientID          = 128 // bytes
	maxClientSecrets     = 2
	maxAudiences         = 20
	maxScopeName         = 128  // bytes; eight of them fit into a request
	maxJWTClaims         = 4096 // bytes; a JWT with them is shorter than bearer.MaxJWT
)

// Client is a registered application (RFC 6749 §2).
type Client struct {
	ID      ledger.ClientID
	Version uint64 // grows with every write; zero is a client not saved yet
	Created int64  // Unix seconds

	// Epoch is the client's kill switch. It begins at Created, so that a client
	// removed and registered again does not revive old tokens.
	Epoch    uint64
	Disabled bool

	// Public clients, such as mobile apps, have no secret (RFC 6749 §2.1).
	Public  bool
	Secrets []ClientSecret // at most two, for rotation, the newer one last
	// JWKS is a JWK Set with the public keys that sign the client's assertions (RFC 7523
	// §2.2), in the place of secrets or next to them. It is empty for most.
	JWKS string
	// Trusts is who signs about the client in the place of its own keys, and whom that
	// calls the client. It is zero for most.
	Trusts Trust

	Grants        []GrantType
	Scopes        scope.Set // it may ask for these; devices need no registration
	DefaultScopes scope.Set // given when it asks for none; part of Scopes
	Audiences     []string  // of its tokens; empty means its own id
	Introspects   []string  // audiences whose access tokens it may introspect
	// SendsUserAddress says that the client is a back end whose logins name the address of
	// the user's device, by which wrong passwords are counted then.
	SendsUserAddress bool
	// LoginAudiences bound the aud of ID tokens and assertions that it shows; empty is all.
	LoginAudiences []string

	// TokenFormat is that of its access tokens. Empty means opaque.
	TokenFormat       ledger.TokenFormat
	AccessLifetime    int64 // seconds; zero means the default
	RefreshIdle       int64 // seconds; zero means the default
	RefreshAbsolute   int64 // seconds; zero means the default
	RefreshGrace      int64 // seconds, see [ledger.Terms]; zero means the default
	MaxAuthorizations int   // live at once for each subject; zero means the default

	// LongestLife is the longest life, in seconds, that earlier settings gave to a token;
	// zero if those above are longer. Without it a rotation of the keys waits 366 days.
	LongestLife int64
}

// LongestTokenLife is how long a token of the client can live from when it was
// made, in seconds. Neither refreshing nor logging in again prolongs the life of
// one that is there.
func (c Client) LongestTokenLife() int64 {
	return max(c.accessLifetime(), c.refreshAbsolute(), c.LongestLife)
}

// Allows reports whether the client is registered for the grant.
func (c Client) Allows(g GrantType) bool { return slices.Contains(c.Grants, g) }

func (c Client) audiences() []string {
	if len(c.Audiences) == 0 {
		return []string{string(c.ID)}
	}
	return slices.Compact(slices.Sorted(slices.Values(c.Audiences)))
}

// AudiencesOfNobody are those that the client may introspect and that no token of all
// these clients has.
func (c Client) AudiencesOfNobody(all []Client) []string {
	return slices.DeleteFunc(slices.Clone(c.Introspects), func(audience string) bool {
		return slices.ContainsFunc(all, func(other Client) bool {
			return len(other.Grants) > 0 && slices.Contains(other.audiences(), audience)
		})
	})
}

func (c Client) accessLifetime() int64 {
	if c.getsJWTs() {
		return cmp.Or(c.AccessLifetime, DefaultJWTLifetime)
	}
	return cmp.Or(c.AccessLifetime, DefaultAccessLifetime)
}

func (c Client) getsJWTs() bool { return c.TokenFormat == ledger.JWT }

// WithDefaults is c with the default of each setting that is zero.
func (c Client) WithDefaults() Client {
	if len(c.Audiences) == 0 {
		c.Audiences = []string{string(c.ID)}
	}
	c.TokenFormat = cmp.Or(c.TokenFormat, ledger.Opaque)
	c.AccessLifetime = c.accessLifetime()
	c.RefreshIdle, c.RefreshAbsolute, c.RefreshGrace = c.refreshIdle(), c.refreshAbsolute(), c.refreshGrace()
	c.MaxAuthorizations = c.maxAuthorizations()
	return c
}

func (c Client) refreshIdle() int64     { return cmp.Or(c.RefreshIdle, DefaultRefreshIdle) }
func (c Client) refreshAbsolute() int64 { return cmp.Or(c.RefreshAbsolute, DefaultRefreshAbsolute) }
func (c Client) refreshGrace() int64    { return cmp.Or(c.RefreshGrace, DefaultRefreshGrace) }
func (c Client) maxAuthorizations() int { return cmp.Or(c.MaxAuthorizations, DefaultMaxAuthorizations) }

// terms are what package ledger needs of the registration.
func (c Client) terms() ledger.Terms {
	return ledger.Terms{
		Client:          c.ID,
		Public:          c.Public,
		AccessLifetime:  cmp.Or(c.AccessLifetime, DefaultAccessLifetime),
		JWTLifetime:     cmp.Or(c.AccessLifetime, DefaultJWTLifetime),
		RefreshIdle:     c.refreshIdle(),
		RefreshAbsolute: c.refreshAbsolute(),
		RefreshGrace:    c.refreshGrace(),
	}
}

// Validate reports every fault of a client that is about to be saved.
func (c Client) Validate() error {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	id := string(c.ID)
	switch {
	case !PlausibleClientID(c.ID):
		fault("a client id has 1 to %d printable ASCII characters without spaces", maxClientID)
	case strings.HasPrefix(id, userIDPrefix), strings.HasPrefix(id, scope.DevicePrefix):
		fault("a client id must not begin with %s or %s", userIDPrefix, scope.DevicePrefix)
	}
	switch {
	case c.Public && len(c.Secrets) > 0:
		fault("a public client has no secret")
	case !c.Public && (len(c.Secrets) == 0 && !c.Asserts() || len(c.Secrets) > maxClientSecrets):
		fault("a confidential client has one or two secrets, or keys, or trusts an issuer")
	}
	errs = append(errs, c.faultsOfAssertions())
	for _, g := range c.Grants {
		if !slices.Contains(GrantTypes(), g) {
			fault("grant %q is not supported; there are %s", g, strings.Join(GrantNames(), ", "))
		}
	}
	if f := c.TokenFormat; f != "" && f != ledger.Opaque && f != ledger.JWT {
		fault("token format %q: %s or %s", f, ledger.Opaque, ledger.JWT)
	}
	if said, _ := json.Marshal([]any{c.Scopes.String(), c.audiences()}); c.getsJWTs() && len(said) > maxJWTClaims {
		fault("scopes and audiences of a client that gets JWTs: at most %d bytes in JSON, because requests carry them in a header", maxJWTClaims)
	}
	if c.Public && c.Allows(ClientCredentialsGrant) {
		fault("a public client cannot use %s (RFC 6749 section 4.4)", ClientCredentialsGrant)
	}
	if c.Public && len(c.Introspects) > 0 {
		fault("a public client cannot introspect")
	}
	if c.Public && c.SendsUserAddress {
		fault("a public client cannot send the address of its user: anybody could send another one")
	}
	if c.Scopes.Device() != "" || c.DefaultScopes.Device() != "" {
		fault("device scopes are not registered: every client may use them")
	}
	for _, s := range c.DefaultScopes.Ordinary() {
		if !c.Scopes.Contains(s) {
			fault("default scope %q is not one of the client's scopes", s)
		}
	}
	if max(len(c.Audiences), len(c.Introspects), len(c.LoginAudiences)) > maxAudiences {
		fault("at most %d audiences", maxAudiences)
	}
	for _, a := range slices.Concat(c.Audiences, c.Introspects, c.LoginAudiences) {
		if a == "" || len(a) > 256 || strings.ContainsFunc(a, notPrintableASCII) {
			fault("audience %q: 1 to 256 printable ASCII characters without spaces", a)
		}
	}
	inRange := func(what string, seconds, most int64) {
		if seconds < 0 || seconds > most {
			fault("%s: 1s to %s", what, FormatLifetime(most))
		}
	}
	inRange("access token lifetime", c.AccessLifetime, maxAccessLifetime)
	inRange("refresh token idle time", c.RefreshIdle, maxRefreshAbsolute)
	inRange("refresh token lifetime", c.RefreshAbsolute, maxRefreshAbsolute)
	if g := c.RefreshGrace; g != 0 && (g < minRefreshGrace || g > maxRefreshGrace) {
		fault("grace of a refresh token: %s to %s", FormatLifetime(minRefreshGrace), FormatLifetime(maxRefreshGrace))
	}
	inRange("longest life of a token", c.LongestLife, maxRefreshAbsolute)
	if c.MaxAuthorizations < 0 || c.MaxAuthorizations > maxMaxAuthorizations {
		fault("live authorizations of a subject: 1 to %d", maxMaxAuthorizations)
	}
	if c.refreshIdle() < c.accessLifetime() {
		// It would be idle while its user still works with an access token.
		fault("the refresh token idle time must not be shorter than the access token lifetime")
	}
	return errors.Join(errs...)
}

// PlausibleClientID reports whether a client can have such an id. It spares the
// store the ids that Validate refuses.
func PlausibleClientID(id ledger.ClientID) bool {
	return id != "" && len(id) <= maxClientID && !strings.ContainsFunc(string(id), notPrintableASCII)
}

func notPrintableASCII(c rune) bool { return c <= ' ' || c > '~' }

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
func (c Client) HasSecret(s secret.Text) bool { return c.indexOf(s) >= 0 }

// indexOf is where s is among the secrets of the client, or -1.
func (c Client) indexOf(s secret.Text) int {
	hash := HashClientSecret(s)
	return slices.IndexFunc(c.Secrets, func(has ClientSecret) bool {
		return subtle.ConstantTimeCompare(has.Hash[:], hash[:]) == 1
	})
}

// Credentials are what a request showed to authenticate its client (RFC 6749 §2.3):
// an id with a secret, or the id alone, as public clients do. It does not matter
// whether they came by Basic or in the body, and an empty secret counts as absent.
type Credentials struct {
	ID     ledger.ClientID
	Secret secret.Text
	// Assertion is a JWT that the client signed, in the place of a secret; ID may be
	// empty then.
	Assertion secret.Text
}

// ErrInvalidClient is every failure of client authentication. All of them read
// alike, so that an answer does not reveal which clients exist.
var ErrInvalidClient = &Error{InvalidClient, "client authentication failed"}

// authenticate proves the client of a request, public clients by their id alone.
// With fresh the registration is read past the cache.
func authenticate(ctx context.Context, clients *ClientCache, cred Credentials, fresh bool) (Client, error) {
	if !PlausibleClientID(cred.ID) || cred.Assertion.Len() > 0 { // only Issuer has a verifier
		return Client{}, ErrInvalidClient
	}
	c, found, err := clients.read(ctx, cred.ID, fresh)
	if err != nil {
		return Client{}, err
	}
	at := c.indexOf(cred.Secret)
	ok := found && !c.Disabled
	if c.Public {
		ok = ok && cred.Secret.Len() == 0
	} else {
		ok = ok && cred.Secret.Len() > 0 && at >= 0
	}
	event := EventOf(ctx)
	if !ok {
		event.Claimed = c.ID // empty if not found
		return Client{}, ErrInvalidClient
	}
	event.Client, event.OlderSecret = c.ID, at >= 0 && at < len(c.Secrets)-1
	return c, nil
}
