package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/fob-oauth/fob/internal/keys/rotation"
	"github.com/fob-oauth/fob/internal/ledger"
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

func pairKeys(ctx context.Context, p *program, v rotation.Vault) error {
	k, changed, err := givePair(ctx, v, p.clock.now())
	if err != nil {
		return err
	}
	if !changed {
		return p.confirmf(viewKey(k), "Key %d has a pair already.", k.KID)
	}
	return p.confirmf(viewKey(k), "Key %d has a pair, with which JWTs are signed.", k.KID)
}

// pairForJWTs gives the active key a pair if the flags make a client one that gets JWTs.
// The pair comes first: without it, the client's logins would be answered with 503.
func pairForJWTs(ctx context.Context, p *program, flags *pflag.FlagSet) error {
	if flags.Lookup(tokenFormatFlag).Value.String() != string(ledger.JWT) {
		return nil
	}
	v, err := p.openRing(ctx, flags)
	if err != nil {
		return err
	}
	k, changed, err := givePair(ctx, v, p.clock.now())
	if err != nil {
		return p.ring.explain(err)
	}
	if changed {
		_, _ = fmt.Fprintf(p.stderr, "fob: key %d has a pair now, with which JWTs are signed\n", k.KID)
	}
	return nil
}
