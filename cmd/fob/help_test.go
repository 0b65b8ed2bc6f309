package main

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

var updateDocs = flag.Bool("update", false, "write docs/commands.md")

const commandsDoc = "../../docs/commands.md"

// pages are all commands with a page of their own.
func pages(cmd *cobra.Command) []*cobra.Command {
	if cmd.Name() == "completion" || cmd.Name() == "help" {
		return nil // of the library
	}
	all := []*cobra.Command{cmd}
	for _, c := range cmd.Commands() {
		all = append(all, pages(c)...)
	}
	return all
}

// docs/commands.md is what --help says. Programs rely on it: a member of
// --json, a flag or an exit code that changes shows as a change of that file.
func TestCommandsDoc(t *testing.T) {
	p := program{getenv: noEnv}
	root := p.command()
	var doc bytes.Buffer
	doc.WriteString("# The commands of fob\n\nWhat `--help` says, in one place. `go test ./cmd/fob -run TestCommandsDoc -update` writes it.\n")
	for _, cmd := range pages(root) {
		var page bytes.Buffer
		manual(&page, cmd)
		doc.WriteString("\n## " + cmd.CommandPath() + "\n\n```text\n" + strings.TrimRight(page.String(), "\n") + "\n```\n")
	}
	if *updateDocs {
		if err := os.WriteFile(commandsDoc, doc.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(commandsDoc)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), doc.String()); diff != "" {
		t.Errorf("docs/commands.md is not what --help says, run this test with -update (-doc +help):\n%s", diff)
	}
}

// Each command says what it does, shows how, and says what it prints as JSON.
func TestEachCommandHasItsPage(t *testing.T) {
	p := program{getenv: noEnv}
	root := p.command()
	n := 0
	for _, cmd := range pages(root) {
		if cmd.Short == "" || cmd.Long == "" {
			t.Errorf("%s: no description", cmd.CommandPath())
		}
		for line := range strings.SplitSeq(cmd.Long, "\n") {
			if len(line) > 96 {
				t.Errorf("%s: a line of %d characters: %s", cmd.CommandPath(), len(line), line)
			}
		}
		if cmd.HasSubCommands() {
			continue
		}
		n++
		if cmd.Annotations[jsonNote] == "" || cmd.Example == "" {
			t.Errorf("%s: no example, or nothing about --json", cmd.CommandPath())
		}
		examples := 0
		for line := range strings.SplitSeq(cmd.Example, "\n") {
			if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			examples++
			tryExample(t, cmd, line)
		}
		if examples == 0 {
			t.Errorf("%s: no example that can be typed", cmd.CommandPath())
		}
	}
	if n < 20 {
		t.Errorf("only %d commands", n)
	}
}

// tryExample reads a line as the shell and fob would, up to where it runs.
func tryExample(t *testing.T, cmd *cobra.Command, line string) {
	t.Helper()
	words := shellWords(line)
	if i := slices.Index(words, "<"); i >= 0 {
		words = words[:i]
	}
	p := program{getenv: noEnv}
	if len(words) == 0 || words[0] != "fob" {
		t.Errorf("%s: an example of something else: %s", cmd.CommandPath(), line)
		return
	}
	found, args, err := p.command().Find(words[1:])
	if err != nil || found.CommandPath() != cmd.CommandPath() {
		t.Errorf("%s: an example of %s: %s, %v", cmd.CommandPath(), found.CommandPath(), line, err)
		return
	}
	if err := found.ParseFlags(args); err != nil {
		t.Errorf("%s: %s: %v", cmd.CommandPath(), line, err)
		return
	}
	if err := found.ValidateArgs(found.Flags().Args()); err != nil {
		t.Errorf("%s: %s: %v", cmd.CommandPath(), line, err)
	}
	if found.PreRunE != nil {
		found.SetContext(t.Context())
		if err := found.PreRunE(found, found.Flags().Args()); err != nil {
			t.Errorf("%s: %s: %v", cmd.CommandPath(), line, err)
		}
	}
}

// shellWords splits a line at spaces outside of single quotes.
func shellWords(line string) []string {
	var words []string
	var word strings.Builder
	quoted, begun := false, false
	for _, c := range line {
		switch {
		case c == '\'':
			quoted, begun = !quoted, true
		case c == ' ' && !quoted:
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(c)
			begun = true
		}
	}
	if begun {
		words = append(words, word.String())
	}
	return words
}
