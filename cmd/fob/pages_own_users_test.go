package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The page shows the example as it is, and its commands do what it says. The example's
// own server is in a terminal of its own, as fob serve is.
func TestPageOfOwnUsers(t *testing.T) {
	t.Parallel()
	const page, example = "../../docs/own-users.md", "own_users.py"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(filepath.Join("../../docs/examples", example))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "```python\n"+string(program)+"```\n") {
		t.Errorf("%s does not show the example as it is", page)
	}
	folder, fob, own := t.TempDir(), freePort(t), freePort(t)
	if err := os.WriteFile(filepath.Join(folder, example), program, 0o600); err != nil {
		t.Fatal(err)
	}
	steps := stepsOf(strings.NewReplacer("localhost:8080", "localhost:"+fob, "localhost:9000", "localhost:"+own, " 9000\n", " "+own+"\n").Replace(string(text)))
	if len(steps) < 8 {
		t.Fatalf("%d commands", len(steps))
	}
	for i, s := range steps {
		serves, rest := strings.CutPrefix(s.command, "fob serve")
		switch {
		case rest:
			startTerminal(t, folder, os.Environ(), "exec fob serve --addr 127.0.0.1:"+fob+serves, "http://localhost:"+fob)
		case strings.HasPrefix(s.command, "python3 "+example):
			startTerminal(t, folder, os.Environ(), "exec "+s.command, "http://localhost:"+own)
		default:
			continue
		}
		steps[i].command = ":"
	}
	runSteps(t, "own-users.md", folder, os.Environ(), steps)
}
