package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// The texts of this program name flags. Each of them is a flag of some command, but for
// those of other programs.
func TestTextsNameFlagsThatExist(t *testing.T) {
	known := map[string]bool{"help": true}
	p := program{getenv: noEnv}
	for _, cmd := range pages(p.command()) {
		for _, flags := range []*pflag.FlagSet{cmd.LocalFlags(), cmd.PersistentFlags()} {
			flags.VisitAll(func(f *pflag.Flag) { known[f.Name] = true })
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		places := token.NewFileSet()
		file, err := parser.ParseFile(places, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			text, ok := n.(*ast.BasicLit)
			if !ok || text.Kind != token.STRING {
				return true
			}
			for _, found := range regexp.MustCompile(`--([a-z][a-z-]*)`).FindAllStringSubmatch(text.Value, -1) {
				if named++; !known[found[1]] {
					t.Errorf("%s: no command has a flag %s", places.Position(text.Pos()), found[0])
				}
			}
			return true
		})
	}
	if named < 100 {
		t.Errorf("only %d flags are named", named)
	}
}
