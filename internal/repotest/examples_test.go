package repotest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/docs"
	"github.com/fob-oauth/fob/internal/announce"
	"github.com/fob-oauth/fob/internal/announce/announcetest"
	"github.com/fob-oauth/fob/internal/eventbridge"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
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
	paths, err := filepath.Glob("../../docs/examples/guard-*.yaml")
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

// TestExampleOfEvents: the example's rule hears events that fob makes, and its mail is made of
// members that each of them has.
func TestExampleOfEvents(t *testing.T) {
	const path = "../../docs/examples/mail-on-new-device.yaml"
	tmpl, err := readTemplate(path)
	if err != nil {
		t.Fatal(err)
	}
	c := &checker{template: tmpl}
	c.references()
	c.names()
	for _, fault := range c.faults {
		t.Error(fault)
	}
	rule := at(tmpl.Resources["Rule"], "Properties")
	heard := map[announce.Type]bool{}
	ann := ledger.Subject{Kind: ledger.UserSubject, ID: "u_ann"}
	made := ledger.Record{Authorization: ledger.Authorization{Subject: ann, Client: "app"}}
	for _, write := range []oauth.Write{
		{ID: "1", At: 1, Made: &made}, {ID: "2", At: 1, Ended: &made, Replayed: true},
		{ID: "3", At: 1, Raised: &oauth.Raise{Subject: ann, Why: []oauth.Cause{oauth.PasswordChanged}}},
	} {
		for _, e := range announce.Of(write) {
			text, err := json.Marshal(map[string]any{"source": eventbridge.Source, "detail-type": e.Type, "time": "2026-01-01T00:00:00Z", "detail": e})
			if err != nil {
				t.Fatal(err)
			}
			var event any
			if err := json.Unmarshal(text, &event); err != nil {
				t.Fatal(err)
			}
			if !matches(at(rule, "EventPattern"), event) {
				continue
			}
			heard[e.Type] = true
			targets, _ := at(rule, "Targets").([]any)
			paths, _ := at(targets[0], "InputTransformer", "InputPathsMap").(map[string]any)
			for name, path := range paths {
				if found := at(event, strings.Split(strings.TrimPrefix(fmt.Sprint(path), "$."), ".")...); found == nil {
					t.Errorf("%s: the mail's %s is %v, which the event does not have", e.Type, name, path)
				}
			}
		}
	}
	if want := map[announce.Type]bool{announce.NewDevice: true, announce.RefreshTokenReplayed: true}; !maps.Equal(heard, want) {
		t.Errorf("the rule hears %v", heard)
	}
	if !strings.Contains(readText(t, "../../docs/events-out.md"), "(examples/"+filepath.Base(path)+")") {
		t.Error("docs/events-out.md does not name the example")
	}
}

// TestEventsOut: docs/events-out.md has the types and reasons of the schema, and its example
// is an event.
func TestEventsOut(t *testing.T) {
	page := readText(t, "../../docs/events-out.md")
	var schema struct {
		Properties struct{ Type, Reason struct{ Enum []string } }
	}
	if err := json.Unmarshal(docs.EventsOut, &schema); err != nil || len(schema.Properties.Type.Enum) == 0 {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(page, "\n| `type` |")
	var named []string
	for row := range strings.Lines(table) {
		if !strings.HasPrefix(row, "|") && len(named) > 0 && strings.HasPrefix(row, "`handle`") {
			break
		}
		cell, _, _ := strings.Cut(strings.TrimPrefix(row, "| "), " |")
		for _, word := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(cell, -1) {
			named = append(named, word[1])
		}
	}
	want := append(schema.Properties.Type.Enum, schema.Properties.Reason.Enum...)
	slices.Sort(want)
	slices.Sort(named)
	named = slices.DeleteFunc(named, func(name string) bool { return name == "reason" })
	if diff := cmp.Diff(want, named); diff != "" {
		t.Errorf("types and reasons (-in the schema +in the page):\n%s", diff)
	}
	_, example, _ := strings.Cut(page, "```json\n")
	example, _, _ = strings.Cut(example, "```")
	announcetest.Valid(t, []byte(example))
}
