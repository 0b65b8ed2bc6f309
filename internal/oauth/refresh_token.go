package oauth

import (
	"context"
	"errors"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/scope"
)

// refreshTokenGrant is RFC 6749 §6.
type refreshTokenGrant struct {
	token     bearer.Bearer
	scope     scope.Set
	withScope bool
}

// Every refresh token that does not work reads the same.
func errInvalidRefresh() error {
	return refuse(InvalidGrant, "the refresh token is invalid, expired, revoked or of another client")
}

// parseRefreshToken ignores tokenBindingId: the device is in the token.
func parseRefreshToken(form Form) (grant, error) {
	g := refreshTokenGrant{token: bearer.FromClient(form[paramRefreshToken])}
	if g.token.Len() == 0 {
		return nil, refuse(InvalidRequest, "refresh_token is missing")
	}
	var err error
	g.scope, err = parseScope(form)
	g.withScope = form[paramScope] != ""
	return g, err
}

func (g refreshTokenGrant) prove(ctx context.Context, i *Issuer, s session) (claim, error) {
	t, err := openBearer(ctx, i.Keys, g.token)
	if errors.Is(err, bearer.ErrInvalid) {
		return claim{}, errInvalidRefresh()
	}
	if err != nil {
		return claim{}, err
	}
	if t.Kind != bearer.Refresh || t.Locator.Client != ClientKey(s.client.ID) || t.Expiry <= s.now {
		return claim{}, errInvalidRefresh()
	}
	registered, err := i.Clients.ResourceScopes(ctx)
	if err != nil {
		return claim{}, err
	}
	return claim{
		locator: t.Locator,
		decide: func(now situation) decision {
			return refresh(now, t, g, registered)
		},
		// The version of the user is not asked for: whatever changes a password or
		// roles raises the epoch, which the record is judged by.
		userVersion: anyUserVersion,
		denied:      errInvalidRefresh(),
	}, nil
}
