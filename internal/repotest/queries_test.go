package repotest_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// insights are the words of CloudWatch Logs Insights that the queries use.
var insights = strings.Fields("filter stats count count_distinct sum avg max pct sort desc asc limit like by and or as bin d h timestamp")

// logFields are those that a line of a function or of the gateway can have.
func logFields(t *testing.T) map[string]bool {
	t.Helper()
	fields := map[string]bool{"time": true, "level": true, "msg": true} // of slog
	find := func(text, pattern string) {
		t.Helper()
		found := regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1)
		if len(found) == 0 {
			t.Fatalf("nothing is like %s", pattern)
		}
		for _, m := range found {
			fields[m[1]] = true
		}
	}
	event := readText(t, "../wire/log.go")
	find(event, `(?:optional|number)\("(\w+)"`)
	find(event, `\{"(\w+)", event\.`)
	find(event, `KeyAgeMetric = "(\w+)"`)
	for _, file := range []string{"../wire/log.go", "../apigw/apigw.go", "../apigw/authorizer.go", "../trial/trial.go", "../eventbridge/eventbridge.go"} {
		find(readText(t, file), `slog\.\w+\("(\w+)"`)
	}
	// An outcome is a counter too, if log.go counts it.
	outcomes := regexp.MustCompile(`(?m)^\t(\w+) +Outcome = "(\w+)"`).FindAllStringSubmatch(readText(t, "../oauth/event.go"), -1)
	for _, m := range outcomes {
		if strings.Contains(event, "oauth."+m[1]) {
			fields[m[2]] = true
		}
	}
	find(readText(t, "../../template.yaml"), `"(\w+)":"\$context\.`)
	return fields
}

// TestLogEndpoints: docs/log.md names each endpoint and each outcome that a line can have.
func TestLogEndpoints(t *testing.T) {
	sources, err := filepath.Glob("../wire/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var wire strings.Builder
	for _, file := range sources {
		wire.WriteString(readText(t, file))
	}
	page := readText(t, "../../docs/log.md")
	for field, made := range map[string]struct{ text, pattern string }{
		"endpoint": {wire.String(), `(?:newHandler\(|const name = )"(\w+)"`},
		"outcome":  {readText(t, "../oauth/event.go"), `(?m)^\t\w+ +Outcome = "(\w+)"`},
	} {
		_, row, _ := strings.Cut(page, "\n| `"+field+"` |")
		row, _, _ = strings.Cut(row, "\n")
		names := regexp.MustCompile(made.pattern).FindAllStringSubmatch(made.text, -1)
		if len(names) < 10 {
			t.Errorf("%d names of %s", len(names), field)
		}
		for _, m := range names {
			if !strings.Contains(row, "`"+m[1]+"`") {
				t.Errorf("docs/log.md does not name the %s %s", field, m[1])
			}
		}
	}
}

// TestLogFields: docs/log.md explains each field that a line can have, and no other.
func TestLogFields(t *testing.T) {
	page, _, _ := strings.Cut(readText(t, "../../docs/log.md"), "\n## Queries")
	said := map[string]bool{}
	_, table, _ := strings.Cut(page, "\n| --- | --- | --- |\n")
	rows, after, _ := strings.Cut(table, "\n\n")
	for row := range strings.Lines(rows) {
		names, _, _ := strings.Cut(strings.TrimPrefix(row, "| "), " | ")
		for _, m := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(names, -1) {
			said[m[1]] = true
		}
	}
	// The two paragraphs below: outcomes that are counted, and the gateway's own.
	for _, m := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(after, -1) {
		said[m[1]] = true
	}
	delete(said, "fob") // the namespace
	if diff := cmp.Diff(logFields(t), said); diff != "" {
		t.Errorf("docs/log.md (-printed +explained):\n%s", diff)
	}
}

// TestQueries: each field of a query in the documents is one that a line has.
func TestQueries(t *testing.T) {
	fields := logFields(t)
	quoted := regexp.MustCompile(`"[^"]*"`)
	word := regexp.MustCompile(`[a-z]\w*`)
	alias := regexp.MustCompile(` as (\w+)`)
	inTable := regexp.MustCompile("`(filter [^`]+)`")
	queries := 0
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		var found []string
		for line := range strings.Lines(readText(t, page)) {
			if query := strings.TrimSpace(line); strings.HasPrefix(line, "    ") && strings.HasPrefix(query, "filter ") {
				found = append(found, query)
			}
			for _, m := range inTable.FindAllStringSubmatch(line, -1) {
				found = append(found, m[1])
			}
		}
		for _, query := range found {
			queries++
			bare := quoted.ReplaceAllString(query, "")
			known := slices.Clone(insights)
			for _, m := range alias.FindAllStringSubmatch(bare, -1) {
				known = append(known, m[1])
			}
			for _, name := range word.FindAllString(bare, -1) {
				if !fields[name] && !slices.Contains(known, name) {
					t.Errorf("%s: no line has %s:\n%s", filepath.Base(page), name, query)
				}
			}
		}
	}
	if queries < 30 {
		t.Errorf("%d queries", queries)
	}
}
