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
	"context"
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
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/text"
)

// maxInput bounds what is read for one secret. The caller checks what may be in it.
const maxInput = 4096

// terminal returns the terminal that standard input is, if it is one.
func (p *program) terminal() (fd int, ok bool) {
	f, ok := p.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	return int(f.Fd()), true
}

// readSecret reads one line from standard input. At a terminal it asks for it,
// twice, and shows nothing of it.
func (p *program) readSecret(ctx context.Context, what string) (secret.Text, error) {
	if fd, ok := p.terminal(); ok {
		return p.ask(ctx, fd, what)
	}
	input, err := readText(ctx, p.stdin, what, standardInput, maxInput)
	if err != nil {
		return secret.Text{}, err
	}
	return lineOf(input, what, standardInput, maxInput)
}

const standardInput = "standard input"

// readText reads one byte more than limit, which [lineOf] refuses. place is where it reads.
func readText(ctx context.Context, in io.Reader, what, place string, limit int64) ([]byte, error) {
	input, err := orDone(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(in, limit+1)) })
	switch {
	case ctx.Err() != nil:
		return nil, errInterrupted
	case err != nil:
		return nil, fail(exitFailure, "the %s could not be read from %s: %v", what, place, err)
	}
	return input, nil
}

// lineOf is the secret in an input of one line.
func lineOf(input []byte, what, place string, limit int) (secret.Text, error) {
	line, err := text.Line(input)
	switch {
	case err != nil:
		return secret.Text{}, fail(exitUsage, "%s is %v", place, err)
	case len(line) == 0:
		return secret.Text{}, fail(exitUsage, "%s has no %s", place, what)
	case len(line) > limit:
		return secret.Text{}, fail(exitUsage, "%s is too long for a %s", place, what)
	case bytes.ContainsAny(line, "\r\n"):
		return secret.Text{}, fail(exitUsage, "%s has more than one line; the %s is one", place, what)
	}
	return secret.New(string(line)), nil
}

// orDone returns what read does, or the error of ctx when that ends: the read then
// lasts until the process ends.
func orDone[V any](ctx context.Context, read func() (V, error)) (V, error) {
	var got, none V
	done := make(chan error, 1)
	go func() {
		v, err := read()
		got = v
		done <- err
	}()
	select {
	case err := <-done:
		return got, err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// ask asks twice, because a slip would be stored.
func (p *program) ask(ctx context.Context, fd int, what string) (secret.Text, error) {
	first, err := p.prompt(ctx, fd, "The "+what+": ")
	if err != nil {
		return secret.Text{}, err
	}
	again, err := p.prompt(ctx, fd, "Once more: ")
	if err != nil {
		return secret.Text{}, err
	}
	if !first.Equal(again) {
		return secret.Text{}, fail(exitUsage, "the two were not the same")
	}
	if first.Len() == 0 {
		return secret.Text{}, fail(exitUsage, "nothing was typed for the %s", what)
	}
	return first, nil
}

// prompt reads a line without echo. When ctx ends it turns the echo on again.
func (p *program) prompt(ctx context.Context, fd int, text string) (secret.Text, error) {
	before, err := term.GetState(fd)
	if err != nil {
		return secret.Text{}, fmt.Errorf("look at the terminal: %w", err)
	}
	_, _ = io.WriteString(p.stderr, text)
	line, err := orDone(ctx, func() ([]byte, error) { return term.ReadPassword(fd) })
	if ctx.Err() != nil {
		_ = term.Restore(fd, before)
	}
	_, _ = io.WriteString(p.stderr, "\n")
	switch {
	case errors.Is(err, context.Canceled):
		return secret.Text{}, errInterrupted
	case err != nil:
		return secret.Text{}, fmt.Errorf("read from the terminal: %w", err)
	}
	return secret.New(string(line)), nil
}

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
