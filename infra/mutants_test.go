package infra_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var runMutants = flag.String("mutants", "", "break the promises in mutantlist_test.go whose names match this `pattern`, and see that their tests notice")

// mutant is one promise broken: in file, old gives way to broken. Then test,
// a pattern of go test -run, must fail in package pkg, below internal.
type mutant struct {
	name      string
	file      string // below internal
	old       string // occurs once
	broken    string
	pkg, test string
}

func (m mutant) source() string { return filepath.Join("..", "internal", filepath.FromSlash(m.file)) }

// mutated is the file with the promise broken, or what is wrong with the mutant.
func (m mutant) mutated() (text, fault string) {
	source, err := os.ReadFile(m.source())
	if err != nil {
		return "", err.Error()
	}
	switch n := strings.Count(string(source), m.old); {
	case m.old == m.broken:
		return "", "changes nothing"
	case n != 1:
		return "", "does not apply: " + m.file + " has " + map[bool]string{true: "no such text", false: "that text more than once"}[n == 0]
	}
	return strings.Replace(string(source), m.old, m.broken, 1), ""
}

// TestMutantsApply keeps the list fit for TestMutants, which takes minutes: what
// it replaces is in the source, and the tests that it names are there.
func TestMutantsApply(t *testing.T) {
	names := map[string]bool{}
	tests := map[string][]string{}
	for _, m := range mutants {
		if names[m.name] {
			t.Errorf("%s: stands twice", m.name)
		}
		names[m.name] = true
		if _, fault := m.mutated(); fault != "" {
			t.Errorf("%s: %s", m.name, fault)
		}
		if _, read := tests[m.pkg]; !read {
			tests[m.pkg] = testsOf(t, m.pkg)
		}
		if test, _, _ := strings.Cut(m.test, "/"); !slices.Contains(tests[m.pkg], test) {
			t.Errorf("%s: package %s has no %s", m.name, m.pkg, test)
		}
	}
	if len(mutants) < 60 {
		t.Errorf("%d mutants", len(mutants))
	}
}

// TestMutants breaks one promise after the other, in a copy that only the
// compiler sees (go test -overlay), and runs the test that holds it. It is
// `make mutants`.
func TestMutants(t *testing.T) {
	if *runMutants == "" {
		t.Skip("takes minutes: run make mutants")
	}
	chosen := regexp.MustCompile(*runMutants)
	mutants := slices.DeleteFunc(slices.Clone(mutants), func(m mutant) bool { return !chosen.MatchString(m.name) })
	if len(mutants) == 0 {
		t.Fatalf("no mutant has a name like %q", *runMutants)
	}
	began := time.Now()
	var wg sync.WaitGroup
	turns := make(chan struct{}, max(1, runtime.NumCPU()))
	concurrently := func(do func()) {
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			do()
		})
	}

	// A test that fails anyway kills nothing. Those without a subtest go together.
	together, alone := map[string][]string{}, map[string][]string{}
	for _, m := range mutants {
		to := together
		if strings.Contains(m.test, "/") {
			to = alone
		}
		if !slices.Contains(to[m.pkg], m.test) {
			to[m.pkg] = append(to[m.pkg], m.test)
		}
	}
	for pkg, tests := range together {
		alone[pkg] = append(alone[pkg], "("+strings.Join(tests, "|")+")")
	}
	for pkg, tests := range alone {
		for _, test := range tests {
			concurrently(func() {
				if outcome, out := runMutated(t, pkg, test, ""); outcome != "survived" {
					t.Errorf("without any mutant, %s %s: %s\n%s", pkg, test, outcome, out)
				}
			})
		}
	}
	wg.Wait()
	if t.Failed() {
		return
	}

	var mu sync.Mutex // guards counts
	counts := map[string]int{}
	for _, m := range mutants {
		concurrently(func() {
			text, outcome := m.mutated()
			var out []byte
			if outcome == "" {
				dir := t.TempDir()
				copied := filepath.Join(dir, filepath.Base(m.file))
				source, err := filepath.Abs(m.source())
				if err != nil {
					t.Error(err)
					return
				}
				overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{source: copied}})
				if err != nil {
					t.Error(err)
					return
				}
				list := filepath.Join(dir, "overlay.json")
				for path, content := range map[string][]byte{copied: []byte(text), list: overlay} {
					if err := os.WriteFile(path, content, 0o600); err != nil {
						t.Error(err)
						return
					}
				}
				outcome, out = runMutated(t, m.pkg, m.test, list)
			}
			mu.Lock()
			defer mu.Unlock()
			counts[outcome]++
			if outcome == "killed" {
				t.Logf("killed    %s", m.name)
				return
			}
			t.Errorf("%s: %s, by %s %s\n%s", outcome, m.name, m.pkg, m.test, out)
		})
	}
	wg.Wait()
	t.Logf("%d mutants in %v: %v", len(mutants), time.Since(began).Round(time.Second), counts)
}

var noTests = regexp.MustCompile(`(?m)\[no tests to run\]`)

// runMutated tells what became of a mutant: killed, survived, or why neither.
func runMutated(t *testing.T, pkg, test, overlay string) (outcome string, out []byte) {
	t.Helper()
	parts := strings.Split(test, "/")
	for i, part := range parts {
		parts[i] = "^" + part + "$"
	}
	args := []string{"test", "-count=1", "-timeout=2m", "-vet=off", "-run", strings.Join(parts, "/")}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(t.Context(), "go", append(args, "./internal/"+pkg)...)
	cmd.Dir = ".."
	// A leg that is left out would kill nothing.
	cmd.Env = append(cmd.Environ(), "FOB_REQUIRE_ENGINES=1")
	out, err := cmd.CombinedOutput()
	if len(out) > 4000 {
		out = slices.Concat(out[:3000], []byte("\n...\n"))
	}
	switch {
	case noTests.Match(out):
		return "no test ran", out
	case err == nil:
		return "survived", out
	case bytes.Contains(out, []byte("[build failed]")), bytes.Contains(out, []byte("[setup failed]")):
		return "does not build", out
	case bytes.Contains(out, []byte("--- FAIL: ")), bytes.Contains(out, []byte("panic: ")):
		return "killed", out
	}
	return "failed otherwise", out
}
