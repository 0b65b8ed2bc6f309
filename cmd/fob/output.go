package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
	"unicode"
)

// render is value as JSON with --json, and otherwise what people writes.
func (p *program) render(value any, people func(w io.Writer)) ([]byte, error) {
	var out bytes.Buffer
	if p.json {
		encoder := json.NewEncoder(&out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(value); err != nil {
			return nil, err
		}
	} else {
		people(&out)
	}
	return out.Bytes(), nil
}

// print is for commands that only look.
func (p *program) print(value any, people func(w io.Writer)) error {
	text, err := p.render(value, people)
	if err != nil {
		return err
	}
	if _, err = p.stdout.Write(text); errors.Is(err, syscall.EPIPE) {
		return nil // whoever reads has seen enough
	}
	return err
}

// confirm is for commands that changed something: if that cannot be told on
// standard output, it is told that it was done.
func (p *program) confirm(value any, people func(w io.Writer)) error {
	text, err := p.render(value, people)
	if err == nil {
		_, err = p.stdout.Write(text)
	}
	if err != nil {
		return fail(exitFailure, "it was done, but standard output does not take the answer: %v", err)
	}
	return nil
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
