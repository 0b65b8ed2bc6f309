package repotest_test

import (
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
