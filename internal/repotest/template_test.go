package repotest_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/config"
)

// variables are the values of the environment variables that the functions read.
var variables = map[string]any{
	"FOB_TOKENS_TABLE":  tableInUse("Tokens"),
	"FOB_CLIENTS_TABLE": tableInUse("Clients"),
	"FOB_USERS_TABLE":   tableInUse("Users"),
	"FOB_CHECK_SECRET":  ref("CheckKeys"),
	"FOB_MINT_SECRET":   ref("MintKeys"),
	"FOB_ISSUER":        ref("Issuer"),
	"FOB_EDGE_HASH":     ref("EdgeHash"),
	"FOB_EVENT_BUS":     ref("EventBusArn"),

	"FOB_PASSWORD_GRANT": ref("PasswordGrant"),
	"FOB_HIDE_KIND":      ref("HideKind"),
	"FOB_OWN_USERS":      ref("OwnUsers"),
	"FOB_OWN_USERS_MODE": ref("OwnUsersMode"),
	"FOB_AUDIENCE":       ref("Audience"),
	"FOB_ROUTE_SCOPES":   ref("RouteScopes"),

	"FOB_TOKEN_VERSION":      ref("TokenFunction.Version"),
	"FOB_REVOKE_VERSION":     ref("RevokeFunction.Version"),
	"FOB_INTROSPECT_VERSION": ref("IntrospectFunction.Version"),

	"FOB_KEYS_FILE":           "", // for sam local
	"AWS_ENDPOINT_URL_LAMBDA": "", // the same
}

// These are read by the Go runtime (decisions 88 and 86).
const processorsVariable, garbageVariable = "GOMAXPROCS", "GOGC"

// deploymentOf is the ARN of what SAM makes to deploy a function.
func deploymentOf(function string) any {
	return sub("arn:${AWS::Partition}:codedeploy:${AWS::Region}:${AWS::AccountId}:deploymentgroup:${ServerlessDeploymentApplication}/${" + function + "FunctionDeploymentGroup}")
}

// endpointVariable is read by the AWS SDK. It must be declared for sam local, and
// empty for AWS.
const endpointVariable = "AWS_ENDPOINT_URL_DYNAMODB"

func TestTemplate(t *testing.T) {
	text, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range templateFaults(t, text) {
		t.Error(fault)
	}
}

// templateFaults says in what a template departs from the code.
func templateFaults(t *testing.T, text []byte) []string {
	t.Helper()
	tmpl, err := parseTemplate(text)
	if err != nil {
		return []string{err.Error()}
	}
	c := &checker{template: tmpl}
	c.functions(folders(t))
	c.api()
	c.corsOrigins()
	c.authorizer()
	c.domain()
	c.routeScopes(t)
	c.hideKind()
	c.ownUsers()
	c.roles()
	c.logs()
	c.tables()
	c.secrets()
	c.settings()
	c.names()
	c.references()
	c.openapi(t)
	c.alarms(t)
	c.dashboard(t)
	c.stream(t)
	slices.Sort(c.faults)
	return c.faults
}

// folders are those under functions/ with a main.go.
func folders(t *testing.T) []string {
	t.Helper()
	mains, err := filepath.Glob("../../functions/*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	if len(mains) == 0 {
		t.Fatal("there is no functions/*/main.go")
	}
	var names []string
	for _, main := range mains {
		names = append(names, filepath.Base(filepath.Dir(main)))
	}
	return names
}

type checker struct {
	template
	faults []string
}

func (c *checker) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

// same reports a difference between what the template has and what it should have.
func (c *checker) same(what string, got, want any) {
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(fn{})); diff != "" {
		c.fault("%s (-want +got):\n%s", what, diff)
	}
}

// resourceName is that of a folder under functions/: token is Token.
func resourceName(folder string) string {
	return strings.ToUpper(folder[:1]) + folder[1:]
}

func (c *checker) functions(folders []string) {
	resources := c.ofType("AWS::Serverless::Function")
	for name := range resources {
		folder := strings.ToLower(strings.TrimSuffix(name, "Function"))
		if !strings.HasSuffix(name, "Function") || !slices.Contains(folders, folder) {
			c.fault("%s has no folder under functions/ with a main.go", name)
		}
	}
	for folder := range functions {
		if !slices.Contains(folders, folder) {
			c.fault("this test expects functions/%s/main.go", folder)
		}
	}
	for _, folder := range folders {
		want, known := functions[folder]
		if !known {
			c.fault("functions/%s: say in this test what it needs", folder)
			continue
		}
		name := resourceName(folder)
		resource, found := resources[name+"Function"]
		if !found {
			c.fault("functions/%s has no %sFunction", folder, name)
			continue
		}
		c.function(folder, name, resource, want)
	}
}

func (c *checker) function(folder, name string, resource any, want function) {
	for _, resource := range []string{name + "Function", name + "Role", name + "Logs"} {
		condition, _ := at(c.Resources[resource], "Condition").(string)
		c.same(resource+": Condition", condition, want.condition)
	}
	c.same(name+"Function: Metadata: BuildMethod", at(resource, "Metadata"), map[string]any{"BuildMethod": "makefile"})

	got := maps.Clone(at(c.Globals, "Function").(map[string]any))
	own, _ := at(resource, "Properties").(map[string]any)
	maps.Copy(got, own)

	environment := map[string]any{}
	for _, from := range []any{c.Globals["Function"], own} {
		m, _ := at(from, "Environment", "Variables").(map[string]any)
		maps.Copy(environment, m)
	}
	c.environment(name, environment, want.config)

	routes := want.routes
	if routes == nil {
		routes = map[string]string{"Route": "POST /" + folder, "WrongMethodRoute": "GET /" + folder}
	}
	events := map[string]any{}
	for event, route := range routes {
		method, path, _ := strings.Cut(route, " ")
		properties := map[string]any{
			"ApiId": ref("Api"), "Path": path, "Method": method, "PayloadFormatVersion": "2.0",
		}
		if want.guarded {
			properties["Auth"] = map[string]any{"Authorizer": "Bearer"}
		}
		events[event] = map[string]any{"Type": "HttpApi", "Properties": properties}
	}
	maps.Copy(events, want.events)
	if got["Events"] == nil {
		got["Events"] = map[string]any{}
	}
	c.same(name+": events", got["Events"], events)

	delete(got, "Environment")
	delete(got, "Events")
	properties := map[string]any{
		"Runtime":       "provided.al2023",
		"Architectures": []any{"arm64"},
		"Handler":       "bootstrap",
		"CodeUri":       ".",
		"Timeout":       10,
		"Tracing":       ref("Tracing"),
		"MemorySize":    want.memory,
		"Role":          getAtt(name + "Role.Arn"),
		"LoggingConfig": map[string]any{"LogGroup": ref(name + "Logs")},
	}
	c.deployed(name, got, want)
	for _, property := range []string{"Description", "VersionDescription", "AutoPublishAlias", "AutoPublishAliasAllProperties", "DeploymentPreference"} {
		delete(got, property)
	}
	if want.hook {
		properties["Timeout"] = 90
	}
	if want.unreserved {
		c.same(name+"Function", got, properties)
		return
	}
	properties["ReservedConcurrentExecutions"] = fn{"If", []any{
		"Reserve" + name, ref(name + "Concurrency"), ref("AWS::NoValue"),
	}}
	c.same(name+"Function", got, properties)
	c.same(name+"Concurrency: Default", at(c.Parameters[name+"Concurrency"], "Default"), -1)
	// A reservation is a limit as well: it promises nothing against a flood on the function.
	if text, _ := at(c.Parameters[name+"Concurrency"], "Description").(string); !strings.Contains(text, "itself uses it up") && !strings.Contains(text, "is also the limit: logins above it are turned away") && !strings.Contains(text, "uses it up for all") {
		c.fault("%sConcurrency: say what a flood on the function itself does", name)
	}
	c.same("Reserve"+name, c.Conditions["Reserve"+name],
		fn{"Not", []any{fn{"Equals", []any{ref(name + "Concurrency"), -1}}}})
}

// variablesOf are the environment variables that a struct of package config reads.
func variablesOf(config any) (names []string, err error) {
	params, err := env.GetFieldParams(config)
	for _, p := range params {
		names = append(names, p.Key)
	}
	return names, err
}

// environment must be what the function reads, all of it and nothing else. What
// is in Globals is for all, also for one that reads no table.
func (c *checker) environment(name string, got map[string]any, read any) {
	var names []string
	if read != nil {
		var err error
		if names, err = variablesOf(read); err != nil || len(names) == 0 {
			c.fault("%s: package config names no variables: %v", name, err)
		}
	}
	want := map[string]any{endpointVariable: "", processorsVariable: "1", garbageVariable: "400"}
	shared, err := variablesOf(new(config.Base))
	if err != nil {
		c.fault("package config: %v", err)
	}
	for _, n := range slices.Concat(names, shared) {
		want[n] = variables[n] // nil, and so a fault, if this test does not know it
	}
	c.same(name+": environment", got, want)
}
