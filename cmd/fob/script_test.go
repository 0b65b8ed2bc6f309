package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/keys/keystest"
	"github.com/fob-oauth/fob/internal/storetest"
)

// TestScripts runs testdata/script. Besides what testscript knows, a script can
// say
//
//	exits CODE program args...   it fails with that code, prints nothing and says
//	                             one line on standard error
//	serve args...                starts fob serve --json args...; what its first
//	                             line says is in the environment from then on, as
//	                             $ISSUER, $CLIENT_ID and so on
//	member NAME MEMBER           $NAME becomes that member of the JSON object on
//	                             standard output
//	keyring FILE EPOCH KID:STATE:AGE...
//	                             writes a key file with that issuer epoch, and keys
//	                             that entered their state so long ago
//	secretsmanager FILE          starts a Secrets Manager with the ring of a key file,
//	                             and makes the environment point to it
//	answers OPERATION STATUS CODE MESSAGE
//	                             what that Secrets Manager says to an operation from
//	                             then on; "answers" alone ends it
//
// It has tables of its own, named as fob wants it by FOB_TOKENS_TABLE,
// FOB_CLIENTS_TABLE and FOB_USERS_TABLE, at the DynamoDB engine $DYNAMODB.
// $ELSEWHERE is the same engine under an address that is no loopback one.
func TestScripts(t *testing.T) {
	endpoint := storetest.Engine(t)
	managers := scriptManagers{byScript: map[string]*keystest.SecretsManager{}}
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
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
			env.Setenv("GORACE", exitAtOnce)
			env.Setenv("DYNAMODB", endpoint)
			env.Setenv("ELSEWHERE", strings.Replace(endpoint, "127.0.0.1", "0.0.0.0", 1))
			env.Setenv("FOB_TOKENS_TABLE", names.Tokens)
			env.Setenv("FOB_CLIENTS_TABLE", names.Clients)
			env.Setenv("FOB_USERS_TABLE", names.Users)
			env.Setenv("AWS_EC2_METADATA_DISABLED", "true") // nobody to ask for credentials
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":  scriptExits,
			"member": scriptMember,

			"keyring":        scriptKeyring,
			"secretsmanager": managers.script(t),
			"answers":        managers.scriptAnswers,
			"serve": func(ts *testscript.TestScript, neg bool, args []string) {
				scriptServe(t, ts, neg, args)
			},
		},
	})
}

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE program args...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		got = e.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
	if said := ts.ReadFile("stderr"); strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "fob: ") {
		ts.Fatalf("standard error is not one line of fob's: %q", said)
	}
	if out := ts.ReadFile("stdout"); out != "" {
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

func scriptServe(t *testing.T, ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("serve cannot be negated")
	}
	cmd := exec.Command("fob", append([]string{"serve", "--json", "--quiet", "--addr", "127.0.0.1:0"}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{
		"PATH", "HOME", "GORACE", "FOB_TOKENS_TABLE", "FOB_CLIENTS_TABLE", "FOB_USERS_TABLE",
		"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED",
	} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	// A file and no pipe: what the program wrote to it before its first line is
	// there when the line is.
	stderr, err := os.CreateTemp(ts.MkAbs("."), "serve-*.stderr")
	ts.Check(err)
	ts.Defer(func() { _ = stderr.Close() })
	said := func() string { return ts.ReadFile(stderr.Name()) }
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("fob serve: %v\n%s", err, said())
		}
	})
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
