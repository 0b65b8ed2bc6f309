package main

import (
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/laptop"
)

// Schemathesis sends requests that it makes out of the document, good and bad ones, with
// true credentials and without. It wants of each answer that the document has it, that it
// is not a 5xx, and that a request which the document excludes is refused.
// testdata/clients/schemathesis has its settings.
func TestOpenAPIBySchemathesis(t *testing.T) {
	t.Parallel()
	l := language(t, "schemathesis", "requirements.txt")
	fob, _, operate := fobWithOperator(t)
	scopes := []string{"read", "write", "devices", "account", "users", "sign-out"}
	for _, name := range scopes[3:] {
		operate("scope", "add", name)
	}
	set := []string{"client", "set", fob.ClientID}
	for _, name := range scopes {
		set = append(set, "--scope", name)
	}
	operate(set...)
	about, err := json.Marshal(fob)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	l.copy(t, "schemathesis.toml", dir)
	l.copy(t, "credentials.py", dir)
	// It takes some 20 seconds, and minutes where others work too. One request follows the
	// other (it has one worker), so `make test` runs it without the race detector.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(l.installed, "venv", "bin", "schemathesis"), "run", fob.Issuer+laptop.OpenAPIPath)
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + dir, "FOB=" + string(about)}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v, %v\n%s", err, ctx.Err(), out)
	}
	t.Logf("%s", out)
}
