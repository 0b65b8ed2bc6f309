package main

import (
	"context"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// warnOfAudiences names the audiences that clients introspect and that no token has:
// every token is inactive to such a client, as if it had expired.
func warnOfAudiences(ctx context.Context, p *program, r *oauth.Registrar, about func(c oauth.Client) bool) {
	all, err := r.Clients.ListClients(ctx)
	if err != nil {
		p.say("warning: it was not checked whether a client has the audience: %s", oneLine(p.tables.explain(err).Error()))
		return
	}
	for _, c := range all {
		if !about(c) {
			continue
		}
		for _, audience := range c.AudiencesOfNobody(all) {
			p.say("warning: %s introspects the audience %s, which no client has, so every token is inactive to it: fob client set ID --audience %s gives it to the tokens of a client",
				shown(string(c.ID)), shown(audience), shown(audience))
		}
	}
}

// warnOfLongJWTs says that a client's access tokens outlive every revocation.
func warnOfLongJWTs(p *program, c clientView) {
	if c.TokenFormat == string(ledger.JWT) && c.AccessLifetime > oauth.DefaultAccessLifetime {
		p.say("warning: the JWTs of %s live for %s: an API that verifies them by itself accepts them until they end, whatever is revoked",
			shown(c.ClientID), oauth.FormatLifetime(c.AccessLifetime))
	}
}
