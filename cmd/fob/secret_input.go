package main

// Secrets that come in: at a terminal, on standard input or in a file.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/text"
)

// maxSecret bounds what is read for a secret, in bytes: /token takes no longer form. The
// caller checks what may be in it.
const maxSecret = 16 << 10

// terminal returns the terminal that standard input is, if it is one.
func (p *program) terminal() (fd int, ok bool) {
	f, ok := p.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	return int(f.Fd()), true
}

// readNewSecret reads a secret that is to be set, one line of standard input. At a terminal
// it asks twice, because a slip would be stored.
func (p *program) readNewSecret(ctx context.Context, what string) (secret.Text, error) {
	fd, ok := p.terminal()
	if !ok {
		input, err := readText(ctx, p.stdin, what, standardInput)
		if err != nil {
			return secret.Text{}, err
		}
		return lineOf(input, what, standardInput)
	}
	first, err := p.prompt(ctx, fd, what, "The "+what)
	if err != nil {
		return secret.Text{}, err
	}
	again, err := p.prompt(ctx, fd, what, "Once more")
	if err == nil && !first.Equal(again) {
		err = fail(exitUsage, "the two were not the same")
	}
	return first, err
}

// secretFile is a file that has one secret, or - for standard input.
type secretFile struct {
	name string
	what string // what it has, for errors
	flag string // what names it; empty for an argument
	// members of a JSON object that may be in the file: the first that is there counts.
	members []string
}

// place is where the secret is, for errors.
func (g secretFile) place() string {
	if g.name == "-" {
		return standardInput
	}
	return shown(g.name)
}

// oneStandardInput refuses two files that are both standard input. A terminal can be asked
// twice.
func (p *program) oneStandardInput(files ...secretFile) error {
	var whats []string
	for _, g := range files {
		if g.name == "-" {
			whats = append(whats, "the "+g.what)
		}
	}
	if _, ok := p.terminal(); ok || len(whats) < 2 {
		return nil
	}
	return fail(exitUsage, "standard input cannot be %s: name a file for one", strings.Join(whats, " and "))
}

// readSecret reads the secret of a file. At a terminal it asks for one on standard input.
func (p *program) readSecret(ctx context.Context, g secretFile) (secret.Text, error) {
	in := p.stdin
	if fd, ok := p.terminal(); ok && g.name == "-" {
		return p.prompt(ctx, fd, g.what, "The "+g.what)
	}
	if g.name != "-" {
		f, err := orDone(ctx, func() (*os.File, error) { return os.Open(g.name) }) // a named pipe waits for who writes
		switch {
		case ctx.Err() != nil:
			return secret.Text{}, errInterrupted
		case err != nil:
			return secret.Text{}, fail(exitFailure, "the file with the %s cannot be read: %v", g.what, withoutName(err))
		}
		defer f.Close()
		in = f
	}
	input, err := readText(ctx, in, g.what, g.place())
	if err != nil {
		return secret.Text{}, err
	}
	var members map[string]json.RawMessage
	if content, err := text.UTF8(input); err != nil || json.Unmarshal(content, &members) != nil || members == nil {
		return lineOf(input, g.what, g.place()) // or the error
	}
	for _, name := range g.members {
		var member secret.Text
		if raw, found := members[name]; found && json.Unmarshal(raw, &member) == nil && member.Len() > 0 {
			return member, nil
		}
	}
	return secret.Text{}, fail(exitUsage, "the JSON in %s has no %s", g.place(), strings.Join(g.members, " or "))
}

// withoutName leaves the name of the file out: it may be the secret itself, given in the
// wrong place.
func withoutName(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

const standardInput = "standard input"

// readText reads one byte more than [maxSecret], which [lineOf] refuses. place is where it
// reads.
func readText(ctx context.Context, in io.Reader, what, place string) ([]byte, error) {
	input, err := orDone(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(in, maxSecret+1)) })
	switch {
	case ctx.Err() != nil:
		return nil, errInterrupted
	case err != nil:
		return nil, fail(exitFailure, "the %s could not be read from %s: %v", what, place, err)
	}
	return input, nil
}

// lineOf is the secret in an input of one line.
func lineOf(input []byte, what, place string) (secret.Text, error) {
	line, err := text.Line(input)
	switch {
	case err != nil:
		return secret.Text{}, fail(exitUsage, "%s is %v", place, err)
	case len(line) == 0:
		return secret.Text{}, fail(exitUsage, "%s has no %s", place, what)
	case len(line) > maxSecret:
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

// prompt reads a line without echo. When ctx ends it turns the echo on again.
func (p *program) prompt(ctx context.Context, fd int, what, question string) (secret.Text, error) {
	before, err := term.GetState(fd)
	if err != nil {
		return secret.Text{}, fmt.Errorf("look at the terminal: %w", err)
	}
	_, _ = io.WriteString(p.stderr, question+": ")
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
	case len(line) == 0:
		return secret.Text{}, fail(exitUsage, "nothing was typed for the %s", what)
	}
	return secret.New(string(line)), nil
}
