package repotest_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// made are folders that make and tools fill.
var made = []string{".git", ".tools", ".aws-sam", "bin", "dist", "node_modules", "target", "__pycache__", "fuzz"}

// TestFolders: a package says in its comment why it is there, and docs/architecture.md
// does so for every other folder. A row of its tables is for a folder that exists.
func TestFolders(t *testing.T) {
	rows := foldersOfArchitecture(t)
	used := map[string]bool{}
	isDescribed := func(folder string) (found bool) {
		for _, name := range rows {
			matches, err := path.Match(name, folder)
			if err != nil {
				t.Fatal(err)
			}
			// Each package has a folder testdata.
			if matches || name == path.Base(folder) {
				used[name], found = true, true
			}
		}
		return found
	}
	err := fs.WalkDir(os.DirFS("../.."), ".", func(folder string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || !d.IsDir() || folder == ".":
			return err
		case slices.Contains(made, d.Name()):
			return fs.SkipDir
		}
		described, files := isDescribed(folder), 0
		for _, entry := range readDir(t, folder) {
			if !entry.IsDir() {
				files++
			}
		}
		if files > 0 && !described && packageComment(t, folder) == "" {
			t.Errorf("%s: no package comment and no row in docs/architecture.md says why it is there", folder)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range rows {
		if !used[name] {
			t.Errorf("docs/architecture.md describes the folder %s, which is not there", name)
		}
	}
}

func readDir(t *testing.T, folder string) []os.DirEntry {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("../..", folder))
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// packageComment is what a package says about itself, or "".
func packageComment(t *testing.T, folder string) (comment string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		comment += file.Doc.Text()
	}
	return comment
}

// foldersOfArchitecture are the names in the tables of folders. A name after the first
// of a row may leave out the folders above it.
func foldersOfArchitecture(t *testing.T) (names []string) {
	t.Helper()
	_, section, _ := strings.Cut(readText(t, "../../docs/architecture.md"), "\n## The packages\n")
	section, _, _ = strings.Cut(section, "\n## Three tables\n")
	for _, row := range regexp.MustCompile(`(?m)^\| ([^|]*) \|`).FindAllStringSubmatch(section, -1) {
		if row[1] == "folder" || row[1] == "---" {
			continue
		}
		first, rest, _ := strings.Cut(row[1], ", ")
		names = append(names, first)
		for _, name := range strings.FieldsFunc(rest, func(c rune) bool { return c == ',' || c == ' ' }) {
			if !strings.Contains(name, "/") {
				name = path.Join(path.Dir(first), name)
			}
			names = append(names, name)
		}
	}
	if len(names) < 30 {
		t.Errorf("%d folders in the tables: the search does not see them", len(names))
	}
	return names
}
