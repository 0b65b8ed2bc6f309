package oauth

import (
	"context"
	"errors"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
)

// refreshTokenGrant is RFC 6749 §6.
type refreshTokenGrant struct {
	open  func(context.Context, bearer.Bearer) (bearer.Token, error)
	token bearer.Bearer
}

// Every refresh token that does not work gets this answer.
var errInvalidRefresh = refuse(InvalidGrant, "the refresh token is invalid, expired, revoked or of another client")

func (i *Issuer) parseRefreshToken(form Form) (grant, error) {
	open := func(ctx context.Context, b bearer.Bearer) (bearer.Token, error) { return openBearer(ctx, i.Keys, b) }
	g := refreshTokenGrant{open, bearer.FromClient(form[paramRefreshToken])}
	if g.token.Len() == 0 {
		return nil, refuse(InvalidRequest, "refresh_token is missing")
	}
	return g, nil
}

func (g refreshTokenGrant) prove(ctx context.Context, client Client, now int64) (proof, error) {
	t, err := g.open(ctx, g.token)
	var why Reason
	switch {
	case errors.Is(err, bearer.ErrInvalid):
		why = reasonOfOpening(err)
	case err != nil:
		return proof{}, err
	case t.Kind != bearer.Refresh:
		why = ReasonKind
	case t.Locator.Client != ledger.ClientKey(client.ID):
		why = ReasonClient
	case t.Expiry <= now:
		why = ReasonExpired
	}
	if why != "" {
		EventOf(ctx).Reason = why
		return proof{}, errInvalidRefresh
	}
	return proof{
		refresh: t,
		shown:   g.token,
		// Whatever changes a password or roles raises the epoch, which the record is
		// judged by.
		userVersion: anyUserVersion,
		denied:      errInvalidRefresh,
	}, nil
}
