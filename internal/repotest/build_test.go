package repotest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// needMake leaves a test out aloud where there is no make; with FOB_REQUIRE_ENGINES=1, as
// CI has it, that is a failure.
func needMake(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("make")
	switch {
	case err == nil:
	case os.Getenv("FOB_REQUIRE_ENGINES") == "1":
		t.Fatal(err)
	default:
		fmt.Fprintf(os.Stderr, "LEFT OUT: %s: %v\n", t.Name(), err)
		t.Skip(err)
	}
}

// TestMakefile: sam build makes build-<resource>, which builds that folder with
// the flags of a release.
func TestMakefile(t *testing.T) {
	needMake(t)
	for _, folder := range folders(t) {
		got, err := exec.Command("make", "-C", "../..", "--no-print-directory", "-n", "build-"+resourceName(folder)+"Function", "ARTIFACTS_DIR=out").CombinedOutput()
		want := "GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go build -tags lambda.norpc -trimpath -ldflags '-s -w' -o out/bootstrap ./functions/" + folder + "\n"
		if string(got) != want || err != nil {
			t.Errorf("make builds the function %s with\n%s%v, want\n%s", folder, got, err, want)
		}
	}
}

// TestMakeTestIsAlive: make test prints something while it runs, and its exit code is
// that of the tests.
func TestMakeTestIsAlive(t *testing.T) {
	needMake(t)
	folder := t.TempDir()
	for _, code := range []string{"0", "1"} {
		if err := os.WriteFile(filepath.Join(folder, "go"), []byte("#!/bin/sh\n[ $1 != list ] || exec echo ./internal/scope\nsleep 0.7\nexit "+code+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		make := exec.CommandContext(t.Context(), "make", "-C", "../..", "--no-print-directory", "-o", "engines", "-o", "clients", "test")
		make.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), "ALIVE_EVERY=0.1")
		out, err := make.CombinedOutput()
		if (err == nil) != (code == "0") {
			t.Errorf("the tests end with %s, and make test with %v", code, err)
		}
		if want := regexp.MustCompile(`\.\.\. go test -race -timeout 20m .* has run for `); !want.Match(out) {
			t.Errorf("make test printed %q, and not %q", out, want)
		}
	}
}

// TestUnraced: make test runs what it takes out of one command in the other one.
func TestUnraced(t *testing.T) {
	text := readText(t, "../../Makefile")
	names := regexp.MustCompile(`\nunraced := \^\((.+)\)\$\$\n`).FindStringSubmatch(text)
	run := regexp.MustCompile(`\n\t\.ci/alive go test -timeout 20m -run '\$\(unraced\)' (.+)\n`).FindStringSubmatch(text)
	if names == nil || run == nil {
		t.Fatal("the Makefile does not say which tests run without the race detector, or where they are")
	}
	packages, err := filepath.Glob("../../internal/*")
	deeper, err2 := filepath.Glob("../../internal/*/*")
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	for name := range strings.SplitSeq(names[1], "|") {
		var found []string
		for _, folder := range slices.Concat(packages, deeper, []string{"../../cmd/fob", "../../functions", "../../functions/token"}) {
			folder = strings.TrimPrefix(folder, "../../")
			if slices.Contains(testsOf(t, folder), name) {
				found = append(found, "./"+folder)
			}
		}
		if len(found) != 1 || !slices.Contains(strings.Fields(run[1]), found[0]) {
			t.Errorf("%s is a test of %q; want one of the packages %s", name, found, run[1])
		}
	}
}

// TestSAMLocalEnvironment: sam local drops variables that the template does not
// declare, without a word.
func TestSAMLocalEnvironment(t *testing.T) {
	text, err := os.ReadFile("../../infra/sam-local.env.json")
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Parameters map[string]string }
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := []string{endpointVariable, "FOB_CLIENTS_TABLE", "FOB_EVENT_BUS", "FOB_KEYS_FILE", "FOB_TOKENS_TABLE", "FOB_USERS_TABLE"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got.Parameters))); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
	for name := range got.Parameters {
		if _, declared := variables[name]; !declared && name != endpointVariable {
			t.Errorf("template.yaml declares no %s", name)
		}
	}
}

// TestSAMConfig: parameters that samconfig.toml sets, or shows how to, exist.
func TestSAMConfig(t *testing.T) {
	text, err := os.ReadFile("../../samconfig.toml")
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := readTemplate("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	overrides := regexp.MustCompile(`(?m)^\s*(?:# )?"(\w+)=[^"]+",$`).FindAllStringSubmatch(string(text), -1)
	if len(overrides) == 0 {
		t.Error("samconfig.toml sets no parameter")
	}
	for _, o := range overrides {
		if _, found := tmpl.Parameters[o[1]]; !found {
			t.Errorf("template.yaml has no parameter %s", o[1])
		}
	}
}
