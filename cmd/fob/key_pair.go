package main

import (
	"context"
	"fmt"
	"time"

	"github.com/fob-oauth/fob/internal/keys/rotation"
)

// givePair gives the active key a pair, if it has none.
func givePair(ctx context.Context, v rotation.Vault, now time.Time) (active rotation.Key, changed bool, err error) {
	d, err := v.Read(ctx)
	if err != nil {
		return active, false, err
	}
	d, changed, err = d.Sign(now)
	if err == nil && changed {
		d, err = v.Write(ctx, d)
	}
	if err != nil {
		return active, false, err
	}
	return d.Active(), changed, nil
}

// pairView is the key that has a pair. Programs rely on the names.
type pairView struct {
	keyView
	JWTsFrom string `json:"jwts_from" is:"time"` // when every instance knows the pair
}

func pairKeys(ctx context.Context, p *program, v rotation.Vault) error {
	k, changed, err := givePair(ctx, v, p.now())
	if err != nil {
		return err
	}
	view := pairView{viewKey(k), timestamp(k.JWTsFrom().Unix())}
	if !changed {
		return p.confirmf(view, "Key %d has a pair already. Clients can be set to JWTs from %s on.", k.KID, view.JWTsFrom)
	}
	return p.confirmf(view, "Key %d has a pair, with which JWTs are signed. Clients can be set to JWTs from %s on.", k.KID, view.JWTsFrom)
}

// pairForJWTs gives the active key a pair, and returns when every instance knows it. That
// comes before a client gets JWTs: without a pair its logins would be answered with 503, and
// an instance that does not know the pair would call its JWTs dead.
func pairForJWTs(ctx context.Context, p *program, where *ring) error {
	v, err := where.open(ctx, p)
	if err != nil {
		return err
	}
	k, changed, err := givePair(ctx, v, p.now())
	if err != nil {
		return where.explain(err)
	}
	r := newRotation(p)
	if changed {
		r.Say(fmt.Sprintf("key %d has a pair now, with which JWTs are signed", k.KID))
	}
	err = r.Await(ctx, k.JWTsFrom(), "every instance knows its pair")
	if interrupted(err) {
		return fail(exitFailure, "interrupted: the client was not saved; run the command again, and it goes on from here")
	}
	return err
}
