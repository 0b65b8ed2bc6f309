package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Client libraries of other languages, unmodified: each has a program in
// testdata/clients that logs in with devices, refreshes, revokes and introspects, as far
// as the library can, and checks what it gets.
// testdata/clients/install.sh installs the libraries under .tools. A language that is
// missing is left out aloud, and fails if FOB_REQUIRE_ENGINES is 1.

func TestJavaScriptLibraries(t *testing.T) {
	t.Parallel()
	l := language(t, "javascript", "package.json", "node")
	for _, library := range []string{"oauth4webapi", "openid-client", "simple-oauth2"} {
		t.Run(library, func(t *testing.T) {
			program := l.javaScript(t, library+".mjs")
			onEachStore(t, func(t *testing.T, fob ready) { l.run(t, fob, "node", program) })
		})
	}
}

func TestPythonLibraries(t *testing.T) {
	t.Parallel()
	l := language(t, "python", "requirements.txt")
	for _, library := range []string{"authlib", "requests_oauthlib"} {
		t.Run(library, func(t *testing.T) {
			l.run(t, serveHere(t), filepath.Join(l.installed, "venv", "bin", "python"), "-B", filepath.Join(l.source, "with_"+library+".py"))
		})
	}
}

func TestJavaLibraries(t *testing.T) {
	t.Parallel()
	l := language(t, "java", "pom.xml", "javac", "java")
	path := l.java(t)
	for _, library := range []string{"Spring", "Nimbus", "Scribe", "Apache"} {
		t.Run(library, func(t *testing.T) {
			l.run(t, serveHere(t), "java", "-XX:TieredStopAtLevel=1", "-cp", path, library)
		})
	}
}

func TestRustLibrary(t *testing.T) {
	t.Parallel()
	l := language(t, "rust", "Cargo.toml", "cargo")
	dir := t.TempDir()
	l.copy(t, "Cargo.toml", dir)
	l.copy(t, "main.rs", dir)
	lock, err := os.ReadFile(filepath.Join(l.installed, "Cargo.lock"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "Cargo.lock"), lock, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(l.installed, "target")
	cmd := exec.CommandContext(t.Context(), "cargo", "build", "--quiet", "--locked", "--offline", "--target-dir", target)
	cmd.Dir = dir
	l.build(t, cmd)
	l.run(t, serveHere(t), filepath.Join(target, "debug", "client"))
}

// libraries are those of one language.
type libraries struct {
	source, installed string
	env               []string // of the programs, more than $FOB
}

// language returns the libraries of a language if those of its list are installed and
// the programs are there that run them.
func language(t *testing.T, name, list string, programs ...string) (l libraries) {
	t.Helper()
	l.source = filepath.Join("testdata", "clients", name)
	var err error
	if l.installed, err = filepath.Abs(filepath.Join("..", "..", ".tools", "clients", name)); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(l.source, list))
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile(filepath.Join(l.installed, "installed"))
	if err == nil && !bytes.Equal(have, want) {
		err = fmt.Errorf("%s: others are installed: %w", list, fs.ErrNotExist)
	}
	for _, program := range programs {
		if err == nil {
			_, err = exec.LookPath(program)
		}
	}
	switch {
	case err == nil:
		return l
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, exec.ErrNotFound), os.Getenv("FOB_REQUIRE_ENGINES") == "1":
		t.Fatalf("make clients installs these: %v", err)
	}
	fmt.Fprintf(os.Stderr, "LEFT OUT: %s: %v\n", t.Name(), err)
	t.Skip(err)
	return l
}

func (l libraries) copy(t *testing.T, name, dir string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(l.source, name))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// javaScript copies a program to where Node finds the packages, and returns its path.
func (l libraries) javaScript(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	l.copy(t, name, dir)
	// Node looks for packages in the program's folder and above.
	if err := os.Symlink(filepath.Join(l.installed, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// java compiles all programs and returns the class path.
func (l libraries) java(t *testing.T) string {
	t.Helper()
	classes, jars := t.TempDir(), filepath.Join(l.installed, "jars", "*")
	sources, err := filepath.Glob(filepath.Join(l.source, "*.java"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("%v: %v", sources, err)
	}
	l.build(t, exec.CommandContext(t.Context(), "javac", append([]string{"-d", classes, "-cp", jars}, sources...)...))
	return classes + string(filepath.ListSeparator) + jars
}

func (l libraries) build(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// run gives a program $FOB, the first line of `fob serve --json`, and l.env.
func (l libraries) run(t *testing.T, fob ready, program string, args ...string) {
	t.Helper()
	about, err := json.Marshal(fob)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "FOB=" + string(about)}, l.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
