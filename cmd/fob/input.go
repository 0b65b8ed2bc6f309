package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/term"

	"github.com/fob-oauth/fob/internal/secret"
)

// maxInput bounds what is read for one secret. What may be in it is checked by
// whom it is for.
const maxInput = 4096

// path is where a file is that was named.
func (p *program) path(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(p.folder, name)
}

// readSecret reads one line from standard input. At a terminal it asks for it,
// twice, and shows nothing of it.
func (p *program) readSecret(ctx context.Context, what string) (secret.Text, error) {
	if f, ok := p.stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return p.ask(ctx, int(f.Fd()), what)
	}
	text, err := p.readAll(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return secret.Text{}, fail(exitFailure, interrupted)
		}
		return secret.Text{}, fail(exitFailure, "the %s could not be read from standard input: %v", what, err)
	}
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	switch {
	case len(text) == 0:
		return secret.Text{}, fail(exitUsage, "standard input has no %s", what)
	case len(text) > maxInput:
		return secret.Text{}, fail(exitUsage, "the %s on standard input is too long", what)
	case bytes.ContainsAny(text, "\r\n"):
		return secret.Text{}, fail(exitUsage, "standard input has more than one line; the %s is one", what)
	}
	return secret.New(string(text)), nil
}

// readAll returns when ctx ends, and then leaves the read to the end of the
// process.
func (p *program) readAll(ctx context.Context) ([]byte, error) {
	type input struct {
		text []byte
		err  error
	}
	read := make(chan input, 1)
	go func() {
		text, err := io.ReadAll(io.LimitReader(p.stdin, maxInput+1))
		read <- input{text, err}
	}()
	select {
	case in := <-read:
		return in.text, in.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

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

// prompt reads a line without echo. When ctx ends it gives the terminal its echo
// back and leaves the read to the end of the process.
func (p *program) prompt(ctx context.Context, fd int, text string) (secret.Text, error) {
	before, err := term.GetState(fd)
	if err != nil {
		return secret.Text{}, fmt.Errorf("look at the terminal: %w", err)
	}
	_, _ = io.WriteString(p.stderr, text)
	type line struct {
		text []byte
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		read <- line{text, err}
	}()
	select {
	case l := <-read:
		_, _ = io.WriteString(p.stderr, "\n")
		if l.err != nil {
			return secret.Text{}, fmt.Errorf("read from the terminal: %w", l.err)
		}
		return secret.New(string(l.text)), nil
	case <-ctx.Done():
		_ = term.Restore(fd, before)
		_, _ = io.WriteString(p.stderr, "\n")
		return secret.Text{}, fail(exitFailure, interrupted)
	}
}
