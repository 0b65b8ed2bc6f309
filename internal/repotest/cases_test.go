package repotest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// caseNumbers are all cases, from the first of each run to its last.
var caseNumbers = [][3]int{
	{'N', 1, 17}, {'N', 20, 36}, {'N', 38, 48}, {'N', 50, 68}, {'N', 70, 83}, {'N', 85, 99},
	{'A', 1, 19}, {'A', 20, 40}, {'A', 42, 49}, {'A', 50, 69}, {'A', 70, 99},
}

// casesLater are the features that a case may wait for.
var casesLater = regexp.MustCompile(`authorization codes|DPoP|device_authorization|helper for resource servers|metadata|registration|imported bcrypt`)

// caseFolders are where the packages are that docs/cases.md names.
var caseFolders = []string{"internal", "cmd", "."}

var (
	caseRow  = regexp.MustCompile(`^\| ([A-Z]\d\d) \| ([^|]+) \| ([^|]*) \| ([^|]*)\|$`)
	citation = regexp.MustCompile("^`([a-z/]+): ((?:Test|Fuzz)\\w+)`$")
)

// TestCases: docs/cases.md has every case once, and every test that it names
// exists. Whether a test proves its case is for the reader to judge.
func TestCases(t *testing.T) {
	fault := func(parts ...string) { t.Error(strings.Join(parts, " ")) }
	text := readText(t, "../../docs/cases.md")
	var got []string
	tests := map[string][]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		row := caseRow.FindStringSubmatch(line)
		if row == nil {
			if regexp.MustCompile(`^\|? *[NA]\d\d *\|`).MatchString(line) {
				fault("no row:", line)
			}
			continue
		}
		number, proof, remark := row[1], strings.Fields(row[3]), strings.TrimSpace(row[4])
		got = append(got, number)
		if strings.TrimSpace(row[2]) == "" || len(proof) == 0 {
			fault(number, "has an empty cell")
		}
		if slices.Equal(proof, []string{"later"}) {
			if !casesLater.MatchString(remark) {
				fault(number, "waits for no feature that is to come:", remark)
			}
			continue
		}
		// Each citation is two fields: `package: and TestName`.
		for i := 0; i < len(proof); i += 2 {
			cited := citation.FindStringSubmatch(strings.Join(proof[i:min(i+2, len(proof))], " "))
			if cited == nil {
				fault(number, "cites no test:", proof[i])
				break
			}
			if _, read := tests[cited[1]]; !read {
				for _, folder := range caseFolders {
					tests[cited[1]] = append(tests[cited[1]], testsOf(t, path.Join(folder, cited[1]))...)
				}
			}
			if !slices.Contains(tests[cited[1]], cited[2]) {
				fault(number, "package", cited[1], "has no", cited[2])
			}
		}
	}
	var want []string
	for _, run := range caseNumbers {
		for n := run[1]; n <= run[2]; n++ {
			want = append(want, string([]byte{byte(run[0]), '0' + byte(n/10), '0' + byte(n%10)}))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		fault("cases (-there are +in the table):\n", diff)
	}
}

// testsOf are the tests in the files of a folder. None is an answer too.
func testsOf(t *testing.T, folder string) (tests []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				tests = append(tests, f.Name.Name)
			}
		}
	}
	return tests
}
