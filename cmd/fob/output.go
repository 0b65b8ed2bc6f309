package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// print writes value as JSON with --json, and otherwise what people writes.
// Either comes whole or with an error.
func (p *program) print(value any, people func(w io.Writer)) error {
	var out bytes.Buffer
	if p.json {
		encoder := json.NewEncoder(&out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(value); err != nil {
			return err
		}
	} else {
		people(&out)
	}
	_, err := p.stdout.Write(out.Bytes())
	return err
}

// columns writes rows with aligned columns. Nothing in a cell can move the
// cursor or stand for two cells.
func columns(w io.Writer, rows ...[]string) {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = shown(cell)
		}
		_, _ = fmt.Fprintln(tab, strings.Join(cells, "\t")) // w is a buffer
	}
	_ = tab.Flush()
}

// shown is a name as a terminal may show it.
func shown(s string) string {
	if strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) || strings.TrimSpace(s) != s {
		return strconv.Quote(s)
	}
	return s
}

// list is a cell for several words.
func list(words []string) string {
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(words, " ")
}

// orEmpty is a list as JSON has it: never null.
func orEmpty[S ~[]E, E any](s S) S {
	if s == nil {
		return S{}
	}
	return s
}

func timestamp(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }
