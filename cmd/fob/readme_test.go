package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestReadmeTranscript runs the commands at the top of README.md against fob serve
// and compares what they print with the lines below them. In those, numbers may
// differ, "..." stands for any text, and a token that is cut in one way must be one
// string wherever it is cut that way, and another where it is cut differently.
func TestReadmeTranscript(t *testing.T) {
	page, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "```console\n$ LOGIN=")
	text, _, _ = strings.Cut(text, "```")
	server := serveProcess(t, nil)
	fill := strings.NewReplacer(
		"localhost:8080", strings.TrimPrefix(server.Issuer, "http://"),
		"API_SECRET", server.ResourceClientSecret, "SECRET", server.ClientSecret, "PASSWORD", server.Password,
		"$ curl ", "$ curl -sS ",
	)
	login, text, _ := strings.Cut(fill.Replace(text), "\n")

	cut := regexp.MustCompile(`fob_[ar]t_\w+\.\.\.[\w-]+`)
	tokens := map[string]string{} // as the page cuts them
	commands := 0
	for step := range strings.SplitSeq(text, "\n$ ") {
		command, want, _ := strings.Cut(step, "\n")
		if !strings.HasPrefix(command, "curl ") {
			continue // what precedes the first
		}
		commands++
		want = regexp.MustCompile(`(?m)^#.*$`).ReplaceAllString(want, "")
		command = cut.ReplaceAllStringFunc(command, func(short string) string { return tokens[short] })
		got, err := exec.CommandContext(t.Context(), "sh", "-c", "LOGIN="+login+"\n"+command).Output()
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}

		var named []string
		pattern := regexp.QuoteMeta(strings.TrimSpace(cut.ReplaceAllStringFunc(want, func(short string) string {
			named = append(named, short)
			return "TOKEN"
		})))
		pattern = regexp.MustCompile(`: ?\d+`).ReplaceAllString(pattern, `:\d+`)
		pattern = regexp.MustCompile(` ?\\\.\\\.\\\. ?`).ReplaceAllString(pattern, `.*`)
		pattern = strings.ReplaceAll(pattern, "TOKEN", `(fob_[ar]t_[\w-]+)`)
		found := regexp.MustCompile("^" + pattern + "$").FindStringSubmatch(strings.TrimSpace(string(got)))
		if found == nil {
			t.Fatalf("%s\nprinted %s\nREADME  %s", command, got, want)
		}
		for i, short := range named {
			for other, token := range tokens {
				if (other == short) != (token == found[i+1]) {
					t.Errorf("%s\n%s is %s, and %s is %s", command, other, token, short, found[i+1])
				}
			}
			tokens[short] = found[i+1]
		}
	}
	if commands != 7 {
		t.Errorf("README.md shows %d requests, want 7", commands)
	}
}

// TestDocumentedCommands: fob accepts every command that a page shows in a block, and
// the page says on which start.
// docs/commands.md has a test of its own.
func TestDocumentedCommands(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`(?m)^(?: {4}(?:.*\| |go run \./cmd/)?|\$ )(fob [a-z].*)$`)
	// A command without its tables goes nowhere, or to other tables than the page means.
	start := regexp.MustCompile(`\bfob serve\b|FOB_STACK|operating\.md#where-the-commands-work`)
	n := 0
	for _, path := range append(pages, "../../README.md") {
		if filepath.Base(path) == "commands.md" {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if shown.Match(text) && !start.Match(text) {
			t.Errorf("%s shows commands, and not where they work: it names no fob serve, no FOB_STACK and no section of operating.md", filepath.Base(path))
		}
		for _, m := range shown.FindAllStringSubmatch(strings.ReplaceAll(string(text), "\\\n", ""), -1) {
			n++
			line, _, _ := strings.Cut(m[1], " #")
			p := program{getenv: func(name string) string { return map[string]string{"FOB_STACK": "fob"}[name] }}
			words := shellWords(line)
			if i := slices.IndexFunc(words, func(w string) bool { return w == "<" || w == ">" || w == "|" }); i > 0 {
				words = words[:i]
			}
			cmd, args, err := p.command().Find(words[1:])
			if err == nil {
				err = cmd.ParseFlags(args)
			}
			if err == nil {
				err = cmd.ValidateArgs(cmd.Flags().Args())
			}
			if err != nil {
				t.Errorf("%s: %s: %v", filepath.Base(path), line, err)
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d commands", n)
	}
}
