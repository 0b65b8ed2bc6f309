package repotest_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestTemplateFaults breaks the template in the ways that matter, to know that
// TestTemplate would see it.
func TestTemplateFaults(t *testing.T) {
	text, err := os.ReadFile("../../template.yaml")
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
		{"a variable too many", "        Variables:\n          FOB_ISSUER: !Ref Issuer\n      Events:", "        Variables:\n          FOB_ISSUER: !Ref Issuer\n          FOB_USERS_TABLE: !Ref UsersTable\n      Events:", "Introspect: environment"},
		{"tables swapped", "FOB_TOKENS_TABLE: !Ref TokensTable", "FOB_TOKENS_TABLE: !Ref UsersTable", "environment"},
		{"the mint key for everybody", "        FOB_CHECK_SECRET: !Ref CheckKeys\n", "        FOB_CHECK_SECRET: !Ref CheckKeys\n        FOB_MINT_SECRET: !Ref MintKeys\n", "Revoke: environment"},
		{"a local endpoint in AWS", endpointVariable + `: ""`, endpointVariable + ": http://localhost:8000", "environment"},
		{"another route", "Path: /introspect", "Path: /introspection", "Introspect: events"},
		{"a route that is not described", "Path: /introspect", "Path: /introspection", "docs/openapi.yaml"},
		{"a device without its route", `Path: "/devices/{device}"`, `Path: "/devices/{name}"`, "Devices: events"},
		{"metadata elsewhere", "Path: /.well-known/oauth-authorization-server", "Path: /.well-known/openid-configuration", "Metadata: events"},
		{"metadata of another issuer", "          FOB_ISSUER: !Ref Issuer\n          FOB_PASSWORD_GRANT: !Ref PasswordGrant\n", "          FOB_PASSWORD_GRANT: !Ref PasswordGrant\n", "Metadata: environment"},
		{"a kind to hide that cannot be given", "|^bcrypt:[0-9]{1,2}$|", "|^bcrypt$|", "HideKind"},
		{"the right to invoke nobody", "              - !If\n                - HasOwnUsers\n                - Effect: Allow\n                  Action: lambda:InvokeFunction\n                  Resource: !Ref OwnUsers\n                - !Ref AWS::NoValue\n", "              - Effect: Allow\n                Action: lambda:InvokeFunction\n                Resource: !Ref OwnUsers\n", "TokenRole"},
		{"the right to invoke more than own users", "                  Action: lambda:InvokeFunction\n", "                  Action: [lambda:InvokeFunction, lambda:InvokeAsync]\n", "TokenRole"},
		{"own users under another condition", "                - HasOwnUsers\n", "                - HasCorsOrigins\n", "TokenRole"},
		{"an ARN of own users that the function refuses", "function:[A-Za-z0-9_-]{1,64}(:", "function:[A-Za-z0-9_.-]{1,64}(:", "OwnUsers"},
		{"clients that sign for another name", "          FOB_HIDE_KIND: !Ref HideKind\n          FOB_ISSUER: !Ref Issuer\n", "          FOB_HIDE_KIND: !Ref HideKind\n", "Token: environment"},
		{"a password grant that /token does not hear of", "          FOB_MINT_SECRET: !Ref MintKeys\n          FOB_PASSWORD_GRANT: !Ref PasswordGrant\n", "          FOB_MINT_SECRET: !Ref MintKeys\n", "Token: environment"},
		{"devices may write tokens", "                  - dynamodb:DeleteItem\n                  - dynamodb:UpdateItem\n                Resource: !GetAtt TokensTable.Arn", "                  - dynamodb:DeleteItem\n                  - dynamodb:UpdateItem\n                  - dynamodb:PutItem\n                Resource: !GetAtt TokensTable.Arn", "DevicesRole"},
		{"events may enable users", "[pk, sk, epoch, user_version, sb, why]", "[pk, sk, epoch, user_version, sb, why, disabled]", "EventsRole: attributes"},
		{"events may write all of an item", "                Condition:\n                  ForAllValues:StringEquals:\n                    dynamodb:Attributes: [pk, sk, epoch, user_version, sb, why]\n                  StringEqualsIfExists:\n                    dynamodb:ReturnValues: NONE\n", "", "EventsRole"},
		{"events may read items", "dynamodb:ReturnValues: NONE", "dynamodb:ReturnValues: ALL_OLD", "EventsRole"},
		{"a condition that one attribute fulfils", "ForAllValues:StringEquals:", "ForAnyValue:StringEquals:", "EventsRole"},
		{"metadata may read something", "        - PolicyName: metadata\n          PolicyDocument:\n            Version: \"2012-10-17\"\n            Statement:\n", "        - PolicyName: metadata\n          PolicyDocument:\n            Version: \"2012-10-17\"\n            Statement:\n              - Effect: Allow\n                Action: dynamodb:GetItem\n                Resource: !GetAtt ClientsTable.Arn\n", "MetadataRole"},
		{"an open /me", ", Auth: {Authorizer: Bearer}", "", "Me: events"},
		{"/me behind another authorizer", "Auth: {Authorizer: Bearer}", "Auth: {Authorizer: Other}", "Me: events"},
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
		{"scopes that no token can have", "(\\s*=\\s*[!#-:", "(\\s*=\\s*[!-:", "RouteScopes"},
		{"an audience by default", "  Audience:\n    Type: String\n    Default: \"\"\n", "  Audience:\n    Type: String\n    Default: demo\n", "Audience"},
		{"a preflight request that costs a call", "Method: POST", "Method: ANY", "events"},
		{"pages of anybody by default", "  CorsOrigins:\n    Type: String\n    Default: \"\"\n", "  CorsOrigins:\n    Type: String\n    Default: \"*\"\n", "CorsOrigins: Default"},
		{"cookies across origins", "          MaxAge: 7200\n", "          MaxAge: 7200\n          AllowCredentials: true\n", "Api"},
		{"any origin for a list", "AllowOrigins: !Split [\",\", !Ref CorsOrigins]", "AllowOrigins: [\"*\"]", "Api"},
		{"an origin that the gateway refuses", "    AllowedPattern: ^$|^\\*$|^(https://", "    AllowedPattern: ^$|^\\*$|^(.*://", "CorsOrigins: AllowedPattern"},
		{"pages that cannot read why", "[WWW-Authenticate, Retry-After, Date]", "[Date]", "Api"},
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
		{"logs go with the stack", "LogGroup\n    DeletionPolicy: RetainExceptOnCreate", "LogGroup\n    DeletionPolicy: Delete", "DeletionPolicy"},
		{"a promise that a flood defeats", "a flood on /revoke itself uses it up", "a lost phone can always be logged out", "RevokeConcurrency"},
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
		{"an API that stays at the latest code", "    AutoPublishAlias: live\n", "", "versions"},
		{"a setting that makes no new version", "        EdgeHash=${EdgeHash}\n", "", "a change of EdgeHash makes no new version"},
		{"a version that hears of no setting", "      VersionDescription: !Sub settings ${Settings.VersionNumber}\n", "", "versions"},
		{"a version that nobody tries", "          PreTraffic: !If [IsUntried, !Ref AWS::NoValue, !Ref TrialFunction]\n", "          PostTraffic: !Ref TrialFunction\n", "Token: DeploymentPreference"},
		{"a deployment that ignores alarms", "!Ref Tampered]\n", "!Ref TokenLogs]\n", "TokenLogs is not an alarm"},
		{"an authorizer at the latest code", "FunctionName: !Ref AuthorizerFunction.Alias", "FunctionName: !Ref AuthorizerFunction", "AuthorizerPermission"},
		{"a trial that may change any client", "client#fob-smoke-*", "client#*", "wildcard"},
		{"a trial that may read any client", "dynamodb:LeadingKeys: [scopes]", "dynamodb:LeadingKeys: [clients]", "condition of dynamodb:GetItem"},
		{"a trial that may call all", "!Ref IntrospectFunction.Version\n              - Effect", "!GetAtt IntrospectFunction.Arn\n              - Effect", "TrialRole"},
		{"deployments that may do all", "AWSCodeDeployRoleForLambdaLimited", "AWSCodeDeployRole", "DeploymentRole"},
		{"a graph of nothing that fob counts", `"fob", "revoked"`, `"fob", "revocations"`, "fob counts no revocations"},
		{"a graph of another resource", `"TableName", "${UsersTable}"`, `"TableName", "${UsersFunction}"`, "Dashboard"},
		{"a dashboard that is no JSON", `{"widgets": [`, `{"widgets": `, "Dashboard"},
		{"a sum without its function", "Dimensions: [{Name: FunctionName, Value: !Ref UsersFunction}]", "Dimensions: [{Name: FunctionName, Value: !Ref MeFunction}]", "FunctionThrottles is about"},
		{"a dimension that fob does not count by", "[{Name: function, Value: !Ref RevokeFunction}]", "[{Name: FunctionName, Value: !Ref RevokeFunction}]", "RevokeFaults"},
		{"a metric that AWS does not have", "MetricName: Throttles", "MetricName: Throttled", "FunctionThrottles"},
		{"an alarm on a thing of another kind", "[{Name: ApiId, Value: !Ref Api}]", "[{Name: ApiId, Value: !Ref ApiLogs}]", "ApiSlow"},
		{"an alarm that says nothing to do", "First run fob key list,", "Run fob key list,", "OldKey"},
		{"an alarm of which the runbook knows nothing", "  OldKey:\n", "  StaleKey:\n", "the runbook's table of alarms"},
		{"an alarm that rings where nothing happens", "TreatMissingData: notBreaching", "TreatMissingData: breaching", "TreatMissingData"},
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
