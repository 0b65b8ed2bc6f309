package oauth

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/scope"
)

// Issuer answers the token endpoint (RFC 6749 §3.2).
type Issuer struct {
	Tokens    Tokens
	Clients   *ClientCache
	Users     Users
	Passwords Passwords
	Keys      Keys[*bearer.MintRing]
	Now       func() time.Time

	// Grants are those that there are here, whatever clients are registered for.
	// Nil means all.
	Grants []GrantType
}

// Form is the body of a request: each parameter once, those without a value
// left out (RFC 6749 §3.2).
type Form map[string]string

// Parameters of the token endpoint.
const (
	paramGrantType      = "grant_type"     // RFC 6749 §4.3.2, §4.4.2, §6
	paramScope          = "scope"          // RFC 6749 §3.3
	paramUsername       = "username"       // RFC 6749 §4.3.2
	paramPassword       = "password"       // RFC 6749 §4.3.2
	paramRefreshToken   = "refresh_token"  // RFC 6749 §6
	paramTokenBindingID = "tokenBindingId" // WSO2 Identity Server 7
)

// TokenRequest is one request to the token endpoint.
type TokenRequest struct {
	Credentials Credentials
	Form        Form
	// Source is where the request came from as the gateway saw it, never as a
	// header says: an IPv4 address or an IPv6 /64.
	Source string
}

// TokenResponse is a successful answer (RFC 6749 §5.1).
type TokenResponse struct {
	AccessToken  bearer.Bearer
	ExpiresIn    int64         // seconds, at least 1
	RefreshToken bearer.Bearer // empty if there is none
	Scope        scope.Set
}

// grant is one grant_type (RFC 6749 §1.3). It proves, and nothing else: it can
// neither mint nor write a record. That is left to the pipeline, which no grant
// can leave.
type grant interface {
	prove(ctx context.Context, i *Issuer, s session) (claim, error)
}

// session is what the pipeline knows of a request when its grant is asked.
type session struct {
	client Client
	now    int64 // Unix seconds, one for the whole request
	source string
}

// claim is what a grant proved: where the record stands and how to decide about
// it.
type claim struct {
	locator bearer.Locator
	decide  func(situation) decision

	// userVersion is the User.Version that a password was checked against.
	userVersion uint64
	// denied is the answer if the subject is disabled.
	denied error
}

// parseGrant picks the grant and checks its parameters, without any store.
func parseGrant(form Form) (GrantType, grant, error) {
	switch GrantType(form[paramGrantType]) {
	case "":
		return "", nil, refuse(InvalidRequest, "grant_type is missing")
	case PasswordGrant:
		g, err := parsePassword(form)
		return PasswordGrant, g, err
	case ClientCredentialsGrant:
		g, err := parseClientCredentials(form)
		return ClientCredentialsGrant, g, err
	case RefreshTokenGrant:
		g, err := parseRefreshToken(form)
		return RefreshTokenGrant, g, err
	}
	return "", nil, errUnsupportedGrant()
}

func errUnsupportedGrant() error {
	return refuse(UnsupportedGrantType, "grant_type is not supported")
}

// Token issues, returns or refreshes a token. It returns *Error for a refusal
// and an error that matches ErrUnavailable when it could not find out.
func (i *Issuer) Token(ctx context.Context, req TokenRequest) (TokenResponse, error) {
	name, g, err := parseGrant(req.Form)
	EventOf(ctx).Grant = name
	if name != "" && i.Grants != nil && !slices.Contains(i.Grants, name) {
		err = errUnsupportedGrant()
	}
	if err != nil {
		return TokenResponse{}, err
	}
	now := i.Now().Unix()
	var behind errStale
	for start := range maxStarts {
		need := behind.forStart(start)
		client, err := authenticate(ctx, i.Clients, req.Credentials, need.client)
		if err != nil {
			return TokenResponse{}, err
		}
		if !client.Allows(name) {
			return TokenResponse{}, refuse(UnauthorizedClient, "the client is not registered for this grant_type")
		}
		proved, err := g.prove(ctx, i, session{client, now, req.Source})
		if err != nil {
			return TokenResponse{}, err
		}
		// After the grant, which may have fetched a newer ring for its token.
		ring, err := ringFor(ctx, i.Keys, need.issuer)
		if err != nil {
			return TokenResponse{}, err
		}
		resp, err := i.settle(ctx, proved, client, ring, now, start == maxStarts-1)
		wants, isStale := errors.AsType[errStale](err)
		if !isStale {
			return resp, err
		}
		behind = behind.and(wants)
	}
	return TokenResponse{}, Unavailable("settle the token", behind)
}

var errTooManyConflicts = errors.New("too many requests for one authorization at once")

// issueClaim is the rest of the way for grants that prove a subject: scope
// policy, then the Authorization, computed once, then Issue.
func (i *Issuer) issueClaim(ctx context.Context, s session, who proof, requested scope.Set) (claim, error) {
	registered, err := i.Clients.ResourceScopes(ctx)
	if err != nil {
		return claim{}, err
	}
	granted, err := grantScope(s.client, registered, requested, who.roles)
	if err != nil {
		return claim{}, i.refuseScope(ctx, s, who, err)
	}
	authorization := Authorization{
		Subject:   who.subject,
		Username:  who.username,
		Client:    s.client.ID,
		Format:    Opaque,
		Scope:     granted,
		Audiences: s.client.audiences(),
	}
	// A rotating token must not be shared by two phones, so a public client gets
	// one only for a named device (RFC 9700 §4.14).
	withRefresh := who.mayRefresh && s.client.Allows(RefreshTokenGrant) && (!s.client.Public || granted.Device() != "")
	return claim{
		locator: authorization.Locator(),
		decide: func(now situation) decision {
			return issue(now, authorization, withRefresh)
		},
		userVersion: who.userVersion,
		denied:      who.denied,
	}, nil
}

// refuseScope answers a scope that may not be granted, unless the subject is
// disabled: then the answer is the same as to a wrong password, or a disabled
// user's password could be confirmed by asking for a scope.
func (i *Issuer) refuseScope(ctx context.Context, s session, who proof, refusal error) error {
	if who.subject.Kind != UserSubject {
		return refusal
	}
	subject := Authorization{Subject: who.subject, Client: s.client.ID}
	reading, err := i.Tokens.Read(ctx, subject.Locator())
	switch {
	case err != nil:
		return err
	case reading.State.Disabled:
		return who.denied
	}
	return refusal
}

// proof is a subject that a grant proved.
type proof struct {
	subject     Subject
	username    string
	roles       []string
	userVersion uint64
	mayRefresh  bool
	denied      error
}
