package repotest_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// insights are the words of CloudWatch Logs Insights that the queries use.
var insights = strings.Fields("filter stats count count_distinct sum sort desc asc limit by and or as bin d timestamp")

// TestQueries: each field of a query in the documents is one that a line has.
func TestQueries(t *testing.T) {
	fields := map[string]bool{}
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
	event := readText(t, "../wire/event.go")
	find(event, `optional\("(\w+)"`)
	find(event, `slog\.\w+\("(\w+)"`)
	find(event, `\{"(\w+)", event\.`)
	// An outcome is a counter too, if event.go counts it.
	outcomes := regexp.MustCompile(`(?m)^\t(\w+) +Outcome = "(\w+)"`).FindAllStringSubmatch(readText(t, "../oauth/event.go"), -1)
	for _, m := range outcomes {
		if strings.Contains(event, "oauth."+m[1]) {
			fields[m[2]] = true
		}
	}
	find(readText(t, "../../template.yaml"), `"(\w+)":"\$context\.`)

	quoted := regexp.MustCompile(`"[^"]*"`)
	word := regexp.MustCompile(`[a-z]\w*`)
	alias := regexp.MustCompile(` as (\w+)`)
	queries := 0
	for _, page := range []string{"runbook", "operating", "edge"} {
		for line := range strings.Lines(readText(t, "../../docs/"+page+".md")) {
			query := strings.TrimSpace(line)
			if !strings.HasPrefix(line, "    ") || !strings.HasPrefix(query, "filter ") {
				continue
			}
			queries++
			query = quoted.ReplaceAllString(query, "")
			known := slices.Clone(insights)
			for _, m := range alias.FindAllStringSubmatch(query, -1) {
				known = append(known, m[1])
			}
			for _, name := range word.FindAllString(query, -1) {
				if !fields[name] && !slices.Contains(known, name) {
					t.Errorf("docs/%s.md: no line has %s:\n%s", page, name, line)
				}
			}
		}
	}
	if queries < 8 {
		t.Errorf("%d queries", queries)
	}
}
