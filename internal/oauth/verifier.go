package oauth

import (
	"context"
	"errors"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
)

// Verifier revokes and introspects. It has everything that judging a token takes,
// and nothing that could make one.
type Verifier struct {
	Tokens  Tokens
	Clients *ClientCache
	Keys    Keys[*bearer.CheckRing]
	Now     func() time.Time
}

// SignIns are those whose tokens v verifies. subjects has their states.
func (v *Verifier) SignIns(subjects Subjects) *SignIns {
	return &SignIns{Tokens: v.Tokens, Subjects: subjects, Clients: v.Clients, Keys: v.Keys, Now: v.Now}
}

// open verifies a presented token. ok is false for a token that fob did not
// make.
func (v *Verifier) open(ctx context.Context, b bearer.Bearer) (t bearer.Token, ok bool, err error) {
	t, err = openBearer(ctx, v.Keys, b)
	if errors.Is(err, bearer.ErrInvalid) {
		EventOf(ctx).Reason = reasonOfOpening(err)
		return bearer.Token{}, false, nil
	}
	if err != nil {
		return bearer.Token{}, false, err
	}
	EventOf(ctx).at(t.Locator)
	return t, true, nil
}

// openBearer verifies a bearer, with a newer ring if it names a key that this
// one lacks. It returns bearer.ErrInvalid for a token that fob did not make.
func openBearer[R interface {
	Open(bearer.Bearer) (bearer.Token, error)
}](ctx context.Context, keys Keys[R], b bearer.Bearer) (bearer.Token, error) {
	ring, err := keys.Ring(ctx)
	if err != nil {
		return bearer.Token{}, err
	}
	t, err := ring.Open(b)
	if !errors.Is(err, bearer.ErrUnknownKey) {
		return t, err
	}
	if ring, err = keys.ReloadForUnknownKey(ctx); err != nil {
		return bearer.Token{}, err
	}
	if t, err = ring.Open(b); err != nil {
		return bearer.Token{}, bearer.ErrInvalid
	}
	return t, nil
}
