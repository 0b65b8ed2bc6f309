package repotest_test

import (
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/wire"
)

// TestEdgeTemplate: CloudFront sends the headers that package wire reads, and nobody
// else can.
func TestEdgeTemplate(t *testing.T) {
	tmpl, err := readTemplate("../../infra/edge.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c := &checker{template: tmpl}
	c.references()
	config := at(c.Resources["Distribution"], "Properties", "DistributionConfig")
	origins, _ := at(config, "Origins").([]any)
	if len(origins) != 1 {
		t.Fatalf("%d origins", len(origins))
	}
	// CloudFormation reads a secret again only where the reference itself changes.
	c.same("secret header", at(origins[0], "OriginCustomHeaders"), []any{map[string]any{
		"HeaderName": wire.EdgeHeader, "HeaderValue": fn{"If", []any{
			"HasVersion",
			sub("{{resolve:secretsmanager:${EdgeSecret}:SecretString:::${EdgeSecretVersion}}}"),
			sub("{{resolve:secretsmanager:${EdgeSecret}:SecretString}}"),
		}},
	}})
	c.same("HasVersion", c.Conditions["HasVersion"], fn{"Not", []any{fn{"Equals", []any{ref("EdgeSecretVersion"), ""}}}})
	c.same("EdgeSecretVersion: Default", at(c.Parameters["EdgeSecretVersion"], "Default"), "")
	c.same("origin", at(origins[0], "CustomOriginConfig"), map[string]any{"OriginProtocolPolicy": "https-only", "OriginSSLProtocols": []any{"TLSv1.2"}})
	secret, _ := at(c.Resources["EdgeSecret"], "Properties").(map[string]any)
	c.same("EdgeSecret", at(secret, "GenerateSecretString"), map[string]any{"PasswordLength": 43, "ExcludePunctuation": true})

	// The function sets the header on each request, whatever the client sent.
	code, _ := at(c.Resources["Viewer"], "Properties", "FunctionCode").(string)
	if !strings.Contains(code, "request.headers['"+strings.ToLower(wire.ViewerHeader)+"'] = {value: event.viewer.ip};") || strings.Contains(code, "if") {
		c.fault("Viewer: %s", code)
	}
	behavior := at(config, "DefaultCacheBehavior")
	c.same("functions", at(behavior, "FunctionAssociations"), []any{map[string]any{"EventType": "viewer-request", "FunctionARN": getAtt("Viewer.FunctionARN")}})
	c.same("behaviors", at(config, "CacheBehaviors"), nil)
	c.same("viewers", at(behavior, "ViewerProtocolPolicy"), "https-only")
	c.same("cache", at(behavior, "CachePolicyId"), "4135ea2d-6df8-44a3-9df3-4b5a84be39ad")
	c.same("headers", at(behavior, "OriginRequestPolicyId"), "b689b0a8-53d0-40ab-baf2-68738e2966ac")
	c.same("firewall", at(config, "WebACLId"), getAtt("Firewall.Arn"))
	c.same("version 6, which the firewall cannot count", at(config, "IPV6Enabled"), false)
	c.same("Firewall: Scope", at(c.Resources["Firewall"], "Properties", "Scope"), "CLOUDFRONT")
	for _, f := range c.faults {
		t.Error(f)
	}
}
