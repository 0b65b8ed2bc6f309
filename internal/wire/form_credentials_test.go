package wire_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/assertion"
	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/wire"
)

// N09
func TestBasic(t *testing.T) {
	good := basic("shop", shopSecret)["Authorization"][0]
	encoded := strings.TrimPrefix(good, "Basic ")
	grant := form("grant_type", "client_credentials")
	var steps []step
	for name, header := range map[string]map[string][]string{
		"lower case":        authorization("basic " + encoded),
		"upper case":        authorization("BASIC " + encoded),
		"two spaces":        authorization("Basic  " + encoded),
		"not escaped":       rawBasic("shop:" + shopSecret),
		"wholly escaped":    rawBasic("%73%68%6F%70:" + shopSecret),
		"plus and colon":    basic(oddID, oddSecret),
		"colons not in id":  rawBasic("odd%3Aid%25%2B%26%3D%3B%2C%3F%2F:CANARY+odd:%25%2B%26=;,?/\"\\+\u00fc\u20ac"),
		"space as plus":     rawBasic("odd%3Aid%25%2B%26%3D%3B%2C%3F%2F:CANARY+odd%3A%25%2B%26%3D%3B%2C%3F%2F%22%5C+%C3%BC%E2%82%AC"),
		"space as escape":   rawBasic("odd%3Aid%25%2B%26%3D%3B%2C%3F%2F:CANARY%20odd%3A%25%2B%26%3D%3B%2C%3F%2F%22%5C%20%C3%BC%E2%82%AC"),
		"the older secret":  basic("shop", shopOldSecret),
		"lower-case escape": rawBasic("odd%3aid%25%2b%26%3d%3b%2c%3f%2f:CANARY+odd%3a%25%2b%26%3d%3b%2c%3f%2f%22%5c+%c3%bc%e2%82%ac"),
	} {
		steps = append(steps, step{name: name, call: call{endpoint: "token", header: header, body: grant}, status: 200})
	}
	for name, header := range map[string]map[string][]string{
		"nothing":              authorization(""),
		"no credentials":       authorization("Basic"),
		"empty credentials":    authorization("Basic "),
		"broken base64":        authorization("Basic !!!!"),
		"base64url":            authorization("Basic c2hvcDpDQU5BUllf_w=="),
		"no padding":           authorization("Basic " + strings.TrimRight(encoded, "=") + "x"),
		"more after":           authorization("Basic " + encoded + " x"),
		"tab":                  authorization("Basic\t" + encoded),
		"no colon":             rawBasic("shop"),
		"broken percent":       rawBasic("shop:CANARY%zz"),
		"broken percent in id": rawBasic("sho%p:" + shopSecret),
		"invalid UTF-8":        rawBasic("shop:CANARY\xff"),
		"escaped invalid":      rawBasic("shop:CANARY%ff"),
		"NUL":                  rawBasic("shop:" + shopSecret + "\x00"),
		"escaped NUL":          rawBasic("sho%00p:" + shopSecret),
		"no id":                rawBasic(":" + shopSecret),
		"no secret":            rawBasic("shop:"),
		"plus is a space":      rawBasic(oddID + ":" + oddSecret),
		"other scheme":         authorization("Bearer " + encoded),
		"scheme is a prefix":   authorization("Basically " + encoded),
	} {
		steps = append(steps, step{name: name, call: call{endpoint: "token", header: header, body: grant}, status: 401, error: "invalid_client"})
	}
	run(t, steps)
}

// N10
func TestFailedAuthentication(t *testing.T) {
	challenge := func(t *testing.T, a answer) {
		if got := a.header.Values("WWW-Authenticate"); !cmp.Equal(got, []string{`Basic realm="fob"`}) {
			t.Errorf("challenge %q", got)
		}
	}
	var steps []step
	for name, change := range map[string]func(c call) call{
		"wrong Basic": func(c call) call {
			c.header = basic("shop", "CANARY")
			return c
		},
		"wrong in the body": func(c call) call {
			c.header, c.body = nil, c.body+"&"+form("client_id", "shop", "client_secret", "CANARY")
			return c
		},
		"none": func(c call) call {
			c.header = nil
			return c
		},
		"secret without id": func(c call) call {
			c.header, c.body = nil, c.body+"&"+form("client_secret", shopSecret)
			return c
		},
		"Bearer": func(c call) call {
			c.header = authorization("Bearer CANARY")
			return c
		},
	} {
		steps = append(steps, forEach(name, change, step{status: 401, error: "invalid_client", and: challenge})...)
	}
	run(t, steps)
}

// N11
func TestOneMechanism(t *testing.T) {
	twoAre := step{status: 400, error: "invalid_request", idle: true}
	add := func(pairs ...string) func(call) call {
		return func(c call) call {
			c.body += "&" + form(pairs...)
			return c
		}
	}
	inBody := func(pairs ...string) func(call) call {
		return func(c call) call {
			c.header, c.body = nil, c.body+"&"+form(pairs...)
			return c
		}
	}
	header := func(values ...string) func(call) call {
		return func(c call) call {
			c.header = authorization(values...)
			return c
		}
	}
	good := basic("shop", shopSecret)["Authorization"][0]
	var steps []step
	steps = append(steps, forEach("Basic and client_secret", add("client_secret", shopSecret), twoAre)...)
	steps = append(steps, forEach("Basic and both", add("client_id", "shop", "client_secret", shopSecret), twoAre)...)
	steps = append(steps, forEach("Basic and assertion", add("client_assertion", "CANARY"), twoAre)...)
	steps = append(steps, forEach("Basic and assertion type", add("client_assertion_type", "CANARY"), twoAre)...)
	steps = append(steps, forEach("secret and assertion", inBody("client_id", "shop", "client_secret", shopSecret, "client_assertion", "CANARY"), twoAre)...)
	steps = append(steps, forEach("Basic twice", header(good, good), twoAre)...)
	steps = append(steps, forEach("Basic and Bearer", header(good, "Bearer CANARY"), twoAre)...)
	steps = append(steps, forEach("another client_id", add("client_id", "other"), twoAre)...)
	steps = append(steps, forEach("the same client_id", add("client_id", "shop"), step{status: 200})...)
	run(t, steps)
}

// A51
func TestJoinedAuthorization(t *testing.T) {
	good := basic("shop", shopSecret)["Authorization"][0]
	var steps []step
	for _, joined := range []string{good + "," + good, good + ", Bearer CANARY", ",", good + ","} {
		steps = append(steps, forEach("joined", func(c call) call {
			c.header = authorization(joined)
			return c
		}, step{status: 400, error: "invalid_request", idle: true})...)
	}
	run(t, steps)
}

// An empty secret counts as absent, in the header as in the body: some client libraries send
// the id of a public client as Basic with an empty password.
func TestPublicClientByBasic(t *testing.T) {
	userLogin := "grant_type=password&username=" + url.QueryEscape(username) + "&password=" + url.QueryEscape(password)
	var steps []step
	for name, c := range map[string]call{
		"body":             {body: "&client_id=app"},
		"body, and secret": {body: "&client_id=app&client_secret="},
		"Basic":            {header: basic("app", "")},
	} {
		c.endpoint, c.body = "token", userLogin+c.body
		steps = append(steps, step{name: name, call: c, status: 200})
	}
	run(t, steps)
}

// N12
func TestFailuresAreAlike(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		bodies := map[string]string{}
		for name, c := range map[string]call{
			"no credentials":           {endpoint: "token"},
			"unknown":                  {endpoint: "token", header: basic("nobody", "CANARY")},
			"wrong secret":             {endpoint: "token", header: basic("shop", "CANARY")},
			"disabled":                 {endpoint: "token", header: basic("disabled", shopSecret)},
			"confidential by id alone": {endpoint: "token", body: "&client_id=shop"},
			"public with secret":       {endpoint: "token", body: "&client_id=app&client_secret=CANARY"},
			"public by Basic":          {endpoint: "token", header: basic("app", "CANARY")},
			"confidential, no secret":  {endpoint: "token", header: basic("shop", "")},
			"implausible id":           {endpoint: "token", header: basic("\u20ac", "CANARY")},
			"broken header":            {endpoint: "token", header: authorization("Basic !")},
			"another scheme":           {endpoint: "token", header: authorization("Bearer CANARY")},
			"assertion":                {endpoint: "token", body: "&client_id=shop&client_assertion=CANARY"},
		} {
			c.body = "grant_type=client_credentials" + c.body
			bodies[w.expect(t, by, step{name: name, call: c, status: 401, error: "invalid_client"}).body] = name
		}
		if len(bodies) != 1 {
			t.Errorf("they can be told apart: %q", bodies)
		}
	})
}

// N13
func TestBasicAndBody(t *testing.T) {
	run(t, append(
		forEach("basic", func(c call) call { return c }, step{status: 200}),
		forEach("post", func(c call) call {
			c.header, c.body = nil, c.body+"&"+form("client_id", "shop", "client_secret", shopSecret)
			return c
		}, step{status: 200})...,
	))
}

// N14
func TestAssertionThatProvesNothing(t *testing.T) {
	var steps []step
	for _, pairs := range [][]string{
		{"client_assertion", "CANARY"},
		{"client_assertion", "CANARY", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		{"client_assertion", "CANARY", "client_id", "shop"},
		{"client_assertion_type", "CANARY", "client_id", "app"},
	} {
		steps = append(steps, forEach(fmt.Sprint(pairs), func(c call) call {
			c.header, c.body = nil, c.body+"&"+form(pairs...)
			return c
		}, step{status: 401, error: "invalid_client", idle: true})...)
	}
	run(t, steps)
}

// N14: aud is the issuer identifier, configured or that of the request. Each is signed for
// real.
func TestAssertionOfAClient(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		key := assertiontest.NewKey(t, "ES256")
		c, _, err := w.registry.Client(t.Context(), "signer")
		must(t, err)
		c.JWKS = assertiontest.JWKS(t, key)
		_, err = w.registry.SaveClient(t.Context(), c)
		must(t, err)
		w.issuer.Assertions = assertion.New(w.now.Now, nil)
		w.options.Issuer = "https://id.example/fob"
		w.handlers["token"] = wire.Token(w.issuer, w.options)
		for _, try := range []struct {
			aud, kind, id string
			status        int
		}{
			{"https://id.example/fob", clientAssertionType, "", 200},
			{"https://id.example/fob", clientAssertionType, "signer", 200},
			{"https://id.example/fob", clientAssertionType, "shop", 401},
			{"https://id.example/fob", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer", "", 401},
			{"https://id.example/fob", "", "signer", 401},
			{"https://id.example/fob/token", clientAssertionType, "", 401},
			{"http://example.com", clientAssertionType, "", 401},
		} {
			now := w.now.Now().Unix()
			token := key.Sign(t, nil, assertiontest.Members{"iss": "signer", "sub": "signer", "aud": try.aud, "jti": "1", "iat": now, "exp": now + 60})
			a := w.send(t, by, call{endpoint: "token", body: form("grant_type", "client_credentials", "client_id", try.id, "client_assertion", token, "client_assertion_type", try.kind)})
			if a.status != try.status {
				t.Errorf("%+v: %d %s", try, a.status, a.body)
			}
		}
	})
}

// N94: the token of a platform needs the client's id, and is for the issuer identifier alone.
func TestAssertionOfAPlatform(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		key := assertiontest.NewKey(t, "ES384")
		const platform, role = "https://platform.example", "arn:aws:iam::123456789012:role/robot"
		issuers := memory.NewIssuers()
		_, err := issuers.SaveIssuer(t.Context(), oauth.TrustedIssuer{
			Signer: oauth.Signer{Name: platform, Algorithms: []string{"ES384"}, JWKS: assertiontest.JWKS(t, key)}, Subjects: oauth.ClientSubjects,
		})
		must(t, err)
		c, _, err := w.registry.Client(t.Context(), "signer")
		must(t, err)
		c.JWKS, c.Trusts = "", oauth.Trust{Issuer: platform, Subject: role}
		_, err = w.registry.SaveClient(t.Context(), c)
		must(t, err)
		w.issuer.Issuers, w.issuer.Assertions = oauth.NewIssuerCache(issuers, w.now.Now), assertion.New(w.now.Now, nil)
		w.options.Issuer = "https://id.example/fob"
		w.handlers["token"] = wire.Token(w.issuer, w.options)
		for _, try := range []struct {
			aud, sub, id string
			status       int
		}{
			{"https://id.example/fob", role, "signer", 200},
			{"https://id.example/fob", role, "", 401},
			{"https://id.example/fob", role, "shop", 401},
			{"https://id.example/fob", role + "s", "signer", 401},
			{"https://id.example/fob/token", role, "signer", 401},
		} {
			now := w.now.Now().Unix()
			token := key.Sign(t, nil, assertiontest.Members{"iss": platform, "sub": try.sub, "aud": try.aud, "iat": now, "exp": now + 300})
			a := w.send(t, by, call{endpoint: "token", body: form("grant_type", "client_credentials", "client_id", try.id, "client_assertion", token, "client_assertion_type", clientAssertionType)})
			if a.status != try.status || a.status == 401 && !strings.Contains(a.body, "client authentication failed") {
				t.Errorf("%+v: %d %s", try, a.status, a.body)
			}
		}
	})
}

// A59
func TestOddCredentials(t *testing.T) {
	run(t, append(
		forEach("basic", func(c call) call {
			c.header = basic(oddID, oddSecret)
			return c
		}, step{status: 200}),
		forEach("post", func(c call) call {
			c.header, c.body = nil, c.body+"&"+form("client_id", oddID, "client_secret", oddSecret)
			return c
		}, step{status: 200})...,
	))
}

// A60
func TestTwoSecrets(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		old := asShop("token", "grant_type", "client_credentials")
		old.header = basic("shop", shopOldSecret)
		current := asShop("token", "grant_type", "client_credentials")
		w.expect(t, by, step{call: old, status: 200})
		w.expect(t, by, step{call: current, status: 200})

		c, _, err := w.registry.Client(t.Context(), "shop")
		must(t, err)
		c.Secrets = oauthtest.Hashes(shopSecret)
		_, err = w.registry.SaveClient(t.Context(), c)
		must(t, err)
		w.now.Add(11) // past the cache of registrations

		w.expect(t, by, step{call: old, status: 401, error: "invalid_client"})
		w.expect(t, by, step{call: current, status: 200})
	})
}

// A header without a value is not credentials, like a parameter without one (N06):
// some clients send it blank next to those in the body.
func TestBlankAuthorizationIsAbsent(t *testing.T) {
	inBody := func(values ...string) func(call) call {
		return func(c call) call {
			c.header, c.body = authorization(values...), c.body+"&"+form("client_id", "shop", "client_secret", shopSecret)
			return c
		}
	}
	run(t, slices.Concat(
		forEach("blank", inBody(""), step{status: 200}),
		forEach("spaces", inBody("  "), step{status: 200}),
	))
}
