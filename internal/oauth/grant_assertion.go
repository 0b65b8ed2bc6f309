package oauth

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/fob-oauth/fob/internal/secret"
)

// Token types of RFC 8693 §3.
const (
	IDTokenType     = "urn:ietf:params:oauth:token-type:id_token"
	AccessTokenType = "urn:ietf:params:oauth:token-type:access_token"
)

// assertionGrant is a login that another issuer proves: a token exchange (RFC 8693)
// of an ID token, or an assertion that was made for fob (RFC 7523 §2.1). Both prove a
// user, once [Assertions] has verified the token. Nothing is stored of it, and it may be
// shown again while it is in force: a phone that lost the answer gets the same token.
type assertionGrant struct {
	issuers    *IssuerCache
	assertions Assertions
	users      Users
	token      secret.Text
	expect     Expectation
	// refused is the answer to a token that proves nothing, whatever the reason.
	refused error
}

// parseTokenExchange is for an ID token in, and an access token out: fob's own tokens
// are not exchanged, and nobody acts for somebody else.
func (i *Issuer) parseTokenExchange(form Form) (grant, error) {
	switch {
	case i.Assertions == nil:
		return nil, errUnsupportedGrant
	case form[paramSubjectToken] == "":
		return nil, refuse(InvalidRequest, "subject_token is missing")
	case form[paramSubjectTokenType] != IDTokenType:
		return nil, refuse(InvalidRequest, "subject_token_type is not urn:ietf:params:oauth:token-type:id_token")
	case form[paramActorToken] != "" || form[paramActorTokenType] != "":
		return nil, refuse(InvalidRequest, "actor_token is not supported")
	case cmp.Or(form[paramRequestedTokenType], AccessTokenType) != AccessTokenType:
		return nil, refuse(InvalidRequest, "requested_token_type is not urn:ietf:params:oauth:token-type:access_token")
	}
	return assertionGrant{
		issuers: i.Issuers, assertions: i.Assertions, users: i.Users,
		token:  secret.New(form[paramSubjectToken]),
		expect: Expectation{IDToken: true, Nonce: form[paramNonce]},
		// RFC 8693 §2.2.2 wants invalid_request, where all other grants have invalid_grant.
		refused: refuse(InvalidRequest, "the subject_token is not accepted"),
	}, nil
}

// exchangeTarget is the audience that an exchange names in one of two parameters (RFC 8693
// §2.1), or in both; empty for all of the client.
func exchangeTarget(form Form) (string, error) {
	resource, audience := form[paramResource], form[paramAudience]
	if resource != "" && audience != "" && resource != audience {
		return "", refuse(InvalidTarget, "resource and audience differ: a token is for one of the client's audiences or for all")
	}
	return cmp.Or(resource, audience), nil
}

func (i *Issuer) parseJWTBearer(form Form) (grant, error) {
	switch {
	case i.Assertions == nil:
		return nil, errUnsupportedGrant
	case form[paramAssertion] == "":
		return nil, refuse(InvalidRequest, "assertion is missing")
	}
	return assertionGrant{
		issuers: i.Issuers, assertions: i.Assertions, users: i.Users,
		token:   secret.New(form[paramAssertion]),
		expect:  Expectation{Nonce: form[paramNonce]},
		refused: refuse(InvalidGrant, "the assertion is not accepted"), // RFC 7523 §3.1
	}, nil
}

func (g assertionGrant) prove(ctx context.Context, client Client, _ int64) (proof, error) {
	event := EventOf(ctx)
	var issuer TrustedIssuer
	claims, err := g.assertions.Verify(ctx, g.token.Reveal(), func(ctx context.Context, name string) (Signer, bool, error) {
		i, found, err := g.issuers.TrustedIssuer(ctx, name)
		if found {
			issuer, event.Issuer = i, i.Name
		}
		if i.SubjectRule() == ClientSubjects {
			return Signer{}, false, &RefusedAssertion{Reason: "the issuer proves clients, not users"}
		}
		if found && len(client.LoginAudiences) > 0 {
			if i.Audiences = client.loginAudiencesOf(i); len(i.Audiences) == 0 {
				return Signer{}, false, &RefusedAssertion{Reason: "no audience of the issuer is one of the client's"}
			}
		}
		return i.Signer, found, err
	}, g.expect)
	refused := func(why string) (proof, error) {
		event.Reason, event.Refusal = ReasonAssertion, why
		return proof{}, g.refused
	}
	if r, ok := errors.AsType[*RefusedAssertion](err); ok {
		return refused(r.Reason)
	}
	if err != nil {
		return proof{}, err
	}
	p := proof{userVersion: anyUserVersion, mayRefresh: true, denied: g.refused}
	switch issuer.SubjectRule() {
	case HashedSubjects:
		p.subject, p.userVersion, p.dated = issuer.hashedSubject(claims.Subject), issuer.provenAt(claims), true
		p.username, p.roles = issuer.nameAndRoles(claims)
		return p, nil
	case NamedSubjects:
		login, err := g.users.Login(ctx, NormalUsername(claims.Subject))
		switch {
		case err != nil:
			return proof{}, err
		case !login.Found:
			return refused("no user has that name")
		case login.User.Disabled:
			return refused("the user is disabled")
		}
		u := login.User
		p.subject, p.username, p.roles, p.userVersion = u.subject(), u.Username, u.Roles, u.Version
		return p, nil
	}
	return proof{}, errUnknownSubjects
}

// provenAt is when the issuer said who the user is, in the place of a user's version. The
// time of an event about the user is one too, so what was issued before it proves nothing
// after it. A token without iat is taken for as old as it may be.
func (i TrustedIssuer) provenAt(c Claims) uint64 {
	return uint64(max(0, cmp.Or(c.IssuedAt, c.Expires-i.AssertionAge())))
}

// loginAudiencesOf are the audiences of an issuer that tokens may have which the client
// shows. Without this any app of the team could log in with what another app got.
func (c Client) loginAudiencesOf(i TrustedIssuer) []string {
	return slices.DeleteFunc(slices.Clone(i.Audiences), func(a string) bool { return !slices.Contains(c.LoginAudiences, a) })
}

// nameAndRoles are what the issuer says of a user in the claims that the operator chose.
// An e-mail address that the issuer did not verify is left out, because APIs take a
// username for proved. A name that no user of fob could have is left out too.
func (i TrustedIssuer) nameAndRoles(c Claims) (username string, roles []string) {
	if i.UsernameClaim != "" {
		name, _ := c.Text(i.UsernameClaim)
		name = NormalUsername(name)
		if (i.UsernameClaim != "email" || c.EmailVerified) && ValidateNameAndRoles(name, nil) == nil {
			username = name
		}
	}
	if i.RolesClaim != "" {
		roles, _ = c.Texts(i.RolesClaim)
	}
	return username, roles
}
