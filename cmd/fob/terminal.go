package main

// The house rules of the terminal:
//
//   - Standard output has what the command was asked for: with --json one JSON value,
//     whose members are added to and never renamed or removed; else text for people.
//   - Standard error has everything else. An error is one line that starts with fob:
//     and says what to do next.
//   - Names that came from outside are quoted, and escaped in JSON (json.go), so that
//     they cannot move the cursor.
//   - Passwords and secrets come from standard input or a file, never from arguments, and
//     are not echoed. The only secrets that are printed are one that fob made, once, and
//     the tokens that fob token asks for.
//   - Progress is shown only where standard error is a terminal.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/fob-oauth/fob/internal/oauth"
)

// write writes value with --json, and else text and the end of its line.
func (p *program) write(value any, text string) error {
	if !p.json {
		_, err := io.WriteString(p.stdout, text+"\n")
		return err
	}
	var out bytes.Buffer
	encoder := newEncoder(&out)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(value)
	if err == nil {
		_, err = p.stdout.Write(out.Bytes())
	}
	return err
}

// print is for commands that change nothing. It writes value with --json, and else text.
func (p *program) print(value any, text string) error {
	err := p.write(value, text)
	if errors.Is(err, syscall.EPIPE) {
		return nil // the reader has seen enough
	}
	return err
}

// confirm is print for commands that changed something: if standard output fails, the
// error says that the change was made.
func (p *program) confirm(value any, text string) error {
	if err := p.write(value, text); err != nil {
		return fail(exitFailure, "it was done, but standard output does not take the answer: %v", err)
	}
	return nil
}

// confirmf is confirm with one sentence.
func (p *program) confirmf(value any, sentence string, args ...any) error {
	return p.confirm(value, fmt.Sprintf(sentence, args...))
}

// say writes a line to standard error.
func (p *program) say(line string, args ...any) {
	_, _ = fmt.Fprintf(p.stderr, "fob: "+line+"\n", args...)
}

// printTable is print for a list: row returns what --json shows of one, and its cells.
func printTable[T, V any](p *program, all []T, header []string, row func(T) (V, []string)) error {
	views, rows := make([]V, len(all)), [][]string{header}
	for i, one := range all {
		view, cells := row(one)
		views[i], rows = view, append(rows, cells)
	}
	if p.json {
		return p.print(views, "") // a list of users can be long
	}
	return p.print(views, columns(rows...))
}

// columns is rows with aligned columns. A cell cannot move the cursor or look like two
// cells.
func columns(rows ...[]string) string {
	var out strings.Builder
	tab := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = shown(cell)
		}
		_, _ = fmt.Fprintln(tab, strings.Join(cells, "\t")) // it writes to memory
	}
	_ = tab.Flush()
	return strings.TrimSuffix(out.String(), "\n")
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

// progress shows on a terminal how far a long command is. The zero progress shows
// nothing.
type progress struct{ bar *progressbar.ProgressBar }

// newProgress is for size bytes, or for an unknown number if size is negative. It
// shows only at a terminal: in a file it would be noise. The library stays although
// one command uses it: it knows terminals, widths and rates.
func (p *program) newProgress(size int64) progress {
	f, ok := p.stderr.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return progress{}
	}
	return progress{newBar(f, size)}
}

func newBar(w io.Writer, size int64) *progressbar.ProgressBar {
	return progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
}

// add reports n more bytes, and how many users are done. It may be called
// concurrently.
func (p progress) add(n int, users int64) {
	if p.bar != nil {
		p.bar.Describe(plural(users, "user", "users"))
		_ = p.bar.Add(n) // a terminal that is gone is not a reason to stop
	}
}

// end frees the line for the next output.
func (p progress) end() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

// seconds is a flag for a span of whole seconds. Zero is not given.
type seconds int64

// Set takes what [oauth.ParseLifetime] takes.
func (s *seconds) Set(text string) error {
	n, err := oauth.ParseLifetime(text)
	if err == nil {
		*s = seconds(n)
	}
	return err
}

func (s *seconds) String() string {
	if *s == 0 {
		return ""
	}
	return oauth.FormatLifetime(int64(*s))
}

// Type names the value in the help.
func (*seconds) Type() string { return "duration" }

// plural counts what one and many are the words for.
func plural(n int64, one, many string) string {
	return strconv.FormatInt(n, 10) + " " + isAre(n, one, many)
}

func isAre(n int64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
