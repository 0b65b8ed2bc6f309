package faults

import (
	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// Requests with a JWT that somebody else signed: logins, and clients without a secret.

const (
	fobName   = "https://fob.example"
	idToken   = "urn:ietf:params:oauth:token-type:id_token"
	jwtBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	sub       = "001234.abc" // of a user of the provider
)

// keyedClient is the template of a client that signs in the place of a secret. Its keys
// are those of the run.
var keyedClient = oauth.Client{JWKS: "of the run"}

// trustingClient is the template of a client that a platform signs for. The issuer is that
// of the run.
var trustingClient = oauth.Client{Trusts: oauth.Trust{Subject: "arn:aws:iam::123456789012:role/nightly"}}

// provider has users of its own, backEnd logs in those of fob, and platform signs for
// clients. Each run has all three, with its key inline.
func (r *run) provider() string { return "https://provider.example/" + string(r.client) }
func (r *run) platform() string { return "https://platform.example/" + string(r.client) }
func (r *run) backEnd() string  { return "https://back-end.example/" + string(r.client) }

// registered is a registration of an issuer of the run.
func (r *run) registered(name string, subjects oauth.SubjectRule, jwks string) oauth.TrustedIssuer {
	i := oauth.TrustedIssuer{Subjects: subjects, Events: subjects == oauth.HashedSubjects, Signer: oauth.Signer{Name: name, Algorithms: oauth.Algorithms(), JWKS: jwks, PrivateAddresses: true}}
	if subjects != oauth.ClientSubjects {
		i.Audiences = []string{"com.example.app"}
	}
	return i
}

func (r *run) saveIssuer(i oauth.TrustedIssuer) {
	r.Helper()
	if _, err := r.stores.Issuers.SaveIssuer(r.Context(), i); err != nil {
		r.Fatalf("save an issuer: %v", err)
	}
}

// changeIssuer edits a registration as an operator does.
func (r *run) changeIssuer(name string, change func(*oauth.TrustedIssuer)) {
	r.Helper()
	i, found, err := r.stores.Issuers.TrustedIssuer(r.Context(), name)
	if err != nil || !found {
		r.Fatalf("read the issuer %s: %v, %v", name, found, err)
	}
	change(&i)
	r.saveIssuer(i)
}

// removeIssuer is not a request either. The registration is believed for ten seconds more.
func (r *run) removeIssuer(name string) {
	r.Helper()
	if existed, err := r.stores.Issuers.RemoveIssuer(r.Context(), name); err != nil || !existed {
		r.Fatalf("remove the issuer %s: %v, %v", name, existed, err)
	}
}

// providersUser is the subject of the provider's user.
func (r *run) providersUser() ledger.Subject {
	return oauth.SubjectOf(oauth.HashedUserID(r.provider(), sub))
}

// sign makes a JWT for ten minutes.
func (r *run) sign(key assertiontest.Key, issuer, subject, audience string) string {
	r.Helper()
	now := r.clock.Load()
	return key.Sign(r, nil, assertiontest.Members{"iss": issuer, "sub": subject, "aud": audience, "iat": now, "exp": now + 600})
}

// signAsClient makes what a client shows in the place of a secret.
func (r *run) signAsClient(key assertiontest.Key) string {
	r.Helper()
	if r.trusts != "" {
		return r.sign(key, r.platform(), r.trusts, fobName)
	}
	now := r.clock.Load()
	return key.Sign(r, nil, assertiontest.Members{"iss": r.client, "sub": r.client, "aud": fobName, "jti": "1", "iat": now, "exp": now + 60})
}

// exchange is a login with an ID token.
func (r *run) exchange(in *instance, token string, more ...string) answer {
	r.Helper()
	return r.ask(in, append([]string{
		"grant_type", string(oauth.TokenExchangeGrant), "subject_token", token, "subject_token_type", idToken, "scope", onIPad,
	}, more...)...)
}

// vouched is a login with an assertion that was made for fob.
func (r *run) vouched(in *instance, token string) answer {
	r.Helper()
	return r.ask(in, "grant_type", string(oauth.JWTBearerGrant), "assertion", token, "scope", onIPad)
}

// asBackEnd and asProvider log in with a genuine ID token.
func asBackEnd(r *run, in *instance) answer {
	return r.genuine(r.exchange(in, r.sign(r.key, r.backEnd(), r.user, "com.example.app")))
}

func asProvider(r *run, in *instance) answer {
	return r.genuine(r.exchange(in, r.sign(r.key, r.provider(), sub, "com.example.app")))
}

// genuine is for the answer to a proof that is: whatever fails, it must not be refused.
func (r *run) genuine(a answer) answer {
	r.Helper()
	if a.status != 200 && a.status != 503 {
		r.Errorf("a genuine proof was answered %v", a)
	}
	return a
}

// forged is for the answer to a proof that never was one, or no longer is: whatever fails, it must not
// be taken.
func (r *run) forged(a answer) answer {
	r.Helper()
	if a.status == 200 || a.access != "" {
		r.Errorf("what proves nothing was answered %v", a)
	}
	return a
}

var signedFlows = []clientFlow{
	{name: "exchange, first", ask: asBackEnd, act: func(r *run, _ []answer) {
		a := asBackEnd(r, r.front)
		r.expect(a.status == 200 && a.access != "" && a.refresh != "", "an exchange answered %v", a)
	}},
	{name: "exchange, returned after a password", prepare: loggedIn, act: func(r *run, before []answer) {
		r.advance(10)
		a := asBackEnd(r, r.front)
		r.expect(a.access == before[0].access && a.refresh == before[0].refresh, "an exchange answered other tokens than a password: %v", a.status)
	}},
	{name: "exchange, next generation", prepare: loggedIn, act: func(r *run, before []answer) {
		r.advance(oauth.DefaultAccessLifetime - 100)
		a := asBackEnd(r, r.front)
		r.expect(a.status == 200 && a.access != before[0].access && a.refresh == before[0].refresh, "an exchange below the floor answered %v", a.status)
	}},
	{name: "exchange, a user of the provider", hashed: true, ask: asProvider, act: func(r *run, _ []answer) {
		a := asProvider(r, r.front)
		r.expect(a.status == 200 && a.access != "" && a.refresh != "", "an exchange answered %v", a)
	}},
	{
		name: "exchange, a user of the provider, public, then refresh", client: publicClient, hashed: true, ask: asProvider,
		prepare: func(r *run) []answer { return []answer{asProvider(r, r.other)} },
		act: func(r *run, before []answer) {
			r.advance(oauth.DefaultAccessLifetime/2 + 1)
			a := r.refresh(r.front, before[0].refresh)
			r.expect(a.status == 200 && a.access != before[0].access && a.refresh != before[0].refresh, "a rotation answered %v", a.status)
		},
	},
	{name: "jwt-bearer, first", act: func(r *run, _ []answer) {
		a := r.genuine(r.vouched(r.front, r.sign(r.key, r.backEnd(), r.user, "com.example.app")))
		r.expect(a.status == 200 && a.access != "" && a.refresh != "", "an assertion answered %v", a)
	}},
	{
		name: "jwt-bearer, returned after an exchange", hashed: true, ask: asProvider,
		prepare: func(r *run) []answer { return []answer{asProvider(r, r.other)} },
		act: func(r *run, before []answer) {
			a := r.genuine(r.vouched(r.front, r.sign(r.key, r.provider(), sub, "com.example.app")))
			r.expect(a.access == before[0].access && a.refresh == before[0].refresh, "an assertion answered other tokens than an exchange: %v", a.status)
		},
	},
	{
		name: "exchange for one of two audiences", client: oauth.Client{Audiences: []string{audience, "https://other.example"}},
		ask: forOneAudience, act: func(r *run, _ []answer) {
			both := asBackEnd(r, r.front)
			one := forOneAudience(r, r.front)
			r.expect(one.status == 200 && one.access != both.access, "an exchange for one audience answered %v", one)
		},
	},
	{name: "exchange of a forged token", prepare: loggedIn, act: func(r *run, _ []answer) {
		a := r.forged(r.exchange(r.front, r.sign(r.forger, r.backEnd(), r.user, "com.example.app")))
		r.expect(a.status == 400 && a.body["error"] == "invalid_request", "a forged ID token answered %v", a)
		a = r.forged(r.vouched(r.front, r.sign(r.forger, r.backEnd(), r.user, "com.example.app")))
		r.expect(a.status == 400 && a.body["error"] == "invalid_grant", "a forged assertion answered %v", a)
	}},
	{name: "exchange for a user whom fob lacks", act: func(r *run, _ []answer) {
		a := r.forged(r.exchange(r.front, r.sign(r.key, r.backEnd(), "nobody", "com.example.app")))
		r.expect(a.status == 400 && a.body["error"] == "invalid_request", "nobody was answered %v", a)
	}},
	{name: "exchange after the issuer was removed", prepare: func(r *run) []answer {
		before := []answer{asBackEnd(r, r.front)} // the front knows the issuer
		r.removeIssuer(r.backEnd())
		return before
	}, act: func(r *run, before []answer) {
		r.advance(9)
		a := asBackEnd(r, r.front)
		r.expect(a.access == before[0].access, "within ten seconds after the removal it answered %v", a)
		r.advance(1)
		a = r.forged(r.exchange(r.front, r.sign(r.key, r.backEnd(), r.user, "com.example.app")))
		r.expect(a.status == 400 && a.body["error"] == "invalid_request", "an issuer that was removed answered %v", a)
		// Its logins stay: decision 42.
		r.expect(r.alive() == 1, "%d Authorizations are alive after the issuer was removed", r.alive())
	}},
	{name: "exchange after the issuer's keys were replaced", prepare: func(r *run) []answer {
		before := []answer{asBackEnd(r, r.front)}
		r.changeIssuer(r.backEnd(), func(i *oauth.TrustedIssuer) { i.JWKS = assertiontest.JWKS(r, r.forger) })
		return before
	}, act: func(r *run, before []answer) {
		r.advance(10)
		a := r.forged(r.exchange(r.front, r.sign(r.key, r.backEnd(), r.user, "com.example.app")))
		r.expect(a.status == 400 && a.body["error"] == "invalid_request", "a key that was replaced answered %v", a)
		a = r.genuine(r.exchange(r.front, r.sign(r.forger, r.backEnd(), r.user, "com.example.app")))
		r.expect(a.access == before[0].access && a.refresh == before[0].refresh, "the new key answered other tokens: %v", a.status)
	}},
	{name: "private_key_jwt, first", client: keyedClient, ask: (*run).clientCredentials, act: func(r *run, _ []answer) {
		a := r.clientCredentials(r.front)
		r.expect(a.status == 200 && a.access != "" && a.refresh == "", "client_credentials answered %v", a)
	}},
	{
		name: "private_key_jwt, returned", client: keyedClient, ask: (*run).clientCredentials,
		prepare: func(r *run) []answer { return []answer{r.clientCredentials(r.other)} },
		act: func(r *run, before []answer) {
			a := r.clientCredentials(r.front)
			r.expect(a.access == before[0].access, "client_credentials answered another token: %v", a.status)
		},
	},
	{
		name: "private_key_jwt, refresh and revocation", client: keyedClient,
		prepare: func(r *run) []answer { return []answer{asBackEnd(r, r.other)} },
		act: func(r *run, before []answer) {
			a := r.refresh(r.front, before[0].refresh)
			r.expect(a.access == before[0].access && a.refresh == before[0].refresh, "an early refresh answered other tokens: %v", a.status)
			a = r.revoke(r.front, before[0].access) // with a secret: decision 44
			r.expect(a.status == 200, "revocation answered %v", a)
		},
	},
	{name: "private_key_jwt, forged", client: keyedClient, prepare: loggedIn, act: forgedClient},
	{
		name: "a platform's word, returned", client: trustingClient, ask: (*run).clientCredentials,
		prepare: func(r *run) []answer { return []answer{r.clientCredentials(r.other)} },
		act: func(r *run, before []answer) {
			a := r.clientCredentials(r.front)
			r.expect(a.access == before[0].access, "client_credentials answered another token: %v", a.status)
		},
	},
	{name: "a platform's word, forged", client: trustingClient, prepare: loggedIn, act: forgedClient},
	{name: "a platform's word about another workload", client: trustingClient, prepare: loggedIn, act: func(r *run, _ []answer) {
		genuine := r.trusts
		defer func() { r.trusts = genuine }()
		r.trusts += "-of-others"
		a := r.forged(r.ask(r.front, "grant_type", "client_credentials", "scope", "read"))
		r.expect(a.status == 401 && a.body["error"] == "invalid_client", "another workload answered %v", a)
	}},
	{name: "a platform's word after it was removed", client: trustingClient, prepare: func(r *run) []answer {
		before := []answer{r.clientCredentials(r.front)}
		r.removeIssuer(r.platform())
		return before
	}, act: func(r *run, before []answer) {
		r.advance(10)
		a := r.forged(r.ask(r.front, "grant_type", "client_credentials", "scope", "read"))
		r.expect(a.status == 401 && a.body["error"] == "invalid_client", "a platform that was removed answered %v", a)
		r.saveIssuer(r.registered(r.platform(), oauth.ClientSubjects, assertiontest.JWKS(r, r.key)))
		a = r.clientCredentials(r.front)
		r.expect(a.access == before[0].access, "a platform that came back answered %v", a)
	}},
}

// forgedClient asks with what another key signed.
func forgedClient(r *run, _ []answer) {
	genuine := r.key
	defer func() { r.key = genuine }()
	r.key = r.forger
	a := r.forged(r.ask(r.front, "grant_type", "client_credentials", "scope", "read"))
	r.expect(a.status == 401 && a.body["error"] == "invalid_client", "a forged assertion about a client answered %v", a)
}

// forOneAudience is another Authorization than without a resource.
func forOneAudience(r *run, in *instance) answer {
	return r.genuine(r.exchange(in, r.sign(r.key, r.backEnd(), r.user, "com.example.app"), "resource", audience))
}
