package infra_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// TestFuzzSeeds: what make fuzz starts from is there. Without its seeds a fuzz
// target runs in every `go test` and looks at nothing.
func TestFuzzSeeds(t *testing.T) {
	want := map[string]bool{
		"scope.FuzzParse": false, "scope.FuzzParseDevice": false, "bearer.FuzzOpen": false,
		"wire.FuzzForm": false, "wire.FuzzBasic": false, "wire.FuzzSecretInQuery": false, "wire.FuzzBearer": false,
		"wire.FuzzCursor": false,
		"apigw.FuzzEvent": false, "apigw.FuzzQuestion": false,
		"password.FuzzForeign": false, "password.FuzzWrapped": false,
	}
	err := filepath.WalkDir("../internal", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(f.Name.Name, "Fuzz") {
				continue
			}
			name := filepath.Base(filepath.Dir(path)) + "." + f.Name.Name
			if _, listed := want[name]; !listed {
				t.Errorf("%s: list it in this test", name)
			}
			want[name] = adds(f)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, seeded := range want {
		if !seeded {
			t.Errorf("%s is not there, or has no seeds", name)
		}
	}
}

// adds reports whether a fuzz target calls f.Add.
func adds(f *ast.FuncDecl) (found bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if s, ok := call.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Add" {
				found = true
			}
		}
		return true
	})
	return found
}
