package repotest_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

const importedARN = "${FobStack}-AuthorizerArn"

// TestExamples: docs/api-gateway.md shows the files of docs/examples, which
// cfn-lint checks, and they ask the authorizer as template.yaml does.
func TestExamples(t *testing.T) {
	ours, err := readTemplate("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if export := at(ours.Outputs["AuthorizerArn"], "Export", "Name"); fmt.Sprint(export) != strings.Replace(importedARN, "FobStack", "AWS::StackName", 1) {
		t.Fatalf("the template exports %v", export)
	}
	paths, err := filepath.Glob("../../docs/examples/*.yaml")
	if err != nil || len(paths) != 2 {
		t.Fatalf("examples %q, %v", paths, err)
	}
	page := readText(t, "../../docs/api-gateway.md")
	for _, path := range paths {
		tmpl, err := readTemplate(path)
		if err != nil {
			t.Fatal(err)
		}
		c := &checker{template: tmpl}
		c.example(ours)
		c.references()
		for _, f := range c.faults {
			t.Errorf("%s: %s", filepath.Base(path), f)
		}
		if !strings.Contains(page, "```yaml\n"+readText(t, path)+"```\n") {
			t.Errorf("docs/api-gateway.md does not show %s as it is", filepath.Base(path))
		}
	}
	if shown := strings.Count(page, "```yaml\n"); shown != len(paths) {
		t.Errorf("docs/api-gateway.md shows %d templates, of which nobody looks at %d", shown, shown-len(paths))
	}
	if !strings.Contains(readText(t, "../../Makefile"), "/bin/cfn-lint infra/*.yaml docs/examples/*.yaml\n") {
		t.Error("make lint leaves the examples out")
	}
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
