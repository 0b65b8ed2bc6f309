package repotest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// The runbook explains each word that a line of the log can have as its reason, and
// no other.
func TestReasons(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../internal/oauth/reason.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var inCode []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Reason" || len(spec.Values) != 1 {
			t.Errorf("%s is not a constant of the type Reason with a word", spec.Names[0].Name)
			return false
		}
		word, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		inCode = append(inCode, word)
		return false
	})
	runbook, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	var inRunbook []string
	for _, table := range regexp.MustCompile(`(?m)^\| reason \|.*\n\|[ |-]+\n((?:\|.*\n)+)`).FindAllStringSubmatch(string(runbook), -1) {
		for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| \\S").FindAllStringSubmatch(table[1], -1) {
			inRunbook = append(inRunbook, row[1])
		}
	}
	slices.Sort(inCode)
	slices.Sort(inRunbook)
	if len(inCode) == 0 || !slices.Equal(inCode, inRunbook) || len(slices.Compact(inCode)) != len(inRunbook) {
		t.Errorf("the code has the reasons %q, and docs/runbook.md %q", inCode, inRunbook)
	}
}
