package races

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

func (d *driver) count(what string, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts[what] += n
}

func (d *driver) check(history []porcupine.Operation) porcupine.CheckResult {
	began := time.Now()
	defer func() { d.checks += time.Since(began) }()
	return porcupine.CheckOperationsTimeout(model, history, patience)
}

// report says how much was looked at.
func (d *driver) report(t *testing.T) {
	t.Helper()
	var counts []string
	for _, what := range slices.Sorted(maps.Keys(d.counts)) {
		counts = append(counts, fmt.Sprintf("%s %d", what, d.counts[what]))
	}
	t.Logf("processes %d, lanes %d; %s; %v in all, %v of it checking", processes, processes*lanesOfProcess,
		strings.Join(counts, ", "), time.Since(d.began).Round(time.Millisecond), d.checks.Round(time.Millisecond))
}

// explain writes down the Authorizations of a history that cannot be explained,
// and draws them for a browser (go test -artifacts keeps the drawing).
func (d *driver) explain(t *testing.T, history []porcupine.Operation) {
	t.Helper()
	for _, part := range partition(history) {
		result, info := porcupine.CheckOperationsVerbose(model, part, patience)
		if result != porcupine.Illegal {
			continue
		}
		slices.SortFunc(part, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
		var text strings.Builder
		for _, op := range part {
			returned := "never"
			if op.Return != forever {
				returned = time.Duration(op.Return).Round(time.Microsecond).String()
			}
			fmt.Fprintf(&text, "%12v to %12s  lane %d  %s\n", time.Duration(op.Call).Round(time.Microsecond), returned,
				op.ClientId, model.DescribeOperation(op.Input, op.Output))
		}
		t.Logf("no order explains this Authorization:\n%s", &text)
		drawing := filepath.Join(t.ArtifactDir(), "history.html")
		if err := porcupine.VisualizePath(model, info, drawing); err != nil {
			t.Error(err)
		}
		t.Logf("drawn in %s", drawing)
	}
}
