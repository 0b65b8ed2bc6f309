package oauth

import (
	"context"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
)

// Revoke answers a request to the revocation endpoint (RFC 7009 §2.1). It ends the
// Authorization that a token of the caller belongs to: that device's, with its access and
// refresh tokens, and nothing else. It costs one conditional delete and no read.
//
// nil means that the token is inactive now, whether or not there was anything to
// end: an unknown, malformed or dead token is not an error (RFC 7009 §2.2), and a
// token of a generation that was forgotten does not end its successors. A token
// whose time has passed still ends its Authorization: the phone that logs out
// may have slept. Another client's token is refused and stays active. When the
// outcome is in doubt the error matches ErrUnavailable.
func (v *Verifier) Revoke(ctx context.Context, cred Credentials, token bearer.Bearer) error {
	event := EventOf(ctx)
	client, err := authenticate(ctx, v.Clients, cred, false)
	if err != nil {
		return err
	}
	if token.Len() == 0 {
		return refuse(InvalidRequest, "token is missing")
	}
	event.Outcome = Revoked
	t, ok, err := v.open(ctx, token)
	if err != nil || !ok {
		return err
	}
	// The tag proves for whom the token was made, so this needs no read, and does
	// not tell whether that token is alive.
	if t.Locator.Client != ledger.ClientKey(client.ID) {
		event.Reason = ReasonClient
		return refuseForeign(client)
	}
	left, ended, err := v.Tokens.End(ctx, t.Locator, ledger.EndCondition{Client: client.ID, Kind: t.Kind, Hash: t.Hash})
	if err != nil || ended {
		return err
	}
	// The record that is left does not hold this token: it is of a later generation,
	// which lives on. Or the hashed keys of two client ids are equal.
	if left.Authorization.Client != client.ID {
		event.Reason = ReasonClient
		return refuseForeign(client)
	}
	event.Reason = ReasonEnded
	return nil
}

// refuseForeign is the answer to an authenticated client that holds another's
// token (RFC 7009 §2.1). A public client has proved nothing and learns nothing.
func refuseForeign(client Client) error {
	if client.Public {
		return nil
	}
	return refuse(InvalidGrant, "the token was issued to another client")
}
