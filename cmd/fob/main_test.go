package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
)

// TestMain puts fob on the path: it is this test binary, called by that name, so
// it has the race detector when the tests have it. (testscript.Main would do the
// same, but keep the word fob to itself, which scripts are to read as well where
// it is not a program.)
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "fob" {
		main()
	}
	os.Exit(withFobOnPath(m.Run))
}

func withFobOnPath(run func() int) int {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	folder, err := os.MkdirTemp("", "fob-test-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder) //nolint:errcheck // a temporary folder
	if err := os.Symlink(self, filepath.Join(folder, "fob")); err != nil {
		panic(err)
	}
	if err := os.Setenv("PATH", folder+string(filepath.ListSeparator)+os.Getenv("PATH")); err != nil {
		panic(err)
	}
	return run()
}

// exitAtOnce, as GORACE, spares each process the second that the race detector
// waits at the end for races that are about to happen.
const exitAtOnce = "atexit_sleep_ms=0"

// ready is the first line of serve --json.
type ready struct {
	Issuer                string `json:"issuer"`
	TokenEndpoint         string `json:"token_endpoint"`
	RevocationEndpoint    string `json:"revocation_endpoint"`
	IntrospectionEndpoint string `json:"introspection_endpoint"`
	DevicesEndpoint       string `json:"devices_endpoint"`
	MeEndpoint            string `json:"me_endpoint"`
	MetadataEndpoint      string `json:"metadata_endpoint"`
	ClientID              string `json:"client_id"`
	ClientSecret          string `json:"client_secret"`
	PublicClientID        string `json:"public_client_id"`
	ResourceClientID      string `json:"resource_client_id"`
	ResourceClientSecret  string `json:"resource_client_secret"`
	Username              string `json:"username"`
	Password              string `json:"password"`
}

// serveHere runs fob serve --json in this process until the test ends.
func serveHere(t *testing.T, args ...string) ready {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, write := io.Pipe()
	var stderr output
	p := program{stdin: strings.NewReader(""), stdout: write, stderr: &stderr, getenv: noEnv}
	code := make(chan int, 1)
	go func() {
		code <- p.run(ctx, append([]string{"serve", "--json", "--addr", "127.0.0.1:0"}, args...))
		_ = write.Close()
	}()
	t.Cleanup(func() {
		cancel()
		if c := <-code; c != 0 {
			t.Errorf("fob serve exited with %d", c)
		}
		if t.Failed() {
			t.Logf("fob serve said:\n%s", &stderr)
		}
	})
	return readReady(t, out)
}

// serveProcess runs fob serve --json as a process of its own until the test ends. With
// a database it gets a key file.
func serveProcess(t *testing.T, env []string, args ...string) ready {
	t.Helper()
	if slices.Contains(args, "--dynamodb") && !slices.Contains(args, "--keys") {
		args = append(args, "--keys", filepath.Join(t.TempDir(), "keys.json"))
	}
	f := startFob(t, env, append([]string{"serve", "--json", "--addr", "127.0.0.1:0"}, args...)...)
	return readReady(t, f.stdout)
}

// fob is a running process.
type fob struct {
	stdout io.Reader
	cmd    *exec.Cmd
	stderr output
	stop   sync.Once
}

// startFob starts fob as a process, which ends by SIGTERM with the test.
func startFob(t *testing.T, env []string, args ...string) *fob {
	t.Helper()
	f := &fob{cmd: exec.Command("fob", args...)}
	f.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GORACE=" + exitAtOnce}, env...)
	f.cmd.Stderr = &f.stderr
	var err error
	if f.stdout, err = f.cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.said(t) })
	return f
}

// said ends the process and returns all that it wrote to standard error.
func (f *fob) said(t *testing.T) string {
	t.Helper()
	f.stop.Do(func() {
		_ = f.cmd.Process.Signal(syscall.SIGTERM)
		if err := f.cmd.Wait(); err != nil {
			t.Errorf("fob: %v", err)
		}
		if t.Failed() {
			t.Logf("fob said:\n%s", &f.stderr)
		}
	})
	return f.stderr.String()
}

func readReady(t *testing.T, out io.Reader) ready {
	t.Helper()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("fob serve printed no line: %v", err)
	}
	var r ready
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		t.Fatalf("first line %q: %v", line, err)
	}
	return r
}

// output may be read while it is written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func noEnv(string) string { return "" }

// opens makes all commands of a program work on the same stores.
func opens(s *stores) func(context.Context, bool) (stores, error) {
	return func(context.Context, bool) (stores, error) { return *s, nil }
}

// fixtureEnv is for the account that dynamotest's tables are in.
func fixtureEnv(t *testing.T, f *dynamotest.Fixture) []string {
	t.Helper()
	options := f.DB.Options()
	credentials, err := options.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		"AWS_REGION=" + options.Region,
		"AWS_ACCESS_KEY_ID=" + credentials.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + credentials.SecretAccessKey,
		"FOB_TOKENS_TABLE=" + f.Tables.Tokens,
		"FOB_CLIENTS_TABLE=" + f.Tables.Clients,
		"FOB_USERS_TABLE=" + f.Tables.Users,
	}
}

// newTableNames are names that nobody has.
func newTableNames() dynamo.Tables {
	id := rand.Text()
	return dynamo.Tables{Tokens: "tokens-" + id, Clients: "clients-" + id, Users: "users-" + id}
}

// dump is all text in items, binary values as they are.
func dump(items []map[string]types.AttributeValue) string {
	var text strings.Builder
	var write func(v types.AttributeValue)
	write = func(v types.AttributeValue) {
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			text.WriteString(v.Value + "\n")
		case *types.AttributeValueMemberB:
			text.Write(append(v.Value, '\n'))
		case *types.AttributeValueMemberL:
			for _, v := range v.Value {
				write(v)
			}
		case *types.AttributeValueMemberM:
			for name, v := range v.Value {
				text.WriteString(name + "\n")
				write(v)
			}
		}
	}
	for _, item := range items {
		write(&types.AttributeValueMemberM{Value: item})
	}
	return text.String()
}
