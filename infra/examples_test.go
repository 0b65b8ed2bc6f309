package infra_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const importedARN = "${FobStack}-AuthorizerArn"

// TestExamples: what docs/api-gateway.md shows is what stands in docs/examples,
// where cfn-lint looks at it, and it asks the authorizer as our own template does.
func TestExamples(t *testing.T) {
	for _, fault := range exampleFaults(t, func(text string) string { return text }) {
		t.Error(fault)
	}
	page, err := os.ReadFile("../docs/api-gateway.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range examples(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(page), "```yaml\n"+string(text)+"```\n") {
			t.Errorf("docs/api-gateway.md does not show %s as it is", filepath.Base(path))
		}
	}
	if shown := strings.Count(string(page), "```yaml\n"); shown != len(examples(t)) {
		t.Errorf("docs/api-gateway.md shows %d templates, of which nobody looks at %d", shown, shown-len(examples(t)))
	}
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(makefile), "/bin/cfn-lint infra/*.yaml docs/examples/*.yaml\n") {
		t.Error("make lint leaves the examples out")
	}
}

// TestExamplesFaults breaks the examples to know that TestExamples would see it.
func TestExamplesFaults(t *testing.T) {
	for _, test := range []struct{ old, new, want string }{
		{"Headers: [Authorization]", "Headers: [X-Token]", "Identity"},
		{"Context: [routeKey, httpMethod]", "Context: [httpMethod]", "Identity"},
		{"Context: [path, httpMethod]", "Context: [httpMethod]", "Identity"},
		{"ReauthorizeEvery: 0", "ReauthorizeEvery: 300", "Identity"},
		{"ReauthorizeEvery: 0", "ReauthorizeAfter: 0", "Identity"},
		{"EnableSimpleResponses: true", "EnableSimpleResponses: false", "authorizer"},
		{"FunctionPayloadType: REQUEST", "FunctionPayloadType: TOKEN", "authorizer"},
		{"        DefaultAuthorizer: Fob\n", "", "DefaultAuthorizer"},
		{"${FobStack}-AuthorizerArn", "${FobStack}-Authorizer", "FunctionArn"},
		{"lambda:InvokeFunction", "lambda:Invoke", "permission"},
		{"${Api}/authorizers/*", "${Api}/*", "permission"},
		{"        AUTHORIZER_FAILURE:\n          StatusCode: 503", "        AUTHORIZER_FAILURE:\n          StatusCode: 401", "GatewayResponses"},
		{"WWW-Authenticate: context.authorizer.challenge", "WWW-Authenticate: context.authorizer.error", "GatewayResponses"},
	} {
		changed := false
		faults := exampleFaults(t, func(text string) string {
			broken := strings.ReplaceAll(text, test.old, test.new)
			changed = changed || broken != text
			return broken
		})
		if !changed {
			t.Errorf("no example has %q any more: change this test", test.old)
		} else if !slices.ContainsFunc(faults, func(f string) bool { return strings.Contains(f, test.want) }) {
			t.Errorf("%q for %q: no fault speaks of %s: %q", test.new, test.old, test.want, faults)
		}
	}
}

func examples(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("../docs/examples/*.yaml")
	if err != nil || len(paths) != 2 {
		t.Fatalf("examples %q, %v", paths, err)
	}
	return paths
}

func exampleFaults(t *testing.T, edit func(string) string) (faults []string) {
	t.Helper()
	ours, err := readTemplate("../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if export := at(ours.Outputs["AuthorizerArn"], "Export", "Name"); fmt.Sprint(export) != strings.Replace(importedARN, "FobStack", "AWS::StackName", 1) {
		t.Fatalf("the template exports %v", export)
	}
	for _, path := range examples(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		tmpl, err := parseTemplate([]byte(edit(string(text))))
		if err != nil {
			return append(faults, err.Error())
		}
		c := &checker{template: tmpl}
		c.example(ours)
		c.references()
		for _, f := range c.faults {
			faults = append(faults, filepath.Base(path)+": "+f)
		}
	}
	return faults
}

// example holds a template that guards another API to our own.
func (c *checker) example(ours template) {
	imported := fn{"ImportValue", sub(importedARN)}
	api := at(c.Resources["Api"], "Properties")
	c.same("DefaultAuthorizer", at(api, "Auth", "DefaultAuthorizer"), "Fob")
	authorizer, _ := at(api, "Auth", "Authorizers", "Fob").(map[string]any)
	c.same("FunctionArn", authorizer["FunctionArn"], imported)
	identity := authorizer["Identity"]
	delete(authorizer, "FunctionArn")
	delete(authorizer, "Identity")
	switch kind := at(c.Resources["Api"], "Type"); kind {
	case "AWS::Serverless::HttpApi":
		own := at(ours.Resources["Api"], "Properties", "Auth", "Authorizers", "Bearer")
		c.same("authorizer", authorizer, map[string]any{
			"AuthorizerPayloadFormatVersion": at(own, "AuthorizerPayloadFormatVersion"), "EnableSimpleResponses": at(own, "EnableSimpleResponses"),
		})
		c.same("Identity", identity, map[string]any{
			"Headers": at(own, "Identity", "Headers"), "Context": at(own, "Identity", "Context"), "ReauthorizeEvery": 0,
		})
	case "AWS::Serverless::Api":
		c.same("authorizer", authorizer, map[string]any{"FunctionPayloadType": "REQUEST", "DisableFunctionDefaultPermissions": true})
		c.same("Identity", identity, map[string]any{"Headers": []any{"Authorization"}, "Context": []any{"path", "httpMethod"}, "ReauthorizeEvery": 0})
		response := func(status int, header, value string) map[string]any {
			return map[string]any{"StatusCode": status, "ResponseParameters": map[string]any{"Headers": map[string]any{header: value}}}
		}
		c.same("GatewayResponses", at(api, "GatewayResponses"), map[string]any{
			"UNAUTHORIZED":                   response(401, "WWW-Authenticate", `'Bearer realm="fob"'`),
			"ACCESS_DENIED":                  response(403, "WWW-Authenticate", "context.authorizer.challenge"), // see apigw.Authorizer
			"AUTHORIZER_FAILURE":             response(503, "Retry-After", "'2'"),
			"AUTHORIZER_CONFIGURATION_ERROR": response(503, "Retry-After", "'2'"),
		})
	default:
		c.fault("an Api of type %v", kind)
	}
	permission, _ := at(ours.Resources["AuthorizerPermission"], "Properties").(map[string]any)
	want := map[string]any{}
	for name, value := range permission {
		want[name] = value
	}
	want["FunctionName"] = imported
	c.same("permission", at(c.Resources["AskFob"], "Properties"), want)
}
