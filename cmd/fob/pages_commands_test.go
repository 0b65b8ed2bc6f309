package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestCommandsOfPages: each command of fob that a page shows, in a block or between
// backticks, is one, and has the flags that the page gives it. Most pages are for a moment in
// which nobody has the time to find out that a flag has another name.
func TestCommandsOfPages(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	p := program{getenv: noEnv}
	root := p.command()
	root.InitDefaultHelpFlag()
	shown := 0
	for _, page := range append(pages, "../../README.md", "../../SAR.md", "../../CONTRIBUTING.md") {
		if filepath.Base(page) == "commands.md" {
			continue // it is made of the commands
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, command := range commandsOf(string(text)) {
			shown++
			if fault := faultOf(root, strings.Fields(command)[1:]); fault != "" {
				t.Errorf("%s: %s: %s", filepath.Base(page), command, fault)
			}
		}
	}
	if shown < 150 {
		t.Errorf("%d commands: the search does not see them", shown)
	}
}

// TestPagesHaveNoComments: no command of a page that people paste has a comment. An interactive
// zsh, as macOS has it, takes the words of one for arguments: umask 077 failed, and files with
// secrets were open to others.
func TestPagesHaveNoComments(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) < 20 {
		t.Fatalf("%d pages: %v", len(pages), err)
	}
	for _, page := range append(pages, "../../SAR.md", "../../CONTRIBUTING.md") {
		if filepath.Base(page) == "commands.md" {
			continue // comments are lines of their own there
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range commentsOf(string(text)) {
			t.Errorf("%s: %s", filepath.Base(page), line)
		}
	}
	page := "x\n```console\n$ umask 077  # secrets\n# Next.\n$ curl 'http://a#b'\n```\n    make a # why\n    # then\n```python\nx = 1  # no\n```\n# Heading\n"
	if got := commentsOf(page); len(got) != 4 {
		t.Errorf("found %q", got)
	}
}

// commentsOf are the lines with a comment in the blocks of a page that a shell runs.
func commentsOf(page string) (lines []string) {
	comment := regexp.MustCompile(`(^|\s)#\s`)
	fence := ""
	for line := range strings.SplitSeq(page, "\n") {
		language, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && fence != "":
			fence = ""
		case isFence:
			fence = language + " block"
		case (fence == "console block" || fence == "" && strings.HasPrefix(line, "    ")) && comment.MatchString(line):
			lines = append(lines, line)
		}
	}
	return lines
}

// commandsOf are the commands of fob in the code of a page, each without what the shell does
// with it.
func commandsOf(page string) (commands []string) {
	page = strings.ReplaceAll(page, "\\\n", " ")
	begin := regexp.MustCompile(`^(([A-Z_]+=\S+ )*|go run \./cmd/)fob `)
	end := regexp.MustCompile(` *([|<>#]|&&).*$`)
	find := func(code string) {
		for _, one := range strings.Split(code, "&& ") {
			if m := begin.FindString(one); m != "" && code != "fob device 1" { // a label of HMAC
				commands = append(commands, end.ReplaceAllString("fob "+one[len(m):], ""))
			}
		}
	}
	for _, step := range stepsOf(page) {
		find(step.command)
	}
	page = regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllString(page, "")
	for line := range strings.SplitSeq(page, "\n") {
		if strings.HasPrefix(line, "    ") {
			find(strings.TrimSpace(line))
		}
	}
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(page, -1) {
		find(strings.Join(strings.Fields(m[1]), " "))
	}
	return commands
}

// faultOf says why args are not a command, or nothing.
func faultOf(root *cobra.Command, args []string) string {
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err.Error()
	}
	if i := slices.IndexFunc(rest, func(arg string) bool { return !strings.HasPrefix(arg, "-") }); i == 0 && cmd.HasSubCommands() {
		return cmd.CommandPath() + " has no " + rest[0]
	}
	for _, arg := range rest {
		name, isFlag := strings.CutPrefix(arg, "--")
		name, _, _ = strings.Cut(name, "=")
		if isFlag && name != "help" && cmd.Flags().Lookup(name) == nil && cmd.InheritedFlags().Lookup(name) == nil {
			return cmd.CommandPath() + " has no --" + name
		}
	}
	return ""
}

// A command that fob does not have is found wherever it is.
func TestCommandsOfAPageAreFound(t *testing.T) {
	page := "Say `fob client show ID`, `fob-edge` or `AWS_REGION=AWAY fob epoch raise`.\n\n" +
		"    fob user passwd ann < password.txt\n    sam build && fob smoke\n```console\n$ fob device end \\\n    --divice x > y\nfob prints\n```\n```yaml\n    fob says\n```\n`fob key turn`"
	want := []string{"fob device end      --divice x", "fob user passwd ann", "fob smoke", "fob client show ID", "fob epoch raise", "fob key turn"}
	got := commandsOf(page)
	if !slices.Equal(got, want) {
		t.Fatalf("found %q", got)
	}
	p := program{getenv: noEnv}
	var faults []string
	for _, command := range got {
		if fault := faultOf(p.command(), strings.Fields(command)[1:]); fault != "" {
			faults = append(faults, fault)
		}
	}
	if want := []string{"fob device end has no --divice", "fob key has no turn"}; !slices.Equal(faults, want) {
		t.Errorf("faults %q", faults)
	}
}
