package repotest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestInvoke: make invoke says where there is no Docker, hands one event to its function, and
// without one builds for this machine and fails if TestSAMLocal does. All programs are stand-ins.
func TestInvoke(t *testing.T) {
	const built = "      - arm64\n          Ref: AuthorizerFunction.Alias\n          - httpMethod\n"
	for _, test := range []struct {
		name, docker, program, machine string
		args                           []string
		ok                             bool
		want, template                 string
	}{
		{"no Docker", "exit 1", "exit 0", "arm64", nil, false, "no Docker answers here", built},
		{"every sample", "exit 0", "echo go $*", "arm64", nil, true, "go test ./functions -run ^TestSAMLocal$", "      - arm64\n          Fn::GetAtt: [AuthorizerFunction, Arn]\n"},
		{"on x86-64", "exit 0", "echo $GOARCH go $*", "x86_64", nil, true, "amd64 go build -tags lambda.norpc -trimpath -ldflags -s -w -o .aws-sam/local/MeFunction/bootstrap ./functions/me",
			"      - x86_64\n          Fn::GetAtt: [AuthorizerFunction, Arn]\n"},
		{"a test that fails", "exit 0", "exit 1", "arm64", nil, false, "sam build", "      - arm64\n          Fn::GetAtt: [AuthorizerFunction, Arn]\n"},
		{"one", "exit 0", "exit 1", "arm64", []string{"MeFunction", "functions/me/events/me.json"}, true, "sam local invoke MeFunction --template .aws-sam/local/template.yaml --event functions/me/events/me.json",
			"      - arm64\n          Fn::GetAtt: [AuthorizerFunction, Arn]\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
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
			write(".aws-sam/local/template.yaml", built)
			write(".aws-sam/local/MeFunction/bootstrap", "")
			for name, text := range map[string]string{"docker": test.docker, "go": test.program, "uname": "echo " + test.machine, "sam": "echo sam $* >&2; echo answer of $1"} {
				write("bin/"+name, "#!/bin/sh\n"+text+"\n")
			}
			cmd := exec.CommandContext(t.Context(), filepath.Join(root, ".ci/invoke"), test.args...)
			cmd.Env = append(os.Environ(), "PATH="+filepath.Join(root, "bin")+":"+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			if (err == nil) != test.ok || !strings.Contains(string(out), test.want) {
				t.Errorf("%v, want %q in\n%s", err, test.want, out)
			}
			if strings.Contains(string(out), "answer of build") || test.args != nil && !strings.Contains(string(out), "answer of local") {
				t.Errorf("SAM's advice to deploy the build is shown, or an answer is not:\n%s", out)
			}
			if got := readText(t, filepath.Join(root, ".aws-sam/local/template.yaml")); got != test.template {
				t.Errorf("the built template is\n%s", got)
			}
			_, err = os.Stat(filepath.Join(root, ".aws-sam/local/MeFunction/keys.json"))
			if (err == nil) != (len(test.args) > 0) {
				t.Errorf("keys.json in the build folder: %v", err)
			}
		})
	}
}

// TestSAMLocalPage: the page changes the built template as make invoke does, and gives keys to
// every function.
func TestSAMLocalPage(t *testing.T) {
	page := readText(t, "../../docs/sam-local.md")
	changes := regexp.MustCompile(`sed -i\.\S+ '[^']+'`).FindAllString(readText(t, "../../.ci/invoke"), -1)
	if len(changes) != 2 {
		t.Fatalf("make invoke makes the changes %q", changes)
	}
	for _, want := range append(changes, "\n    for folder in .aws-sam/build/*Function; do cp keys.json $folder; done\n") {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	template := readText(t, "../../template.yaml")
	for _, changed := range []string{"FunctionArn: !Ref AuthorizerFunction.Alias\n", "Context: [routeKey, httpMethod]\n"} {
		if strings.Count(template, changed) != 1 {
			t.Errorf("the template has no %q to change", changed)
		}
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
