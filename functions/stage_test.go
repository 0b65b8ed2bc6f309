package functions_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/password"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/wire"
)

// What the sample events show, and the tables of a stage therefore know. The ids
// are those of `fob serve`, so that on a laptop only the secrets have to be
// filled in.
const (
	demoClient       = "demo-client"
	demoClientSecret = "replace-me-client-secret"
	demoAPI          = "demo-api"
	demoAPISecret    = "replace-me-api-secret"
	demoApp          = "demo-app" // public
	demoUser         = "demo-user"
	demoPassword     = "replace-me-password"
)

// The key ring.
const (
	checkARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:CheckKeys-a1b2c3"
	mintARN  = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:MintKeys-d4e5f6"

	checkKey = "not-a-real-check-key-of-the-function-tests"
	mintKey  = "not-a-real-mint-key-of-the-function-tests"

	checkKeys = `{"issuer_epoch": 0, "states": {"1": "active"}, "1": "` + checkKey + `"}`
	mintKeys  = `{"1": "` + mintKey + `"}`
)

// timeout is the functions' in the template.
const timeout = 10 * time.Second

// stage is a whole deployment on loopback: the tables, and what its functions
// said and were told, for the search of searchForLeaks.
type stage struct {
	fixture  *dynamotest.Fixture
	endpoint string // of the DynamoDB engine

	// running are all functions that were started, by whatever name.
	running []*instance

	secrets []needle
	answers [][]byte // those of the endpoints that hold no token of the caller's
}

// instance is one function of a stage, with doors of its own to DynamoDB and to
// Secrets Manager, so that its calls can be told from those of others.
type instance struct {
	*function
	stage   *stage
	tables  *gate
	secrets secretsManager
}

func newStage(t *testing.T) *stage {
	t.Helper()
	endpoint := dynamotest.Engine(t)
	s := &stage{fixture: dynamotest.New(t, endpoint), endpoint: endpoint}
	s.know("check key", checkKey)
	s.know("mint key", mintKey)
	s.know("client secret", demoClientSecret)
	s.know("client secret", demoAPISecret)
	s.know("password", demoPassword)

	must(t, s.fixture.Clients.SaveResourceScopes(t.Context(), oauth.ResourceScopes{Roles: map[string][]string{"read": nil, "write": nil, "devices": nil, "account": nil, "users": nil, "sign-out": nil}}))
	all, err := scope.Of("read", "write", "devices", "account")
	must(t, err)
	read, err := scope.Of("read")
	must(t, err)
	ofBackEnd, err := scope.Of("read", "write", "devices", "account", "users", "sign-out")
	must(t, err)
	now := time.Now().Unix()
	hash := func(text string) []oauth.ClientSecret {
		return []oauth.ClientSecret{{Hash: oauth.HashClientSecret(secret.New(text)), Created: now}}
	}
	for _, c := range []oauth.Client{
		{ID: demoClient, Secrets: hash(demoClientSecret), Grants: oauth.GrantTypes(), Scopes: ofBackEnd, DefaultScopes: read, Audiences: []string{demoAPI}},
		{ID: demoApp, Public: true, Grants: []oauth.GrantType{oauth.PasswordGrant, oauth.RefreshTokenGrant}, Scopes: all, DefaultScopes: read, Audiences: []string{demoAPI}},
		{ID: demoAPI, Secrets: hash(demoAPISecret), Introspects: []string{demoAPI}},
	} {
		c.Created, c.Epoch = now, uint64(now)
		must(t, c.Validate())
		_, err := s.fixture.Clients.SaveClient(t.Context(), c)
		must(t, err)
	}
	s.addUser(t)
	return s
}

func (s *stage) addUser(t *testing.T) {
	t.Helper()
	hashed, err := password.Hasher{}.Hash(secret.New(demoPassword))
	must(t, err)
	_, err = s.fixture.Users.SaveUser(t.Context(), oauth.User{Username: demoUser, ID: oauth.NewUserID(), PasswordHash: hashed, Created: time.Now().Unix()})
	must(t, err)
}

// environment is what the template gives to the function, and what Lambda adds.
func (s *stage) environment(t *testing.T, name, dynamoDB, secretsManager string) map[string]string {
	t.Helper()
	cfg := dynamotest.Config(s.endpoint)
	credentials, err := cfg.Credentials.Retrieve(t.Context())
	must(t, err)
	environment := map[string]string{
		"AWS_LAMBDA_FUNCTION_NAME":         name,
		"AWS_REGION":                       cfg.Region,
		"AWS_ACCESS_KEY_ID":                credentials.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY":            credentials.SecretAccessKey,
		"AWS_ENDPOINT_URL_DYNAMODB":        dynamoDB,
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": secretsManager,
		"FOB_TOKENS_TABLE":                 s.fixture.Tables.Tokens,
		"FOB_CLIENTS_TABLE":                s.fixture.Tables.Clients,
		"FOB_CHECK_SECRET":                 checkARN,
	}
	switch name {
	case "token":
		environment["FOB_USERS_TABLE"] = s.fixture.Tables.Users
		environment["FOB_MINT_SECRET"] = mintARN
		environment["FOB_PASSWORD_GRANT"] = "true"
		environment["FOB_ISSUER"] = ""
	case "introspect":
		environment["FOB_ISSUER"] = ""
	case "account":
		environment["FOB_USERS_TABLE"] = s.fixture.Tables.Users
	case "users":
		environment["FOB_USERS_TABLE"] = s.fixture.Tables.Users
		environment["FOB_ISSUER"] = ""
	case "authorizer":
		environment["FOB_AUDIENCE"] = ""
		environment["FOB_ROUTE_SCOPES"] = ""
	case "metadata":
		environment["FOB_ISSUER"] = ""
		environment["FOB_PASSWORD_GRANT"] = "true"
	}
	return environment
}

// run starts a function of the stage, after the environment and the doors were
// changed.
func (s *stage) run(t *testing.T, name string, changes ...func(*instance, map[string]string)) *instance {
	t.Helper()
	i := &instance{stage: s, tables: newGate(t, s.endpoint), secrets: newSecretsManager(t)}
	environment := s.environment(t, name, i.tables.URL, i.secrets.URL)
	for _, change := range changes {
		change(i, environment)
	}
	i.function = start(t, name, environment)
	s.running = append(s.running, i)
	t.Cleanup(func() { s.note(i) })
	i.awaitStart(t)
	return i
}

// runAll starts all functions.
func (s *stage) runAll(t *testing.T, changes ...func(*instance, map[string]string)) map[string]*instance {
	t.Helper()
	functions := map[string]*instance{}
	for _, name := range functionNames() {
		functions[name] = s.run(t, name, changes...)
	}
	return functions
}

// know makes a text one that must be found nowhere.
func (s *stage) know(what, text string) { s.secrets = append(s.secrets, needle{what, text}) }

// answer is what a client gets.
type answer struct {
	status int
	header http.Header
	body   string
	line   line
	took   time.Duration
}

// members decodes the body; it is nil if there is none.
func (a answer) members(t *testing.T) map[string]any {
	t.Helper()
	if a.body == "" {
		return nil
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("the answer is not a JSON object: %v", err)
	}
	return m
}

func (a answer) text(t *testing.T, name string) string {
	t.Helper()
	s, _ := a.members(t)[name].(string)
	return s
}

// send hands the instance an event and checks what is true of every answer.
func (i *instance) send(t *testing.T, event []byte) answer {
	t.Helper()
	return i.sendWithin(t, event, timeout)
}

func (i *instance) sendWithin(t *testing.T, event []byte, left time.Duration) answer {
	t.Helper()
	calls := i.tables.total()
	o, err := i.invoke(t.Context(), event, left)
	must(t, err)
	if o.failed {
		t.Fatalf("%s refused the event:\n%s", i.name, i.stdout.all(t))
	}
	a := answer{status: o.response.StatusCode, header: http.Header{}, body: o.response.Body, took: o.took}
	for name, value := range o.response.Headers {
		a.header.Set(name, value)
	}
	i.keep(t, a)

	if o.response.IsBase64Encoded || len(o.response.MultiValueHeaders) > 0 || len(o.response.Cookies) > 0 {
		t.Errorf("%s: an answer with more than status, headers and a plain body", i.name)
	}
	headers := map[string]string{
		"Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff",
		"Strict-Transport-Security": "max-age=31536000",
	}
	endpoint := i.name
	if i.name == "metadata" && a.status == http.StatusOK {
		headers["Cache-Control"], headers["Pragma"] = "public, max-age=3600", ""
	}
	if bytes.Contains(event, []byte(wire.KeySetPath)) { // of introspect
		endpoint, headers["Cache-Control"], headers["Pragma"] = "jwks", "public, max-age=300", ""
	}
	for name, want := range headers {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: header %s: %q, want %q", i.name, name, got, want)
		}
	}
	if got := a.header.Get("Content-Type"); a.body != "" && got != "application/json" {
		t.Errorf("%s: content type %q", i.name, got)
	}

	lines := i.stdout.next(t)
	if len(lines) != 1 {
		t.Fatalf("%s wrote %d lines for one request:\n%s", i.name, len(lines), bytes.Join(lines, nil))
	}
	if noise := i.stderr.next(t); len(noise) > 0 {
		t.Errorf("%s wrote to standard error:\n%s", i.name, bytes.Join(noise, nil))
	}
	a.line = parseLine(t, lines[0])
	for name, must := range lineMembers {
		if _, has := a.line[name]; must && !has {
			t.Errorf("%s: the line lacks %s: %s", i.name, name, lines[0])
		}
	}
	for name := range a.line {
		if _, may := lineMembers[name]; !may {
			t.Errorf("%s: the line has %s: %s", i.name, name, lines[0])
		}
	}
	id, source := whence(t, event)
	for name, want := range map[string]any{
		"msg": "request", "function": i.name, "endpoint": endpoint,
		"status": float64(a.status), "request_id": o.id, "gateway_request_id": id, "source": source,
	} {
		if a.line[name] != want {
			t.Errorf("%s: the line says %s = %v, want %v", i.name, name, a.line[name], want)
		}
	}
	if d := a.line.number("duration_ms"); d <= 0 || d > float64(o.took.Milliseconds()+1) {
		t.Errorf("%s: the line says that it took %v ms; seen from outside it took %v", i.name, d, o.took)
	}
	if _, err := time.Parse(time.RFC3339, a.line.text("time")); err != nil {
		t.Errorf("%s: the line's time: %v", i.name, err)
	}
	if i.tables.isOpen() {
		if seen := i.tables.total() - calls; a.line.number("store_calls") != float64(seen) {
			t.Errorf("%s: the line says %v store calls, and %d were seen", i.name, a.line["store_calls"], seen)
		}
	}
	_, counts := a.line["_aws"]
	switch outcome := a.line.text("outcome"); outcome {
	case "active", "inactive", "listed", "described", "signed_out", "noted":
		if counts {
			t.Errorf("%s: metrics for the outcome %s, which nobody counts", i.name, outcome)
		}
	default:
		if !counts || a.line.number(outcome) != 1 {
			t.Errorf("%s: the outcome %s is not counted: %s", i.name, outcome, lines[0])
		}
	}
	if counts {
		checkMetrics(t, a.line)
	}
	return a
}

// keep sorts an answer: the tokens that it gave out must be nowhere else, and an
// answer without them must not hold a secret.
func (i *instance) keep(t *testing.T, a answer) {
	t.Helper()
	if i.name != "token" || a.status != http.StatusOK {
		i.stage.answers = append(i.stage.answers, []byte(a.body), fmt.Appendf(nil, "%v", a.header))
		return
	}
	i.stage.know("access token", a.text(t, "access_token"))
	if refresh := a.text(t, "refresh_token"); refresh != "" {
		i.stage.know("refresh token", refresh)
	}
}

// post sends a form as API Gateway does. It panics on an odd number of texts.
func (i *instance) post(t *testing.T, nameValues ...string) answer {
	t.Helper()
	return i.send(t, formEvent(t, i.name, form(nameValues...)))
}

func form(nameValues ...string) string {
	values := url.Values{}
	for pair := range slices.Chunk(nameValues, 2) {
		values.Add(pair[0], pair[1])
	}
	return values.Encode()
}

// formEvent is the event of a form without an Authorization header: a sample,
// with another body.
func formEvent(t *testing.T, function, body string) []byte {
	t.Helper()
	files := map[string]string{"token": "password", "revoke": "revoke", "introspect": "introspect", "devices": "sign-out", "events": "set", "metadata": "metadata", "users": "list", "account": "password"}
	e := readSample(t, filepath.Join(function, "events", files[function]+".json"))
	e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(body)), true
	e.Headers["content-length"] = strconv.Itoa(len(body))
	delete(e.Headers, "authorization")
	e.RequestContext.HTTP.Method = http.MethodPost
	return encode(t, e)
}

func readSample(t *testing.T, path string) events.APIGatewayV2HTTPRequest {
	t.Helper()
	return readEvent[events.APIGatewayV2HTTPRequest](t, path)
}

// readEvent reads an event that has nothing but what there is in an E.
func readEvent[E any](t *testing.T, path string) (e E) {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&e); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return e
}

func encode(t *testing.T, e any) []byte {
	t.Helper()
	text, err := json.Marshal(e)
	must(t, err)
	return text
}

// login is a password grant by the demo's confidential client.
func (i *instance) login(t *testing.T, scopes string) answer {
	t.Helper()
	a := i.post(t, "grant_type", "password", "username", demoUser, "password", demoPassword, "scope", scopes,
		"client_id", demoClient, "client_secret", demoClientSecret)
	if a.status != http.StatusOK || a.text(t, "access_token") == "" {
		t.Fatalf("login: status %d, %v", a.status, a.line)
	}
	return a
}

func (i *instance) revokeToken(t *testing.T, token string) answer {
	t.Helper()
	return i.post(t, "token", token, "client_id", demoClient, "client_secret", demoClientSecret)
}

func (i *instance) introspectToken(t *testing.T, token string) answer {
	t.Helper()
	return i.post(t, "token", token, "client_id", demoAPI, "client_secret", demoAPISecret)
}
