package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
)

// The example of docs/account.md runs as the page says, and prints what the page shows.
func TestExampleOfAccount(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/account.md")
	if err != nil {
		t.Fatal(err)
	}
	_, page, found := strings.Cut(string(text), "\n## A whole life\n")
	var blocks []string
	for _, block := range regexp.MustCompile(`(?m)(?:^    .*\n)+`).FindAllString(page, 3) {
		blocks = append(blocks, strings.TrimSpace(regexp.MustCompile(`(?m)^    `).ReplaceAllString(block, "")))
	}
	if !found || len(blocks) != 3 || !strings.Contains(blocks[1], "CRM_SECRET=...") {
		t.Fatalf("the page has %q", blocks)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	endpoint := dynamotest.Engine(t)
	env := append(fixtureEnv(t, dynamotest.New(t, endpoint)), "FOB_DYNAMODB="+endpoint)
	fob, folder := serveProcess(t, env, "--dynamodb", endpoint), t.TempDir()
	steps := []pageStep{
		{command: "fob scope add account"},
		{command: "fob client add --id my-app --public --grant password --grant refresh_token --scope read --scope account --default-scope read"},
		{command: blocks[0]},
		{command: "SECRET=$(sed -n 's/client_secret *//p' crm.txt)\ncd " + root},
		{command: strings.NewReplacer("http://localhost:8080", fob.Issuer, "CRM_SECRET=...", `CRM_SECRET="$SECRET"`).Replace(blocks[1]), prints: blocks[2]},
	}
	runSteps(t, "account.md", folder, append(os.Environ(), append(env, "GORACE="+exitAtOnce)...), steps)
}
