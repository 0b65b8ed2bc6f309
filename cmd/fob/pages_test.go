package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
)

// The console blocks of a page run top to bottom in one shell, as a person pastes
// them, in a folder that is empty at first. Lines that begin with "$ " are commands;
// the lines below one are what it prints, on either output, where "..." stands for any
// text, numbers in JSON and milliseconds may differ, times are any time, and columns
// may be wider. A command without such lines may print anything. All have to succeed.
//
// "$ fob serve" runs until the end of the page, in what is another terminal for the
// person: it is given a free port, which takes the place of 8080 everywhere.

func TestPageOfMobile(t *testing.T) {
	t.Parallel()
	runPage(t, "mobile.md", "", os.Environ(), 12)
}

func TestPageOfUsers(t *testing.T) {
	t.Parallel()
	engine := dynamotest.Engine(t)
	f := &dynamotest.Fixture{DB: dynamo.NewClient(dynamotest.Config(engine)), Tables: newTableNames()}
	runPage(t, "users.md", engine, append(os.Environ(), fixtureEnv(t, f)...), 15)
}

func TestPageOfAccount(t *testing.T) {
	t.Parallel()
	engine := dynamotest.Engine(t)
	f := &dynamotest.Fixture{DB: dynamo.NewClient(dynamotest.Config(engine)), Tables: newTableNames()}
	runPage(t, "account.md", engine, append(os.Environ(), fixtureEnv(t, f)...), 20)
}

func TestPageOfWSO2(t *testing.T) {
	t.Parallel()
	engine := dynamotest.Engine(t)
	f := &dynamotest.Fixture{DB: dynamo.NewClient(dynamotest.Config(engine)), Tables: newTableNames()}
	runPage(t, "from-wso2.md", engine, append(os.Environ(), fixtureEnv(t, f)...), 20)
}

func TestPageOfOperatingOnDynoxide(t *testing.T) {
	t.Parallel()
	runOperating(t, dynamotest.Engine(t))
}

// TestPageOfOperatingOnDynamoDBLocal: the page starts this engine, in Docker.
func TestPageOfOperatingOnDynamoDBLocal(t *testing.T) {
	t.Parallel()
	runOperating(t, dynamotest.Local(t))
}

func runOperating(t *testing.T, engine string) {
	names := newTableNames()
	f := &dynamotest.Fixture{DB: dynamo.NewClient(dynamotest.Config(engine)), Tables: names}
	runPage(t, "operating.md", engine, append(os.Environ(), fixtureEnv(t, f)...), 30)
}

// runPage wants at least so many commands: a page that is read in the wrong way has none.
func runPage(t *testing.T, name, engine string, env []string, atLeast int) {
	text, err := os.ReadFile("../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	page := strings.NewReplacer("localhost:8080", "localhost:"+port, "http://localhost:8000", engine).Replace(string(text))
	folder := t.TempDir()
	env = append(env, "GORACE="+exitAtOnce, "AWS_EC2_METADATA_DISABLED=true", "FOB_STACK=", "FOB_DYNAMODB=", "FOB_KEYS_FILE=")

	steps := stepsOf(page)
	if len(steps) < atLeast {
		t.Fatalf("%s has %d commands, want %d or more", name, len(steps), atLeast)
	}
	// fob serve is in a terminal of its own, which has what was exported and set before it.
	var exports strings.Builder
	served := false
	for i, s := range steps {
		switch {
		case strings.HasPrefix(s.command, "export "), strings.HasPrefix(s.command, "umask "):
			exports.WriteString(s.command + "\n")
		case strings.HasPrefix(s.command, "fob serve"):
			served = true
			command := strings.Replace(s.command, "fob serve", "fob serve --addr 127.0.0.1:"+port, 1)
			startTerminal(t, folder, env, exports.String()+"exec "+command, "http://localhost:"+port)
			steps[i].command = ":"
		}
	}
	if !served {
		t.Fatalf("%s does not say which fob serve it needs", name)
	}
	runSteps(t, name, folder, env, steps)
	ownFiles(t, name, folder)
}

// ownFiles wants that nobody else on the machine reads the secrets that a page keeps.
func ownFiles(t *testing.T, page, folder string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a folder
		}
		secret := strings.Contains(file, "password") || regexp.MustCompile(`fob_[ar]t_|client_secret`).Match(text)
		if info, err := os.Stat(file); err != nil || secret && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s leaves %s with the mode %v: %v", page, filepath.Base(file), info.Mode(), err)
		}
	}
}

// runSteps runs the commands in one shell.
func runSteps(t *testing.T, name, folder string, env []string, steps []pageStep) {
	t.Helper()
	var script strings.Builder
	script.WriteString("exec 2>&1\n")
	for i, s := range steps {
		fmt.Fprintf(&script, "%s\nprintf '\\n%s %d %%s\\n' $?\n", s.command, marker, i)
	}
	shell := exec.CommandContext(t.Context(), "sh", "-c", script.String())
	shell.Dir, shell.Env = folder, env
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Errorf("the shell: %v", err)
	}
	printed := regexp.MustCompile(`(?m)^`+marker+` (\d+) (\d+)\n`).Split(string(out), -1)
	codes := regexp.MustCompile(`(?m)^`+marker+` \d+ (\d+)$`).FindAllStringSubmatch(string(out), -1)
	if len(codes) != len(steps) {
		t.Fatalf("%d of %d commands ran:\n%s", len(codes), len(steps), out)
	}
	for i, s := range steps {
		got := strings.TrimSpace(printed[i])
		if codes[i][1] != "0" {
			t.Errorf("%s\n$ %s\nexit code %s\n%s", name, s.command, codes[i][1], got)
		} else if s.prints != "" && !shownPattern(s.prints).MatchString(got) {
			t.Errorf("%s\n$ %s\nprinted %s\nthe page %s", name, s.command, got, s.prints)
		}
	}
}

const marker = "=====page====="

type pageStep struct{ command, prints string }

// stepsOf reads the console blocks.
func stepsOf(page string) (steps []pageStep) {
	for _, block := range regexp.MustCompile("(?s)\n```console\n(.*?)\n```\n").FindAllStringSubmatch(page, -1) {
		more := false // the line before ends in a backslash
		for line := range strings.SplitSeq(block[1], "\n") {
			command, begins := strings.CutPrefix(line, "$ ")
			switch last := len(steps) - 1; {
			case begins:
				steps = append(steps, pageStep{command: command})
			case more:
				steps[last].command += "\n" + line
			case strings.HasPrefix(line, "# ") || last < 0:
			default:
				steps[last].prints += line + "\n"
			}
			more = (begins || more) && strings.HasSuffix(line, `\`)
		}
	}
	for i := range steps {
		steps[i].prints = strings.TrimSpace(steps[i].prints)
	}
	return steps
}

// shownPattern is what a page shows, as a pattern of what a command may print.
func shownPattern(shown string) *regexp.Regexp {
	pattern := regexp.QuoteMeta(shown)
	for _, rule := range [][2]string{
		{`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`, `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`},
		{`":\d+`, `":\d+`},
		{`\d+ ms`, `\d+ ms`},
		{` ?\\\.\\\.\\\. ?`, `.*`},
		{`\s+`, `\s+`},
	} {
		pattern = regexp.MustCompile(rule[0]).ReplaceAllLiteralString(pattern, rule[1])
	}
	return regexp.MustCompile("(?s)^" + pattern + "$")
}

func freePort(t *testing.T) string {
	t.Helper()
	port, err := dynamotest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// startTerminal runs a command until the test ends. It returns when base answers, and
// what the command prints is in the file behind ">", if there is one.
func startTerminal(t *testing.T, folder string, env []string, command, base string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir, cmd.Env = folder, env
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s\n%s", command, said.String())
		}
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get(base + "/.well-known/oauth-authorization-server") //nolint:noctx // it is on this machine
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			err = errors.Join(err, resp.Body.Close())
		}
		if _, file, redirected := strings.Cut(command, " > "); redirected && err == nil {
			info, stat := os.Stat(filepath.Join(folder, file))
			if err = stat; err == nil && info.Size() == 0 {
				err = errors.New("it has printed nothing")
			}
		}
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v", command, err)
		}
	}
}

// A page whose commands print something else, or fail, is found.
func TestPagesAreCompared(t *testing.T) {
	steps := stepsOf("x\n```console\n$ echo a \\\n  b\n\n# A comment.\n$ fob list\nNAME  AT\nann   2026-11-25T08:12:44Z\n```\ny\n```\n$ no\n```\n")
	if len(steps) != 2 || steps[0].command != "echo a \\\n  b" || steps[0].prints != "" || steps[1].prints != "NAME  AT\nann   2026-11-25T08:12:44Z" {
		t.Fatalf("read as %q", steps)
	}
	for _, test := range []struct {
		shown, printed string
		same           bool
	}{
		{steps[1].prints, "NAME        AT\nann         2027-01-01T00:00:00Z", true},
		{steps[1].prints, "NAME        AT\nbob         2027-01-01T00:00:00Z", false},
		{steps[1].prints, "NAME        AT\nann         2027-01-01T00:00:00Z\nbob  2027-01-01T00:00:00Z", false},
		{`{"access_token":"fob_at_...","expires_in":3600}`, `{"access_token":"fob_at_AQEA","expires_in":3599}`, true},
		{`{"access_token":"fob_at_...","expires_in":3600}`, `{"error":"invalid_grant"}`, false},
		{`{"active":true, ... }`, `{"active":true,"scope":"read"}`, true},
		{`{"active":true, ... }`, `{"active":false}`, false},
		{"ok  issue a token  182 ms\n...", "ok  issue a token   7 ms\nok  refresh  3 ms", true},
		{"1 signed out.", "2 signed out.", false},
	} {
		if got := shownPattern(test.shown).MatchString(test.printed); got != test.same {
			t.Errorf("%q against %q: %v", test.shown, test.printed, got)
		}
	}
}
