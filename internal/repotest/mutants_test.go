package repotest_test

import (
	"cmp"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var runMutants = flag.String("mutants", "", "break the promises whose names match this `pattern`, and see that their tests notice")

var partOfMutants = flag.String("part", "1/1", "break the mutants of one `part` of so many, such as 1/3")

// mutant is one promise broken: in file, old gives way to broken. Then test,
// a pattern of go test -run, must fail in package pkg. Paths start at the root.
type mutant struct {
	name, file, pkg, test string
	old                   string // occurs once
	broken                string
}

// mutants reads testdata/mutants.txt of every package. A promise that is new has
// an entry there; so has a fault that a test let pass once. After the line
//
//	== file.go
//
// follow the mutants of that file of the package:
//
//	name: TestThatFails
//	- the text, one line or more
//	+ what takes its place: nothing, or lines
//
// A test of another package is written as "internal/wire TestThatFails". A text
// may begin and end within a line, but not with a blank at its end. Lines that
// start with # are comments.
func mutants(t *testing.T) (all []mutant) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if d.IsDir() && path != "../.." && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if err != nil || d.Name() != "mutants.txt" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel("../..", filepath.Dir(filepath.Dir(path)))
		if err != nil {
			return err
		}
		found, err := parseMutants(filepath.ToSlash(folder), string(text))
		if err != nil || len(found) == 0 {
			return fmt.Errorf("%s: %d mutants: %w", path, len(found), err)
		}
		all = append(all, found...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var mutantHead = regexp.MustCompile(`^([^-+#=].*?): (?:(\S+/\S+) )?(Test\S+)$`)

func parseMutants(pkg, text string) (found []mutant, err error) {
	var file string
	var last *mutant
	var previous byte
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		var kind byte
		if line != "" {
			kind = line[0]
		}
		head := mutantHead.FindStringSubmatch(line)
		added := strings.TrimPrefix(line[min(1, len(line)):], " ")
		if kind == previous {
			added = "\n" + added
		}
		switch {
		case strings.TrimRight(line, " \t") != line:
			return nil, fmt.Errorf("line %d ends in a blank", i+1)
		case line == "", kind == '#':
		case strings.HasPrefix(line, "== "):
			file, last = path.Join(pkg, line[3:]), nil
		case head != nil && file != "":
			found = append(found, mutant{name: head[1], file: file, pkg: cmp.Or(head[2], pkg), test: head[3]})
			last = &found[len(found)-1]
		case kind == '-' && last != nil && previous != '+':
			last.old += added
		case kind == '+' && last != nil && last.old != "":
			last.broken += added
		default:
			return nil, fmt.Errorf("line %d is neither a name nor text: %s", i+1, line)
		}
		previous = kind
	}
	return found, nil
}

// mutated is the file with the promise broken, or what is wrong with the mutant.
func (m mutant) mutated() (text, fault string) {
	source, err := os.ReadFile(filepath.Join("../..", m.file))
	if err != nil {
		return "", err.Error()
	}
	switch n := strings.Count(string(source), m.old); {
	case m.old == m.broken:
		return "", "changes nothing"
	case n != 1:
		return "", fmt.Sprintf("does not apply: %s has that text %d times", m.file, n)
	}
	return strings.Replace(string(source), m.old, m.broken, 1), ""
}

// TestMutantsApply keeps the lists fit for TestMutants, which takes minutes: each
// text to replace is in its source, and the tests exist.
func TestMutantsApply(t *testing.T) {
	names := map[string]bool{}
	tests := map[string][]string{}
	for _, m := range mutants(t) {
		if names[m.name] {
			t.Errorf("%s: two mutants have this name", m.name)
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
	if len(names) == 0 {
		t.Error("no mutants")
	}
}

// part is every nth mutant from the kth, for the text k/n.
func part(mutants []mutant, text string) (chosen []mutant, err error) {
	var k, n int
	if _, err := fmt.Sscanf(text, "%d/%d", &k, &n); err != nil || k < 1 || k > n {
		return nil, fmt.Errorf("%q is not a part such as 1/3", text)
	}
	for i, m := range mutants {
		if i%n == k-1 {
			chosen = append(chosen, m)
		}
	}
	return chosen, nil
}

// TestPartsOfMutants: each mutant is in one of three parts.
func TestPartsOfMutants(t *testing.T) {
	all := mutants(t)
	times := map[string]int{}
	for _, text := range []string{"1/3", "2/3", "3/3"} {
		chosen, err := part(all, text)
		if err != nil {
			t.Error(err)
		}
		for _, m := range chosen {
			times[m.name]++
		}
	}
	for _, m := range all {
		if times[m.name] != 1 {
			t.Errorf("%s is in %d parts", m.name, times[m.name])
		}
	}
	for _, text := range []string{"", "0/3", "4/3", "1"} {
		if _, err := part(all, text); err == nil {
			t.Errorf("%q is a part", text)
		}
	}
}

// TestMutants breaks one promise after the other, in a copy that only the
// compiler sees, and runs the test that holds it. It is `make mutants`.
func TestMutants(t *testing.T) {
	if *runMutants == "" {
		t.Skip("takes minutes: run make mutants")
	}
	chosen := regexp.MustCompile(*runMutants)
	mutants := slices.DeleteFunc(mutants(t), func(m mutant) bool { return !chosen.MatchString(m.name) })
	mutants, err := part(mutants, *partOfMutants)
	if err != nil || len(mutants) == 0 {
		t.Fatalf("%d mutants have a name like %q and are in the part %s: %v", len(mutants), *runMutants, *partOfMutants, err)
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
				if outcome, out := (mutant{pkg: pkg, test: test}).run(t, ""); outcome != "survived" {
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
				outcome, out = m.run(t, text)
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
