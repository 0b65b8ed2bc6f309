package endpoint

import (
	"context"
	"net/url"
	"strings"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/wire"
)

// Tokens are the answer of the token endpoint (RFC 6749 §5.1). Times are in seconds from
// the answer.
type Tokens struct {
	AccessToken      secret.Text `json:"access_token"`
	TokenType        string      `json:"token_type"`
	ExpiresIn        int64       `json:"expires_in"`
	RefreshToken     secret.Text `json:"refresh_token"` // empty if there is none
	RefreshExpiresIn int64       `json:"refresh_token_expires_in"`
	Scope            string      `json:"scope"`
	IssuedTokenType  string      `json:"issued_token_type"` // of an exchange alone
}

// Login is what proves for whom a token is asked: a name and a password, the ID token of
// an issuer, or an assertion of one. Without them the client asks for itself.
type Login struct {
	Username  string
	Password  secret.Text
	IDToken   secret.Text // RFC 8693
	Assertion secret.Text // RFC 7523 §2.1

	Scopes   []string // none: those that the client has by default
	Resource string   // RFC 8707; empty: all audiences of the client
}

func (l Login) form() url.Values {
	var form url.Values
	switch {
	case l.Username != "":
		form = url.Values{"grant_type": grant(oauth.PasswordGrant), "username": {l.Username}, "password": {l.Password.Reveal()}}
	case l.IDToken.Len() > 0:
		form = url.Values{"grant_type": grant(oauth.TokenExchangeGrant), "subject_token": {l.IDToken.Reveal()}, "subject_token_type": {oauth.IDTokenType}}
	case l.Assertion.Len() > 0:
		form = url.Values{"grant_type": grant(oauth.JWTBearerGrant), "assertion": {l.Assertion.Reveal()}}
	default:
		form = url.Values{"grant_type": grant(oauth.ClientCredentialsGrant)}
	}
	if len(l.Scopes) > 0 {
		form.Set("scope", strings.Join(l.Scopes, " "))
	}
	if l.Resource != "" {
		form.Set("resource", l.Resource)
	}
	return form
}

// Get asks for the tokens of a login. Its errors, and those of the other methods, are
// [RefusedError] and those of [Client.Post].
func (c *Client) Get(ctx context.Context, l Login) (Tokens, error) { return c.tokens(ctx, l.form()) }

// Refresh asks for the next access token (RFC 6749 §6).
func (c *Client) Refresh(ctx context.Context, refreshToken secret.Text) (Tokens, error) {
	return c.tokens(ctx, url.Values{"grant_type": grant(oauth.RefreshTokenGrant), "refresh_token": {refreshToken.Reveal()}})
}

func (c *Client) tokens(ctx context.Context, form url.Values) (t Tokens, err error) {
	err = c.ask(ctx, wire.TokenPath, form, &t)
	if err == nil && t.AccessToken.Len() == 0 {
		err = errPromise
	}
	return t, err
}

// Introspection is the answer of /introspect (RFC 7662 §2.2). Times are Unix seconds.
type Introspection struct {
	Active    bool     `json:"active"`
	Scope     string   `json:"scope,omitempty"`
	ClientID  string   `json:"client_id,omitempty"`
	Username  string   `json:"username,omitempty"`
	TokenType string   `json:"token_type,omitempty"`
	Expiry    int64    `json:"exp,omitempty"`
	IssuedAt  int64    `json:"iat,omitempty"`
	Subject   string   `json:"sub,omitempty"`
	Audience  []string `json:"aud,omitempty"`
	Issuer    string   `json:"iss,omitempty"`
	ID        string   `json:"jti,omitempty"`
	Device    string   `json:"device,omitempty"`
}

// Introspect asks whether a token is active, and whose it is.
func (c *Client) Introspect(ctx context.Context, token secret.Text) (Introspection, error) {
	var said struct {
		Active *bool `json:"active"` // hides the other
		Introspection
	}
	err := c.ask(ctx, wire.IntrospectPath, url.Values{"token": {token.Reveal()}}, &said)
	if err != nil {
		return Introspection{}, err
	}
	if said.Active == nil {
		return Introspection{}, errPromise
	}
	said.Introspection.Active = *said.Active
	return said.Introspection, nil
}

// Revoke ends the sign-in that a token is of. It is not an error if the token had ended, or if
// fob never made it (RFC 7009 §2.2).
func (c *Client) Revoke(ctx context.Context, token secret.Text) error {
	return c.ask(ctx, wire.RevokePath, url.Values{"token": {token.Reveal()}}, &struct{}{})
}
