package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/apigw"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/password"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/wire"
)

// mostFiles is how many files a reader of one login may have to open, and mostLines how many
// lines to read there. Before you raise one, look for what a common login need not call, and
// for files that are one idea (docs/decisions/0115-how-long-the-program-is.md).
const mostFiles, mostLines = 27, 1200

// walked names the DynamoDB engine to the processes that TestWalk starts, and logins is
// how often those log in.
const walked, logins = "FOB_WALKED_ENGINE", "FOB_WALKED_LOGINS"

// TestWalk counts the files in which a password login executes code that returns the
// current token: statements that run more often in a process that repeats the login once
// more than another process does. The architecture names each of these files.
func TestWalk(t *testing.T) {
	t.Setenv(walked, dynamotest.Engine(t))
	var linked []string
	for dep := range strings.FieldsSeq(command(t, "go", "list", "-deps", ".")) {
		if strings.HasPrefix(dep, "github.com/fob-oauth/fob/") {
			linked = append(linked, dep)
		}
	}
	program := filepath.Join(t.TempDir(), "token.test")
	command(t, "go", "test", "-c", "-o", program, "-covermode=atomic", "-coverpkg="+strings.Join(linked, ","), ".")
	counted := func(times string) []string {
		t.Setenv(logins, times)
		profile := filepath.Join(t.TempDir(), "profile")
		command(t, program, "-test.run=^TestRepeatedLogin$", "-test.coverprofile="+profile)
		return strings.Split(readText(t, profile), "\n")
	}
	fewer, more := counted("2"), counted("3")
	var files []string
	lines := map[string]bool{} // file and number
	for i, block := range more {
		if block == fewer[i] {
			continue
		}
		file, place, _ := strings.Cut(block, ":")
		if !slices.Contains(files, file) {
			files = append(files, file)
		}
		var first, last, column int
		if _, err := fmt.Sscanf(place, "%d.%d,%d.", &first, &column, &last); err != nil {
			t.Fatal(err)
		}
		for ; first <= last; first++ {
			lines[file+":"+strconv.Itoa(first)] = true
		}
	}

	_, section, _ := strings.Cut(readText(t, "../../docs/architecture.md"), "## One request, top to bottom")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, file := range files {
		if !strings.Contains(section, filepath.Base(file)) {
			t.Errorf("docs/architecture.md does not name %s", file)
		}
	}
	t.Logf("%d lines in %d files", len(lines), len(files))
	if len(lines) > mostLines || len(lines) < 800 {
		t.Errorf("a login executes %d lines, want at most %d", len(lines), mostLines)
	}
	if len(files) > mostFiles || len(files) < 20 {
		t.Errorf("a login executes code in %d files, want at most %d:\n%s", len(files), mostFiles, strings.Join(files, "\n"))
	}
}

func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, args[0], err, out)
	}
	return string(out)
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestRepeatedLogin logs in as often as it is told to.
func TestRepeatedLogin(t *testing.T) {
	engine := os.Getenv(walked)
	if engine == "" {
		t.Skip("TestWalk runs it, and counts")
	}
	f := dynamotest.New(t, engine)
	scopes := oauth.ResourceScopes{Roles: map[string][]string{"read": nil}}
	if err := f.Clients.SaveResourceScopes(t.Context(), scopes); err != nil {
		t.Fatal(err)
	}
	read := oauthtest.Scopes(t, "read")
	oauthtest.SaveClient(t, f.Clients, oauth.Client{
		ID: "demo-client", Secrets: oauthtest.Hashes("replace-me-client-secret"),
		Grants: oauth.GrantTypes(), Scopes: read, DefaultScopes: read,
	}, 1)
	hash, err := password.Hasher{}.Hash(secret.New("replace-me-password"))
	if err != nil {
		t.Fatal(err)
	}
	user := oauth.User{Username: "demo-user", ID: oauth.NewUserID(), PasswordHash: hash}
	if _, err := f.Users.SaveUser(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	ring := filepath.Join(t.TempDir(), "keys.json")
	if err := keys.NewFile(ring); err != nil {
		t.Fatal(err)
	}
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "") // which puts it back afterwards
			_ = os.Unsetenv(name)
		}
	}
	for name, value := range map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "fixture", "AWS_SECRET_ACCESS_KEY": "fixture",
		"AWS_ENDPOINT_URL_DYNAMODB": engine,
		"FOB_TOKENS_TABLE":          f.Tables.Tokens, "FOB_CLIENTS_TABLE": f.Tables.Clients, "FOB_USERS_TABLE": f.Tables.Users,
		"FOB_KEYS_FILE": ring,
	} {
		t.Setenv(name, value)
	}
	var log strings.Builder
	o := wire.Options{Log: slog.New(slog.NewJSONHandler(&log, nil))}
	h, err := newHandler(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	handler := apigw.Handler(h, o)
	times, err := strconv.Atoi(os.Getenv(logins))
	if err != nil {
		t.Fatal(err)
	}
	for range times {
		log.Reset()
		if _, err := handler(t.Context(), json.RawMessage(readText(t, "events/password.json"))); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(log.String(), `"outcome":"returned"`) {
		t.Errorf("the login did not return the current token: %s", log.String())
	}
}
