package faults

import (
	"context"

	"github.com/fob-oauth/fob/internal/assertion"
	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

// disabled is an event of the provider about its user, of some seconds ago.
func (r *run) disabled(ago int64) secret.Text {
	r.Helper()
	return secret.New(r.key.Sign(r, nil, assertiontest.Members{
		"iss": r.provider(), "sub": sub, "aud": "com.example.app", "jti": "1", "iat": r.clock.Load() - ago,
		"events": assertiontest.Members{"https://schemas.openid.net/secevent/risc/event-type/account-disabled": assertiontest.Members{}},
	}))
}

// receiver takes events by the subjects of an instance.
func (r *run) receiver(in *instance) *oauth.Receiver {
	return &oauth.Receiver{
		Issuers: oauth.NewIssuerCache(r.stores.Issuers, r.clock.Now), Assertions: assertion.New(r.clock.Now, nil), Subjects: in.subjects,
	}
}

// The transmitter sends an event again until it hears that it was taken, and once more
// for good measure: the sign-ins from before are ended, and later ones live on.
var eventFlows = []clientFlow{
	{name: "event, then login", hashed: true, ask: asProvider, prepare: func(r *run) []answer {
		return []answer{asProvider(r, r.other)}
	}, act: func(r *run, before []answer) {
		r.advance(10)
		event := r.disabled(5)
		push := func(ctx context.Context) error { return r.receiver(r.front).Receive(ctx, event) }
		r.expect(r.signOutBy(r.front, push), "an event failed to the end")
		a := asProvider(r, r.front)
		r.expect(a.status == 200 && a.access != before[0].access && a.refresh != before[0].refresh, "a login after an event answered %v", a.status)
		for range maxTries {
			if push(r.Context()) == nil {
				break
			}
		}
		again := asProvider(r, r.front)
		r.expect(again.access == a.access, "the event was done twice: %v", again)
	}},
}
