package oauth

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/scope"
)

// GrantType is a grant_type of the token endpoint.
type GrantType string

const (
	PasswordGrant          GrantType = "password"           // RFC 6749 §4.3
	ClientCredentialsGrant GrantType = "client_credentials" // RFC 6749 §4.4
	RefreshTokenGrant      GrantType = "refresh_token"      // RFC 6749 §6

	TokenExchangeGrant GrantType = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693 §2.1
	JWTBearerGrant     GrantType = "urn:ietf:params:oauth:grant-type:jwt-bearer"     // RFC 7523 §2.1
)

// GrantTypes are all that a client can be registered for.
func GrantTypes() []GrantType {
	return []GrantType{PasswordGrant, ClientCredentialsGrant, RefreshTokenGrant, TokenExchangeGrant, JWTBearerGrant}
}

// givesRefreshTokens reports whether a token of the grant may come with one. A client
// that speaks for itself gets none (RFC 6749 §4.4.3).
func (g GrantType) givesRefreshTokens() bool {
	return g != ClientCredentialsGrant && g != RefreshTokenGrant
}

// GrantNames are the grants as operators write them: the last part of a URN.
func GrantNames() (names []string) {
	for _, g := range GrantTypes() {
		names = append(names, string(g[strings.LastIndexByte(string(g), ':')+1:]))
	}
	return names
}

// GrantNamed is the grant of a name of [GrantNames], or s itself.
func GrantNamed(s string) GrantType {
	if i := slices.Index(GrantNames(), s); i >= 0 {
		return GrantTypes()[i]
	}
	return GrantType(s)
}

// OfferedGrants are those of a deployment: all, or all without the password grant,
// which RFC 9700 §2.4 advises against.
func OfferedGrants(password bool) []GrantType {
	return slices.DeleteFunc(GrantTypes(), func(g GrantType) bool { return g == PasswordGrant && !password })
}

// Defaults of a client's settings, used where the setting is zero. Times are
// seconds.
const (
	DefaultAccessLifetime    = 3600
	DefaultRefreshIdle       = 30 * 24 * 3600
	DefaultRefreshAbsolute   = 90 * 24 * 3600
	DefaultRefreshGrace      = 60
	DefaultMaxAuthorizations = 25

	maxAccessLifetime    = 30 * 24 * 3600
	maxRefreshAbsolute   = 366 * 24 * 3600
	minRefreshGrace      = 30
	maxRefreshGrace      = 10 * 60
	maxMaxAuthorizations = 10_000
	maxClientID          = 128 // bytes
	maxClientSecrets     = 2
	maxAudiences         = 20
	maxScopeName         = 128 // bytes; eight of them fit into a request
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

// audiencesFor narrows the audiences to the resource that a login names (RFC 8707 §2):
// another audience is another Authorization, and so another token. One resource can be
// named, because wire refuses a parameter that is repeated.
func (c Client) audiencesFor(resource string) ([]string, error) {
	all := c.audiences()
	switch {
	case resource == "":
		return all, nil
	case slices.Contains(all, resource):
		return []string{resource}, nil
	}
	return nil, refuse(InvalidTarget, "resource is not an audience that the client is registered for")
}

func (c Client) accessLifetime() int64  { return orDefault(c.AccessLifetime, DefaultAccessLifetime) }
func (c Client) refreshIdle() int64     { return orDefault(c.RefreshIdle, DefaultRefreshIdle) }
func (c Client) refreshAbsolute() int64 { return orDefault(c.RefreshAbsolute, DefaultRefreshAbsolute) }
func (c Client) refreshGrace() int64    { return orDefault(c.RefreshGrace, DefaultRefreshGrace) }

// terms are what package ledger needs of the registration.
func (c Client) terms() ledger.Terms {
	return ledger.Terms{
		Client:          c.ID,
		Public:          c.Public,
		AccessLifetime:  c.accessLifetime(),
		RefreshIdle:     c.refreshIdle(),
		RefreshAbsolute: c.refreshAbsolute(),
		RefreshGrace:    c.refreshGrace(),
	}
}

func (c Client) maxAuthorizations() int {
	return orDefault(c.MaxAuthorizations, DefaultMaxAuthorizations)
}

func orDefault[N int | int64](n, otherwise N) N {
	if n == 0 {
		return otherwise
	}
	return n
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
