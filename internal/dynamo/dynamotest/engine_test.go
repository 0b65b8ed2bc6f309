package dynamotest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestEngineChild is not a test by itself: TestEngineEndsWithItsBinary runs it in a
// process that it kills.
func TestEngineChild(t *testing.T) {
	if os.Getenv("FOB_ENGINE_CHILD") == "" {
		return
	}
	fmt.Println("engine at", Engine(t))
	_, _ = os.Stdin.Read(make([]byte, 1)) // until the end
}

func TestEngineEndsWithItsBinary(t *testing.T) {
	Engine(t) // or this test is left out
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestEngineChild$")
	child.Env = append(os.Environ(), "FOB_ENGINE_CHILD=1")
	if _, err := child.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var address string
	for lines := bufio.NewScanner(out); address == "" && lines.Scan(); {
		_, address, _ = strings.Cut(lines.Text(), "engine at http://")
	}
	if address == "" {
		t.Fatal("the child started no engine")
	}
	if err := answers(address); err != nil {
		t.Fatalf("the child's engine: %v", err)
	}
	if err := child.Process.Kill(); err != nil { // no cleanup of its runs
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	deadline := time.After(time.Minute)
	for again := time.Tick(5 * time.Millisecond); answers(address) == nil; {
		select {
		case <-again:
		case <-deadline:
			t.Fatal("the engine outlived its binary")
		}
	}
}

func answers(address string) error {
	conn, err := net.DialTimeout("tcp", address, time.Second) //nolint:noctx // at once
	if err != nil {
		return err
	}
	return conn.Close()
}

func TestEngineIsShared(t *testing.T) {
	if a, b := Engine(t), Engine(t); a != b {
		t.Errorf("two engines, at %s and %s", a, b)
	}
}

// A port that the system hands out can be somebody else's before a program listens there.
func TestFreePort(t *testing.T) {
	lowest := 32768
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		if _, err := fmt.Sscan(string(text), &lowest); err != nil {
			t.Fatal(err)
		}
	}
	ports := map[string]bool{}
	for range 20 {
		port, err := FreePort()
		if n, _ := strconv.Atoi(port); err != nil || n < 1024 || n >= lowest {
			t.Errorf("port %s of those below %d: %v", port, lowest, err)
		}
		ports[port] = true
	}
	if len(ports) < 2 {
		t.Errorf("all programs get the port of %v", ports)
	}
}

// stopped is a test that ends where a test would.
type stopped struct {
	testing.TB
	fatal, skipped string
}

func (s *stopped) Helper()      {}
func (s *stopped) Name() string { return "TestSomething" }
func (s *stopped) Fatalf(format string, args ...any) {
	s.fatal = fmt.Sprintf(format, args...)
	panic(s)
}
func (s *stopped) Skipf(format string, args ...any) {
	s.skipped = fmt.Sprintf(format, args...)
	panic(s)
}

func TestEngineThatIsMissingIsNeverSilent(t *testing.T) {
	missing := func(string) ([]string, error) { return nil, notInstalledError{"not here"} }
	faulty := func(string) ([]string, error) { return nil, errors.New("broken") }
	for _, c := range []struct {
		name, required string
		command        func(string) ([]string, error)
		fatal, skipped string
	}{
		{"missing", "", missing, "", "an engine: not here"},
		{"missing where all must run", "1", missing, "an engine: not here", ""},
		{"faulty", "", faulty, "an engine: broken", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("FOB_REQUIRE_ENGINES", c.required)
			var got stopped
			var said bytes.Buffer
			func() {
				defer func() {
					if recover() == nil {
						t.Error("the test went on")
					}
				}()
				// Not on standard error, where somebody would believe it.
				(&engine{name: "an engine", command: c.command, leftOut: &said}).use(&got)
			}()
			if want := map[bool]string{true: "LEFT OUT: TestSomething does not run against an engine: not here\n"}[c.skipped != ""]; said.String() != want {
				t.Errorf("said %q, want %q", said.String(), want)
			}
			if got.fatal != c.fatal || got.skipped != c.skipped {
				t.Errorf("fatal %q, skipped %q; want %q, %q", got.fatal, got.skipped, c.fatal, c.skipped)
			}
		})
	}
}

func TestFindEngine(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "internal", "dynamo", "dynamotest", "engine.go")); err != nil {
		t.Errorf("module root %s: %v", root, err)
	}
	const env = "FOB_TEST_ENGINE"
	dir := t.TempDir()
	file := filepath.Join(dir, "engine")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, env, pattern, inside string
		want                       string
		leftOut                    bool
	}{
		{name: "the file that is named", env: file, want: file},
		{name: "in the folder that is named", env: dir, inside: "engine", want: file},
		{name: "named from the module root", env: "go.mod", want: filepath.Join(root, "go.mod")},
		{name: "named and not there", env: file + "x"},
		{name: "under the module root", pattern: "internal/dynamo/dynamot*/engine.go", want: filepath.Join(root, "internal/dynamo/dynamotest/engine.go")},
		{name: "the last of several", pattern: "internal/dynamo/dynamotest/engine*.go", want: filepath.Join(root, "internal/dynamo/dynamotest/engine_test.go")},
		{name: "nowhere", pattern: "internal/no-such-*", leftOut: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(env, c.env)
			got, err := find(env, c.pattern, c.inside)
			_, leftOut := errors.AsType[notInstalledError](err)
			if got != c.want || (err == nil) != (c.want != "") || leftOut != c.leftOut {
				t.Errorf("find = %q, %v", got, err)
			}
		})
	}
}
