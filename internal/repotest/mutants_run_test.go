package repotest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// `go test` compiles a mutated package and everything that imports it, which is most of
// the time that a mutant takes. So only the mutated package is compiled here, and linked
// with the other packages as they were before. The linker refuses that if the change can
// be seen from outside: each package has a fingerprint of what others know of it. Such a
// mutant is left to `go test`.

// withoutInlining keeps the bodies of functions out of what other packages know.
const withoutInlining = "-gcflags=github.com/fob-oauth/fob/...=-l"

// testBinary is what the test of a package is linked from.
type testBinary struct {
	main     string // the archive with the function main
	archives string // of all packages, a line each, as the compiler and the linker read them
	packages map[string]listedPackage
}

// listedPackage is a package as go list shows it.
type listedPackage struct {
	ImportPath, Dir, Export   string
	Deps, GoFiles, EmbedFiles []string
}

var testBinaries sync.Map // func() (testBinary, error) by package

// testBinaryOf builds the packages of a test once.
func testBinaryOf(t *testing.T, pkg string) (testBinary, error) {
	once, _ := testBinaries.LoadOrStore(pkg, sync.OnceValues(func() (testBinary, error) { return listTest(t, pkg) }))
	return once.(func() (testBinary, error))()
}

func listTest(t *testing.T, pkg string) (b testBinary, err error) {
	out, err := goCommand(t, "../..", "list", "-deps", "-test", "-export", withoutInlining,
		"-json=ImportPath,Dir,Export,Deps,GoFiles,EmbedFiles", "./"+pkg)
	if err != nil {
		return b, err
	}
	all := map[string]listedPackage{}
	var last listedPackage
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listedPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return b, err
		}
		all[p.ImportPath], last = p, p
	}
	if !strings.HasSuffix(last.ImportPath, pkg+".test") {
		return b, fmt.Errorf("go list ends with %q", last.ImportPath)
	}
	b = testBinary{main: last.Export, packages: map[string]listedPackage{}}
	for _, name := range last.Deps {
		// A package that is compiled for one test alone has the name of the test behind its own.
		imported, _, _ := strings.Cut(name, " ")
		b.packages[imported] = all[name]
		if archive := all[name].Export; archive != "" {
			b.archives += archiveLine(imported, archive)
		}
	}
	return b, nil
}

func archiveLine(imported, archive string) string {
	return fmt.Sprintf("packagefile %s=%s\n", imported, archive)
}

// errSeenOutside: packages that import the mutated one have to be compiled anew.
var errSeenOutside = errors.New("the change can be seen from outside of the package")

// link writes the test binary into the folder dir. With a file, that takes the place of
// the source of its name in the package in folder.
func (b testBinary) link(t *testing.T, dir, folder, file string) (binary string, err error) {
	archives := b.archives
	if file != "" {
		imported, mutated := "github.com/fob-oauth/fob/"+folder, filepath.Join(dir, "mutated.a")
		if err := b.compile(t, dir, imported, file, mutated); err != nil {
			return "", err
		}
		archives += archiveLine(imported, mutated) // the last line of a package counts
	}
	binary, list := filepath.Join(dir, "test"), filepath.Join(dir, "link.cfg")
	if err := os.WriteFile(list, []byte(archives), 0o600); err != nil {
		return "", err
	}
	_, err = goCommand(t, dir, "tool", "link", "-o", binary, "-importcfg", list, "-s", "-w", "-X", "testing.testBinary=1", b.main)
	if err != nil && strings.Contains(err.Error(), "fingerprint mismatch") {
		return "", errSeenOutside
	}
	return binary, err
}

// compile writes the archive of a package in which file takes the place of a source.
func (b testBinary) compile(t *testing.T, dir, imported, file, archive string) error {
	p, ok := b.packages[imported]
	if !ok {
		return fmt.Errorf("the test does not link %s", imported)
	}
	embedded := struct {
		Patterns map[string][]string
		Files    map[string]string
	}{map[string][]string{}, map[string]string{}}
	placed := false
	// place returns file where name is the source that gives way to it, or else what it is now.
	place := func(name, now string) string {
		if name != filepath.Base(file) {
			return now
		}
		placed = true
		return file
	}
	for _, name := range p.EmbedFiles { // fob embeds by name
		embedded.Patterns[name], embedded.Files[name] = []string{name}, place(name, filepath.Join(p.Dir, name))
	}
	embedding, err := json.Marshal(embedded)
	if err != nil {
		return err
	}
	list, embed := filepath.Join(dir, "compile.cfg"), filepath.Join(dir, "embed.cfg")
	if err := errors.Join(os.WriteFile(list, []byte(b.archives), 0o600), os.WriteFile(embed, embedding, 0o600)); err != nil {
		return err
	}
	source := filepath.Join(p.Dir, filepath.Base(file))
	args := []string{"tool", "compile", "-l", "-o", archive, "-p", imported, "-importcfg", list, "-embedcfg", embed, "-complete", "-pack", "-trimpath", file + "=>" + source}
	for _, name := range p.GoFiles {
		args = append(args, place(name, name))
	}
	if !placed {
		return fmt.Errorf("%s has no source %s", imported, filepath.Base(file))
	}
	_, err = goCommand(t, p.Dir, args...)
	return err
}

// goCommand runs the go command in a folder, and returns its standard output alone: go list
// says on standard error which modules it downloads. An error has both.
func goCommand(t *testing.T, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("go %s: %w\n%s%s", strings.Join(args[:2], " "), err, out, said.Bytes())
	}
	return out, err
}

func TestStandardErrorIsNotParsed(t *testing.T) {
	out, err := goCommand(t, ".", "list", "github.com/fob-oauth/fob/nowhere/...") // "matched no packages"
	if err != nil || len(out) > 0 {
		t.Errorf("%v, and standard output is %q", err, out)
	}
}

var noTests = regexp.MustCompile(`(?m)^testing: warning: no tests to run$|\[no tests to run\]`)

// run reports what became of a mutant: killed, survived, or why neither. text is the
// mutated file. A mutant without a file leaves the code as it is.
func (m mutant) run(t *testing.T, text string) (outcome string, out []byte) {
	t.Helper()
	dir, err := os.MkdirTemp("", "fob-mutant-") // t.TempDir would keep 500 binaries
	if err != nil {
		return err.Error(), nil
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cmd, err := m.command(t, dir, text)
	if err != nil {
		return "does not build", []byte(err.Error())
	}
	// A leg that is left out would kill nothing.
	cmd.Env = append(cmd.Environ(), "FOB_REQUIRE_ENGINES=1")
	out, err = cmd.CombinedOutput()
	if len(out) > 4000 {
		out = slices.Concat(out[:3000], []byte("\n...\n"))
	}
	switch {
	case noTests.Match(out):
		return "no test ran", out
	case err == nil:
		return "survived", out
	case bytes.Contains(out, []byte("[build failed]")), bytes.Contains(out, []byte("[setup failed]")):
		return "does not build", out
	case bytes.Contains(out, []byte("--- FAIL: ")), bytes.Contains(out, []byte("panic: ")):
		return "killed", out
	}
	return "failed otherwise", out
}

// command is what runs the test of a mutant.
func (m mutant) command(t *testing.T, dir, text string) (*exec.Cmd, error) {
	file := ""
	if m.file != "" {
		file = filepath.Join(dir, path.Base(m.file))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	parts := strings.Split(m.test, "/")
	for i, part := range parts {
		parts[i] = "^" + part + "$"
	}
	run := strings.Join(parts, "/")
	b, err := testBinaryOf(t, m.pkg)
	if err != nil {
		return nil, err
	}
	binary, err := b.link(t, dir, path.Dir(m.file), file)
	if err == nil {
		cmd := exec.CommandContext(t.Context(), binary, "-test.timeout=2m", "-test.run="+run)
		cmd.Dir = filepath.Join("../..", m.pkg)
		return cmd, nil
	}
	if !errors.Is(err, errSeenOutside) {
		return nil, err
	}
	source, err := filepath.Abs(filepath.Join("../..", m.file))
	if err != nil {
		return nil, err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{source: file}})
	if err != nil {
		return nil, err
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-timeout=2m", "-vet=off", withoutInlining, "-overlay", list, "-run", run, "./"+m.pkg)
	cmd.Dir = "../.."
	return cmd, nil
}
