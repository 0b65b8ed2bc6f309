package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"
)

// result is one request.
type result struct {
	verb  verb
	at    time.Duration // since the beginning, when it was due
	took  time.Duration // since then
	fault string        // empty if the answer was right
}

// results are those of a run.
type results struct {
	took time.Duration
	all  []result // in the order in which they were due
}

func newResults(took time.Duration, all []result) *results {
	slices.SortFunc(all, func(a, b result) int { return cmp.Compare(a.at, b.at) })
	return &results{took, all}
}

func (r *results) faults() (n int) {
	for _, x := range r.all {
		if x.fault != "" {
			n++
		}
	}
	return n
}

// unanswered reports whether a request may still be under way.
func (r *results) unanswered() bool {
	return slices.ContainsFunc(r.all, func(x result) bool { return isUnanswered(x.fault) })
}

// percentile is the least time within which that part of the requests were answered. The
// times are sorted; of none it is 0.
func percentile(sorted []time.Duration, part float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	n := int(part*float64(len(sorted))+0.999999999) - 1
	return sorted[min(max(n, 0), len(sorted)-1)]
}

// print writes a table of all verbs, and what was wrong.
func (r *results) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "verb\trequests\ta second\tp50 ms\tp90 ms\tp99 ms\tp99.9 ms\tmax ms\tfaults\t") // Flush has the error
	row := func(name string, of func(verb) bool) {
		var times []time.Duration
		faults := 0
		for _, x := range r.all {
			if of(x.verb) {
				times = append(times, x.took)
				if x.fault != "" {
					faults++
				}
			}
		}
		if len(times) == 0 && name != "all" {
			return // the mix has none
		}
		slices.Sort(times)
		_, _ = fmt.Fprintf(w, "%s\t%d\t%.1f\t", name, len(times), float64(len(times))/r.took.Seconds())
		for _, part := range []float64{0.5, 0.9, 0.99, 0.999, 1} {
			_, _ = fmt.Fprintf(w, "%.1f\t", milliseconds(percentile(times, part)))
		}
		_, _ = fmt.Fprintf(w, "%d\t\n", faults)
	}
	for v := range verbs {
		row(v.String(), func(of verb) bool { return of == v })
	}
	row("all", func(verb) bool { return true })
	if err := w.Flush(); err != nil {
		return err
	}
	kinds := map[string]int{}
	for _, x := range r.all {
		if x.fault != "" {
			kinds[x.verb.String()+": "+x.fault]++
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		if _, err := fmt.Fprintf(out, "%6d  %s\n", kinds[kind], kind); err != nil {
			return err
		}
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
