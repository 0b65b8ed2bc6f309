package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/laptop"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
)

// What fob serve prints, pasted into a shell line by line, shows the promise: ask
// twice and get the same token; another device, another token; revoke one, and
// the other lives; ask again, and get a new one.
func TestPrintedLinesInMemory(t *testing.T) {
	for _, shell := range []string{"sh", "bash", "zsh"} {
		t.Run(shell, func(t *testing.T) {
			if _, err := exec.LookPath(shell); err != nil && shell != "sh" {
				fmt.Fprintf(os.Stderr, "LEFT OUT: %v\n", err)
				t.Skip(err)
			}
			printed, process := printedBy(t, nil)
			transcriptHolds(t, shell, printed)
			if !strings.Contains(printed, "subject_token=") {
				t.Error("no line exchanges an ID token")
			}
			said := process.said(t)
			noSecretsIn(t, "standard error", said, printed)
			if !strings.Contains(said, `"outcome":"returned"`) || strings.Contains(said, "_aws") {
				t.Errorf("want an event line without _aws on standard error:\n%s", said)
			}
		})
	}
}

func TestPrintedLinesOnDynoxide(t *testing.T) { printedLinesOnDynamoDB(t, dynamotest.Engine(t)) }

func TestPrintedLinesOnDynamoDBLocal(t *testing.T) { printedLinesOnDynamoDB(t, dynamotest.Local(t)) }

func printedLinesOnDynamoDB(t *testing.T, endpoint string) {
	// Nothing there yet: fob serve makes the tables.
	f := &dynamotest.Fixture{DB: dynamo.NewClient(dynamotest.Config(endpoint)), Tables: newTableNames()}
	printed, process := printedBy(t, fixtureEnv(t, f), "--dynamodb", endpoint, "--keys", filepath.Join(t.TempDir(), "keys.json"))
	transcriptHolds(t, "sh", printed)
	noSecretsIn(t, "standard error", process.said(t), printed)

	want := map[string]int{
		f.Tables.Tokens:  2, // the iPad's new Authorization and the iPhone's
		f.Tables.Clients: 4, // three clients, and the scopes
		f.Tables.Users:   2,
	}
	got := map[string]int{}
	for table := range want {
		items := f.Items(t, table)
		got[table] = len(items)
		noSecretsIn(t, "the table "+table, dump(items), printed)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("items in the tables (-want +got):\n%s", diff)
	}
	for _, table := range []string{f.Tables.Tokens, f.Tables.Users} {
		out, err := f.DB.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &table})
		if err != nil {
			t.Fatal(err)
		}
		if out.TimeToLiveDescription.AttributeName == nil {
			t.Errorf("the table %s that fob serve made does not sweep", table)
		}
	}
}

// printedBy starts fob serve for people and returns the lines that it prints.
func printedBy(t *testing.T, env []string, args ...string) (string, *fob) {
	t.Helper()
	f := startFob(t, env, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
	var printed bytes.Buffer
	for !strings.Contains(printed.String(), "# Ctrl-C ends") {
		var b [4096]byte
		n, err := f.stdout.Read(b[:])
		printed.Write(b[:n])
		if err != nil {
			t.Fatalf("fob serve printed %q and %v", &printed, err)
		}
	}
	return printed.String(), f
}

// transcriptHolds pastes the lines into a shell and reads what the person sees.
func transcriptHolds(t *testing.T, shell, printed string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), shell)
	cmd.Stdin = strings.NewReader(printed)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%s: %v\n%s", shell, err, &stderr)
	}
	t.Logf("%s%s", printed, out)

	seen := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if strings.Contains(printed, "subject_token=") {
		last := len(seen) - 1
		if exchanged := object(t, seen[last]); exchanged["scope"] != "read device_watch" || exchanged["refresh_token"] == nil {
			t.Errorf("the exchange printed %s", seen[last])
		}
		seen = seen[:last]
	}
	if len(seen) != 7 {
		t.Fatalf("%d lines of output, want 7:\n%s", len(seen), out)
	}
	const anyToken = `^fob_at_[A-Za-z0-9_-]{132}$`
	a, again, b := seen[0], object(t, seen[1]), seen[2]
	for _, token := range []string{a, b} {
		if !regexp.MustCompile(anyToken).MatchString(token) {
			t.Errorf("%q is not a token", token)
		}
	}
	if again["access_token"] != a {
		t.Errorf("asked again, the iPad got %v and not %s", again["access_token"], a)
	}
	if left, ok := again["expires_in"].(float64); !ok || left < 3500 || left > 3600 {
		t.Errorf("expires_in is %v, want the seconds that are left of an hour", again["expires_in"])
	}
	if again["token_type"] != "Bearer" || again["scope"] != "read device_ipad" {
		t.Errorf("token_type %v and scope %v", again["token_type"], again["scope"])
	}
	if a == b {
		t.Error("iPad and iPhone got the same token")
	}
	if seen[3] != "200" {
		t.Errorf("revoke answered %s", seen[3])
	}
	if seen[4] != `{"active":false}` {
		t.Errorf("after the iPad logged out, its token is %s", seen[4])
	}
	if iphone := object(t, seen[5]); iphone["active"] != true || iphone["device"] != "iphone" || iphone["username"] != laptop.DemoUsername {
		t.Errorf("after the iPad logged out, the iPhone's token is %s", seen[5])
	}
	renewed := object(t, seen[6])["access_token"]
	if s, _ := renewed.(string); s == a || s == b || !regexp.MustCompile(anyToken).MatchString(s) {
		t.Errorf("after it logged out, the iPad got %v; before, it had %s", renewed, a)
	}
}

func object(t *testing.T, line string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return m
}

// noSecretsIn looks for what the person who pasted the lines used and got.
func noSecretsIn(t *testing.T, where, text, printed string) {
	t.Helper()
	secrets := regexp.MustCompile(`-u [a-z-]+:(\S+)|password=([^& ]+)&scope|Basic ([A-Za-z0-9+/=]+)|subject_token=(\S+)`).FindAllStringSubmatch(printed, -1)
	if len(secrets) < 5 {
		t.Fatalf("found only %d secrets in what was printed", len(secrets))
	}
	needles := []string{"fob_at_", "fob_rt_"}
	for _, match := range secrets {
		needles = append(needles, strings.Join(match[1:], ""))
	}
	for _, needle := range needles {
		if strings.Contains(text, needle) {
			t.Errorf("%s shows %q", where, needle)
		}
	}
}

// An interactive zsh without interactive_comments runs comments as commands, so
// nothing in them may mean anything to a shell; and the line that turns them on
// is there for its users.
func TestPrintedCommentsAreHarmless(t *testing.T) {
	harmless := regexp.MustCompile(`^# [A-Za-z0-9 .,:/_-]+$`)
	places := program{getenv: noEnv}
	places.command() // sets the flags
	inMemory, inTables := places.tables, places.tables
	inTables.endpoint = &setting{value: "http://localhost:8000"}
	for _, s := range []service{
		{base: "http://localhost:8080", tables: &inMemory, demo: new(laptop.Demo), hasPage: true},
		{base: "http://[::1]:8080", tables: &inTables, demo: new(laptop.Demo)},
	} {
		lines := strings.Split(laptop.Transcript(s.base, s.where(), "/bin/zsh", s.demo, s.hasPage), "\n")
		comments := 0
		for _, line := range lines {
			if !strings.HasPrefix(line, "#") {
				if before, _, found := strings.Cut(line, " #"); found {
					t.Errorf("comment behind a command: %s", before)
				}
				continue
			}
			comments++
			if strings.HasSuffix(line, " "+s.base) {
				continue
			}
			if !harmless.MatchString(strings.ReplaceAll(line, s.base, "")) {
				t.Errorf("a shell may trip over %q", line)
			}
		}
		if comments < 5 {
			t.Errorf("%d comments", comments)
		}
		if !strings.Contains(laptop.Transcript(s.base, s.where(), "/bin/zsh", s.demo, s.hasPage), "\nsetopt interactive_comments\n") {
			t.Error("zsh does not get the line about comments")
		}
		if strings.Contains(laptop.Transcript(s.base, s.where(), "/bin/bash", s.demo, s.hasPage), "setopt") {
			t.Error("bash gets the line about comments of zsh")
		}
	}
}
