package oauth_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/assertion"
	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/secret"
)

// trustWorld has the client nightly, which trusts a role of AWS.
type trustWorld struct {
	*world
	aws       *assertiontest.Issuer
	login     assertiontest.Key // of loginName, whose tokens prove users
	ci        assertiontest.Key // of ciName, another platform
	issuers   *memory.Issuers
	registrar *oauth.Registrar
}

const (
	loginName = "https://login.example"
	ciName    = "https://ci.example"
)

func newTrustWorld(t *testing.T) trustWorld {
	w := trustWorld{
		world: newWorld(t), aws: assertiontest.NewAWS(t), issuers: memory.NewIssuers(),
		login: assertiontest.NewKey(t, "ES256"), ci: assertiontest.NewKey(t, "ES256"),
	}
	for _, i := range []oauth.TrustedIssuer{
		{Signer: oauth.Signer{Name: w.aws.URL, Algorithms: []string{"RS256", "ES384"}, PrivateAddresses: true}, Subjects: oauth.ClientSubjects},
		{Signer: oauth.Signer{Name: ciName, Algorithms: []string{"ES256"}, JWKS: assertiontest.JWKS(t, w.ci)}, Subjects: oauth.ClientSubjects},
		{Signer: oauth.Signer{Name: loginName, Audiences: []string{fobName, "com.example.app"}, Algorithms: []string{"ES256"}, JWKS: assertiontest.JWKS(t, w.login)}},
	} {
		_, err := w.issuers.SaveIssuer(t.Context(), i)
		w.must(err)
	}
	verifier := assertion.New(w.clock.Now, w.aws.Roots)
	w.issuer.Issuers, w.issuer.Assertions = oauth.NewIssuerCache(w.issuers, w.clock.Now), verifier
	w.registrar = &oauth.Registrar{Clients: w.clients, Issuers: w.issuers, Assertions: verifier, Now: w.clock.Now}
	for id, trust := range map[ledger.ClientID]oauth.Trust{
		"nightly": {Issuer: w.aws.URL, Subject: assertiontest.RoleARN},
		"hourly":  {Issuer: w.aws.URL, Subject: strings.Replace(assertiontest.RoleARN, "nightly", "hourly", 1)},
		"deploy":  {Issuer: ciName, Subject: "repo:octo-org/shop:ref:refs/heads/main"},
		"wrong":   {Issuer: loginName, Subject: "ann"}, // no registrar saves this
	} {
		w.saveClient(oauth.Client{
			ID: id, Secrets: []oauth.ClientSecret{}, Trusts: trust,
			Grants: oauth.GrantTypes(), Scopes: oauthtest.Scopes(t, "read"), DefaultScopes: oauthtest.Scopes(t, "read"),
		})
	}
	return w
}

// role is a token of the role with some claims changed; nil drops one.
func (w trustWorld) role(key assertiontest.Key, change assertiontest.Members) string {
	w.t.Helper()
	claims := assertiontest.RoleClaims(w.aws.URL, fobName, w.clock.Load())
	for name, value := range change {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	return key.Sign(w.t, nil, claims)
}

func (w trustWorld) ask(id ledger.ClientID, token string) error {
	_, err := w.issuer.Token(w.context(), oauth.TokenRequest{
		Credentials: oauth.Credentials{ID: id, Assertion: secret.New(token)},
		Issuer:      fobName,
		Form:        oauth.Form{"grant_type": "client_credentials"},
	})
	return err
}

func TestTrustedWorkload(t *testing.T) {
	w := newTrustWorld(t)
	for _, key := range w.aws.Keys() {
		err := w.ask("nightly", w.role(key, nil))
		if e := w.event; err != nil || e.Client != "nightly" || e.Claimed != "" || e.Issuer != w.aws.URL {
			t.Errorf("%s: %v, event %+v", key.Algorithm, err, e)
		}
	}
	// Kubernetes puts a token into a file for as long as it lives, and some platforms give
	// no jti. So a token serves until exp, and as long as the issuer's MaxAge says.
	token := w.role(w.aws.Key(), assertiontest.Members{"jti": nil, "https://sts.amazonaws.com/": nil})
	for range 2 {
		w.must(w.ask("nightly", token))
	}
	w.advance(299)
	w.must(w.ask("nightly", token))
	w.advance(61)
	wantInvalidClient(t, "after exp", w.ask("nightly", token))

	w.must(w.ask("nightly", w.role(w.aws.Key(), assertiontest.Members{"https://sts.amazonaws.com/": map[string]any{"aws_account": "123456789012"}})))
	long := w.role(w.aws.Key(), assertiontest.Members{"exp": w.clock.Load() + 3600})
	w.advance(oauth.DefaultAssertionAge)
	w.must(w.ask("nightly", long))
	w.advance(61)
	wantInvalidClient(t, "after the issuer's oldest iat", w.ask("nightly", long))
}

func TestHostileTrust(t *testing.T) {
	w := newTrustWorld(t)
	now := w.clock.Load()
	key := w.aws.Key()
	forger := assertiontest.NewKey(t, "ES384")
	stolen := forger
	stolen.ID = key.ID
	// elsewhere is the role's token, as another issuer signs it.
	elsewhere := func(key assertiontest.Key, iss string) string {
		return w.role(key, assertiontest.Members{"iss": iss})
	}
	w.saveClient(oauth.Client{
		ID: "signer", Secrets: []oauth.ClientSecret{}, JWKS: assertiontest.JWKS(t, key), Grants: oauth.GrantTypes(), Scopes: oauthtest.Scopes(t, "read"),
	})
	good := w.role(key, nil)
	w.must(w.ask("nightly", good))
	for what, try := range map[string]struct {
		client ledger.ClientID
		token  string
	}{
		"another role":                     {"nightly", w.role(key, assertiontest.Members{"sub": assertiontest.RoleARN + "-2"})},
		"the beginning of its name":        {"nightly", w.role(key, assertiontest.Members{"sub": strings.TrimSuffix(assertiontest.RoleARN, "y")})},
		"in another case":                  {"nightly", w.role(key, assertiontest.Members{"sub": strings.ToUpper(assertiontest.RoleARN)})},
		"another client's role":            {"hourly", good},
		"its client id in place of a role": {"nightly", w.role(key, assertiontest.Members{"sub": "nightly"})},
		"for another service":              {"nightly", w.role(key, assertiontest.Members{"aud": "https://api.example.com"})},
		"for another service too":          {"nightly", w.role(key, assertiontest.Members{"aud": []string{fobName, "https://api.example.com"}})},
		"for the token endpoint":           {"nightly", w.role(key, assertiontest.Members{"aud": fobName + "/token"})},
		"of another platform":              {"nightly", elsewhere(w.ci, ciName)},
		"of an issuer of users":            {"nightly", elsewhere(w.login, loginName)},
		"under another platform's key":     {"nightly", elsewhere(w.ci, w.aws.URL)},
		"of nobody":                        {"nightly", elsewhere(forger, "https://evil.example")},
		"a forger's key":                   {"nightly", w.role(forger, nil)},
		"a forger's key under its id":      {"nightly", w.role(stolen, nil)},
		"asked for by another role":        {"nightly", w.role(key, assertiontest.Members{"https://sts.amazonaws.com/": map[string]any{"principal_id": "arn:aws:iam::123456789012:role/web"}})},
		"claims of AWS as a text":          {"nightly", w.role(key, assertiontest.Members{"https://sts.amazonaws.com/": "x"})},
		"expired":                          {"nightly", w.role(key, assertiontest.Members{"exp": now - 60})},
		"without exp":                      {"nightly", w.role(key, assertiontest.Members{"exp": nil})},
		"without iat, and a long life":     {"nightly", w.role(key, assertiontest.Members{"iat": nil, "exp": now + 3600})},
		"without a client id":              {"", good},
		"the issuer as the client":         {ledger.ClientID(w.aws.URL), good},
		"a client with keys":               {"signer", good},
		"signed as a client of its own":    {"nightly", w.role(key, assertiontest.Members{"iss": "nightly", "sub": "nightly", "exp": now + 60})},
		"a client with a secret":           {"backend", good},
		"a public client":                  {"app", good},
		"no client":                        {"nobody", good},
		"an issuer of users that a client trusts": {"wrong", w.login.Sign(t, nil, assertiontest.Members{
			"iss": loginName, "sub": "ann", "aud": fobName, "iat": now, "exp": now + 60, "jti": "1",
		})},
	} {
		wantInvalidClient(t, what, w.ask(try.client, try.token))
		if w.event.Client != "" || w.event.Refusal == "" {
			t.Errorf("%s: event %+v", what, w.event)
		}
	}
	cred := oauth.Credentials{ID: "nightly", Secret: secret.New(good)}
	_, err := w.issuer.Token(w.context(), oauth.TokenRequest{Credentials: cred, Issuer: fobName, Form: oauth.Form{"grant_type": "client_credentials"}})
	wantInvalidClient(t, "as a secret", err)
	wantInvalidClient(t, "without a secret", w.ask("nightly", ""))

	w.editClient("nightly", func(c *oauth.Client) { c.Disabled = true })
	w.advance(11)
	wantInvalidClient(t, "disabled", w.ask("nightly", w.role(key, nil)))
}

// Who can run a workload at a platform must not be able to log in as a user, and a user
// must not be able to act as a client.
func TestTrustIsNoLogin(t *testing.T) {
	w := newTrustWorld(t)
	w.editClient("backend", func(c *oauth.Client) { c.Grants = oauth.GrantTypes() })
	login := func(token string) []error {
		var all []error
		for _, form := range [][]string{
			{"grant_type", jwtBearer, "assertion", token, "scope", "read"},
			exchangeForm(token, "read"),
		} {
			_, err := w.token("backend", form...)
			all = append(all, err)
		}
		return all
	}
	now := w.clock.Load()
	user := w.login.Sign(t, nil, assertiontest.Members{"iss": loginName, "sub": "ann", "aud": fobName, "iat": now, "exp": now + 60})
	w.must(errors.Join(login(user)...))
	for _, err := range login(w.role(w.aws.Key(), nil)) {
		if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Code != oauth.InvalidGrant && e.Code != oauth.InvalidRequest {
			t.Errorf("a workload logs in: %v", err)
		}
		if w.event.Refusal != "the issuer proves clients, not users" || w.event.Issuer != w.aws.URL {
			t.Errorf("event %+v", w.event)
		}
	}
	if _, sets := w.aws.Fetches(); sets != 0 {
		t.Errorf("%d key sets fetched for it", sets)
	}
}

// If the platform's keys cannot be had, the client is not refused.
func TestTrustWhilePlatformIsDown(t *testing.T) {
	w := newTrustWorld(t)
	w.aws.Before(func(a http.ResponseWriter, _ *http.Request) bool {
		a.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	if err := w.ask("nightly", w.role(w.aws.Key(), nil)); !errors.Is(err, oauth.ErrUnavailable) {
		t.Errorf("an outage is %v", err)
	}
	w.aws.Before(nil)
	w.advance(6)
	w.must(w.ask("nightly", w.role(w.aws.Key(), nil)))
	w.must(w.registrar.RemoveIssuer(t.Context(), w.aws.URL))
	w.advance(11)
	wantInvalidClient(t, "an issuer that was removed", w.ask("nightly", w.role(w.aws.Key(), nil)))
}

func TestRegistrarTrust(t *testing.T) {
	w := newTrustWorld(t)
	key := assertiontest.JWKS(t, assertiontest.NewKey(t, "EdDSA"))
	grants := []oauth.GrantType{oauth.ClientCredentialsGrant}
	trust := oauth.Trust{Issuer: w.aws.URL, Subject: assertiontest.RoleARN}
	with := func(change func(*oauth.Trust)) oauth.Client {
		c := oauth.Client{ID: "a", Grants: grants, Trusts: trust}
		change(&c.Trusts)
		return c
	}
	for what, c := range map[string]oauth.Client{
		"public":           {ID: "a", Public: true, Grants: []oauth.GrantType{oauth.PasswordGrant}, Trusts: trust},
		"keys as well":     {ID: "a", Grants: grants, Trusts: trust, JWKS: key},
		"introspects":      {ID: "a", Introspects: []string{"b"}, Trusts: trust},
		"no subject":       with(func(t *oauth.Trust) { t.Subject = "" }),
		"no issuer":        with(func(t *oauth.Trust) { t.Issuer = "" }),
		"a wildcard":       with(func(t *oauth.Trust) { t.Subject = "repo:octo-org/*" }),
		"blanks around it": with(func(t *oauth.Trust) { t.Subject += " " }),
		"a line break":     with(func(t *oauth.Trust) { t.Subject = "a\nb" }),
		"long":             with(func(t *oauth.Trust) { t.Subject = strings.Repeat("a", 513) }),
		"not registered":   with(func(t *oauth.Trust) { t.Issuer += "/" }),
		"for users":        with(func(t *oauth.Trust) { t.Issuer = loginName }),
	} {
		_, err := w.registrar.AddClient(t.Context(), c, secret.Text{})
		wantChange(t, what, err, oauth.InvalidEntry)
	}
	for i, s := range []string{"", "CANARY-of-20-characters"} {
		c := with(func(t *oauth.Trust) { t.Subject = "repo:octo-org/shop:environment:Blue Sky" })
		c.ID = ""
		if i > 0 {
			c.Introspects = []string{"b"} // with the secret
		}
		_, err := w.registrar.AddClient(t.Context(), c, secret.New(s))
		if err != nil {
			t.Errorf("with the secret %q: %v", s, err)
		}
	}

	// Who moved over needs no secret any more, but for introspection.
	moved := with(func(*oauth.Trust) {})
	moved.ID = "moved"
	_, err := w.registrar.AddClient(t.Context(), moved, secret.New("CANARY-of-20-characters"))
	w.must(err)
	_, err = w.registrar.DropSecret(t.Context(), "moved", true)
	wantChange(t, "drop the newer of one", err, oauth.OneSecret)
	c, err := w.registrar.DropSecret(t.Context(), "moved", false)
	if err != nil || len(c.Secrets) != 0 {
		t.Errorf("drop the last secret: %d left, %v", len(c.Secrets), err)
	}
	_, err = w.registrar.DropSecret(t.Context(), "moved", false)
	wantChange(t, "drop none", err, oauth.OneSecret)
	moved.ID, moved.Introspects = "introspects", []string{"b"}
	_, err = w.registrar.AddClient(t.Context(), moved, secret.New("CANARY-of-20-characters"))
	w.must(err)
	_, err = w.registrar.DropSecret(t.Context(), "introspects", false)
	wantChange(t, "drop the secret that introspects", err, oauth.InvalidEntry)

	edit := func(change func(c *oauth.Client)) error {
		_, err := w.registrar.EditClient(t.Context(), "deploy", func(c *oauth.Client) error { change(c); return nil })
		return err
	}
	wantChange(t, "trust an issuer of users", edit(func(c *oauth.Client) { c.Trusts.Issuer = loginName }), oauth.InvalidEntry)
	wantChange(t, "trust nobody", edit(func(c *oauth.Client) { c.Trusts = oauth.Trust{} }), oauth.InvalidEntry)
	w.must(edit(func(c *oauth.Client) { c.Trusts, c.JWKS = oauth.Trust{}, key }))
	w.must(edit(func(c *oauth.Client) { c.Trusts, c.JWKS = oauth.Trust{Issuer: ciName, Subject: "repo:a/b"}, "" }))
	// Without its issuer a client can still be changed.
	w.must(w.registrar.RemoveIssuer(t.Context(), ciName))
	w.must(edit(func(c *oauth.Client) { c.AccessLifetime = 60 }))
	wantChange(t, "another subject of nobody", edit(func(c *oauth.Client) { c.Trusts.Subject = "repo:a/c" }), oauth.InvalidEntry)
}

func TestIssuersForClients(t *testing.T) {
	good := oauth.TrustedIssuer{Signer: oauth.Signer{Name: ciName, Algorithms: []string{"RS256"}, MaxAge: int64(time.Hour / time.Second)}, Subjects: oauth.ClientSubjects}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for what, change := range map[string]func(*oauth.TrustedIssuer){
		"audiences":     func(i *oauth.TrustedIssuer) { i.Audiences = []string{"com.example.app"} },
		"a nonce":       func(i *oauth.TrustedIssuer) { i.NonceRequired = true },
		"a username":    func(i *oauth.TrustedIssuer) { i.UsernameClaim = "email" },
		"roles":         func(i *oauth.TrustedIssuer) { i.RolesClaim = "groups" },
		"events":        func(i *oauth.TrustedIssuer) { i.Events = true },
		"no algorithms": func(i *oauth.TrustedIssuer) { i.Algorithms = nil },
		"http":          func(i *oauth.TrustedIssuer) { i.Name = "http://ci.example" },
	} {
		bad := good
		if change(&bad); bad.Validate() == nil {
			t.Errorf("%s: valid", what)
		}
	}
}
