package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
)

// The page of events runs as it is, with an event as a transmitter of the Shared Signals
// Framework makes it. The keys come from a file in place of discovery.
func TestPageOfEvents(t *testing.T) {
	t.Parallel()
	const page = "events-in.md"
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	endpoint := dynamotest.Engine(t)
	env := append(fixtureEnv(t, dynamotest.New(t, endpoint)), "FOB_DYNAMODB="+endpoint)
	fob, folder := serveProcess(t, env, "--dynamodb", endpoint), t.TempDir()
	key := assertiontest.NewKey(t, "RS256")
	if err := os.WriteFile(filepath.Join(folder, "keys.json"), []byte(assertiontest.JWKS(t, key)), 0o600); err != nil {
		t.Fatal(err)
	}
	const apple, app, sub = "https://appleid.apple.com", "com.example.shop", "001234.0123456789abcdef.1234"
	now := time.Now().Unix()
	idToken := key.Sign(t, nil, assertiontest.Members{"iss": apple, "aud": app, "sub": sub, "iat": now - 2, "exp": now + 3600})
	event := key.Sign(t, assertiontest.Members{"typ": "secevent+jwt"}, assertiontest.Members{
		"iss": apple, "aud": app, "iat": now - 1, "jti": "756e69717565", "sub_id": assertiontest.Members{"format": "iss_sub", "iss": apple, "sub": sub},
		"events": assertiontest.Members{"https://schemas.openid.net/secevent/caep/event-type/session-revoked": assertiontest.Members{"event_timestamp": now}},
	})
	steps := stepsOf(strings.ReplaceAll(string(text), "$ fob issuer add ", "$ fob issuer add --keys-file keys.json "))
	if len(steps) < 8 {
		t.Fatalf("%d commands", len(steps))
	}
	runSteps(t, page, folder, append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "GORACE=" + exitAtOnce,
		"FOB=" + fob.Issuer, "ID_TOKEN=" + idToken, "EVENT=" + event,
	}, env...), steps)
}
