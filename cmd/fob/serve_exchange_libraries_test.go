package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
)

// Client libraries of other languages, unmodified, log in with what another issuer
// signed. Their programs get it as $PROOF.

func TestJavaScriptExchange(t *testing.T) {
	l := language(t, "javascript", "package.json", "node")
	program := l.javaScript(t, "openid-client-exchange.mjs")
	fob := l.proofs(t)
	l.run(t, fob, "node", program)
}

func TestPythonExchange(t *testing.T) {
	l := language(t, "python", "requirements.txt")
	fob := l.proofs(t)
	l.run(t, fob, filepath.Join(l.installed, "venv", "bin", "python"), "-B", filepath.Join(l.source, "exchange_with_authlib.py"))
}

func TestJavaExchange(t *testing.T) {
	t.Parallel()
	l := language(t, "java", "pom.xml", "javac", "java")
	path := l.java(t)
	fob := l.proofs(t)
	l.run(t, fob, "java", "-XX:TieredStopAtLevel=1", "-cp", path, "NimbusExchange")
}

// TestKotlinExchange runs the function that docs/another-login.md shows, with OkHttp.
func TestKotlinExchange(t *testing.T) {
	t.Parallel()
	l := language(t, "kotlin", "pom.xml", "java")
	page, err := os.ReadFile("../../docs/another-login.md")
	if err != nil {
		t.Fatal(err)
	}
	_, function, _ := strings.Cut(string(page), "```kotlin\n")
	function, _, _ = strings.Cut(function, "```")
	dir := t.TempDir()
	shown := filepath.Join(dir, "Page.kt")
	if err := os.WriteFile(shown, []byte("import okhttp3.*\n\n"+function), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(l.installed, "jars", "*.jar")) // the compiler wants their names
	if err != nil {
		t.Fatal(err)
	}
	jars := strings.Join(found, string(filepath.ListSeparator))
	l.build(t, exec.CommandContext(t.Context(), "java", "-XX:TieredStopAtLevel=1", "-cp", jars, "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler",
		"-no-stdlib", "-cp", jars, "-d", dir, shown, filepath.Join(l.source, "Main.kt")))
	fob := l.proofs(t)
	l.run(t, fob, "java", "-XX:TieredStopAtLevel=1", "-cp", dir+string(filepath.ListSeparator)+jars, "MainKt")
}

// proofs starts fob and sets $PROOF: an ID token, as an app gets it from a login, and
// an assertion, as a back end makes it for fob, of one user.
func (l *libraries) proofs(t *testing.T) ready {
	t.Helper()
	fob, key := fobWithIssuer(t)
	now := time.Now().Unix()
	proof, err := json.Marshal(map[string]string{
		"client_id": "shop-app",
		"nonce":     "raw",
		"id_token": key.Sign(t, nil, assertiontest.Members{
			"iss": otherIssuer, "aud": "com.example.app", "sub": "001234.abc", "iat": now, "exp": now + 600,
			"nonce": "d7439bee24773bcbfa2d0a97947ee36227b10d1022b1a55847e928965bb6bfde", // its SHA-256
		}),
		"assertion": key.Sign(t, nil, assertiontest.Members{"iss": otherIssuer, "aud": fob.Issuer, "sub": "001234.abc", "exp": now + 60}),
	})
	if err != nil {
		t.Fatal(err)
	}
	l.env = append(l.env, "PROOF="+string(proof))
	return fob
}
