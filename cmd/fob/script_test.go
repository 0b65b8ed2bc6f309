package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/keys/keystest"
)

// Scripts are what an operator types, and what comes of it. In addition to what
// testscript knows, a script can say
//
//	fob args... [< FILE]         runs fob, with that file on standard input
//	exits CODE fob args...       it fails with that code, prints nothing and says
//	                             one line on standard error
//	exits CODE partly fob args.. it fails like that, but prints what it did, as it
//	                             always does with code 6
//	serve args...                starts fob serve --json args..., with --keys keys.json
//	                             where $FOB_DYNAMODB is set; what its first line says
//	                             is in the environment from then on, as $ISSUER,
//	                             $CLIENT_ID and so on
//	sameas FILE MEMBER           standard output is what is in the file, but for the
//	                             value of that member, which is ... there
//	member NAME MEMBER           $NAME becomes that member of the JSON object on
//	                             standard output
//	keyring FILE EPOCH KID:STATE:AGE...
//	                             writes a key file with that issuer epoch, and keys
//	                             that entered their state so long ago
//	later FILE DURATION          the keys of a key file entered their state so much
//	                             earlier
//	secretsmanager FILE          starts a Secrets Manager with the ring of a key file,
//	                             and makes the environment point to it
//	answers OPERATION STATUS CODE MESSAGE
//	                             what that Secrets Manager says to an operation from
//	                             then on; "answers" alone ends it
//
// [memory] and [dynamodb] are the conditions for lines that are for one of the
// two alone.

// TestScripts runs testdata/script. Each script has tables of its own at the
// DynamoDB engine $DYNAMODB, named as fob wants it by FOB_TOKENS_TABLE,
// FOB_CLIENTS_TABLE and FOB_USERS_TABLE. $ELSEWHERE is the same engine under an
// address that is not a loopback one. $STACK has these names as outputs, for who asks
// $CLOUDFORMATION.
func TestScripts(t *testing.T) {
	runScripts(t, "testdata/script", dynamotest.Engine(t))
}

// TestOperator runs testdata/operator, the commands that need no network of their
// own, once as programs at a DynamoDB engine and once in this process, in memory.
func TestOperator(t *testing.T) {
	t.Run("memory", func(t *testing.T) { runScripts(t, "testdata/operator", "") })
	t.Run("dynamodb", func(t *testing.T) { runScripts(t, "testdata/operator", dynamotest.Engine(t)) })
}

// runScripts runs those in a folder: at a DynamoDB engine, or in memory if there
// is none.
func runScripts(t *testing.T, folder, endpoint string) {
	worlds := scriptWorlds{t: t, endpoint: endpoint}
	managers := scriptManagers{byScript: map[string]*keystest.SecretsManager{}}
	stacks := newCloudFormation(t)
	stacks.deploy("half", map[string]string{"TokensTable": "tokens"})
	stacks.deploy("gone", map[string]string{"TokensTable": "gone-tokens", "ClientsTable": "gone-clients", "UsersTable": "gone-users"})
	scripts, err := filepath.Abs(folder)
	if err != nil {
		t.Fatal(err)
	}
	params := testscript.Params{
		Dir:                scripts,
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", exitAtOnce)
			env.Setenv("AWS_EC2_METADATA_DISABLED", "true") // nobody to ask for credentials
			if endpoint == "" {
				s := newMemoryStores()
				env.Values[inMemoryKey{}] = &s
				return os.Chdir(env.WorkDir)
			}
			names := newTableNames()
			// As fob connects to an engine on this machine if nothing is configured.
			db := dynamo.NewClient(aws.Config{
				Region:       localRegion,
				BaseEndpoint: &endpoint,
				Credentials:  credentials.NewStaticCredentialsProvider(localKey, localKey, ""),
			})
			if err := dynamo.EnsureTables(t.Context(), db, names); err != nil {
				return err
			}
			if folder == "testdata/operator" {
				env.Setenv("FOB_DYNAMODB", endpoint)
			}
			stack := "fob-" + rand.Text()
			stacks.deploy(stack, map[string]string{
				"TokensTable": names.Tokens, "ClientsTable": names.Clients, "UsersTable": names.Users,
				"CheckKeysArn": scriptCheckSecret, "MintKeysArn": scriptMintSecret, "ApiUrl": "http://127.0.0.1:1/v1",
			})
			env.Setenv("CLOUDFORMATION", stacks.url)
			env.Setenv("STACK", stack)
			env.Setenv("DYNAMODB", endpoint)
			env.Setenv("ELSEWHERE", strings.Replace(endpoint, "127.0.0.1", "0.0.0.0", 1))
			env.Setenv("FOB_TOKENS_TABLE", names.Tokens)
			env.Setenv("FOB_CLIENTS_TABLE", names.Clients)
			env.Setenv("FOB_USERS_TABLE", names.Users)
			return nil
		},
		Condition: func(condition string) (bool, error) {
			switch condition {
			case "memory":
				return endpoint == "", nil
			case "dynamodb":
				return endpoint != "", nil
			}
			return false, errors.New("no such condition")
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"fob":    worlds.fob,
			"exits":  worlds.exits,
			"serve":  worlds.serve,
			"member": scriptMember,
			"sameas": scriptSameAs,

			"keyring":        scriptKeyring,
			"later":          scriptLater,
			"secretsmanager": managers.script(t),
			"answers":        managers.scriptAnswers,
		},
	}
	if endpoint == "" {
		t.Chdir(".") // and back at the end
		testscript.RunT(oneByOne{t}, params)
	} else {
		testscript.Run(t, params)
	}
}

// oneByOne runs scripts one after another: fob in this process has one working folder.
type oneByOne struct{ *testing.T }

func (oneByOne) Parallel()     {}
func (oneByOne) Verbose() bool { return testing.Verbose() }

func (t oneByOne) Run(name string, f func(testscript.T)) {
	t.T.Run(name, func(t *testing.T) { f(oneByOne{t}) })
}

type inMemoryKey struct{}

type scriptWorlds struct {
	t        *testing.T
	endpoint string
}

// scriptEnv is what of a script's environment fob may see.
var scriptEnv = []string{
	"PATH", "HOME", "GORACE", "FOB_DYNAMODB", "FOB_STACK", "FOB_URL", "FOB_TOKENS_TABLE", "FOB_CLIENTS_TABLE", "FOB_USERS_TABLE", "FOB_KEYS_FILE", "FOB_CHECK_SECRET", "FOB_MINT_SECRET",
	"AWS_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED",
	"AWS_ENDPOINT_URL_CLOUDFORMATION", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL_DYNAMODB",
}

func programEnv(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range scriptEnv {
		if value := ts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// run runs fob with what the arguments say, and standard input from the file
// behind <. show puts what it printed where the script looks for it.
func (w scriptWorlds) run(ts *testscript.TestScript, args []string) (code int, out, said string, show func()) {
	var input io.Reader = strings.NewReader("")
	if i := slices.Index(args, "<"); i >= 0 {
		if i != len(args)-2 {
			ts.Fatalf("usage: fob args... < FILE")
		}
		file, err := os.Open(ts.MkAbs(args[i+1]))
		ts.Check(err)
		defer file.Close()
		input, args = file, args[:i]
	} else if w.endpoint != "" {
		// So that stdin and ttyin work.
		code = exitOf(ts, ts.Exec("fob", args...))
		return code, ts.ReadFile("stdout"), ts.ReadFile("stderr"), func() {}
	}
	var stdout, stderr bytes.Buffer
	if w.endpoint == "" {
		code = w.inProcess(ts, input, &stdout, &stderr).run(w.t.Context(), args)
	} else {
		cmd := exec.Command("fob", args...)
		cmd.Dir, cmd.Env = ts.MkAbs("."), programEnv(ts)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = input, &stdout, &stderr
		code = exitOf(ts, cmd.Run())
	}
	return code, stdout.String(), stderr.String(), func() {
		_, err := ts.Stdout().Write(stdout.Bytes())
		ts.Check(err)
		_, err = ts.Stderr().Write(stderr.Bytes())
		ts.Check(err)
	}
}

func (w scriptWorlds) inProcess(ts *testscript.TestScript, stdin io.Reader, stdout, stderr io.Writer) *program {
	inMemory, ok := ts.Value(inMemoryKey{}).(*stores)
	if !ok {
		ts.Fatalf("no stores")
	}
	return &program{stdin: stdin, stdout: stdout, stderr: stderr, getenv: ts.Getenv, open: opens(inMemory)}
}

func exitOf(ts *testscript.TestScript, err error) int {
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return e.ExitCode()
	}
	ts.Check(err)
	return 0
}

func (w scriptWorlds) fob(ts *testscript.TestScript, neg bool, args []string) {
	code, _, said, show := w.run(ts, args)
	show()
	if neg != (code != 0) {
		ts.Fatalf("exit code %d: %s", code, said)
	}
}

func (w scriptWorlds) exits(ts *testscript.TestScript, neg bool, args []string) {
	partly := len(args) > 1 && args[1] == "partly"
	if partly {
		args = slices.Delete(args, 1, 2)
	}
	if neg || len(args) < 2 || args[1] != "fob" {
		ts.Fatalf("usage: exits CODE [partly] fob args...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	partly = partly || want == exitPartly
	got, out, said, show := w.run(ts, args[2:])
	show()
	if got != want {
		ts.Fatalf("exit code %d, want %d: %s", got, want, said)
	}
	if strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "fob: ") {
		ts.Fatalf("standard error is not one line of fob: %q", said)
	}
	if partly != (out != "") {
		ts.Fatalf("it failed, and printed %q", out)
	}
}

func scriptMember(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: member NAME MEMBER")
	}
	var members map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &members))
	value, ok := members[args[1]].(string)
	if !ok || value == "" {
		ts.Fatalf("no %s in %v", args[1], members)
	}
	ts.Setenv(args[0], value)
}

func scriptSameAs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sameas FILE MEMBER")
	}
	value := regexp.MustCompile(`"` + regexp.QuoteMeta(args[1]) + `": "[^"]+"`)
	got := value.ReplaceAllString(ts.ReadFile("stdout"), `"`+args[1]+`": "..."`)
	if diff := cmp.Diff(ts.ReadFile(args[0]), got); diff != "" {
		ts.Fatalf("-%s +standard output:\n%s", args[0], diff)
	}
}

func (w scriptWorlds) serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("serve cannot be negated")
	}
	args = append([]string{"serve", "--json", "--quiet", "--addr", "127.0.0.1:0"}, args...)
	if ts.Getenv("FOB_DYNAMODB") != "" && !slices.Contains(args, "--keys") && ts.Getenv("FOB_KEYS_FILE") == "" {
		args = append(args, "--keys", "keys.json")
	}
	start := w.serveProcess
	if w.endpoint == "" {
		start = w.serveInProcess
	}
	out, said := start(ts, args)
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		ts.Fatalf("fob serve printed no line: %v\n%s", err, said())
	}
	var members map[string]string
	ts.Check(json.Unmarshal(line, &members))
	for name, value := range members {
		ts.Setenv(strings.ToUpper(name), value)
	}
	_, err = ts.Stdout().Write(line)
	ts.Check(err)
	_, err = ts.Stderr().Write([]byte(said()))
	ts.Check(err)
}

func (w scriptWorlds) serveProcess(ts *testscript.TestScript, args []string) (out io.Reader, said func() string) {
	cmd := exec.Command("fob", args...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), programEnv(ts)
	// A file and no pipe: what the program wrote to it before its first line is
	// there when the line is.
	stderr, err := os.CreateTemp(ts.MkAbs("."), "serve-*.stderr")
	ts.Check(err)
	ts.Defer(func() { _ = stderr.Close() })
	said = func() string { return ts.ReadFile(stderr.Name()) }
	cmd.Stderr = stderr
	out, err = cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			w.t.Errorf("fob serve: %v\n%s", err, said())
		}
	})
	return out, said
}

func (w scriptWorlds) serveInProcess(ts *testscript.TestScript, args []string) (out io.Reader, said func() string) {
	ctx, cancel := context.WithCancel(context.Background())
	reader, writer := io.Pipe()
	var stderr output
	p := w.inProcess(ts, strings.NewReader(""), writer, &stderr)
	code := make(chan int, 1)
	go func() {
		code <- p.run(ctx, args)
		_ = writer.Close()
	}()
	ts.Defer(func() {
		cancel()
		if c := <-code; c != 0 {
			w.t.Errorf("fob serve exited with %d\n%s", c, &stderr)
		}
	})
	return reader, stderr.String
}
