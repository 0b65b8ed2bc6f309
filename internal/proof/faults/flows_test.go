package faults

import (
	"crypto/x509"
	"slices"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
)

const (
	day    = 24 * 3600
	onIPad = "read device_ipad"
)

// clientFlow is what a client does while things fail.
type clientFlow struct {
	name    string
	client  oauth.Client // its template
	prepare func(*run) []answer
	act     func(*run, []answer)
	sample  int            // if not zero, one in so many of the plans that grow with the square of its calls
	hashed  bool           // it is for the provider's user, and not for fob's
	roots   *x509.CertPool // of issuers whose keys are fetched; nil where none are
	// ask is how another instance gets a token of the same Authorization; nil
	// means by a login for the iPad.
	ask func(*run, *instance) answer
	// finish is what must come true when all faults are over; nil means that a login
	// gets a token.
	finish func(*run)
}

func (f clientFlow) finally(r *run) {
	r.Helper()
	if f.finish != nil {
		f.finish(r)
		return
	}
	a := f.again(r, r.front)
	r.expect(a.status == 200, "a login after all faults answered %v", a)
}

// again gets a token of the flow's Authorization.
func (f clientFlow) again(r *run, in *instance) answer {
	if f.ask != nil {
		return f.ask(r, in)
	}
	return r.login(in, onIPad)
}

// loggedIn and rotated prepare on the instance that works.
func loggedIn(r *run) []answer { return []answer{r.login(r.other, onIPad)} }

func rotated(r *run) []answer {
	first := r.login(r.other, onIPad)
	r.advance(10)
	return []answer{first, r.refresh(r.other, first.refresh)}
}

var publicClient = oauth.Client{Public: true}

// flows are all. The signed ones take a sample of what grows with the square of their calls,
// and of the faults at the protocol: what they do after their proof, the others do too. So
// do those of back ends, which are several requests each.
var flows = slices.Concat(clientFlows, sampled(signedFlows, 5), eventFlows, sampled(userFlows, 12), sampled(accountFlows, 12))

func sampled(flows []clientFlow, oneIn int) (all []clientFlow) {
	for _, f := range flows {
		f.sample = oneIn
		all = append(all, f)
	}
	return all
}

var clientFlows = []clientFlow{
	{name: "first login", act: func(r *run, _ []answer) {
		a := r.login(r.front, onIPad)
		r.expect(a.status == 200 && a.access != "" && a.refresh != "", "a login answered %v", a)
	}},
	{name: "first login of a public client", client: publicClient, act: func(r *run, _ []answer) {
		a := r.login(r.front, onIPad)
		r.expect(a.status == 200 && a.access != "" && a.refresh != "", "a login answered %v", a)
	}},
	{name: "login, returned", prepare: loggedIn, act: func(r *run, before []answer) {
		r.advance(10)
		a := r.login(r.front, onIPad)
		r.expect(a.access == before[0].access && a.refresh == before[0].refresh, "a second login answered other tokens: %v", a.status)
	}},
	{name: "login, next generation", prepare: loggedIn, act: func(r *run, before []answer) {
		r.advance(oauth.DefaultAccessLifetime - 100)
		a := r.login(r.front, onIPad)
		r.expect(a.status == 200 && a.access != before[0].access && a.refresh == before[0].refresh, "a login below the floor answered %v", a.status)
	}},
	{name: "login over what ran out", prepare: loggedIn, act: func(r *run, before []answer) {
		r.advance(oauth.DefaultRefreshAbsolute + 1)
		a := r.login(r.front, onIPad)
		r.expect(a.status == 200 && a.access != before[0].access && a.refresh != before[0].refresh, "a login after expiry answered %v", a.status)
	}},
	{name: "login with a wrong password", act: func(r *run, _ []answer) {
		a := r.forged(r.ask(r.front, "grant_type", "password", "username", r.user, "password", "wrong", "scope", onIPad))
		r.expect(a.status == 400 && a.body["error"] == "invalid_grant", "a wrong password answered %v", a)
	}},
	{name: "login after a wrong password", prepare: func(r *run) []answer {
		return []answer{r.ask(r.other, "grant_type", "password", "username", r.user, "password", "wrong")}
	}, act: func(r *run, _ []answer) {
		a := r.login(r.front, onIPad)
		r.expect(a.status == 200, "a login answered %v", a)
	}},
	{name: "login with an outdated hash", prepare: func(r *run) []answer {
		u, _, err := r.stores.UserRegistry.User(r.Context(), r.user)
		if err != nil {
			r.Fatal(err)
		}
		u.PasswordHash = oauthtest.OutdatedHash(oauthtest.Password(r.user))
		if _, err := r.stores.UserRegistry.SaveUser(r.Context(), u); err != nil {
			r.Fatal(err)
		}
		return nil
	}, act: func(r *run, _ []answer) {
		a := r.login(r.front, onIPad)
		r.expect(a.status == 200, "a login answered %v", a)
	}},
	{name: "client_credentials, first", ask: (*run).clientCredentials, act: func(r *run, _ []answer) {
		a := r.clientCredentials(r.front)
		r.expect(a.status == 200 && a.access != "" && a.refresh == "", "client_credentials answered %v", a)
	}},
	{
		name: "client_credentials, returned", ask: (*run).clientCredentials,
		prepare: func(r *run) []answer { return []answer{r.clientCredentials(r.other)} },
		act: func(r *run, before []answer) {
			a := r.clientCredentials(r.front)
			r.expect(a.access == before[0].access, "client_credentials answered another token: %v", a.status)
		},
	},
	{name: "refresh, confidential, returned", prepare: loggedIn, act: func(r *run, before []answer) {
		a := r.refresh(r.front, before[0].refresh)
		r.expect(a.access == before[0].access && a.refresh == before[0].refresh, "an early refresh answered other tokens: %v", a.status)
	}},
	{name: "refresh, confidential", prepare: loggedIn, act: func(r *run, before []answer) {
		r.advance(oauth.DefaultAccessLifetime/2 + 1)
		a := r.refresh(r.front, before[0].refresh)
		r.expect(a.status == 200 && a.access != before[0].access && a.refresh == before[0].refresh, "a refresh answered %v", a.status)
	}},
	{name: "refresh, public", client: publicClient, prepare: loggedIn, act: func(r *run, before []answer) {
		r.advance(5)
		a := r.refresh(r.front, before[0].refresh)
		r.expect(a.status == 200 && a.access == before[0].access && a.refresh != before[0].refresh, "a rotation answered %v", a.status)
	}},
	{name: "refresh, public, late", client: publicClient, prepare: loggedIn, act: func(r *run, before []answer) {
		r.advance(day)
		a := r.refresh(r.front, before[0].refresh)
		r.expect(a.status == 200 && a.access != before[0].access && a.refresh != before[0].refresh, "a rotation answered %v", a.status)
	}},
	{name: "refresh within grace", client: publicClient, prepare: rotated, act: func(r *run, before []answer) {
		r.advance(20)
		a := r.refresh(r.front, before[0].refresh)
		r.expect(a.access == before[1].access && a.refresh == before[1].refresh, "a refresh within grace answered other tokens: %v", a.status)
	}},
	{name: "replay after grace", client: publicClient, prepare: rotated, act: func(r *run, before []answer) {
		r.advance(oauth.DefaultRefreshGrace + 1)
		a := r.replay(r.front, before[0].refresh)
		r.expect(a.status == 400 && a.body["error"] == "invalid_grant", "a replay answered %v", a)
		a = r.refresh(r.front, before[1].refresh)
		r.expect(a.status == 400 && a.body["error"] == "invalid_grant", "the successor of a replayed token answered %v", a)
	}},
	{
		name: "refresh within the client's own grace", client: oauth.Client{Public: true, RefreshGrace: 600}, prepare: rotated,
		act: func(r *run, before []answer) {
			r.advance(599)
			a := r.refresh(r.front, before[0].refresh)
			r.expect(a.access == before[1].access && a.refresh == before[1].refresh, "a refresh within grace answered other tokens: %v", a.status)
		},
	},
	{
		name: "replay after the client's own grace", client: oauth.Client{Public: true, RefreshGrace: 30}, prepare: rotated,
		act: func(r *run, before []answer) {
			r.advance(31)
			a := r.replay(r.front, before[0].refresh)
			r.expect(a.status == 400 && a.body["error"] == "invalid_grant", "a replay answered %v", a)
		},
	},
	{name: "replay of an older generation", client: publicClient, prepare: func(r *run) []answer {
		before := rotated(r)
		return append(before, r.refresh(r.other, before[1].refresh))
	}, act: func(r *run, before []answer) {
		a := r.replay(r.front, before[0].refresh)
		r.expect(a.status == 400 && a.body["error"] == "invalid_grant", "a replay answered %v", a)
	}},
	{name: "revoke by access token", prepare: loggedIn, act: func(r *run, before []answer) {
		a := r.revoke(r.front, before[0].access)
		r.expect(a.status == 200, "revocation answered %v", a)
	}},
	{name: "revoke by refresh token", client: publicClient, prepare: loggedIn, act: func(r *run, before []answer) {
		a := r.revoke(r.front, before[0].refresh)
		r.expect(a.status == 200, "revocation answered %v", a)
	}},
	{name: "revoke by the previous refresh token", client: publicClient, prepare: rotated, act: func(r *run, before []answer) {
		a := r.revoke(r.front, before[0].refresh)
		r.expect(a.status == 200, "revocation answered %v", a)
	}},
	{name: "revoke by the previous access token", prepare: func(r *run) []answer {
		first := loggedIn(r)
		r.advance(oauth.DefaultAccessLifetime - 100)
		return append(first, loggedIn(r)...)
	}, act: func(r *run, before []answer) {
		r.expect(before[0].access != before[1].access, "the flow has no previous access token")
		a := r.revoke(r.front, before[0].access)
		r.expect(a.status == 200, "revocation answered %v", a)
	}},
	{name: "log out and in", prepare: loggedIn, act: func(r *run, before []answer) {
		a := r.revoke(r.front, before[0].access)
		r.expect(a.status == 200, "revocation answered %v", a)
		a = r.login(r.front, onIPad)
		r.expect(a.status == 200 && a.access != before[0].access && a.refresh != before[0].refresh, "a login after revocation answered %v", a.status)
		a = r.revoke(r.front, before[0].access) // as a phone that lost the reply
		r.expect(a.status == 200, "revocation once more answered %v", a)
		r.expect(r.alive() == 1, "%d Authorizations are alive after an old token was revoked, want its successor", r.alive())
	}},
	{name: "introspect an access token", prepare: loggedIn, act: func(r *run, before []answer) {
		a := r.introspect(r.front, before[0].access)
		r.expect(a.body["active"] == true && a.body["device"] == "ipad", "introspection answered %v", a)
	}},
	{name: "introspect a refresh token", prepare: loggedIn, act: func(r *run, before []answer) {
		a := r.introspect(r.front, before[0].refresh)
		r.expect(a.body["active"] == true && a.body["token_type"] == "Refresh", "introspection answered %v", a)
	}},
	{name: "login at the cap", client: oauth.Client{MaxAuthorizations: 2}, prepare: func(r *run) []answer {
		oldest := r.login(r.other, "read device_first")
		r.advance(1)
		second := r.login(r.other, "read device_second")
		r.advance(1)
		return []answer{oldest, second}
	}, act: func(r *run, before []answer) {
		oldest, done := r.doubtLineage(before[0].access)
		defer done()
		a := r.login(r.front, onIPad)
		r.expect(a.status == 200, "a login at the cap answered %v", a)
		if a.status == 200 && r.strict {
			r.ended(oldest)
			r.observe()
		}
		r.expect(r.alive() == 2, "%d Authorizations are alive, the cap is 2", r.alive())
	}},
	{name: "sign-out, then login", prepare: loggedIn, act: func(r *run, before []answer) {
		r.expect(r.signOut(r.front), "sign-out failed to the end")
		a := r.login(r.front, onIPad)
		r.expect(a.status == 200 && a.access != before[0].access && a.refresh != before[0].refresh, "a login after sign-out answered %v", a.status)
	}},
}
