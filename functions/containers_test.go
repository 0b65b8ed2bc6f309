package functions_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/keys"
)

// containers are the functions as `sam build` left them, which SAM runs in Lambda's image with
// the environment of the template.
type containers struct {
	template           string
	functions, gateway string   // addresses
	logs               []string // paths
}

func (s *stage) startContainers(t *testing.T, build string) *containers {
	t.Helper()
	// The engine of the tests is on loopback, which a container does not reach.
	engine, err := url.Parse(s.endpoint)
	must(t, err)
	listener, err := net.Listen("tcp4", ":0")
	must(t, err)
	proxy := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(engine))
	must(t, proxy.Listener.Close())
	proxy.Listener = listener
	proxy.Start()
	t.Cleanup(proxy.Close)

	text, err := os.ReadFile("../infra/sam-local.env.json")
	must(t, err)
	var file struct{ Parameters map[string]string }
	must(t, json.Unmarshal(text, &file))
	maps.Copy(file.Parameters, map[string]string{
		"AWS_ENDPOINT_URL_DYNAMODB": fmt.Sprintf("http://host.docker.internal:%d", listener.Addr().(*net.TCPAddr).Port),
		"FOB_TOKENS_TABLE":          s.fixture.Tables.Tokens, "FOB_CLIENTS_TABLE": s.fixture.Tables.Clients, "FOB_USERS_TABLE": s.fixture.Tables.Users,
	})
	environment := filepath.Join(t.TempDir(), "env.json")
	must(t, os.WriteFile(environment, encode(t, file), 0o600))

	private, err := keys.NewSigningKey()
	must(t, err)
	public, err := keys.PublicHalf(private)
	must(t, err)
	s.know("private key", private.Reveal())
	ring := fmt.Appendf(nil, `{"check": {"issuer_epoch": 0, "states": {"1": "active"}, "1": %q, "signing": {"1": %q}}, "mint": {"1": %q, "signing": {"1": %q}}}`,
		checkKey, public.Reveal(), mintKey, private.Reveal())
	folders, err := filepath.Glob(filepath.Join(build, "*Function"))
	must(t, err)
	if len(folders) != len(allNames()) {
		t.Fatalf("%d functions are built: run make invoke", len(folders))
	}
	for _, folder := range folders {
		must(t, os.WriteFile(filepath.Join(folder, "keys.json"), ring, 0o600))
	}
	// DynamoDB Local keeps other tables for other credentials and Regions.
	cfg := dynamotest.Config(s.endpoint)
	credentials, err := cfg.Credentials.Retrieve(t.Context())
	must(t, err)
	aws := append(os.Environ(), "AWS_DEFAULT_REGION="+cfg.Region, "AWS_REGION="+cfg.Region,
		"AWS_ACCESS_KEY_ID="+credentials.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+credentials.SecretAccessKey, "AWS_SESSION_TOKEN=")
	c := &containers{template: filepath.Join(build, "template.yaml")}
	c.functions = c.start(t, aws, "start-lambda", environment)
	c.gateway = c.start(t, aws, "start-api", environment)
	return c
}

// start runs `sam local command`, and returns its address when it answers.
func (c *containers) start(t *testing.T, aws []string, command, environment string) string {
	t.Helper()
	free, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	address := free.Addr().String()
	must(t, free.Close())
	_, port, err := net.SplitHostPort(address)
	must(t, err)

	log, err := os.Create(filepath.Join(t.TempDir(), command))
	must(t, err)
	cmd := exec.Command("sam", "local", command, "--template", c.template, "--port", port, "--warm-containers", "LAZY", "--env-vars", environment, "--add-host", "host.docker.internal:host-gateway")
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = aws, "..", log, log
	must(t, cmd.Start())
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it removes its containers
		<-ended
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("sam local %s:\n%s", command, text)
		}
	})
	c.logs = append(c.logs, log.Name())
	for deadline := time.Now().Add(2 * patience); ; time.Sleep(200 * time.Millisecond) {
		connection, err := net.Dial("tcp4", address)
		if err == nil {
			must(t, connection.Close())
			return "http://" + address
		}
		select {
		case <-ended:
			t.Fatalf("sam local %s ended", command)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("sam local %s does not answer: %v", command, err)
		}
	}
}

// invoke hands an event to a function.
func (c *containers) invoke(t *testing.T, name string, event []byte) (o outcome) {
	t.Helper()
	function := strings.ToUpper(name[:1]) + name[1:] + "Function"
	a := c.send(t, http.MethodPost, c.functions+"/2015-03-31/functions/"+function+"/invocations", "", "", string(event))
	o.raw = []byte(a.body)
	var failure struct{ ErrorMessage string }
	if err := errors.Join(json.Unmarshal(o.raw, &o.response), json.Unmarshal(o.raw, &failure)); err != nil {
		t.Fatalf("%s answers nothing: %d %q", function, a.status, a.body)
	}
	o.message, o.failed = failure.ErrorMessage, failure.ErrorMessage != ""
	return o
}

// ask sends a request to SAM's gateway.
func (c *containers) ask(t *testing.T, method, path, bearer, contentType, body string) answer {
	t.Helper()
	return c.send(t, method, c.gateway+path, bearer, contentType, body)
}

func (c *containers) send(t *testing.T, method, address, bearer, contentType, body string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	must(t, err)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	response, err := http.DefaultClient.Do(r)
	must(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	must(t, err)
	return answer{status: response.StatusCode, header: response.Header, body: string(text)}
}
