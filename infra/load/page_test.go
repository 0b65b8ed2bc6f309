package main

import (
	"bytes"
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/laptop"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/password"
	"github.com/fob-oauth/fob/internal/wire"
)

// The command lines of the page work as they are. Here they are shorter, the engine and the
// service have other addresses, and the one that needs AWS is only read.
func TestPageOfPerformance(t *testing.T) {
	page, err := os.ReadFile("../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^\$ go run ./infra/load(.*)$`).FindAllStringSubmatch(string(page), -1)
	if len(lines) != 5 {
		t.Fatalf("the page has %d command lines, want 5", len(lines))
	}
	short := []string{"-users", "2", "-devices", "2", "-for", "2s", "-chart", filepath.Join(t.TempDir(), "load.svg")}
	for _, l := range lines {
		args := strings.Fields(l[1])
		o, err := parseOptions(args, t.Output())
		if err != nil {
			t.Errorf("%s: %v", l[0], err)
			continue
		}
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			switch {
			case o.stack != "":
			case o.endpoint != "":
				checkOverEngine(t, args[:len(args)-1], short)
			default:
				runHere(t, append(args, short...))
			}
		})
	}
}

func runHere(t *testing.T, args []string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if err := run(t.Context(), args, &stdout, &stderr); err != nil {
		t.Errorf("%v\n%s%s", err, &stderr, &stdout)
	}
}

// checkOverEngine plays fob serve over tables of its own. The flags have no address.
func checkOverEngine(t *testing.T, flags, short []string) {
	f := dynamotest.New(t, dynamotest.Engine(t))
	ring, err := keys.Generate(false)
	if err != nil {
		t.Fatal(err)
	}
	stores := laptop.Stores{Tokens: f.Tokens, Subjects: f.Tokens, Clients: f.Clients, Issuers: f.Issuers, Users: f.Users, People: f.Users}
	server := httptest.NewServer(laptop.Handler(stores, func(context.Context) (*bearer.MintRing, error) { return ring, nil }, wire.Options{}))
	defer server.Close()
	options := f.DB.Options()
	credentials, err := options.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_REGION", options.Region)
	t.Setenv("AWS_ACCESS_KEY_ID", credentials.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", credentials.SecretAccessKey)
	for i, flag := range flags {
		flags[i] = strings.ReplaceAll(flag, "http://localhost:8000", *options.BaseEndpoint)
	}
	tables := []string{"-tokens-table", f.Tables.Tokens, "-clients-table", f.Tables.Clients, "-users-table", f.Tables.Users}
	runHere(t, slices.Concat(flags, short, tables, []string{server.URL}))
	checkNothingIsLeft(t, &deployment{
		clients: &oauth.Registrar{Clients: f.Clients, Now: time.Now},
		users:   &oauth.UserRegistrar{Users: f.Users, Subjects: f.Tokens, Tokens: f.Tokens, Registry: f.Tokens, Passwords: password.Hasher{}, Now: time.Now},
	})
}
