package repotest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// habits are words that make a sentence hard to read, each with what says it plainly.
var habits = map[*regexp.Regexp]string{
	regexp.MustCompile(`(?i)\bwhoever\b`):                        "name the person, or write somebody who",
	regexp.MustCompile(`(?i)\bbesides?\b`):                       "next to, or in addition to",
	regexp.MustCompile(`\bof (ours|theirs)\b`):                   "our, their",
	regexp.MustCompile(`\bof (fob|API Gateway|Lambda)'s[.,;:)]`): "of fob, or fob's in front of the noun",
}

// named are words of files and of what programs read.
var named = regexp.MustCompile(`beside-(firebase|cognito)\.md|"beside"|json:"beside,omitempty"|\bBeside\b`)

// TestProse searches documents, comments, help and error texts. Decisions stay as they
// were written, and the change log too.
func TestProse(t *testing.T) {
	files := 0
	err := fs.WalkDir(os.DirFS("../.."), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (slices.Contains(made, d.Name()) || path == "docs/decisions"):
			return fs.SkipDir
		case d.IsDir(), path == "CHANGELOG.md", filepath.Base(path) == "prose_test.go":
			return nil
		case !slices.Contains([]string{".go", ".md", ".yaml", ".txtar", ".sh"}, filepath.Ext(path)):
			return nil
		}
		files++
		for i, line := range strings.Split(readText(t, filepath.Join("../..", path)), "\n") {
			line = named.ReplaceAllString(line, "")
			for habit, plainly := range habits {
				if habit.MatchString(line) {
					t.Errorf("%s:%d: %q: %s", path, i+1, habit.FindString(line), plainly)
				}
			}
		}
		return nil
	})
	if err != nil || files < 400 {
		t.Errorf("%d files read: %v", files, err)
	}
}
