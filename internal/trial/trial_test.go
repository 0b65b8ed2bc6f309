package trial_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/fob-oauth/fob/internal/apigw"
	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/smoke"
	"github.com/fob-oauth/fob/internal/trial"
	"github.com/fob-oauth/fob/internal/wire"
)

// cloud is Lambda with three functions, CodeDeploy, and a table of clients.
type cloud struct {
	*memory.Clients
	functions map[string]func(context.Context, json.RawMessage) (any, error) // by version
	invoked   map[string]int
	reported  []codedeploy.PutLifecycleEventHookExecutionStatusInput
	deaf      error // of each report
	keep      error // of each removal of a client
	log       bytes.Buffer
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{Clients: memory.NewClients(), invoked: map[string]int{}}
	ring, tokens := oauthtest.Ring(t, ""), memory.NewTokens()
	cache := oauth.NewClientCache(c.Clients, time.Now)
	verifier := &oauth.Verifier{Tokens: tokens, Clients: cache, Keys: oauthtest.Keys[*bearer.CheckRing]{Always: ring.CheckRing}, Now: time.Now}
	issuer := &oauth.Issuer{
		Tokens: tokens, Clients: cache, Users: memory.NewUsers(), Passwords: new(oauthtest.Passwords), Issuers: oauth.NewIssuerCache(memory.NewIssuers(), time.Now),
		Assertions: new(oauthtest.Assertions), Keys: oauthtest.Keys[*bearer.MintRing]{Always: ring}, Now: time.Now,
	}
	c.functions = map[string]func(context.Context, json.RawMessage) (any, error){
		"token:2":      apigw.Handler(wire.Token(issuer, wire.Options{}), wire.Options{}),
		"revoke:2":     apigw.Handler(wire.Revoke(verifier, wire.Options{}), wire.Options{}),
		"introspect:2": apigw.Handler(wire.Introspect(verifier, wire.Options{}), wire.Options{}),
	}
	return c
}

func (c *cloud) RemoveClient(ctx context.Context, id ledger.ClientID) (bool, error) {
	if c.keep != nil {
		return false, c.keep
	}
	return c.Clients.RemoveClient(ctx, id)
}

func (c *cloud) Invoke(ctx context.Context, in *lambda.InvokeInput, _ ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	c.invoked[*in.FunctionName]++
	answer, err := c.functions[*in.FunctionName](ctx, in.Payload)
	if err != nil {
		return &lambda.InvokeOutput{FunctionError: aws.String("Unhandled"), Payload: []byte(`{"errorMessage":"` + err.Error() + `"}`)}, nil
	}
	payload, err := json.Marshal(answer)
	return &lambda.InvokeOutput{Payload: payload}, err
}

func (c *cloud) PutLifecycleEventHookExecutionStatus(_ context.Context, in *codedeploy.PutLifecycleEventHookExecutionStatusInput, _ ...func(*codedeploy.Options)) (*codedeploy.PutLifecycleEventHookExecutionStatusOutput, error) {
	c.reported = append(c.reported, *in)
	return nil, c.deaf
}

// handle is one call of the hook.
func (c *cloud) handle(ctx context.Context) error {
	o := wire.Options{Function: "trial", Log: slog.New(slog.NewJSONHandler(&c.log, nil))}
	return trial.Handle(ctx, trial.Event{DeploymentID: "d-1", ExecutionID: "e-1"}, c, o, func(ctx context.Context) (smoke.View, error) {
		return smoke.Try(ctx, smoke.Deployment{
			Registrar: &oauth.Registrar{Clients: c, Now: time.Now},
			Transport: trial.Transport{Lambda: c, Versions: map[string]string{
				wire.TokenPath: "token:2", wire.RevokePath: "revoke:2", wire.IntrospectPath: "introspect:2",
			}},
		}, trial.Base)
	})
}

// wantReport wants one report of that status, and returns the line.
func (c *cloud) wantReport(t *testing.T, status string) map[string]any {
	t.Helper()
	if len(c.reported) != 1 || string(c.reported[0].Status) != status || *c.reported[0].DeploymentId != "d-1" || *c.reported[0].LifecycleEventHookExecutionId != "e-1" {
		t.Errorf("reported %v, want one %s", c.reported, status)
	}
	var line map[string]any
	if err := json.Unmarshal(c.log.Bytes(), &line); err != nil || line["result"] != status || line["deployment"] != "d-1" {
		t.Errorf("%v: %s", err, c.log.String())
	}
	return line
}

func (c *cloud) left(t *testing.T) int {
	t.Helper()
	clients, err := c.ListClients(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(clients)
}

func TestTrialOfGoodVersions(t *testing.T) {
	c := newCloud(t)
	if err := c.handle(t.Context()); err != nil {
		t.Fatal(err)
	}
	line := c.wantReport(t, "Succeeded")
	if line["error"] != nil || line["steps"] != 8.0 {
		t.Errorf("line %v", line)
	}
	if c.invoked["token:2"] < 4 || c.invoked["revoke:2"] != 1 || c.invoked["introspect:2"] != 3 {
		t.Errorf("invoked %v", c.invoked)
	}
	if n := c.left(t); n != 0 {
		t.Errorf("%d clients are left", n)
	}
}

// A failure is never reported as success, whichever function fails in whichever way, and
// the client of the trial is removed anyway.
func TestTrialOfBadVersions(t *testing.T) {
	crash := func(context.Context, json.RawMessage) (any, error) { return nil, errors.New("CANARY crash") }
	answer := func(status int, body string) func(context.Context, json.RawMessage) (any, error) {
		return func(context.Context, json.RawMessage) (any, error) {
			return map[string]any{"statusCode": status, "body": body}, nil
		}
	}
	var n int
	another := func(context.Context, json.RawMessage) (any, error) {
		n++
		return map[string]any{"statusCode": 200, "body": `{"access_token":"CANARY` + strings.Repeat("x", n) + `"}`}, nil
	}
	for _, test := range []struct {
		name, version string
		function      func(context.Context, json.RawMessage) (any, error)
		want          string
	}{
		{"token crashes", "token:2", crash, "issue a token"},
		{"token is out of order", "token:2", answer(http.StatusServiceUnavailable, `{"error":"temporarily_unavailable"}`), "issue a token"},
		{"token gives another token each time", "token:2", another, "ask again"},
		{"token answers nonsense", "token:2", answer(0, ""), "issue a token"},
		{"introspect knows no token", "introspect:2", answer(http.StatusOK, `{"active":false}`), "introspect the first: active"},
		{"introspect believes all", "introspect:2", answer(http.StatusOK, `{"active":true,"device":"smoke-ipad"}`), "introspect the first: inactive"},
		{"revoke revokes nothing", "revoke:2", answer(http.StatusOK, `{}`), "introspect the first: inactive"},
		{"revoke crashes", "revoke:2", crash, "revoke the first"},
		{"token panics", "token:2", func(context.Context, json.RawMessage) (any, error) { panic("CANARY") }, "panic"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCloud(t)
			c.functions[test.version] = test.function
			if err := c.handle(t.Context()); err != nil {
				t.Fatal(err)
			}
			line := c.wantReport(t, "Failed")
			if why, _ := line["error"].(string); !strings.Contains(why, test.want) || strings.Contains(c.log.String(), "CANARY") {
				t.Errorf("line %v, want %q", line, test.want)
			}
			if n := c.left(t); n != 0 && test.want != "panic" {
				t.Errorf("%d clients are left", n)
			}
		})
	}
}

func TestTrialThatCannotFinish(t *testing.T) {
	t.Run("the client stays", func(t *testing.T) {
		c := newCloud(t)
		c.keep = oauth.Unavailable("remove a client", errors.New("down"))
		if err := c.handle(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.wantReport(t, "Failed")
	})
	t.Run("no time is left", func(t *testing.T) {
		c := newCloud(t)
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second) // less than the reserve
		defer cancel()
		if err := c.handle(ctx); err != nil {
			t.Fatal(err)
		}
		c.wantReport(t, "Failed")
	})
	t.Run("CodeDeploy does not hear", func(t *testing.T) {
		c := newCloud(t)
		c.deaf = errors.New("down")
		if err := c.handle(t.Context()); err == nil {
			t.Error("no error, and no report")
		}
	})
}

// A function that failed has not answered, even if its payload looks like an answer.
func TestTransportOfACrash(t *testing.T) {
	to := trial.Transport{Lambda: crashing{}, Versions: map[string]string{wire.RevokePath: "revoke:2"}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, trial.Base+wire.RevokePath, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := to.RoundTrip(r)
	if err == nil {
		resp.Body.Close()
		t.Errorf("status %d", resp.StatusCode)
	}
}

type crashing struct{}

func (crashing) Invoke(context.Context, *lambda.InvokeInput, ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	return &lambda.InvokeOutput{FunctionError: aws.String("Unhandled"), Payload: []byte(`{"statusCode":200,"body":"{}"}`)}, nil
}
