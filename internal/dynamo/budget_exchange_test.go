package dynamo_test

import (
	"context"
	"testing"

	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/secret"
)

// exchange is what the client app asks with an ID token, which the key of the budgets signs
// when it is asked.
func (w *budgetWorld) exchange(issuer, sub string) func(context.Context) error {
	return w.token("app", w.exchangeForm(w.key, issuer, sub))
}

func (w *budgetWorld) exchangeForm(key assertiontest.Key, issuer, sub string) oauth.Form {
	return oauth.Form{
		"grant_type": string(oauth.TokenExchangeGrant), "subject_token": w.sign(key, issuer, sub, "com.example.app"),
		"subject_token_type": "urn:ietf:params:oauth:token-type:id_token", "scope": device(1),
	}
}

func (w *budgetWorld) bearerForm(key assertiontest.Key, issuer, sub string) oauth.Form {
	return oauth.Form{"grant_type": string(oauth.JWTBearerGrant), "assertion": w.sign(key, issuer, sub, "com.example.app"), "scope": device(1)}
}

// sign makes a JWT that serves for a minute.
func (w *budgetWorld) sign(key assertiontest.Key, issuer, sub, audience string) string {
	w.t.Helper()
	now := w.now.Load()
	return key.Sign(w.t, nil, assertiontest.Members{"iss": issuer, "sub": sub, "aud": audience, "jti": "1", "iat": now, "exp": now + 60})
}

// keyed is a request of a client that signs an assertion in the place of a secret.
func (w *budgetWorld) keyed(key assertiontest.Key, id string, form oauth.Form) func(context.Context) error {
	credentials := oauth.Credentials{Assertion: secret.New(w.sign(key, id, id, budgetFob))}
	return func(ctx context.Context) error {
		_, err := w.issuer.Token(ctx, oauth.TokenRequest{Credentials: credentials, Form: form, Issuer: budgetFob, Source: w.source})
		return err
	}
}

// trusted is a request of the client robot, for which its platform signs.
func (w *budgetWorld) trusted(key assertiontest.Key, subject string) func(context.Context) error {
	credentials := oauth.Credentials{ID: "robot", Assertion: secret.New(w.sign(key, budgetPlatform, subject, budgetFob))}
	return func(ctx context.Context) error {
		_, err := w.issuer.Token(ctx, oauth.TokenRequest{Credentials: credentials, Form: clientCredentialsForm(""), Issuer: budgetFob, Source: w.source})
		return err
	}
}

// exchanged is what a login by exchange got.
func (w *budgetWorld) exchanged() ledger.Answer {
	w.t.Helper()
	got, err := w.issuer.Token(w.t.Context(), oauth.TokenRequest{Credentials: oauthtest.Credentials("app"), Form: w.exchangeForm(w.key, budgetIssuer, "001234.abc")})
	w.must(err)
	return got
}

// A login that another issuer proves, on an instance that knows the issuer. A user of the
// issuer costs what a refresh costs, and a user of fob also the read of that user. A client
// that signs costs what one with a secret costs. The signatures are verified.
func TestBudgetOfExchange(t *testing.T) {
	t.Run("dynoxide", func(t *testing.T) { testBudgetOfExchange(t, dynamotest.Engine(t), 1) })
	t.Run("local", func(t *testing.T) { testBudgetOfExchange(t, dynamotest.Local(t), 0) })
}

func testBudgetOfExchange(t *testing.T, endpoint string, absent float64) {
	type request = func(context.Context) error
	free := price{}
	// Both engines charge a GetItem of nothing.
	nothing := price{calls: map[string]int{get: 1}, found: 1}
	forger := assertiontest.NewKey(t, "ES256")
	for _, test := range []struct {
		name    string
		prepare func(w *budgetWorld) request
		outcome oauth.Outcome
		code    oauth.Code
		price   price
	}{
		{"hashed, no item yet", func(w *budgetWorld) request {
			return w.exchange(budgetIssuer, "001234.abc")
		}, oauth.Issued, "", price{calls: map[string]int{read: 1, query: 1, put: 1}, none: 3, write: 1}},
		{"hashed, returned", func(w *budgetWorld) request {
			w.exchanged()
			return w.exchange(budgetIssuer, "001234.abc")
		}, oauth.Returned, "", price{calls: map[string]int{read: 1}, found: 1, none: 1}},
		{"hashed, next generation", func(w *budgetWorld) request {
			w.exchanged()
			w.now.Add(lifetime - 60)
			return w.exchange(budgetIssuer, "001234.abc")
		}, oauth.Issued, "", price{calls: map[string]int{read: 1, put: 1}, found: 1, none: 1, write: 1}},
		{"a user of fob, no item yet", func(w *budgetWorld) request {
			return w.exchange(budgetBackEnd, budgetUser)
		}, oauth.Issued, "", price{calls: map[string]int{read: 2, query: 1, put: 1}, found: 1, none: 3, write: 1}},
		{"a user of fob, returned", func(w *budgetWorld) request {
			w.must(w.exchange(budgetBackEnd, budgetUser)(w.t.Context()))
			return w.exchange(budgetBackEnd, budgetUser)
		}, oauth.Returned, "", price{calls: map[string]int{read: 2}, found: 2, none: 1}},
		{"jwt-bearer, no item yet", func(w *budgetWorld) request {
			return w.token("app", w.bearerForm(w.key, budgetIssuer, "001234.abc"))
		}, oauth.Issued, "", price{calls: map[string]int{read: 1, query: 1, put: 1}, none: 3, write: 1}},
		{"jwt-bearer, returned, after an exchange", func(w *budgetWorld) request {
			w.exchanged()
			return w.token("app", w.bearerForm(w.key, budgetIssuer, "001234.abc"))
		}, oauth.Returned, "", price{calls: map[string]int{read: 1}, found: 1, none: 1}},
		{"nobody of fob", func(w *budgetWorld) request {
			return w.exchange(budgetBackEnd, "stranger@example.com")
		}, "", oauth.InvalidRequest, price{calls: map[string]int{read: 1}, none: 1}},

		// A client that signs.
		{"private_key_jwt, no item yet", func(w *budgetWorld) request {
			return w.keyed(w.key, "signer", clientCredentialsForm(""))
		}, oauth.Issued, "", price{calls: map[string]int{read: 1, query: 1, put: 1}, none: 3, write: 1}},
		{"private_key_jwt, returned", func(w *budgetWorld) request {
			w.must(w.keyed(w.key, "signer", clientCredentialsForm(""))(w.t.Context()))
			return w.keyed(w.key, "signer", clientCredentialsForm(""))
		}, oauth.Returned, "", price{calls: map[string]int{read: 1}, found: 1, none: 1}},
		{"private_key_jwt, an exchange for a resource", func(w *budgetWorld) request {
			form := w.exchangeForm(w.key, budgetIssuer, "001234.abc")
			w.must(w.keyed(w.key, "signer", form)(w.t.Context()))
			form["resource"] = budgetResource // another Authorization
			return w.keyed(w.key, "signer", form)
		}, oauth.Issued, "", price{calls: map[string]int{read: 1, query: 1, put: 1}, found: 1, none: 2, write: 1}},
		{"private_key_jwt, for a resource, returned", func(w *budgetWorld) request {
			form := clientCredentialsForm("")
			form["resource"] = budgetResource
			w.must(w.keyed(w.key, "signer", form)(w.t.Context()))
			return w.keyed(w.key, "signer", form)
		}, oauth.Returned, "", price{calls: map[string]int{read: 1}, found: 1, none: 1}},
		{"a platform's word, no item yet", func(w *budgetWorld) request {
			return w.trusted(w.key, budgetRole)
		}, oauth.Issued, "", price{calls: map[string]int{read: 1, query: 1, put: 1}, none: 3, write: 1}},
		{"a platform's word, returned", func(w *budgetWorld) request {
			w.must(w.trusted(w.key, budgetRole)(w.t.Context()))
			return w.trusted(w.key, budgetRole)
		}, oauth.Returned, "", price{calls: map[string]int{read: 1}, found: 1, none: 1}},
		{"a platform's word about another workload", func(w *budgetWorld) request {
			return w.trusted(w.key, budgetRole+"-of-others")
		}, "", oauth.InvalidClient, free},
		{"a platform's word, forged", func(w *budgetWorld) request {
			return w.trusted(forger, budgetRole)
		}, "", oauth.InvalidClient, free},
		{"resource that the client is not registered for", func(w *budgetWorld) request {
			form := clientCredentialsForm("")
			form["resource"] = "https://evil.example"
			return w.keyed(w.key, "signer", form)
		}, "", oauth.InvalidTarget, free},

		// The tokens are like all others.
		{"introspect", func(w *budgetWorld) request {
			return w.introspect("api", w.exchanged().AccessToken)
		}, oauth.Active, "", price{calls: map[string]int{read: 1}, found: 1, none: 1}},
		{"authorizer", func(w *budgetWorld) request {
			return w.access(w.exchanged().AccessToken)
		}, oauth.Active, "", price{calls: map[string]int{read: 1}, found: 1, none: 1}},
		{"refresh", func(w *budgetWorld) request {
			return w.refresh("app", w.exchanged().RefreshToken)
		}, oauth.Refreshed, "", price{calls: map[string]int{read: 1, put: 1}, found: 1, none: 1, write: 1}},
		{"revoke", func(w *budgetWorld) request {
			return w.revoke("app", w.exchanged().AccessToken)
		}, oauth.Revoked, "", price{calls: map[string]int{remove: 1}, write: 1}},

		// Anybody can send these.
		{"forged ID token", func(w *budgetWorld) request {
			return w.token("app", w.exchangeForm(forger, budgetIssuer, "001234.abc"))
		}, "", oauth.InvalidRequest, free},
		{"forged assertion for a user of fob", func(w *budgetWorld) request {
			return w.token("app", w.bearerForm(forger, budgetBackEnd, budgetUser))
		}, "", oauth.InvalidGrant, free},
		{"forged assertion of a client", func(w *budgetWorld) request {
			return w.keyed(forger, "signer", clientCredentialsForm(""))
		}, "", oauth.InvalidClient, free},
		{"assertion of a client that is not there", func(w *budgetWorld) request {
			return w.keyed(w.key, "nobody", clientCredentialsForm(""))
		}, "", oauth.InvalidClient, nothing},
		{"ID token of an issuer that is not registered", func(w *budgetWorld) request {
			return w.exchange("https://evil.example", "ann")
		}, "", oauth.InvalidRequest, nothing},
		{"assertion of an issuer that is not registered", func(w *budgetWorld) request {
			return w.token("app", w.bearerForm(w.key, "https://evil.example", budgetUser))
		}, "", oauth.InvalidGrant, nothing},
		{"not a JWT", func(w *budgetWorld) request {
			return w.token("app", oauth.Form{"grant_type": string(oauth.JWTBearerGrant), "assertion": "x", "scope": device(1)})
		}, "", oauth.InvalidGrant, free},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newBudgetWorld(t, endpoint)
			w.measure(test.prepare(w), test.outcome, test.code, test.price, absent)
		})
	}
}
