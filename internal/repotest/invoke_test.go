package repotest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestInvoke: make invoke says where there is no Docker, hands each sample to its function
// where there is one, and fails if one of them gets no answer. docker and sam are stand-ins.
func TestInvoke(t *testing.T) {
	samples, err := filepath.Glob("../../functions/*/events/*.json")
	if err != nil || len(samples) == 0 {
		t.Fatalf("%d samples, %v", len(samples), err)
	}
	for _, test := range []struct {
		name, docker, answer string
		args                 []string
		ok                   bool
		want                 string
		lines                int // that say what a sample got
	}{
		{"no Docker", "exit 1", "", nil, false, "no Docker answers here", 0},
		{"every sample", "exit 0", `{"statusCode": 401, "body": ""}`, nil, true, `functions/revoke/events/revoke.json: "statusCode": 401`, len(samples) - 1},
		{"a function that dies", "exit 0", "Error: Runtime exited", nil, false, "functions/me/events/me.json: NO ANSWER", len(samples) - 1},
		{"one", "exit 0", `{"statusCode": 200}`, []string{"MeFunction", "functions/me/events/me.json"}, true, "local invoke MeFunction --event functions/me/events/me.json", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			for _, folder := range []string{".ci", "bin", ".aws-sam/build/MeFunction", "functions"} {
				if err := os.MkdirAll(filepath.Join(root, folder), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			write := func(name, text string) {
				t.Helper()
				if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			write(".ci/invoke", readText(t, "../../.ci/invoke"))
			write("keys.json", "{}")
			write("bin/docker", "#!/bin/sh\n"+test.docker+"\n")
			write("bin/sam", "#!/bin/sh\necho \"sam $*\"\n[ \"$1\" = build ] || echo '"+test.answer+"'\n")
			for _, sample := range samples {
				write(strings.TrimPrefix(filepath.ToSlash(sample), "../../"), "{}")
			}
			cmd := exec.CommandContext(t.Context(), filepath.Join(root, ".ci/invoke"), test.args...)
			cmd.Env = append(os.Environ(), "PATH="+filepath.Join(root, "bin")+":"+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			if (err == nil) != test.ok || !strings.Contains(string(out), test.want) {
				t.Errorf("%v, want %q in\n%s", err, test.want, out)
			}
			if n := len(regexp.MustCompile(`(?m)^functions/\S+\.json: `).FindAll(out, -1)); n != test.lines {
				t.Errorf("%d lines about samples, want %d:\n%s", n, test.lines, out)
			}
		})
	}
}

// TestAnswersToCheckov: each check that is left out has a comment before it.
func TestAnswersToCheckov(t *testing.T) {
	answered, skipped := false, 0
	for line := range strings.Lines(readText(t, "../../.ci/checkov.yaml")) {
		switch text := strings.TrimSpace(line); {
		case strings.HasPrefix(text, "#"):
			answered = true
		case strings.HasPrefix(text, "- CKV"):
			skipped++
			if !answered {
				t.Errorf("%s: say why", text)
			}
		default:
			answered = false
		}
	}
	if skipped == 0 {
		t.Error("nothing is left out")
	}
}
