package functions_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/keys/keystest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// without is a secret after jq 'del(.signing)'.
func without(t *testing.T, text, member string) string {
	t.Helper()
	members := map[string]json.RawMessage{}
	must(t, json.Unmarshal([]byte(text), &members))
	if members[member] == nil {
		t.Fatalf("the secret has no member %s", member)
	}
	delete(members, member)
	left, err := json.Marshal(members)
	must(t, err)
	return string(left)
}

// What docs/deploying.md says before a release from before JWTs is deployed: functions serve
// through each step, no sign-in is taken for an edited one, and the ring is one that such a release
// takes.
func TestBackBeforeJWTs(t *testing.T) {
	page, err := os.ReadFile("../docs/deploying.md")
	must(t, err)
	steps := regexp.MustCompile(`(?s)fob client set ID --token-format opaque.*fob client sign-out ID.*CHECK_KEYS_ARN MINT_KEYS_ARN; do.*jq -c 'del\(\.signing, \.paired\)'`)
	if !steps.Match(page) {
		t.Error("docs/deploying.md has other steps than this test")
	}

	s := newStage(t)
	defer s.searchForLeaks(t)
	private, err := keys.NewSigningKey()
	must(t, err)
	public, err := keys.PublicHalf(private)
	must(t, err)
	s.know("private key", private.Reveal())
	secrets := map[string]string{
		checkARN: strings.Replace(checkKeys, "{", `{"signing": {"1": "`+public.Reveal()+`"}, "paired": {"1": 1767323045}, `, 1),
		mintARN:  strings.Replace(mintKeys, "{", `{"signing": {"1": "`+private.Reveal()+`"}, `, 1),
	}
	started := func(name string) *instance {
		return s.run(t, name, func(i *instance, environment map[string]string) {
			i.secrets = secretsManager{keystest.New(t, time.Now)}
			for arn, text := range secrets {
				i.secrets.Create(arn, text)
			}
			environment["AWS_ENDPOINT_URL_SECRETS_MANAGER"] = i.secrets.URL
		})
	}
	registrar := oauth.Registrar{Clients: s.fixture.Clients, Now: time.Now}
	format := func(f ledger.TokenFormat) {
		_, err := registrar.EditClient(t.Context(), demoClient, func(c *oauth.Client) error { c.TokenFormat = f; return nil })
		must(t, err)
	}
	format(ledger.JWT)
	before := started("token").login(t, "device_ipad")
	if strings.Count(before.text(t, "access_token"), ".") != 2 {
		t.Fatal("the client gets no JWT")
	}

	// 1. and 2. The caches of clients are empty in a function that starts, as after ten seconds.
	format(ledger.Opaque)
	_, err = registrar.EndClientTokens(t.Context(), demoClient)
	must(t, err)
	after := started("token").login(t, "device_ipad").text(t, "access_token")

	// 3. CheckKeys first.
	for _, arn := range []string{checkARN, mintARN} {
		secrets[arn] = without(t, secrets[arn], "signing")
		if arn == checkARN {
			secrets[arn] = without(t, secrets[arn], "paired")
		}
		token, introspect := started("token"), started("introspect")
		if again := token.login(t, "device_ipad"); again.text(t, "access_token") != after || again.line.text("outcome") != "returned" {
			t.Errorf("after %s: the second token is not the first: %v", arn, again.line)
		}
		if got := introspect.introspectToken(t, after).members(t); got["active"] != true {
			t.Errorf("after %s: the token from before is inactive", arn)
		}
		if got := introspect.introspectToken(t, before.text(t, "access_token")); got.body != `{"active":false}` {
			t.Errorf("after %s: a JWT is active: %s", arn, got.body)
		}
		refreshed := token.post(t, "grant_type", "refresh_token", "refresh_token", before.text(t, "refresh_token"), "client_id", demoClient, "client_secret", demoClientSecret)
		if refreshed.text(t, "error") != "invalid_grant" || refreshed.line.text("reason") != "epoch" || refreshed.line["tampered"] != nil {
			t.Errorf("after %s: a refresh of a JWT's sign-in: %v", arn, refreshed.line)
		}
		keySet := introspect.send(t, encode(t, readSample(t, filepath.Join("introspect", "events", "jwks.json"))))
		if keySet.body != `{"keys":[]}` {
			t.Errorf("after %s: the key set: %s", arn, keySet.body)
		}
	}

	// Releases from before JWTs take these members and no other.
	known := regexp.MustCompile(`^(issuer_epoch|states|since|[0-9]+)$`)
	for arn, text := range secrets {
		members := map[string]json.RawMessage{}
		must(t, json.Unmarshal([]byte(text), &members))
		for name := range members {
			if !known.MatchString(name) {
				t.Errorf("%s has the member %s, which an older release refuses", arn, name)
			}
		}
	}
}
