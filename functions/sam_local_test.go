package functions_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// TestSAMLocal hands every sample, filled in, to its function in a container, and asks SAM's
// gateway for the promise and for what docs/sam-local.md says of it. `make invoke` builds the
// functions and runs this.
func TestSAMLocal(t *testing.T) {
	build := os.Getenv("FOB_SAM_LOCAL")
	if build == "" {
		t.Skip("it needs Docker: run make invoke")
	}
	engine := dynamotest.Engine
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		engine = dynamotest.Local // there is no dynoxide
	}
	s := newStageAt(t, engine(t))
	signer := s.addSigners(t)
	const jwtClient = "jwt-client"
	app, _, err := s.fixture.Clients.Client(t.Context(), demoApp)
	must(t, err)
	_, err = s.fixture.Clients.SaveClient(t.Context(), oauth.Client{
		ID: jwtClient, Public: true, Grants: app.Grants, Scopes: app.Scopes, DefaultScopes: app.DefaultScopes, Audiences: app.Audiences,
		TokenFormat: ledger.JWT, Created: app.Created, Epoch: app.Epoch,
	})
	must(t, err)
	c := s.startContainers(t, build)

	credentials := []string{"client_id", demoClient, "client_secret", demoClientSecret}
	post := func(path string, credentials []string, nameValues ...string) answer {
		t.Helper()
		return c.ask(t, http.MethodPost, path, "", "application/x-www-form-urlencoded", form(append(nameValues, credentials...)...))
	}
	token := func(credentials []string, nameValues ...string) answer {
		t.Helper()
		a := post("/token", credentials, nameValues...)
		if a.status != http.StatusOK {
			t.Fatalf("/token: %d %s", a.status, a.body)
		}
		s.know("access token", a.text(t, "access_token"))
		if refresh := a.text(t, "refresh_token"); refresh != "" {
			s.know("refresh token", refresh)
		}
		return a
	}
	login := func(scopes string, credentials ...string) answer {
		t.Helper()
		return token(credentials, "grant_type", "password", "username", demoUser, "password", demoPassword, "scope", scopes)
	}
	backEnd := func() answer {
		t.Helper()
		return token(credentials, "grant_type", "client_credentials", "scope", "users sign-out")
	}
	is := func(what string, got answer, status int, part string) {
		t.Helper()
		if got.status != status || !strings.Contains(got.body, part) {
			t.Errorf("%s: %d %s, want %d with %s", what, got.status, got.body, status, part)
		}
	}

	paths, err := filepath.Glob("*/events/*.json")
	must(t, err)
	for _, path := range paths {
		path = filepath.ToSlash(path)
		t.Run(path, func(t *testing.T) {
			text, err := os.ReadFile(path)
			must(t, err)
			name := strings.Split(path, "/")[0]
			if placeholder.Match(text) {
				var tokens answer
				switch name {
				case "users":
					tokens = backEnd()
				case "devices", "account":
					tokens = login(name+" device_sample", credentials...)
				default:
					tokens = login("read device_sample", credentials...)
				}
				text = placeholder.ReplaceAll(text, []byte(tokenFor(t, string(text), tokens)))
			}
			o := c.invoke(t, name, []byte(s.signed(t, signer, string(text))))
			switch want, known := containerReplies()[path]; {
			case known:
				check(t, answerOf(o), want)
			case path == "introspect/events/jwks.json":
				is("the key set", answerOf(o), http.StatusOK, `"kty":"RSA"`)
			case name == "me":
				is("who", answerOf(o), http.StatusOK, `"sub":"u_replaceme"`)
			case name == "authorizer":
				if yes, said := (judgement{outcome: o}).said(t); !yes || said["device"] != "sample" {
					t.Errorf("%s", o.raw)
				}
			case name == "announce": // without credentials for a bus it says where Lambda has to go on
				announces := !strings.Contains(path, "renewed") && !strings.Contains(path, "swept")
				if o.failed || bytes.Contains(o.raw, []byte("itemIdentifier")) != announces {
					t.Errorf("%s", o.raw)
				}
			case name == hookName: // it has none for CodeDeploy either
				if !strings.HasPrefix(o.message, "report the trial of d-ABCDEF123: ") {
					t.Errorf("%s", o.raw)
				}
			default:
				t.Errorf("nobody says what is right: %s", o.raw)
			}
			if strings.HasSuffix(path, "leave.json") {
				s.addUser(t) // for those that follow
			}
		})
	}

	introspect := func(token string) answer {
		t.Helper()
		return post("/introspect", []string{"client_id", demoAPI, "client_secret", demoAPISecret}, "token", token)
	}
	me := func(token string) answer {
		t.Helper()
		return c.ask(t, http.MethodGet, "/me", token, "", "")
	}
	// No sample names these devices.
	first, again, other := login("device_tablet", credentials...), login("device_tablet", credentials...), login("device_phone", credentials...)
	tablet, phone := first.text(t, "access_token"), other.text(t, "access_token")
	if again.text(t, "access_token") != tablet || phone == tablet {
		t.Error("the second token is another one, or the other device has the same")
	}
	is("revoke", post("/revoke", credentials, "token", tablet), http.StatusOK, "{}")
	is("the first", introspect(tablet), http.StatusOK, `{"active":false}`)
	is("the other device", introspect(phone), http.StatusOK, `"iss":"https://localhost"`)
	is("/me", me(phone), http.StatusOK, `"device":"phone"`)
	is("/me, revoked", me(tablet), http.StatusBadGateway, "")
	is("/me without a token", me(""), http.StatusUnauthorized, "")
	is("an unknown path", c.ask(t, http.MethodGet, "/nowhere", "", "", ""), http.StatusForbidden, "")

	const asJSON = "application/json"
	is("/devices", c.ask(t, http.MethodGet, "/devices", login("devices device_tablet", credentials...).text(t, "access_token"), "", ""), http.StatusOK, `"current":true`)
	account := login("account device_mac", credentials...).text(t, "refresh_token")
	is("/account/password", c.ask(t, http.MethodPost, "/account/password", account, asJSON, fmt.Sprintf(`{"password":%q,"new_password":%q}`, demoPassword, demoPassword)),
		http.StatusOK, `{"signed_in":true}`)
	is("the other device, after that", introspect(phone), http.StatusOK, `{"active":false}`)
	users := backEnd().text(t, "access_token")
	listed := c.ask(t, http.MethodGet, "/users", users, "", "")
	is("/users", listed, http.StatusOK, demoUser)
	var list struct{ Users []struct{ ID string } }
	must(t, json.Unmarshal([]byte(listed.body), &list))
	is("/sign-out", c.ask(t, http.MethodPost, "/sign-out", users, asJSON, fmt.Sprintf(`{"sub_id":{"format":"opaque","id":%q}}`, list.Users[0].ID)), http.StatusNoContent, "")

	jwt := login("device_tablet", "client_id", jwtClient).text(t, "access_token")
	if login("device_tablet", "client_id", jwtClient).text(t, "access_token") != jwt {
		t.Error("the second JWT is another one")
	}
	is("the JWT", introspect(jwt), http.StatusOK, `"device":"tablet"`)
	is("the metadata", c.ask(t, http.MethodGet, "/.well-known/openid-configuration", "", "", ""), http.StatusOK, `"jwks_uri":"https://localhost/.well-known/jwks.json"`)
	var set jose.JSONWebKeySet
	must(t, json.Unmarshal([]byte(c.ask(t, http.MethodGet, "/.well-known/jwks.json", "", "", "").body), &set))
	signed, err := jose.ParseSignedCompact(jwt, []jose.SignatureAlgorithm{jose.RS256})
	must(t, err)
	if _, err := signed.Verify(set); err != nil {
		t.Errorf("the JWT: %v", err)
	}

	for _, path := range c.logs {
		text, err := os.ReadFile(path)
		must(t, err)
		for _, leak := range search(s.secrets, []haystack{{path, text}}) {
			t.Error(leak)
		}
	}
}

// containerReplies are the replies to samples that are filled in, in both payload formats. The
// containers' key ring has a pair, so their key set is another.
func containerReplies() map[string]reply {
	replies := map[string]reply{}
	all := samples()
	delete(all, "introspect/events/jwks.json")
	for path, sample := range all {
		replies[path] = sample.asItIs
		if sample.filledIn != nil {
			replies[path] = *sample.filledIn
		}
	}
	rest := map[string]reply{}
	for path, like := range restSamples {
		rest[path] = atREST(replies[like])
	}
	maps.Copy(replies, rest)
	return replies
}
