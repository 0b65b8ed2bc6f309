package main

// Secrets that exist already, such as a login needs: in a file, on standard input or typed
// once. readSecret, in terminal.go, is for a secret that is to be set.

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/fob-oauth/fob/internal/endpoint"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/text"
)

// maxGiven bounds a file, in bytes: /token takes no longer form.
const maxGiven = 16 << 10

// givenFile is a file that has one secret, or - for standard input.
type givenFile struct {
	name string
	what string // what it has, for errors
	flag string // what names it; empty for an argument
	// members of a JSON object that may be in the file: the first that is there counts.
	members []string
}

// place is where the secret is, for errors.
func (g givenFile) place() string {
	if g.name == "-" {
		return standardInput
	}
	return shown(g.name)
}

// oneStandardInput refuses two files that are both standard input. A terminal can be asked
// twice.
func (p *program) oneStandardInput(files ...givenFile) error {
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

// readGiven reads the secret.
func (p *program) readGiven(ctx context.Context, g givenFile) (secret.Text, error) {
	in := p.stdin
	if fd, ok := p.terminal(); ok && g.name == "-" {
		typed, err := p.prompt(ctx, fd, "The "+g.what+": ")
		if err == nil && typed.Len() == 0 {
			err = fail(exitUsage, "nothing was typed for the %s", g.what)
		}
		return typed, err
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
	input, err := readText(ctx, in, g.what, g.place(), maxGiven)
	if err != nil {
		return secret.Text{}, err
	}
	var members map[string]json.RawMessage
	if content, err := text.UTF8(input); err != nil || json.Unmarshal(content, &members) != nil || members == nil {
		return lineOf(input, g.what, g.place(), maxGiven) // or the error
	}
	for _, name := range g.members {
		var member endpoint.Secret
		if raw, found := members[name]; found && json.Unmarshal(raw, &member) == nil && member.Len() > 0 {
			return member.Text, nil
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
