package repotest_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestCDK: the app in docs/examples/cdk synthesizes, and asks of fob what template.yaml has.
// make clients installs its library.
func TestCDK(t *testing.T) {
	const example = "../../docs/examples/cdk/"
	modules, err := filepath.Abs("../../.tools/clients/cdk/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(modules); err != nil {
		if os.Getenv("FOB_REQUIRE_ENGINES") == "1" {
			t.Fatal(err)
		}
		fmt.Fprintf(os.Stderr, "LEFT OUT: %s: %v\n", t.Name(), err)
		t.Skip(err)
	}
	folder := t.TempDir()
	if err := os.Symlink(modules, filepath.Join(folder, "node_modules")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"app.mjs", "package.json"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(readText(t, example+name)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const address = "https://bucket.s3.eu-central-1.amazonaws.com/fob.yaml"
	app := exec.CommandContext(t.Context(), "node", "app.mjs")
	app.Dir = folder
	app.Env = append(os.Environ(), "CDK_OUTDIR="+folder, `CDK_CONTEXT_JSON={"fobTemplate":"`+address+`"}`)
	if out, err := app.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var made struct{ Resources, Outputs map[string]any }
	if err := json.Unmarshal([]byte(readText(t, filepath.Join(folder, "Auth.template.json"))), &made); err != nil {
		t.Fatal(err)
	}
	fob := made.Resources["Fob"]
	if at(fob, "Type") != "AWS::CloudFormation::Stack" || at(fob, "Properties", "TemplateURL") != address {
		t.Errorf("fob is %v", fob)
	}
	ours, err := readTemplate("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	parameters, _ := at(fob, "Properties", "Parameters").(map[string]any)
	if len(parameters) == 0 {
		t.Error("it sets no parameter")
	}
	for name := range parameters {
		if ours.Parameters[name] == nil {
			t.Errorf("template.yaml has no parameter %s", name)
		}
	}
	if len(made.Outputs) != 3 {
		t.Errorf("outputs %v", made.Outputs)
	}
	for name, output := range made.Outputs {
		attribute, _ := at(output, "Value", "Fn::GetAtt").([]any)
		if name == "FobStack" {
			continue
		}
		if len(attribute) != 2 || ours.Outputs[fmt.Sprint(attribute[1])[len("Outputs."):]] == nil {
			t.Errorf("%s is %v, which template.yaml does not output", name, output)
		}
	}
}
