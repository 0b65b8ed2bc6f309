package functions_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// What the variables of a package of fob may take before main, in each function. It is
// room for a few errors and small maps. A regular expression takes 40 allocations and
// more, and a table as much as it has lines: both belong behind sync.OnceValue.
const (
	initBytes       = 3_000
	initAllocations = 20
)

// initLine is what the Go runtime reports about the variables and init functions of one
// package.
var initLine = regexp.MustCompile(`^init (\S+) @.*, (\d+) bytes, (\d+) allocs$`)

// Every start pays for what is done before main, whatever the first request is.
func TestNoPackageWorksBeforeMain(t *testing.T) {
	dir, err := hostPrograms()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range allNames() {
		cmd := exec.CommandContext(t.Context(), filepath.Join(dir, name))
		// Without a configuration it ends, and without the Runtime API too.
		cmd.Env = []string{"GODEBUG=inittrace=1"}
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Fatalf("%s started without a configuration", name)
		}
		packages := 0
		for line := range strings.Lines(string(out)) {
			m := initLine.FindStringSubmatch(strings.TrimSpace(line))
			if m == nil || !strings.HasPrefix(m[1], "github.com/fob-oauth/") && m[1] != "main" {
				continue
			}
			packages++
			bytes, _ := strconv.Atoi(m[2]) // digits
			allocations, _ := strconv.Atoi(m[3])
			if bytes > initBytes || allocations > initAllocations {
				t.Errorf("%s: package %s takes %d bytes in %d allocations before main", name, m[1], bytes, allocations)
			}
		}
		if packages == 0 {
			t.Errorf("%s: the runtime reports no package of fob:\n%s", name, out)
		}
	}
}
