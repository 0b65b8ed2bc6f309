package oauth

import (
	"context"

	"github.com/fob-oauth/fob/internal/ledger"
)

// clientCredentialsGrant is RFC 6749 §4.4: the client speaks for itself. It has
// no roles, and gets no refresh token (§4.4.3).
type clientCredentialsGrant struct{}

func (clientCredentialsGrant) prove(_ context.Context, client Client, _ int64) (proof, error) {
	// Registration refuses it too; a public client has proved nothing (§4.4).
	if client.Public {
		return proof{}, refuse(UnauthorizedClient, "a public client cannot use client_credentials")
	}
	return proof{
		subject:     ledger.Subject{Kind: ledger.ClientSubject, ID: string(client.ID)},
		userVersion: anyUserVersion,
		denied:      refuse(InvalidGrant, "the client's own tokens are disabled"),
	}, nil
}
