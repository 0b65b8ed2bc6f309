package main

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
)

// The page for clients without secrets runs as it is, with tokens as the platforms make them.
// The keys of the platforms are of this test, and come from a file in place of discovery.
func TestPageOfClientsWithoutSecrets(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "clients-without-secrets.md"))
	if err != nil {
		t.Fatal(err)
	}
	endpoint := dynamotest.Engine(t)
	env := append(fixtureEnv(t, dynamotest.New(t, endpoint)), "FOB_DYNAMODB="+endpoint)
	fob, folder := serveProcess(t, env, "--dynamodb", endpoint), t.TempDir()
	key := assertiontest.NewKey(t, "RS256")
	writeKeys(t, folder, "keys.json", key)
	writeKeys(t, folder, "partner-keys.json", key)
	steps := stepsOf(strings.ReplaceAll(string(text), "$ fob issuer add ", "$ fob issuer add --keys-file keys.json "))
	if len(steps) != 8 {
		t.Fatalf("%d commands", len(steps))
	}
	runSteps(t, "clients-without-secrets.md", folder, append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "GORACE=" + exitAtOnce}, env...), steps)

	now := time.Now().Unix()
	const (
		aws    = "https://a103a2cc-b461-473d-84fe-6c4f6d45af88.tokens.sts.global.api.aws"
		github = "https://token.actions.githubusercontent.com"
		eks    = "https://oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"
	)
	report := assertiontest.RoleClaims(aws, fob.Issuer, now)
	report["sub"] = "arn:aws:iam::123456789012:role/report"
	report["https://sts.amazonaws.com/"].(assertiontest.Members)["principal_id"] = report["sub"]
	for client, platform := range map[string]struct{ header, claims assertiontest.Members }{
		"report": {nil, report},
		"deploy": {assertiontest.Members{"x5t": "ykNaY4qM_ta4k2TgZOCEYLkcYlA"}, assertiontest.Members{
			"iss": github, "aud": fob.Issuer, "sub": "repo:octo-org@123456/shop@456789:environment:production",
			"jti": "example-id", "iat": now, "nbf": now - 300, "exp": now + 300, "environment": "production", "repository": "octo-org/shop",
			"ref": "refs/heads/main", "run_attempt": "2", "event_name": "workflow_dispatch",
		}},
		"billing": {assertiontest.Members{"typ": nil}, assertiontest.Members{
			"iss": eks, "aud": []string{fob.Issuer}, "sub": "system:serviceaccount:shop:billing", "iat": now - 480, "nbf": now - 480, "exp": now + 120,
			"kubernetes.io": assertiontest.Members{"namespace": "shop", "serviceaccount": assertiontest.Members{"name": "billing", "uid": "78fd6341"}},
		}},
		"partner": {nil, assertiontest.Members{"iss": "partner", "sub": "partner", "aud": fob.Issuer, "iat": now, "exp": now + 60, "jti": "1"}},
	} {
		answer, err := http.PostForm(fob.TokenEndpoint, url.Values{
			"grant_type": {"client_credentials"}, "client_id": {client}, "client_assertion": {key.Sign(t, platform.header, platform.claims)},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		})
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", client, answer.StatusCode)
		}
	}
}
