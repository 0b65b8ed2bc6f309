// Package functions_test runs the functions as they are released: real
// programs behind Lambda's Runtime API, with a DynamoDB engine and a stand-in
// for Secrets Manager on loopback. It knows of them only what AWS would.
package functions_test

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// gatewayNames are the authorizer, and the function behind it.
var gatewayNames = []string{"authorizer", "me"}

// hookName is the function that CodeDeploy calls.
const hookName = "trial"

// allNames are the folders with a main.go.
func allNames() (names []string) {
	mains, _ := filepath.Glob("*/main.go") // the pattern is good
	for _, path := range mains {
		names = append(names, filepath.Dir(path))
	}
	return names
}

// functionNames are the functions that answer clients by themselves.
func functionNames() []string {
	return slices.DeleteFunc(allNames(), func(name string) bool {
		return name == hookName || name == "announce" || slices.Contains(gatewayNames, name)
	})
}

// release is how the Makefile builds functions, less the variables that say for
// which machine. TestRelease holds the two together.
var release = []string{"go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags", "-s -w"}

// sizeBudgets are bytes of a function for Lambda's arm64, unzipped: Lambda reads them
// at each cold start. The floor of infra/coldstart takes 7.5 MB (decision 88).
var sizeBudgets = map[string]int{
	"account":    9_500_000,
	"announce":   8_900_000,
	"authorizer": 8_800_000,
	"devices":    9_000_000,
	"events":     9_000_000,
	"introspect": 8_800_000,
	"me":         6_500_000,
	"metadata":   6_500_000,
	"revoke":     8_800_000,
	"token":      9_900_000,
	"trial":      9_800_000,
	"users":      9_500_000,
}

// hostPrograms builds the functions for this machine, once for all tests, and
// returns their folder.
var hostPrograms func() (string, error)

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "fob-functions-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	hostPrograms = sync.OnceValues(func() (string, error) { return build(dir, runtime.GOOS, runtime.GOARCH) })
	code := m.Run()
	for _, fault := range checkCalls(wholeRun(code)) {
		fmt.Fprintln(os.Stderr, "FAIL:", fault)
		code = 1
	}
	return code
}

// build puts the programs into dir. Each is called like its folder.
func build(dir, system, architecture string) (string, error) {
	args := slices.Concat(release[1:], []string{"-o", dir + string(filepath.Separator)})
	for _, name := range allNames() {
		args = append(args, "./"+name)
	}
	cmd := exec.Command(release[0], args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+architecture)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the functions for %s/%s: %w\n%s", system, architecture, err, out)
	}
	return dir, nil
}

// What `sam build` would upload: for Lambda's arm64, static, stripped, without a
// trace of the machine that built it, and small.
func TestRelease(t *testing.T) {
	dir, err := build(t.TempDir(), "linux", "arm64")
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range allNames() {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%.1f MB", float64(len(text))/1e6)
			if budget, has := sizeBudgets[name]; !has {
				t.Errorf("%d bytes, and sizeBudgets does not say how many there may be", len(text))
			} else if len(text) > budget {
				t.Errorf("%d bytes, of which there may be %d", len(text), budget)
			}
			if bytes.Contains(text, []byte(root+string(filepath.Separator))) {
				t.Errorf("the program names %s: it was built without -trimpath", root)
			}
			program, err := elf.NewFile(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if program.Machine != elf.EM_AARCH64 {
				t.Errorf("built for %s", program.Machine)
			}
			for _, p := range program.Progs {
				if p.Type == elf.PT_INTERP {
					t.Error("linked dynamically; provided.al2023 may have another libc")
				}
			}
			for _, s := range []string{".symtab", ".debug_info", ".zdebug_info"} {
				if program.Section(s) != nil {
					t.Errorf("it has a section %s: it was built without -s -w", s)
				}
			}
		})
	}
}

func TestReleaseFlagsAreTheMakefiles(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join("..", "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	words := slices.Clone(release)
	words[len(words)-1] = "'" + words[len(words)-1] + "'"
	want := "GOOS=linux GOARCH=arm64 CGO_ENABLED=0 " + strings.Join(words, " ")
	for line := range strings.Lines(string(makefile)) {
		name, value, ok := strings.Cut(line, ":=")
		if ok && strings.TrimSpace(name) == "release" {
			if got := strings.TrimSpace(value); got != want {
				t.Errorf("the Makefile builds with\n%s\nand this test with\n%s", got, want)
			}
			return
		}
	}
	t.Error("the Makefile has no variable release")
}
