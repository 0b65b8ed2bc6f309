package oauth

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/scope"
)

// Form is the body of a request: each parameter once, those without a value
// left out (RFC 6749 §3.2).
type Form map[string]string

// GrantType is that which the request asks for, known or not.
func (f Form) GrantType() GrantType { return GrantType(f[paramGrantType]) }

// Parameters of the token endpoint. A new one also belongs in [TokenParameters].
const (
	paramGrantType      = "grant_type"     // RFC 6749 §4.3.2, §4.4.2, §6
	paramScope          = "scope"          // RFC 6749 §3.3
	paramUsername       = "username"       // RFC 6749 §4.3.2
	paramPassword       = "password"       // RFC 6749 §4.3.2
	paramRefreshToken   = "refresh_token"  // RFC 6749 §6
	paramTokenBindingID = "tokenBindingId" // WSO2 Identity Server 7
	paramResource       = "resource"       // RFC 8707 §2

	// ParamUserAddress is fob's own: the address of the user's device, as a back end saw it.
	ParamUserAddress = "user_address"

	paramAudience           = "audience"             // RFC 8693 §2.1
	paramSubjectToken       = "subject_token"        // RFC 8693 §2.1
	paramSubjectTokenType   = "subject_token_type"   // RFC 8693 §2.1
	paramRequestedTokenType = "requested_token_type" // RFC 8693 §2.1
	paramActorToken         = "actor_token"          // RFC 8693 §2.1
	paramActorTokenType     = "actor_token_type"     // RFC 8693 §2.1
	paramAssertion          = "assertion"            // RFC 7521 §4.1
	paramNonce              = "nonce"                // what the app drew for the ID token; fob's own
)

// TokenParameters are the names in a [Form] that a grant reads, and whether the
// value is a secret.
func TokenParameters() map[string]bool {
	return map[string]bool{
		paramGrantType: false, paramScope: false, paramUsername: false, paramTokenBindingID: false, paramResource: false,
		ParamUserAddress: false,
		paramPassword:    true, paramRefreshToken: true,
		paramAudience: false, paramSubjectTokenType: false, paramRequestedTokenType: false, paramActorTokenType: false,
		paramSubjectToken: true, paramActorToken: true, paramAssertion: true, paramNonce: true,
	}
}

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

// grant is one grant_type (RFC 6749 §1.3), parsed. It holds what its proof needs
// and nothing else: no mint key and no store of tokens, so that it can neither mint
// nor write a record.
type grant interface {
	// prove returns what the request proves at now, in Unix seconds.
	prove(ctx context.Context, client Client, now int64) (proof, error)
}

// proof is what a grant proved: a subject that logs in, or the refresh token of
// an Authorization that was granted before.
type proof struct {
	subject     ledger.Subject
	username    string
	roles       []string
	userVersion uint64 // the User.Version that a password was checked against
	dated       bool   // userVersion is in what was shown, so a second look finds no other
	mayRefresh  bool   // the login may come with a refresh token

	refresh bearer.Token  // zero for a login
	shown   bearer.Bearer // refresh as the client sent it

	denied error // the answer if the subject is disabled or userVersion is too old
}

func (p proof) isLogin() bool { return p.refresh.Kind != bearer.Refresh }

// question is a request to the token endpoint in types.
type question struct {
	grantType GrantType
	grant     grant
	scope     scope.Set
	sent      string // scope as it was sent
	resource  string // RFC 8707; empty for none
	issuer    string // see [TokenRequest].Issuer
}

// parse reads a request without asking any store. The grant type is set as soon
// as it is known, also with an error.
func (i *Issuer) parse(req TokenRequest) (q question, err error) {
	form := req.Form
	name := form.GrantType()
	if name == "" {
		return q, refuse(InvalidRequest, "grant_type is missing")
	}
	if !slices.Contains(GrantTypes(), name) {
		return q, errUnsupportedGrant
	}
	q.grantType = name
	if i.Grants != nil && !slices.Contains(i.Grants, name) {
		return q, errUnsupportedGrant
	}
	asked, scopeErr := requestedScope(form)
	q.scope, q.sent, q.resource, q.issuer = asked, form[paramScope], form[paramResource], req.Issuer
	switch name {
	case PasswordGrant:
		q.grant, err = i.parsePassword(req, q)
	case ClientCredentialsGrant:
		q.grant = clientCredentialsGrant{}
	case RefreshTokenGrant:
		q.grant, err = i.parseRefreshToken(form)
	case TokenExchangeGrant:
		if q.resource, err = exchangeTarget(form); err == nil {
			q.grant, err = i.parseTokenExchange(form)
		}
	case JWTBearerGrant:
		q.grant, err = i.parseJWTBearer(form)
	}
	return q, cmp.Or(err, scopeErr)
}

// requestedScope reads scope and tokenBindingId, WSO2's other spelling of the
// device. Both are checked before any store is asked.
func requestedScope(form Form) (scope.Set, error) {
	set, err := scope.Parse(form[paramScope])
	if err != nil {
		return scope.Set{}, refuse(InvalidScope, err.Error()) // which never repeats input
	}
	binding := form[paramTokenBindingID]
	if binding == "" {
		return set, nil
	}
	device, err := scope.ParseDevice(binding)
	if err != nil {
		return scope.Set{}, refuse(InvalidRequest, "tokenBindingId is not a device name of 1 to 64 of A-Z a-z 0-9 . _ -")
	}
	if set.Device() != "" && set.Device() != device {
		return scope.Set{}, refuse(InvalidRequest, "tokenBindingId and the device scope name different devices")
	}
	return set.WithDevice(device), nil
}

var errUnsupportedGrant = refuse(UnsupportedGrantType, "grant_type is not supported")
