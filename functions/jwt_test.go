package functions_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/keys/keystest"
	"github.com/fob-oauth/fob/internal/ledger"
)

// The second JWT is the first to the byte in another process, and after the key's change to
// verify-only. Other processes take it by what they read, and a library by the key set.
func TestJWTsOfTwoProcesses(t *testing.T) {
	s := newStage(t)
	defer s.searchForLeaks(t)
	client, _, err := s.fixture.Clients.Client(t.Context(), demoClient)
	must(t, err)
	client.TokenFormat = ledger.JWT
	_, err = s.fixture.Clients.SaveClient(t.Context(), client)
	must(t, err)
	var private, public [2]string
	for i := range private {
		key, err := keys.NewSigningKey()
		must(t, err)
		half, err := keys.PublicHalf(key)
		must(t, err)
		private[i], public[i] = key.Reveal(), half.Reveal()
		s.know("private key", private[i])
	}
	ring := func(first, second string) func(*instance, map[string]string) {
		return func(i *instance, environment map[string]string) {
			i.secrets = secretsManager{keystest.New(t, time.Now)}
			i.secrets.Create(checkARN, fmt.Sprintf(`{"issuer_epoch": 0, "states": {"1": %q, "2": %q}, "1": %q, "2": %q, "signing": {"1": %q, "2": %q}}`,
				first, second, checkKey, checkKey+"-2", public[0], public[1]))
			i.secrets.Create(mintARN, fmt.Sprintf(`{"1": %q, "2": %q, "signing": {"1": %q, "2": %q}}`, mintKey, mintKey+"-2", private[0], private[1]))
			environment["AWS_ENDPOINT_URL_SECRETS_MANAGER"] = i.secrets.URL
		}
	}
	before, after := ring("active", "prepublished"), ring("verify-only", "active")
	first := s.run(t, "token", before).login(t, "device_ipad")
	jwt := first.text(t, "access_token")
	s.know("access token", jwt)
	turned := s.run(t, "token", after)
	again := turned.login(t, "device_ipad")
	if again.text(t, "access_token") != jwt || strings.Count(jwt, ".") != 2 || again.line.text("outcome") != "returned" {
		t.Errorf("the second JWT is not the first: %v", again.line)
	}
	refreshed := turned.post(t, "grant_type", "refresh_token", "refresh_token", first.text(t, "refresh_token"), "client_id", demoClient, "client_secret", demoClientSecret)
	if refreshed.text(t, "access_token") != jwt {
		t.Errorf("a refresh gives another JWT: %v", refreshed.line)
	}
	introspect := s.run(t, "introspect", after)
	said := introspect.introspectToken(t, jwt).members(t)
	if said["active"] != true || said["device"] != "ipad" || said["iss"] != httpAddress {
		t.Errorf("introspection says %v", said)
	}

	published := introspect.send(t, encode(t, readSample(t, filepath.Join("introspect", "events", "jwks.json"))))
	var set jose.JSONWebKeySet
	if must(t, json.Unmarshal([]byte(published.body), &set)); published.status != http.StatusOK || len(set.Keys) != 2 {
		t.Fatalf("the key set: %d %s", published.status, published.body)
	}
	signed, err := jose.ParseSignedCompact(jwt, []jose.SignatureAlgorithm{jose.RS256})
	must(t, err)
	payload, err := signed.Verify(set)
	must(t, err)
	var claims struct{ Iss, Jti string }
	if must(t, json.Unmarshal(payload, &claims)); claims.Iss != httpAddress || claims.Jti != said["jti"] {
		t.Errorf("the JWT says %+v", claims)
	}
	if a := s.run(t, "revoke", after).revokeToken(t, jwt); a.status != http.StatusOK {
		t.Errorf("revoke: %d %s", a.status, a.body)
	}
	if got := introspect.introspectToken(t, jwt); got.body != `{"active":false}` {
		t.Errorf("after a revocation: %s", got.body)
	}
	if next := turned.login(t, "device_ipad").text(t, "access_token"); next == jwt {
		t.Error("after a revocation the old JWT came back")
	}
}

// keptFor is for how many seconds an answer may be kept; empty for none.
func keptFor(endpoint string, a answer) string {
	switch {
	case endpoint == "metadata" && a.status == http.StatusOK:
		return "3600"
	case endpoint == "jwks" && a.body != `{"keys":[]}`:
		return "300"
	}
	return ""
}
