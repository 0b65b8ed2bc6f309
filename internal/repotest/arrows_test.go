package repotest_test

import (
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/fob-oauth/fob/"

// arrows are the packages of this module that each package may import. A new
// package needs a line here and one in docs/architecture.md.
var arrows = map[string][]string{
	"internal/scope":      {},
	"internal/secret":     {},
	"internal/text":       {},
	"internal/jsonobject": {},
	"internal/loopback":   {},
	"internal/bearer":     {"internal/secret"},
	"internal/config":     {"internal/scope"},
	"internal/ledger":     {"internal/bearer", "internal/scope"},
	"internal/oauth":      {"internal/bearer", "internal/ledger", "internal/scope", "internal/secret"},

	"internal/password":      {"internal/secret"},
	"internal/wire":          {"internal/bearer", "internal/jsonobject", "internal/ledger", "internal/oauth", "internal/scope", "internal/secret"},
	"internal/dynamo":        {"internal/bearer", "internal/ledger", "internal/oauth", "internal/scope", "internal/secret"},
	"internal/memory":        {"internal/bearer", "internal/ledger", "internal/oauth"},
	"internal/keys":          {"internal/bearer", "internal/oauth", "internal/secret", "internal/text"},
	"internal/keys/rotation": {"internal/bearer", "internal/keys", "internal/oauth", "internal/secret"},
	"internal/apigw":         {"internal/wire"},
	"internal/assertion":     {"internal/oauth"},
	"internal/announce":      {"internal/ledger", "internal/oauth"},
	"internal/eventbridge":   {"internal/announce", "internal/dynamo", "internal/wire"},
	"internal/ownusers":      {"internal/jsonobject", "internal/loopback", "internal/oauth", "internal/secret"},

	"internal/compose": {"internal/bearer", "internal/config", "internal/dynamo", "internal/keys", "internal/oauth"},

	"docs":                  {},
	"docs/examples/account": {},

	"internal/laptop":      {"docs", "internal/announce", "internal/assertion", "internal/bearer", "internal/keys", "internal/ledger", "internal/oauth", "internal/password", "internal/scope", "internal/secret", "internal/userimport", "internal/wire"},
	"internal/endpoint":    {"internal/bearer", "internal/loopback", "internal/oauth", "internal/secret", "internal/wire"},
	"internal/laptop/page": {"internal/dynamo", "internal/laptop", "internal/ledger", "internal/loopback", "internal/oauth"},
	"internal/smoke":       {"internal/endpoint", "internal/ledger", "internal/oauth", "internal/secret", "internal/wire"},
	"internal/trial":       {"internal/smoke", "internal/wire"},
	"internal/userimport":  {"internal/jsonobject", "internal/oauth", "internal/password", "internal/secret", "internal/text"},

	"internal/storetest":         {"internal/bearer", "internal/ledger", "internal/oauth", "internal/scope", "internal/secret"},
	"internal/proof/faults":      {}, // tests alone, which may join everything; so the next three
	"internal/proof/races":       {},
	"internal/proof/frozen":      {},
	"internal/repotest":          {},
	"internal/oauth/oauthtest":   {"internal/bearer", "internal/ledger", "internal/oauth", "internal/scope", "internal/secret"},
	"internal/dynamo/dynamotest": {"internal/bearer", "internal/dynamo", "internal/storetest"},
	"internal/keys/keystest":     {},
	"internal/openapitest":       {"docs"},

	"internal/assertion/assertiontest": {},
	"internal/announce/announcetest":   {"docs"},
}

// unicodeTables are pure too.
const unicodeTables = "golang.org/x/text/"

// pure packages may not come near HTTP and AWS, not even through others.
var pure = []string{"internal/announce", "internal/jsonobject", "internal/scope", "internal/secret", "internal/text", "internal/bearer", "internal/ledger", "internal/oauth"}

// unimported is what a package must not import itself. The state machine has no
// clock, no randomness, and nothing to wait for or to log.
var unimported = map[string][]string{
	"internal/ledger": {"context", "time", "math/rand", "math/rand/v2", "crypto/rand", "net/http", "log", "log/slog"},
}

const (
	awsSDK    = "github.com/aws/aws-sdk-go-v2/"
	awsLambda = "github.com/aws/aws-lambda-go/"
)

// importers are who may import a library, by the beginning of the path.
var importers = map[string][]string{
	awsSDK:                   {"internal/trial", "internal/dynamo", "internal/keys", "internal/compose", "internal/ownusers", "internal/eventbridge", "cmd/", "functions/", "infra/"},
	"github.com/aws/smithy-": {"internal/compose", "internal/dynamo", "internal/keys", "cmd/", "functions/"},
	awsLambda:                {"internal/apigw", "internal/trial", "functions/", "infra/coldstart/floor"},
}

// unlinked is what a program must not link, by the beginning of its path. The
// storage that forgets, rotation and tests have no business in a function.
var unlinked = map[string][]string{
	"functions/":         {module + "internal/memory", module + "internal/keys/rotation", module + "internal/storetest", module + "internal/dynamo/dynamotest", module + "internal/keys/keystest", module + "internal/assertion/assertiontest", module + "internal/openapitest", module + "internal/announce/announcetest", "testing"},
	"functions/me":       {module + "internal/dynamo", module + "internal/keys"},
	"functions/metadata": {module + "internal/dynamo", module + "internal/keys", awsSDK + "aws"},
	"cmd/":               {module + "internal/storetest", module + "internal/dynamo/dynamotest", module + "internal/keys/keystest", module + "internal/assertion/assertiontest", module + "internal/openapitest", module + "internal/announce/announcetest", "testing"},
}

// proving is what few functions may link: what hashes passwords, and what
// fetches keys of others and believes their JWTs, or asks others about passwords. Events are
// such JWTs.
var proving = map[string][]string{
	module + "internal/password":      {"functions/token", "functions/users", "functions/account"},
	"golang.org/x/crypto/argon2":      {"functions/token", "functions/users", "functions/account"},
	"github.com/alexedwards/argon2id": {"functions/token", "functions/users", "functions/account"},
	module + "internal/assertion":     {"functions/token", "functions/events"},
	module + "internal/ownusers":      {"functions/token"},
	"github.com/go-jose/go-jose/v4":   {"functions/token", "functions/events"},

	awsSDK + "service/eventbridge": {"functions/announce"},
}

// goPackage is what `go list -json` prints about a package.
type goPackage struct {
	ImportPath string
	Name       string
	Standard   bool
	Imports    []string
	Deps       []string // of the whole build, not of its tests
}

// listPackages returns the packages of this module by their path in it, and which
// packages are of the standard library.
func listPackages(t *testing.T) (ours map[string]goPackage, standard map[string]bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", "lambda.norpc",
		"-json=ImportPath,Name,Standard,Imports,Deps", "./...")
	cmd.Dir = "../.."
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ours, standard = map[string]goPackage{}, map[string]bool{}
	for d := json.NewDecoder(out); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if path, ok := strings.CutPrefix(p.ImportPath, module); ok {
			ours[path] = p
		}
		standard[p.ImportPath] = p.Standard
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return ours, standard
}

func TestArrows(t *testing.T) {
	ours, standard := listPackages(t)

	for path, p := range ours {
		allowed, listed := arrows[path]
		switch {
		case !listed && strings.HasPrefix(path, "internal/"):
			t.Errorf("%s: say in this test what it may import", path)
		case !listed && !strings.HasPrefix(path, "functions/") && !strings.HasPrefix(path, "cmd/") && !strings.HasPrefix(path, "infra/") && path != "functions":
			t.Errorf("%s: not a place for packages", path)
		}
		for _, imported := range p.Imports {
			if ourImport, ok := strings.CutPrefix(imported, module); ok && listed && !slices.Contains(allowed, ourImport) {
				t.Errorf("%s imports %s", path, ourImport)
			}
			if slices.Contains(unimported[path], imported) {
				t.Errorf("%s imports %s", path, imported)
			}
			for library, who := range importers {
				if strings.HasPrefix(imported, library) && !slices.ContainsFunc(who, func(w string) bool { return strings.HasPrefix(path, w) }) {
					t.Errorf("%s imports %s", path, imported)
				}
			}
		}
		for program, forbidden := range unlinked {
			for _, dep := range forbidden {
				if strings.HasPrefix(path, program) && slices.Contains(p.Deps, dep) {
					t.Errorf("%s links %s", path, dep)
				}
			}
		}
		for dep, who := range proving {
			if strings.HasPrefix(path, "functions/") && !slices.Contains(who, path) && slices.Contains(p.Deps, dep) {
				t.Errorf("%s links %s", path, dep)
			}
		}
	}
	for path := range arrows {
		if _, found := ours[path]; !found {
			t.Errorf("there is no package %s", path)
		}
	}

	for _, path := range pure {
		for _, dep := range ours[path].Deps {
			if dep == "net/http" || !standard[dep] && !strings.HasPrefix(dep, module) && !strings.HasPrefix(dep, unicodeTables) {
				t.Errorf("%s comes to %s, if not by itself then through what it imports", path, dep)
			}
		}
	}
	for dep := range slices.Values(ours["internal/scope"].Deps) {
		if !standard[dep] {
			t.Errorf("internal/scope comes to %s, which is not of the standard library", dep)
		}
	}

	// The rules must be about something.
	for _, folder := range folders(t) {
		p := ours["functions/"+folder]
		if p.Name != "main" || !slices.Contains(p.Deps, awsLambda+"lambda") {
			t.Errorf("functions/%s is not a Lambda function", folder)
		}
	}
	if !slices.Contains(ours["functions/token"].Deps, "golang.org/x/crypto/argon2") {
		t.Error("functions/token does not link argon2 as this test knows it")
	}
}

// TestLinked looks at what the linker put into each function: whether it can
// mint, and whether it calls exactly those operations of AWS that its role allows, of
// whatever service: the SDK's usual configuration would link logins by SSO and others.
func TestLinked(t *testing.T) {
	mints := regexp.MustCompile(`^` + regexp.QuoteMeta(module) + `internal/(bearer\.\(\*MintRing\)|oauth\.\(\*Issuer\))\.`)
	calls := regexp.MustCompile(`^` + regexp.QuoteMeta(awsSDK) + `service/(\w+)\.\(\*Client\)\.([A-Z]\w+)$`)
	for _, folder := range folders(t) {
		t.Run(folder, func(t *testing.T) {
			var minting, calling []string
			for _, symbol := range symbolsOf(t, "./functions/"+folder) {
				if mints.MatchString(symbol) {
					minting = append(minting, symbol)
				}
				// DescribeEndpoints is linked by every client of DynamoDB, and off.
				if m := calls.FindStringSubmatch(symbol); m != nil && m[2] != "DescribeEndpoints" {
					calling = append(calling, actionOf(m[1], m[2]))
				}
				if symbol == module+"internal/ownusers.AtLambda" { // without the SDK's client
					calling = append(calling, "lambda:InvokeFunction")
				}
			}
			if folder == "token" && len(minting) == 0 {
				t.Error("it cannot mint, or minting has another name than this test knows")
			}
			if folder != "token" && len(minting) > 0 {
				t.Errorf("it can mint: %q", minting)
			}

			var allowed []string
			for _, actions := range functions[folder].allows {
				allowed = append(allowed, actions...)
			}
			// Lambda itself makes these with the role.
			allowed = slices.DeleteFunc(allowed, func(action string) bool {
				return strings.Contains(action, "Stream") || action == "dynamodb:GetRecords" || action == "dynamodb:GetShardIterator" || action == "sqs:SendMessage"
			})
			slices.Sort(allowed)
			slices.Sort(calling)
			if diff := cmp.Diff(slices.Compact(allowed), slices.Compact(calling)); diff != "" {
				t.Errorf("operations (-allowed +linked):\n%s", diff)
			}
		})
	}
}

// actionOf is what IAM calls an operation.
func actionOf(service, operation string) string {
	if service == "eventbridge" {
		service = "events"
	}
	if service == "lambda" && operation == "Invoke" {
		operation = "InvokeFunction"
	}
	return service + ":" + operation
}

// symbolsOf are those of a program built as functions are released, but for the
// flag that drops them.
func symbolsOf(t *testing.T, folder string) []string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "lambda.norpc", "-trimpath", "-o", program, folder)
	build.Dir = "../.."
	build.Env = append(build.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	table, err := file.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range table {
		names = append(names, s.Name)
	}
	return names
}
