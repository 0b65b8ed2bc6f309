package repotest_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dashboard: the graphs are numbered in the order in which one asks, each metric is one that
// AWS or fob has, of a resource of that kind, and the query names fields that lines have.
func (c *checker) dashboard(t *testing.T) {
	joined, _ := at(c.Resources["Dashboard"], "Properties", "DashboardBody").(fn)
	args, _ := joined.args.([]any)
	if joined.name != "Sub" || len(args) != 2 {
		c.fault("Dashboard: %v", joined.name)
		return
	}
	text, _ := args[0].(sub)
	c.same("Dashboard: tables", args[1], map[string]any{"Tokens": tableInUse("Tokens"), "Clients": tableInUse("Clients"), "Users": tableInUse("Users")})
	var body struct {
		Widgets []struct {
			Type                string
			X, Y, Width, Height int
			Properties          struct {
				Title, Region, Stat, Query, View string
				Period                           int
				Metrics                          [][]any
			}
		}
	}
	strict := json.NewDecoder(strings.NewReader(string(text)))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&body); err != nil || len(body.Widgets) == 0 {
		c.fault("Dashboard: %v, %d widgets", err, len(body.Widgets))
		return
	}
	counted := logFields(t)
	resource := regexp.MustCompile(`^\$\{(\w+)\}$`)
	metrics := 0
	watched := map[string]map[string]bool{}
	for i, w := range body.Widgets {
		title := w.Properties.Title
		if !strings.HasPrefix(title, fmt.Sprint(i+1, ". ")) || w.Properties.Region != "${AWS::Region}" || w.X+w.Width > 24 {
			c.fault("Dashboard: widget %d is %q", i+1, title)
		}
		for _, m := range w.Properties.Metrics {
			metrics++
			if len(m) < 4 {
				c.fault("Dashboard: %s: %v", title, m)
				continue
			}
			of := resource.FindStringSubmatch(fmt.Sprint(m[3]))
			if of == nil {
				c.fault("Dashboard: %s: %v is of no resource", title, m)
				continue
			}
			if m[0] == "fob" && !counted[fmt.Sprint(m[1])] {
				c.fault("Dashboard: %s: fob counts no %v", title, m[1])
			}
			if m[2] == "TableName" {
				of[1] += "Table"
			}
			watchedIn(watched, fmt.Sprint(m[1]), of[1])
			c.watched("Dashboard: "+title, metric{namespace: m[0], name: m[1], dimensions: []any{map[string]any{"Name": m[2], "Value": ref(of[1])}}})
		}
		for _, m := range regexp.MustCompile(`SOURCE '\$\{(\w+)\}'`).FindAllStringSubmatch(w.Properties.Query, -1) {
			c.same("Dashboard: "+m[1], at(c.Resources[m[1]], "Type"), "AWS::Logs::LogGroup")
			watchedIn(watched, "logs", strings.TrimSuffix(m[1], "Logs")+"Function")
		}
		if w.Type == "log" {
			_, filter, _ := strings.Cut(w.Properties.Query, " | filter ")
			for _, name := range regexp.MustCompile(`[a-z_]{2,}`).FindAllString(filter, -1) {
				if !counted[name] && !slices.Contains(insights, name) {
					c.fault("Dashboard: no line has %s", name)
				}
			}
		}
	}
	c.linesWatched("graphs", watched)
	// More than 50 make it a dashboard that is paid for.
	if metrics == 0 || metrics > 50 {
		c.fault("Dashboard: %d metrics", metrics)
	}
}
