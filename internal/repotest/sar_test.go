package repotest_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// TestServerlessRepository: template.yaml has what the AWS Serverless Application Repository
// asks for, within its limits
// (https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-template-publishing-applications-metadata-properties.html).
func TestServerlessRepository(t *testing.T) {
	tmpl, err := readTemplate("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	application, _ := tmpl.Metadata["AWS::ServerlessRepo::Application"].(map[string]any)
	for name, form := range map[string]string{
		"Name":            `^[a-zA-Z0-9-]{1,140}$`,
		"Description":     `^.{1,256}$`,
		"Author":          `^[a-z0-9](([a-z0-9]|-(?:[a-z0-9]))*[a-z0-9])?$`,
		"SpdxLicenseId":   `^Apache-2\.0$`,
		"LicenseUrl":      `^LICENSE$`,
		"ReadmeUrl":       `^SAR\.md$`,
		"HomePageUrl":     `^https://`,
		"SourceCodeUrl":   `^https://`,
		"SemanticVersion": `^\d+\.\d+\.\d+$`,
	} {
		if value, _ := application[name].(string); !regexp.MustCompile(form).MatchString(value) {
			t.Errorf("%s is %q", name, value)
		}
	}
	if license := readText(t, "../../"+fmt.Sprint(application["LicenseUrl"])); !strings.Contains(license, "Apache License") {
		t.Error("LICENSE is not what SpdxLicenseId says")
	}
	// It takes no nested stack of a local template.
	for name, resource := range tmpl.Resources {
		if kind := at(resource, "Type"); kind == "AWS::CloudFormation::Stack" || kind == "AWS::Serverless::Application" {
			t.Errorf("%s is a nested stack", name)
		}
	}
	// The first minutes of somebody who finds it there: outputs and commands exist.
	page := readText(t, "../../"+fmt.Sprint(application["ReadmeUrl"]))
	functions := 0
	for _, resource := range tmpl.Resources {
		if at(resource, "Type") == "AWS::Serverless::Function" {
			functions++
		}
	}
	if words := map[int]string{12: "twelve", 13: "thirteen", 14: "fourteen"}; !strings.Contains(page, words[functions]+" Lambda functions") {
		t.Errorf("the page does not say that there are %d functions", functions)
	}
	if tmpl.Outputs["TokenEndpoint"] == nil || !strings.Contains(page, "`TokenEndpoint`") {
		t.Error("the page names an output that the template does not have")
	}
}
