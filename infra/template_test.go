// Package infra_test holds what is not Go to the code: template.yaml, the
// Makefile that builds the functions and the files for sam local. It also holds
// the arrows between the packages. It needs no AWS and no Python.
package infra_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/config"
	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/wire"
)

// function is what one folder under functions/ needs of the template.
type function struct {
	config any // a pointer to the struct in package config that it reads, or nil
	memory int
	// routes are its paths by the name of their event; nil is its own name at Route.
	routes map[string]string
	// guarded: its routes are behind the authorizer.
	guarded bool
	// unreserved: no concurrency can be reserved for it.
	unreserved bool
	allows     map[any][]string // actions on each resource, its own log group aside
}

var functions = map[string]function{
	"token": {
		config: new(config.Token),
		memory: 1024, // argon2id
		allows: map[any][]string{
			getAtt("TokensTable.Arn"): {
				"dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query",
			},
			getAtt("ClientsTable.Arn"): {"dynamodb:GetItem"},
			getAtt("UsersTable.Arn"): {
				"dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem",
			},
			ref("CheckKeys"): {"secretsmanager:GetSecretValue"},
			ref("MintKeys"):  {"secretsmanager:GetSecretValue"},
		},
	},
	"revoke": {
		config: new(config.Revoke),
		memory: 256,
		allows: map[any][]string{
			getAtt("TokensTable.Arn"):  {"dynamodb:DeleteItem"},
			getAtt("ClientsTable.Arn"): {"dynamodb:GetItem"},
			ref("CheckKeys"):           {"secretsmanager:GetSecretValue"},
		},
	},
	"introspect": {
		config: new(config.Introspect),
		memory: 256,
		allows: map[any][]string{
			getAtt("TokensTable.Arn"):  {"dynamodb:BatchGetItem"},
			getAtt("ClientsTable.Arn"): {"dynamodb:GetItem"},
			ref("CheckKeys"):           {"secretsmanager:GetSecretValue"},
		},
	},
	"devices": {
		config: new(config.Devices),
		memory: 256,
		routes: map[string]string{
			"Route": wire.DevicesPath, "DeviceRoute": wire.DevicePath, "SignOutRoute": wire.SignOutPath,
		},
		allows: map[any][]string{
			getAtt("TokensTable.Arn"): {
				"dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem",
			},
			getAtt("ClientsTable.Arn"): {"dynamodb:GetItem"},
			ref("CheckKeys"):           {"secretsmanager:GetSecretValue"},
		},
	},
	"metadata": {
		config:     new(config.Metadata),
		memory:     128,
		routes:     map[string]string{"Route": wire.MetadataPath},
		unreserved: true,
		allows:     map[any][]string{},
	},
	"authorizer": {
		config: new(config.Authorizer),
		memory: 256,
		routes: map[string]string{}, // the gateway's own question
		allows: map[any][]string{
			getAtt("TokensTable.Arn"):  {"dynamodb:BatchGetItem"},
			getAtt("ClientsTable.Arn"): {"dynamodb:GetItem"},
			ref("CheckKeys"):           {"secretsmanager:GetSecretValue"},
		},
	},
	"me": {
		memory:     128,
		guarded:    true,
		unreserved: true,
		allows:     map[any][]string{},
	},
}

// variables are the values of the environment variables that the functions read.
var variables = map[string]any{
	"FOB_TOKENS_TABLE":  ref("TokensTable"),
	"FOB_CLIENTS_TABLE": ref("ClientsTable"),
	"FOB_USERS_TABLE":   ref("UsersTable"),
	"FOB_CHECK_SECRET":  ref("CheckKeys"),
	"FOB_MINT_SECRET":   ref("MintKeys"),
	"FOB_ISSUER":        ref("Issuer"),

	"FOB_PASSWORD_GRANT": ref("PasswordGrant"),
	"FOB_AUDIENCE":       ref("Audience"),
	"FOB_ROUTE_SCOPES":   ref("RouteScopes"),

	"FOB_KEYS_FILE": "", // for sam local
}

// endpointVariable is read by the AWS SDK. It must be declared for sam local, and
// empty for AWS.
const endpointVariable = "AWS_ENDPOINT_URL_DYNAMODB"

func TestTemplate(t *testing.T) {
	text, err := os.ReadFile("../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range templateFaults(t, text) {
		t.Error(fault)
	}
}

// TestTemplateFaults breaks the template in the ways that matter, to know that
// TestTemplate would see it.
func TestTemplateFaults(t *testing.T) {
	text, err := os.ReadFile("../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, old, new, want string }{
		{"a function is missing", "  RevokeFunction:\n", "  WithdrawFunction:\n", "functions/revoke has no RevokeFunction"},
		{"a function without a folder", "  RevokeFunction:\n", "  WithdrawFunction:\n", "WithdrawFunction has no folder"},
		{"another runtime", "provided.al2023", "provided.al2", "Runtime"},
		{"another architecture", "[arm64]", "[x86_64]", "Architectures"},
		{"a function that overrides a global", "      MemorySize: 256\n", "      MemorySize: 256\n      Timeout: 900\n", "Timeout"},
		{"no makefile build", "BuildMethod: makefile", "BuildMethod: go1.x", "BuildMethod"},
		{"too little memory for argon2id", "MemorySize: 1024", "MemorySize: 128", "MemorySize"},
		{"concurrency without its parameter", "!If [ReserveRevoke, !Ref RevokeConcurrency", "!If [ReserveToken, !Ref TokenConcurrency", "ReservedConcurrentExecutions"},
		{"concurrency reserved by default", "Default: -1", "Default: 10", "Concurrency"},
		{"a variable is missing", "          FOB_ISSUER: !Ref Issuer\n", "          FOB_NAME: !Ref Issuer\n", "Introspect: environment"},
		{"a variable too many", "          FOB_ISSUER: !Ref Issuer\n", "          FOB_ISSUER: !Ref Issuer\n          FOB_USERS_TABLE: !Ref UsersTable\n", "Introspect: environment"},
		{"tables swapped", "FOB_TOKENS_TABLE: !Ref TokensTable", "FOB_TOKENS_TABLE: !Ref UsersTable", "environment"},
		{"the mint key for everybody", "        FOB_CHECK_SECRET: !Ref CheckKeys\n", "        FOB_CHECK_SECRET: !Ref CheckKeys\n        FOB_MINT_SECRET: !Ref MintKeys\n", "Revoke: environment"},
		{"a local endpoint in AWS", endpointVariable + `: ""`, endpointVariable + ": http://localhost:8000", "environment"},
		{"another route", "Path: /introspect", "Path: /introspection", "Introspect: events"},
		{"a device without its route", "Path: /devices/{device}", "Path: /devices/{name}", "Devices: events"},
		{"metadata elsewhere", "Path: /.well-known/oauth-authorization-server", "Path: /.well-known/openid-configuration", "Metadata: events"},
		{"metadata of another issuer", "          FOB_ISSUER: !Ref Issuer\n          FOB_PASSWORD_GRANT: !Ref PasswordGrant\n", "          FOB_PASSWORD_GRANT: !Ref PasswordGrant\n", "Metadata: environment"},
		{"a password grant that /token does not hear of", "          FOB_MINT_SECRET: !Ref MintKeys\n          FOB_PASSWORD_GRANT: !Ref PasswordGrant\n", "          FOB_MINT_SECRET: !Ref MintKeys\n", "Token: environment"},
		{"devices may write tokens", "                  - dynamodb:DeleteItem\n                  - dynamodb:UpdateItem\n                Resource: !GetAtt TokensTable.Arn", "                  - dynamodb:DeleteItem\n                  - dynamodb:UpdateItem\n                  - dynamodb:PutItem\n                Resource: !GetAtt TokensTable.Arn", "DevicesRole"},
		{"metadata may read something", "        - PolicyName: metadata\n          PolicyDocument:\n            Version: \"2012-10-17\"\n            Statement:\n", "        - PolicyName: metadata\n          PolicyDocument:\n            Version: \"2012-10-17\"\n            Statement:\n              - Effect: Allow\n                Action: dynamodb:GetItem\n                Resource: !GetAtt ClientsTable.Arn\n", "MetadataRole"},
		{"an open /me", "            Auth:\n              Authorizer: Bearer\n", "", "Me: events"},
		{"/me behind another authorizer", "              Authorizer: Bearer\n", "              Authorizer: Other\n", "Me: events"},
		{"a guarded /token", "        Authorizers:\n", "        DefaultAuthorizer: Bearer\n        Authorizers:\n", "Api"},
		{"a yes for all routes", "Context: [routeKey, httpMethod]", "Context: [httpMethod]", "Api"},
		{"a yes for all methods", "Context: [routeKey, httpMethod]", "Context: [routeKey]", "Api"},
		{"an authorizer of another format", `AuthorizerPayloadFormatVersion: "2.0"`, `AuthorizerPayloadFormatVersion: "1.0"`, "Api"},
		{"a policy where a simple answer comes", "EnableSimpleResponses: true", "EnableSimpleResponses: false", "Api"},
		{"a fixed cache", "ReauthorizeEvery: !Ref AuthorizerCacheSeconds", "ReauthorizeEvery: 300", "Api"},
		{"a cache by default", "    Default: 0\n", "    Default: 300\n", "AuthorizerCacheSeconds"},
		{"a cache without a warning", "a token that was revoked or has", "a token that has", "revocation delay"},
		{"a cache that outlives tokens without a warning", "revoked or has\n      expired", "revoked", "revocation delay"},
		{"an authorizer that nobody may ask", "AuthorizerPermission:\n    Type: AWS::Lambda::Permission", "AuthorizerPermission:\n    Type: AWS::Lambda::Alias", "permissions"},
		{"an authorizer that anybody may ask", "SourceArn: !Sub arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/authorizers/*", "SourceAccount: !Ref AWS::AccountId", "AuthorizerPermission"},
		{"an authorizer without its ARN", "Name: !Sub ${AWS::StackName}-AuthorizerArn", "Name: !Sub ${AWS::StackName}-Authorizer", "AuthorizerArn: Export"},
		{"an authorizer that writes", "        - PolicyName: authorizer\n          PolicyDocument:\n            Version: \"2012-10-17\"\n            Statement:\n              - Effect: Allow\n                Action: dynamodb:BatchGetItem\n", "        - PolicyName: authorizer\n          PolicyDocument:\n            Version: \"2012-10-17\"\n            Statement:\n              - Effect: Allow\n                Action: [dynamodb:BatchGetItem, dynamodb:PutItem]\n", "AuthorizerRole"},
		{"/me may read", "        - PolicyName: me\n          PolicyDocument:\n            Version: \"2012-10-17\"\n            Statement:\n", "        - PolicyName: me\n          PolicyDocument:\n            Version: \"2012-10-17\"\n            Statement:\n              - Effect: Allow\n                Action: dynamodb:GetItem\n                Resource: !GetAtt ClientsTable.Arn\n", "MeRole"},
		{"scopes that the authorizer does not hear of", "          FOB_ROUTE_SCOPES: !Ref RouteScopes\n", "", "Authorizer: environment"},
		{"scopes for a method that there is not", "(ANY|DELETE|", "([A-Z]+|", "RouteScopes"},
		{"scopes for a path with a query", "<>@-~]*)", "<>?@-~]*)", "RouteScopes"},
		{"scopes that no token can have", "=\\s*[!#-:", "=\\s*[!-:", "RouteScopes"},
		{"an audience by default", "  Audience:\n    Type: String\n    Default: \"\"\n", "  Audience:\n    Type: String\n    Default: demo\n", "Audience"},
		{"only POST", "Method: ANY", "Method: POST", "events"},
		{"payload format 1.0", `PayloadFormatVersion: "2.0"`, `PayloadFormatVersion: "1.0"`, "events"},
		{"no throttling", "ThrottlingBurstLimit: !Ref ThrottleBurst", "ThrottlingBurstLimit: 5000", "Api"},
		{"the path in the access log", "$context.routeKey", "$context.path", "access log"},
		{"an access log that is no JSON", `"status":"$context.status",`, `"status":"$context.status"`, "access log"},
		{"introspection may write", "Action: dynamodb:BatchGetItem\n", "Action: [dynamodb:BatchGetItem, dynamodb:PutItem]\n", "IntrospectRole"},
		{"revocation may read users", "Action: dynamodb:DeleteItem\n                Resource: !GetAtt TokensTable.Arn", "Action: dynamodb:DeleteItem\n                Resource: !GetAtt UsersTable.Arn", "RevokeRole"},
		{"a wildcard action", "Action: dynamodb:DeleteItem\n", "Action: dynamodb:*\n", "wildcard"},
		{"a wildcard resource", "Resource: !GetAtt RevokeLogs.Arn", `Resource: "*"`, "wildcard"},
		{"everything but", "Action: dynamodb:DeleteItem\n", "NotAction: dynamodb:DeleteItem\n", "RevokeRole"},
		{"scan", "                  - dynamodb:Query\n", "                  - dynamodb:Query\n                  - dynamodb:Scan\n", "Scan"},
		{"somebody else may take the role", "Service: lambda.amazonaws.com", "AWS: 111122223333", "RevokeRole: trust"},
		{"a managed policy", "      Policies:\n        - PolicyName: revoke\n", "      ManagedPolicyArns: [arn:aws:iam::aws:policy/AdministratorAccess]\n      Policies:\n        - PolicyName: revoke\n", "RevokeRole"},
		{"a policy of SAM's", "      Role: !GetAtt RevokeRole.Arn\n", "      Role: !GetAtt RevokeRole.Arn\n      Policies: [AmazonDynamoDBFullAccess]\n", "Policies"},
		{"another function's role", "Role: !GetAtt RevokeRole.Arn", "Role: !GetAtt TokenRole.Arn", "Role"},
		{"another function's log", "LogGroup: !Ref RevokeLogs", "LogGroup: !Ref TokenLogs", "LoggingConfig"},
		{"logs for ever", "      RetentionInDays: !Ref LogRetentionDays\n", "      LogGroupClass: STANDARD\n", "RetentionInDays"},
		{"tables go with the stack", "DeletionPolicy: RetainExceptOnCreate", "DeletionPolicy: Delete", "DeletionPolicy"},
		{"tables go with a replacement", "UpdateReplacePolicy: Retain", "UpdateReplacePolicy: Delete", "UpdateReplacePolicy"},
		{"no recovery", "PointInTimeRecoveryEnabled: true", "PointInTimeRecoveryEnabled: false", "Table"},
		{"provisioned", "PAY_PER_REQUEST", "PROVISIONED", "Table"},
		{"protection fixed", "DeletionProtectionEnabled: !Ref DeletionProtection", "DeletionProtectionEnabled: false", "Table"},
		{"another key", "{AttributeName: sk, KeyType: RANGE}", "{AttributeName: pk, KeyType: RANGE}", "TokensTable"},
		{"a number as key", "{AttributeName: sk, AttributeType: S}", "{AttributeName: sk, AttributeType: N}", "TokensTable"},
		{"another broom", "AttributeName: ttl", "AttributeName: expires", "Table"},
		{"no broom", "        Enabled: true", "        Enabled: false", "Table"},
		{"a name that blocks a second stack", "      BillingMode:", "      TableName: fob-tokens\n      BillingMode:", "TableName"},
		{"a secret with a name", "      Description: fob's mint keys.", "      Name: fob-mint\n      Description: fob's mint keys.", "MintKeys"},
		{"the check key generated anew", `"states":{"1":"active"}`, `"states":{"1":"active","2":"prepublished"}`, "CheckKeys"},
		{"the mint key generated anew", "SecretStringTemplate: '{}'", "SecretStringTemplate: '{ }'", "MintKeys"},
		{"shorter keys", "PasswordLength: 64", "PasswordLength: 16", "Keys"},
		{"a reference to nothing", "!Ref LogRetentionDays", "!Ref Retention", "Retention"},
		{"an output of nothing", "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/revoke", "https://${Gateway}.execute-api.${AWS::Region}.${AWS::URLSuffix}/revoke", "Gateway"},
		{"a parameter without effect", "TokenConcurrency:", "TokenInstances:", "TokenInstances"},
		{"an alarm without its function", "        RevokeFunction: !Ref RevokeFunction\n", "", "Alarms"},
		{"a key twice", "    Timeout: 10\n", "    Timeout: 10\n    Timeout: 30\n", "twice"},
		{"an alias, which CloudFormation does not know", "BillingMode: PAY_PER_REQUEST", "BillingMode: *billing", "billing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if !strings.Contains(string(text), test.old) {
				t.Fatalf("template.yaml has no %q any more: change this test", test.old)
			}
			broken := strings.ReplaceAll(string(text), test.old, test.new)
			faults := templateFaults(t, []byte(broken))
			if !slices.ContainsFunc(faults, func(f string) bool { return strings.Contains(f, test.want) }) {
				t.Errorf("no fault speaks of %q: %q", test.want, faults)
			}
		})
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
	c.authorizer()
	c.routeScopes(t)
	c.roles()
	c.logs()
	c.tables()
	c.secrets()
	c.names()
	c.references()
	c.alarms(t)
	slices.Sort(c.faults)
	return c.faults
}

// folders are those under functions/ with a main.go.
func folders(t *testing.T) []string {
	t.Helper()
	mains, err := filepath.Glob("../functions/*/main.go")
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

// same reports a difference between what stands in the template and what should.
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
		routes = map[string]string{"Route": "/" + folder}
	}
	events := map[string]any{}
	for event, path := range routes {
		properties := map[string]any{
			"ApiId": ref("Api"), "Path": path, "Method": "ANY", "PayloadFormatVersion": "2.0",
		}
		if want.guarded {
			properties["Auth"] = map[string]any{"Authorizer": "Bearer"}
		}
		events[event] = map[string]any{"Type": "HttpApi", "Properties": properties}
	}
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
		"MemorySize":    want.memory,
		"Role":          getAtt(name + "Role.Arn"),
		"LoggingConfig": map[string]any{"LogGroup": ref(name + "Logs")},
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
// stands in Globals is for all, also for one that reads no table.
func (c *checker) environment(name string, got map[string]any, read any) {
	var names []string
	if read != nil {
		var err error
		if names, err = variablesOf(read); err != nil || len(names) == 0 {
			c.fault("%s: package config names no variables: %v", name, err)
		}
	}
	want := map[string]any{endpointVariable: ""}
	shared, err := variablesOf(new(config.Base))
	if err != nil {
		c.fault("package config: %v", err)
	}
	for _, n := range slices.Concat(names, shared) {
		want[n] = variables[n] // nil, and so a fault, if this test does not know it
	}
	c.same(name+": environment", got, want)
}

func (c *checker) api() {
	apis := c.ofType("AWS::Serverless::HttpApi")
	c.same("HTTP APIs", slices.Collect(maps.Keys(apis)), []string{"Api"})
	properties, _ := at(apis["Api"], "Properties").(map[string]any)
	format, _ := at(properties, "AccessLogSettings", "Format").(string)
	c.same("Api", properties, map[string]any{
		// No DefaultAuthorizer: /token must be open. The route and the method are in the
		// cache's key, or a yes to one would be a yes to all.
		"Auth": map[string]any{"Authorizers": map[string]any{"Bearer": map[string]any{
			"FunctionArn":                    getAtt("AuthorizerFunction.Arn"),
			"AuthorizerPayloadFormatVersion": "2.0",
			"EnableSimpleResponses":          true,
			"Identity": map[string]any{
				"Headers": []any{"Authorization"}, "Context": []any{"routeKey", "httpMethod"}, "ReauthorizeEvery": ref("AuthorizerCacheSeconds"),
			},
		}}},
		"DefaultRouteSettings": map[string]any{
			"ThrottlingRateLimit": ref("ThrottleRate"), "ThrottlingBurstLimit": ref("ThrottleBurst"),
		},
		"AccessLogSettings": map[string]any{"DestinationArn": getAtt("ApiLogs.Arn"), "Format": format},
	})

	// Clients that err put secrets into the path and the query.
	safe := regexp.MustCompile(`^\$context\.(requestTimeEpoch|requestId|identity\.sourceIp|routeKey|httpMethod|status|responseLatency|error\.responseType|integrationErrorMessage)$`)
	var fields map[string]string
	if err := json.Unmarshal([]byte(format), &fields); err != nil || strings.Contains(format, "\n") {
		c.fault("access log: not one line of JSON: %v", err)
	}
	for key, value := range fields {
		if !safe.MatchString(value) {
			c.fault("access log: %s is %s", key, value)
		}
	}
}

// authorizer: the gateway may ask it, other stacks may name it, and nothing that it
// says is kept unless somebody wants so.
func (c *checker) authorizer() {
	permissions := c.ofType("AWS::Lambda::Permission")
	c.same("permissions", slices.Collect(maps.Keys(permissions)), []string{"AuthorizerPermission"})
	c.same("AuthorizerPermission", at(permissions["AuthorizerPermission"], "Properties"), map[string]any{
		"Action": "lambda:InvokeFunction", "FunctionName": ref("AuthorizerFunction"), "Principal": "apigateway.amazonaws.com",
		"SourceArn": sub("arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/authorizers/*"),
	})
	c.same("AuthorizerArn", at(c.Outputs["AuthorizerArn"], "Value"), getAtt("AuthorizerFunction.Arn"))
	c.same("AuthorizerArn: Export", at(c.Outputs["AuthorizerArn"], "Export", "Name"), sub("${AWS::StackName}-AuthorizerArn"))

	cache := c.Parameters["AuthorizerCacheSeconds"]
	c.same("AuthorizerCacheSeconds: Default", at(cache, "Default"), 0)
	if text, _ := at(cache, "Description").(string); !strings.Contains(text, "revoked") || !strings.Contains(text, "expired") {
		c.fault("AuthorizerCacheSeconds: say what it costs in revocation delay, and past the expiry")
	}
	for _, name := range []string{"Audience", "RouteScopes"} {
		c.same(name+": Default", at(c.Parameters[name], "Default"), "")
	}
}

// routeScopes: what the template lets pass, the authorizer can start with, as far as
// a pattern can tell. The lists are those of package config.
func (c *checker) routeScopes(t *testing.T) {
	text, err := os.ReadFile("../internal/config/testdata/route-scopes.json")
	if err != nil {
		t.Fatal(err)
	}
	var lists map[string][]string
	if err := json.Unmarshal(text, &lists); err != nil || len(lists["good"]) == 0 || len(lists["bad"]) == 0 {
		t.Fatalf("%v, %d lists", err, len(lists))
	}
	pattern, _ := at(c.Parameters["RouteScopes"], "AllowedPattern").(string)
	// CloudFormation has Java's expressions, of which this test wants what Go has too:
	// no look-around, no class within a class, no shorthand but \s.
	allowed, err := regexp.Compile(pattern)
	if err != nil || !strings.HasPrefix(pattern, "^") || !strings.HasSuffix(pattern, "$") || strings.Contains(pattern, "&&") {
		c.fault("RouteScopes: AllowedPattern %q: %v", pattern, err)
		return
	}
	for _, list := range []string{"good", "bad"} {
		for _, entry := range lists[list] {
			if allowed.MatchString(entry) != (list == "good") {
				c.fault("RouteScopes: AllowedPattern and package config differ about %q", entry)
			}
		}
	}
}

func (c *checker) roles() {
	for name, resource := range c.Resources {
		kind, _ := at(resource, "Type").(string)
		if !strings.HasPrefix(kind, "AWS::IAM::") {
			continue
		}
		_, known := functions[strings.ToLower(strings.TrimSuffix(name, "Role"))]
		if kind != "AWS::IAM::Role" || !known {
			c.fault("%s: an %s that is no function's role", name, kind)
		}
		walk(resource, func(v any) {
			if s := fmt.Sprint(v); isText(v) && strings.ContainsAny(s, "*?") {
				c.fault("%s: wildcard in %s", name, s)
			} else if isText(v) && strings.HasSuffix(s, ":Scan") {
				c.fault("%s: nobody may Scan", name)
			}
		})
	}
	for folder, want := range functions {
		name := resourceName(folder)
		properties, _ := at(c.Resources[name+"Role"], "Properties").(map[string]any)
		c.same(name+"Role: trust", properties["AssumeRolePolicyDocument"], map[string]any{
			"Version": "2012-10-17",
			"Statement": []any{map[string]any{
				"Effect": "Allow", "Principal": map[string]any{"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole",
			}},
		})
		policies, _ := properties["Policies"].([]any)
		if len(properties) != 2 || len(policies) != 1 {
			c.fault("%sRole: wants a trust policy, one inline policy and nothing else", name)
			continue
		}
		allows := maps.Clone(want.allows)
		allows[getAtt(name+"Logs.Arn")] = []string{"logs:CreateLogStream", "logs:PutLogEvents"}
		got, err := allowed(at(policies[0], "PolicyDocument", "Statement"))
		if err != nil {
			c.fault("%sRole: %v", name, err)
		}
		c.same(name+"Role", got, allows)
	}
}

func isText(v any) bool {
	switch v.(type) {
	case string, sub:
		return true
	}
	return false
}

// allowed reads statements that allow, in the only form that this test
// understands: no exception, no condition.
func allowed(statements any) (map[any][]string, error) {
	allows := map[any][]string{}
	list, _ := statements.([]any)
	for _, statement := range list {
		m, _ := statement.(map[string]any)
		if keys := slices.Sorted(maps.Keys(m)); !slices.Equal(keys, []string{"Action", "Effect", "Resource"}) || m["Effect"] != "Allow" {
			return nil, fmt.Errorf("a statement with %q", keys)
		}
		for _, resource := range oneOrMore(m["Resource"]) {
			for _, action := range oneOrMore(m["Action"]) {
				allows[resource] = append(allows[resource], fmt.Sprint(action))
			}
			slices.Sort(allows[resource])
		}
	}
	return allows, nil
}

func oneOrMore(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

func (c *checker) logs() {
	for name, group := range c.ofType("AWS::Logs::LogGroup") {
		c.same(name+": RetentionInDays", at(group, "Properties"), map[string]any{"RetentionInDays": ref("LogRetentionDays")})
	}
}

func (c *checker) tables() {
	got := c.ofType("AWS::DynamoDB::Table")
	tables := dynamo.Tables{Tokens: "TokensTable", Clients: "ClientsTable", Users: "UsersTable"}
	for _, s := range tables.Schemas() {
		var attributes, keys []any
		for _, a := range s.Create.AttributeDefinitions {
			attributes = append(attributes, map[string]any{"AttributeName": *a.AttributeName, "AttributeType": string(a.AttributeType)})
		}
		for _, k := range s.Create.KeySchema {
			keys = append(keys, map[string]any{"AttributeName": *k.AttributeName, "KeyType": string(k.KeyType)})
		}
		want := map[string]any{
			"BillingMode":                      string(s.Create.BillingMode),
			"AttributeDefinitions":             attributes,
			"KeySchema":                        keys,
			"DeletionProtectionEnabled":        ref("DeletionProtection"),
			"PointInTimeRecoverySpecification": map[string]any{"PointInTimeRecoveryEnabled": true},
		}
		if s.Sweeps {
			want["TimeToLiveSpecification"] = map[string]any{"AttributeName": dynamo.TTLAttribute, "Enabled": true}
		}
		name := *s.Create.TableName
		c.same(name, at(got[name], "Properties"), want)
		c.retained(name)
		delete(got, name)
	}
	for name := range got {
		c.fault("%s: a Table that package dynamo does not know", name)
	}
}

// retained: the stack may not take it along, but for a stack that never was.
func (c *checker) retained(name string) {
	c.same(name+": DeletionPolicy", at(c.Resources[name], "DeletionPolicy"), "RetainExceptOnCreate")
	c.same(name+": UpdateReplacePolicy", at(c.Resources[name], "UpdateReplacePolicy"), "Retain")
}

// secrets: a change of GenerateSecretString, however small, lets CloudFormation
// generate the key ring anew, and logs everybody out. Do not change this test.
func (c *checker) secrets() {
	got := c.ofType("AWS::SecretsManager::Secret")
	for name, begins := range map[string]string{
		"CheckKeys": `{"issuer_epoch":0,"states":{"1":"active"}}`,
		"MintKeys":  `{}`,
	} {
		c.same(name, at(got[name], "Properties"), map[string]any{
			"Description": at(got[name], "Properties", "Description"),
			"GenerateSecretString": map[string]any{
				"SecretStringTemplate": begins,
				"GenerateStringKey":    "1",
				"PasswordLength":       64,
				"ExcludePunctuation":   true,
			},
		})
		c.retained(name)
		delete(got, name)
	}
	for name := range got {
		c.fault("%s: a secret that this test does not know", name)
	}
}

// names: a resource with a name of its own stands in the way of a second stack,
// and of its own replacement.
func (c *checker) names() {
	for name, resource := range c.Resources {
		for _, property := range []string{"TableName", "FunctionName", "RoleName", "LogGroupName", "Name", "StageName"} {
			if property == "FunctionName" && at(resource, "Type") == "AWS::Lambda::Permission" {
				continue // whom it is about
			}
			if at(resource, "Properties", property) != nil {
				c.fault("%s: has a %s", name, property)
			}
		}
	}
}

var subReference = regexp.MustCompile(`\$\{([^!}][^}]*)\}`)

// references must lead somewhere, and parameters and conditions be used.
func (c *checker) references() {
	used := map[string]bool{}
	use := func(name string) {
		name, _, _ = strings.Cut(name, ".")
		used[name] = true
		_, resource := c.Resources[name]
		_, parameter := c.Parameters[name]
		if !resource && !parameter && !strings.HasPrefix(name, "AWS::") {
			c.fault("a reference to %s, which is neither resource nor parameter", name)
		}
	}
	conditions := map[string]bool{}
	for _, section := range []map[string]any{c.Conditions, c.Globals, c.Resources, c.Outputs} {
		walk(section, func(v any) {
			switch v := v.(type) {
			case ref:
				use(string(v))
			case getAtt:
				use(string(v))
			case sub:
				for _, match := range subReference.FindAllStringSubmatch(string(v), -1) {
					use(match[1])
				}
			case fn:
				if args, ok := v.args.([]any); ok && v.name == "If" {
					conditions[fmt.Sprint(args[0])] = true
				}
			case map[string]any:
				if condition, ok := v["Condition"].(string); ok {
					conditions[condition] = true
				}
			}
		})
	}
	for name, parameter := range c.Parameters {
		if !used[name] {
			c.fault("parameter %s has no effect", name)
		}
		if description, _ := at(parameter, "Description").(string); description == "" {
			c.fault("parameter %s has no description", name)
		}
	}
	c.same("conditions used", conditions, setOf(c.Conditions))
}

func setOf(m map[string]any) map[string]bool {
	set := map[string]bool{}
	for name := range m {
		set[name] = true
	}
	return set
}

// alarms: the nested stack gets all parameters that it wants, and alarms only on
// counters that there are.
func (c *checker) alarms(t *testing.T) {
	const path = "infra/alarms.yaml"
	nested, err := readTemplate(filepath.Join("..", path))
	if err != nil {
		t.Fatal(err)
	}
	c.same("Alarms: TemplateURL", at(c.Resources["Alarms"], "Properties", "TemplateURL"), path)
	given, _ := at(c.Resources["Alarms"], "Properties", "Parameters").(map[string]any)
	c.same("Alarms: parameters", setOf(given), setOf(nested.Parameters))

	inner := &checker{template: nested}
	inner.references()
	inner.names()
	var counted []any // the values of the dimension
	for _, folder := range folders(t) {
		counted = append(counted, ref(resourceName(folder)+"Function")) // apigw.Serve counts by the function's name
	}
	// Every function is in each sum over Lambda's own metrics. The authorizer says
	// 401 by an error, and so has an alarm of its own on what is one.
	for _, alarm := range []string{"FunctionFaults", "FunctionThrottles"} {
		var summed []any
		walk(nested.Resources[alarm], func(v any) {
			if at(v, "Namespace") == "AWS/Lambda" {
				dimensions, _ := at(v, "Dimensions").([]any)
				summed = append(summed, at(dimensions[0], "Value"))
			}
		})
		for _, name := range counted {
			if own := alarm == "FunctionFaults" && name == ref("AuthorizerFunction"); slices.Contains(summed, name) == own {
				inner.fault("%s: without %v, or with it", alarm, name)
			}
		}
	}
	counters := 0
	walk(nested.Resources, func(v any) {
		if at(v, "Namespace") != "fob" {
			return
		}
		counters++
		if name := at(v, "MetricName"); name != "tampered" && name != string(oauth.Replayed) && name != string(oauth.Failed) {
			inner.fault("fob counts no %v", name)
		}
		dimensions, _ := at(v, "Dimensions").([]any)
		if len(dimensions) != 1 || at(dimensions[0], "Name") != "function" || !slices.Contains(counted, at(dimensions[0], "Value")) {
			inner.fault("fob counts for %v and not for %v: the alarm would never be heard", counted, dimensions)
		}
	})
	if counters == 0 {
		inner.fault("no alarm on a counter of fob's")
	}
	for _, f := range inner.faults {
		c.fault("%s: %s", path, f)
	}
}

// TestMakefile: sam build makes build-<resource>, which builds that folder with
// the flags of a release.
func TestMakefile(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		fmt.Fprintf(os.Stderr, "LEFT OUT: %v\n", err)
		t.Skip(err)
	}
	for _, folder := range folders(t) {
		got, err := exec.Command("make", "-C", "..", "--no-print-directory", "-n", "build-"+resourceName(folder)+"Function", "ARTIFACTS_DIR=out").CombinedOutput()
		want := "GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go build -tags lambda.norpc -trimpath -ldflags '-s -w' -o out/bootstrap ./functions/" + folder + "\n"
		if string(got) != want || err != nil {
			t.Errorf("make builds the function %s with\n%s%v, want\n%s", folder, got, err, want)
		}
	}
}

// TestSAMLocalEnvironment: sam local drops variables that the template does not
// declare, without a word.
func TestSAMLocalEnvironment(t *testing.T) {
	text, err := os.ReadFile("sam-local.env.json")
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Parameters map[string]string }
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := []string{endpointVariable, "FOB_CLIENTS_TABLE", "FOB_KEYS_FILE", "FOB_TOKENS_TABLE", "FOB_USERS_TABLE"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got.Parameters))); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
	for name := range got.Parameters {
		if _, declared := variables[name]; !declared && name != endpointVariable {
			t.Errorf("template.yaml declares no %s", name)
		}
	}
}

// TestSAMConfig: parameters that samconfig.toml sets, or shows how to, exist.
func TestSAMConfig(t *testing.T) {
	text, err := os.ReadFile("../samconfig.toml")
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := readTemplate("../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	overrides := regexp.MustCompile(`(?m)^\s*(?:# )?"(\w+)=[^"]+",$`).FindAllStringSubmatch(string(text), -1)
	if len(overrides) == 0 {
		t.Error("samconfig.toml sets no parameter")
	}
	for _, o := range overrides {
		if _, found := tmpl.Parameters[o[1]]; !found {
			t.Errorf("template.yaml has no parameter %s", o[1])
		}
	}
}
