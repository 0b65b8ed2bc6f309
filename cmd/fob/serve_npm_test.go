package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
)

// The two client libraries of Node.js that follow the RFCs most closely, as npm
// has them. internal/dynamo/dynamotest/engines.sh installs them under .tools; where they or node are
// missing this is left out aloud, and fails if FOB_REQUIRE_ENGINES is 1.
func TestNpmClients(t *testing.T) {
	for _, library := range []string{"oauth4webapi", "openid-client"} {
		t.Run(library, func(t *testing.T) {
			modules, node := npmModules(t, library)
			t.Run("memory", func(t *testing.T) { runNpmClient(t, node, modules, library, serveHere(t)) })
			t.Run("dynamodb", func(t *testing.T) {
				endpoint := dynamotest.Engine(t)
				fob := serveProcess(t, fixtureEnv(t, dynamotest.New(t, endpoint)), "--dynamodb", endpoint)
				runNpmClient(t, node, modules, library, fob)
			})
		})
	}
}

// npmModules returns the folder that has the library, and node.
func npmModules(t *testing.T, library string) (modules, node string) {
	t.Helper()
	modules, err := filepath.Abs("../../.tools/node_modules")
	if err == nil {
		_, err = os.Stat(filepath.Join(modules, library, "package.json"))
	}
	if err == nil {
		node, err = exec.LookPath("node")
	}
	switch {
	case err == nil:
		return modules, node
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, exec.ErrNotFound), os.Getenv("FOB_REQUIRE_ENGINES") == "1":
		t.Fatal(err)
	}
	fmt.Fprintf(os.Stderr, "LEFT OUT: %s: %v\n", t.Name(), err)
	t.Skip(err)
	return "", ""
}

func runNpmClient(t *testing.T, node, modules, library string, fob ready) {
	t.Helper()
	// Node looks for packages beside the script and above.
	dir := t.TempDir()
	script, err := os.ReadFile(filepath.Join("testdata", "npm", library+".mjs"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "client.mjs"), script, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	about, err := json.Marshal(fob)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "client.mjs")
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "FOB=" + string(about)}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
