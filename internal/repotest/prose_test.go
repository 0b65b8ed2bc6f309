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
	regexp.MustCompile(`(?i)\bwhoever\b`):                                                 "name the person, or write somebody who",
	regexp.MustCompile(`(?i)\bbesides?\b`):                                                "next to, or in addition to",
	regexp.MustCompile(`\bof (ours|theirs|yours|mine)\b`):                                 "our, their, your own",
	regexp.MustCompile(`\bof (fob|API Gateway|Lambda)'s( own)?([.,;:)]| \()`):             "of fob, or fob's in front of the noun",
	regexp.MustCompile(`\bthat there (is|are|was|were)( not)?([.,;:)]| is | are |$)`):     "which exist, or the existing ones",
	regexp.MustCompile(`\b(is|are|was|were) no [\w'-]+`):                                  "is not a",
	regexp.MustCompile(`\b(that|which|what|secret|it) (is|are) none\b`):                   "say what it is not",
	regexp.MustCompile(`\ball the same\b`):                                                "anyway",
	regexp.MustCompile(`(\||[.:;]|//) [Tt]he same(,| \|)`):                                "as the other, by its name",
	regexp.MustCompile(`\bshall\b`):                                                       "must, or will",
	regexp.MustCompile(`\b(is|are|was|were) told (at|in|of|about)\b|\btells (of|that)\b`): "report, say",
	regexp.MustCompile(`\b(that|what|which|nothing|another|own|records?) stands?\b`):      "is there, or exists",
	regexp.MustCompile(`\b(thereof|therein|hereby|whomever)\b`):                           "plain words",
}

// subjects are sentences that begin with What: the reader learns only at its verb that it
// is not a question. Tests and headings may begin like that.
var subjects = regexp.MustCompile(`(^|[.:;] |// )What [a-z][^?]*$`)

// wellRead is a habit's form that reads well, or a word of a file or a program.
var wellRead = regexp.MustCompile(`beside-(firebase|cognito)\.md|"beside"|json:"beside,omitempty"|\bBeside\b` +
	`|\b[Tt]here (is|are|was|were) no\b|\b(is|are|was|were) no (longer|more|one|need)\b` +
	`|\bstands? (for|in|still)\b`)

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
		test := strings.HasSuffix(path, "_test.go")
		subject := !test && (filepath.Ext(path) == ".go" || filepath.Ext(path) == ".md")
		for i, line := range strings.Split(readText(t, filepath.Join("../..", path)), "\n") {
			if subject && strings.Contains(line, "What ") && subjects.MatchString(line) {
				t.Errorf("%s:%d: a sentence begins with What: begin with the noun", path, i+1)
			}
			for habit, plainly := range habits {
				if habit.MatchString(line) && habit.MatchString(wellRead.ReplaceAllString(line, "")) {
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
