package repotest_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeHasEverySetting: an operator reads there what each parameter of the stack
// costs or risks.
func TestReadmeHasEverySetting(t *testing.T) {
	tmpl, err := readTemplate("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	readme := readText(t, "../../README.md")
	var concurrency string // the row of all of them
	for row := range strings.Lines(readme) {
		if strings.HasPrefix(row, "| `TokenConcurrency`") {
			concurrency, _, _ = strings.Cut(row[1:], "|")
		}
	}
	if len(tmpl.Parameters) < 10 || concurrency == "" {
		t.Fatalf("%d parameters, concurrency %q", len(tmpl.Parameters), concurrency)
	}
	for name := range tmpl.Parameters {
		function, isConcurrency := strings.CutSuffix(name, "Concurrency")
		if !strings.Contains(readme, "`"+name+"`") && !(isConcurrency && strings.Contains(concurrency, function)) {
			t.Errorf("README.md does not say what %s costs or risks", name)
		}
	}
}

// TestPagesNameParameters: a page that deploys with a parameter names one that the template
// has. CloudFormation refuses any other, at a moment when nobody wants to look for its name.
func TestPagesNameParameters(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	overrides := regexp.MustCompile(`--parameter-overrides((?: +[A-Z]\w*=\S*)+)`)
	template := regexp.MustCompile(`--template-file +(\S+)`)
	named := 0
	for _, page := range append(pages, "../../README.md", "../../SAR.md", "../../CONTRIBUTING.md") {
		for line := range strings.Lines(strings.ReplaceAll(readText(t, page), "\\\n", " ")) {
			file := "template.yaml"
			if m := template.FindStringSubmatch(line); m != nil {
				file = m[1]
			}
			for _, m := range overrides.FindAllStringSubmatch(line, -1) {
				tmpl, err := readTemplate("../../" + file)
				if err != nil {
					t.Fatal(err)
				}
				for _, setting := range strings.Fields(m[1]) {
					name, _, _ := strings.Cut(setting, "=")
					named++
					if _, known := tmpl.Parameters[name]; !known {
						t.Errorf("%s deploys %s with %s, which is not a parameter", filepath.Base(page), file, name)
					}
				}
			}
		}
	}
	if named < 10 {
		t.Errorf("%d parameters in the pages: the search does not see them", named)
	}
}
