package repotest_test

import (
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"os/exec"
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

// mostCode is how many lines of the program have code. Before you raise it, look for what
// can go (docs/decisions/0115-how-long-the-program-is.md).
const mostCode = 21_200

// TestCode counts the lines with code in what fob and the functions are built of. Comments
// and empty lines are free.
func TestCode(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if and .Module .Module.Main}}{{range .GoFiles}}{{$.Dir}}/{{.}}\n{{end}}{{end}}", "./cmd/fob", "./functions/...")
	cmd.Dir = "../.."
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	files, code := 0, 0
	for path := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		files++
		code += linesOfCode([]byte(readText(t, path)))
	}
	t.Logf("%d lines of code in %d files", code, files)
	if files < 150 || code > mostCode {
		t.Errorf("%d lines of code in %d files, want at most %d", code, files, mostCode)
	}
}

// linesOfCode counts the lines that have a part of a token: a text of many lines is code too.
func linesOfCode(source []byte) (n int) {
	file := token.NewFileSet().AddFile("", -1, len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, 0)
	last := 0
	for {
		pos, tok, text := s.Scan()
		if tok == token.EOF {
			return n
		}
		if tok == token.SEMICOLON && text != ";" {
			continue // the scanner's own
		}
		first := file.Line(pos)
		end := first + strings.Count(text, "\n")
		n += end - max(first-1, last)
		last = end
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
