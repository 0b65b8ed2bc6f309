package repotest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// What one reading takes in.
const (
	mostLines         = 400 // of a file in Go
	mostDecisionLines = 60
	mostMethods       = 25 // of a type outside tests: a world of tests has one for each step
)

// TestSizes: no file and no decision is too long, and no type has too many methods.
func TestSizes(t *testing.T) {
	var sources []string
	for _, pattern := range []string{"docs/*.go", "cmd/*/*.go", "functions/*.go", "functions/*/*.go", "internal/*/*.go", "internal/*/*/*.go"} {
		found, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, found...)
	}
	decisions, err := filepath.Glob("../../docs/decisions/*.md")
	if err != nil || len(sources) < 300 || len(decisions) < 40 {
		t.Fatalf("%d files in Go, %d decisions: %v", len(sources), len(decisions), err)
	}
	isTooLong := func(path string, most int) bool { return strings.Count(readText(t, path), "\n") > most }
	numbered := map[string]string{}
	for _, path := range decisions {
		// Two people who decide at once take one number, and each merge is without a conflict.
		number, _, _ := strings.Cut(filepath.Base(path), "-")
		if other := numbered[number]; other != "" {
			t.Errorf("%s and %s have one number", other, path)
		}
		numbered[number] = path
		if !strings.HasPrefix(readText(t, path), "# "+strings.TrimLeft(number, "0")+". ") {
			t.Errorf("%s has another number in its heading", path)
		}
		if isTooLong(path, mostDecisionLines) {
			t.Errorf("%s has more than %d lines", path, mostDecisionLines)
		}
	}
	methods := map[string]int{} // by package and type
	for _, path := range sources {
		if isTooLong(path, mostLines) {
			t.Errorf("%s has more than %d lines", path, mostLines)
		}
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil {
				methods[filepath.Dir(path)+" "+receiver(f)]++
			}
		}
	}
	for name, n := range methods {
		if n > mostMethods {
			t.Errorf("%s has %d methods, more than %d", name, n, mostMethods)
		}
	}
}

// receiver is the name of a method's type.
func receiver(f *ast.FuncDecl) (name string) {
	ast.Inspect(f.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name
		}
		return true
	})
	return name
}
