package oauth

import (
	"context"

	"github.com/fob-oauth/fob/internal/scope"
)

// clientCredentialsGrant is RFC 6749 §4.4: the client speaks for itself. It has
// no roles, and gets no refresh token (§4.4.3).
type clientCredentialsGrant struct{ scope scope.Set }

func parseClientCredentials(form Form) (grant, error) {
	set, err := requestedScope(form)
	return clientCredentialsGrant{set}, err
}

func (g clientCredentialsGrant) prove(ctx context.Context, i *Issuer, s session) (claim, error) {
	// Registration refuses it too; a public client has proved nothing (§4.4).
	if s.client.Public {
		return claim{}, refuse(UnauthorizedClient, "a public client cannot use client_credentials")
	}
	return i.issueClaim(ctx, s, proof{
		subject:     Subject{ClientSubject, string(s.client.ID)},
		userVersion: anyUserVersion,
		denied:      refuse(InvalidGrant, "the client's own tokens are disabled"),
	}, g.scope)
}
