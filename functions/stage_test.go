package functions_test

import (
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/password"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/secret"
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

// lateness is what a machine that is busy with other tests adds to the time of an answer.
// That the reserve is kept to the millisecond is a test of internal/apigw, by a clock of
// its own.
const lateness = time.Second

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
	return newStageAt(t, dynamotest.Engine(t))
}

func newStageAt(t *testing.T, endpoint string) *stage {
	t.Helper()
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
