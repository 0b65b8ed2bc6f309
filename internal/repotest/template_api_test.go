package repotest_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/ownusers"
	"github.com/fob-oauth/fob/internal/password"
)

func (c *checker) api() {
	apis := c.ofType("AWS::Serverless::HttpApi")
	c.same("HTTP APIs", slices.Collect(maps.Keys(apis)), []string{"Api"})
	properties, _ := at(apis["Api"], "Properties").(map[string]any)
	format, _ := at(properties, "AccessLogSettings", "Format").(string)
	c.same("Api", properties, map[string]any{
		// No DefaultAuthorizer: /token must be open. The route and the method are in the
		// cache's key, or a yes to one would be a yes to all.
		"Auth": map[string]any{"Authorizers": map[string]any{"Bearer": map[string]any{
			"FunctionArn":                    ref("AuthorizerFunction.Alias"),
			"AuthorizerPayloadFormatVersion": "2.0",
			"EnableSimpleResponses":          true,
			"Identity": map[string]any{
				"Headers": []any{"Authorization"}, "Context": []any{"routeKey", "httpMethod"}, "ReauthorizeEvery": ref("AuthorizerCacheSeconds"),
			},
		}}},
		"CorsConfiguration": fn{"If", []any{
			"HasCorsOrigins",
			map[string]any{
				"AllowOrigins":  fn{"Split", []any{",", ref("CorsOrigins")}},
				"AllowMethods":  []any{"GET", "POST", "PATCH", "DELETE"},
				"AllowHeaders":  []any{"Authorization", "Content-Type"},
				"ExposeHeaders": []any{"WWW-Authenticate", "Retry-After", "Date"},
				"MaxAge":        7200,
			},
			ref("AWS::NoValue"),
		}},
		"DisableExecuteApiEndpoint": fn{"If", []any{"ExecuteApiIsOff", true, false}},
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
	// The fields that join its lines with those of the functions have the same names.
	c.same("access log: gateway_request_id", fields["gateway_request_id"], "$context.requestId")
	c.same("access log: source", fields["source"], "$context.identity.sourceIp")
	for key, value := range fields {
		if !safe.MatchString(value) {
			c.fault("access log: %s is %s", key, value)
		}
	}
}

// corsOrigins: nobody's pages by default, and nothing that the gateway would refuse in
// the middle of a deployment.
func (c *checker) corsOrigins() {
	c.same("CorsOrigins: Default", at(c.Parameters["CorsOrigins"], "Default"), "")
	c.same("HasCorsOrigins", c.Conditions["HasCorsOrigins"], fn{"Not", []any{fn{"Equals", []any{ref("CorsOrigins"), ""}}}})
	pattern, _ := at(c.Parameters["CorsOrigins"], "AllowedPattern").(string)
	allowed, err := regexp.Compile(pattern)
	if err != nil {
		c.fault("CorsOrigins: AllowedPattern: %v", err)
		return
	}
	for origins, want := range map[string]bool{
		"": true, "*": true, "https://app.example.com": true, "https://localhost": true, "http://localhost:3000": true,
		"https://app.example.com:8443,http://localhost,https://b.example": true,

		"capacitor://localhost": false, "ionic://localhost": false, "null": false, "https://*": false, "https://*.example.com": false,
		"http://app.example.com": false, "https://app.example.com/": false, "https://App.example.com": false, "https://a.example, https://b.example": false,
		"https://a.example,": false, "*,https://a.example": false, "https://a.example,*": false, "https://user@a.example": false, "app.example.com": false,
	} {
		if allowed.MatchString(origins) != want {
			c.fault("CorsOrigins: AllowedPattern: %q is %v", origins, !want)
		}
	}
}

// authorizer: the gateway may ask it, other stacks may name it, and nothing that it
// says is kept unless somebody wants so.
func (c *checker) authorizer() {
	permissions := c.ofType("AWS::Lambda::Permission")
	c.same("permissions", slices.Collect(maps.Keys(permissions)), []string{"AuthorizerPermission"})
	c.same("AuthorizerPermission", at(permissions["AuthorizerPermission"], "Properties"), map[string]any{
		"Action": "lambda:InvokeFunction", "FunctionName": ref("AuthorizerFunction.Alias"), "Principal": "apigateway.amazonaws.com",
		"SourceArn": sub("arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/authorizers/*"),
	})
	c.same("AuthorizerArn", at(c.Outputs["AuthorizerArn"], "Value"), ref("AuthorizerFunction.Alias"))
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
	text, err := os.ReadFile("../../internal/config/testdata/route-scopes.json")
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

// hideKind: the template lets pass what the import prints.
func (c *checker) hideKind() {
	pattern, _ := at(c.Parameters["HideKind"], "AllowedPattern").(string)
	allowed, err := regexp.Compile(pattern)
	if err != nil {
		c.fault("HideKind: AllowedPattern %q: %v", pattern, err)
		return
	}
	for _, kind := range []string{"", "bcrypt:8", "bcrypt:14", "pbkdf2-sha1:1:20", "pbkdf2-sha512:1000000:64", "argon2id:4096:1:1", "argon2id:262144:10:255"} {
		if _, err := password.ParseKind(kind); err != nil || !allowed.MatchString(kind) {
			c.fault("HideKind: AllowedPattern and package password differ about %q: %v", kind, err)
		}
	}
	for _, kind := range []string{"none", "bcrypt", "bcrypt:12 ", "sha256:1", "$2b$12$"} {
		if _, err := password.ParseKind(kind); err == nil || allowed.MatchString(kind) {
			c.fault("HideKind: %q is not a kind", kind)
		}
	}
}

// ownUsers: the template lets pass what the function takes.
func (c *checker) ownUsers() {
	pattern, _ := at(c.Parameters["OwnUsers"], "AllowedPattern").(string)
	allowed, err := regexp.Compile(pattern)
	if err != nil || !allowed.MatchString("") {
		c.fault("OwnUsers: AllowedPattern %q: %v", pattern, err)
		return
	}
	const arn = "arn:aws:lambda:eu-central-1:123456789012:function:people"
	for _, text := range []string{arn, arn + ":live", arn + ":$LATEST", arn + ".x", arn + ":a:b", "people", "arn:aws:sns:eu-central-1:123456789012:people", arn + "\n"} {
		if _, err := ownusers.AtLambda(text, "", nil); (err == nil) != allowed.MatchString(text) {
			c.fault("OwnUsers: AllowedPattern and package ownusers differ about %q: %v", text, err)
		}
	}
	c.same("OwnUsersMode", at(c.Parameters["OwnUsersMode"], "AllowedValues"), []any{"ask", "migrate"})
	c.same("OwnUsersMode: Default", at(c.Parameters["OwnUsersMode"], "Default"), "ask")
}
