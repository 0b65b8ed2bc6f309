package repotest_test

import (
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// TestReleaseFile: make release builds fob as `go install` does, for the platforms that CI
// looks at, and lists what is in each program. The Monday job tries goreleaser itself.
func TestReleaseFile(t *testing.T) {
	var file struct {
		Builds []struct {
			Main, Binary   string
			Flags, Targets []string
		}
		Checksum struct {
			Name string `yaml:"name_template"`
		}
		SBOMs []struct {
			Artifacts, Cmd string
			Args           []string
		} `yaml:"sboms"`
	}
	if err := yaml.Unmarshal([]byte(readText(t, "../../.goreleaser.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Builds) != 1 || file.Builds[0].Main != "./cmd/fob" || file.Builds[0].Binary != "fob" || !slices.Contains(file.Builds[0].Flags, "-trimpath") {
		t.Fatalf("it builds %+v", file.Builds)
	}
	systems := map[string]bool{}
	for _, target := range file.Builds[0].Targets {
		system, _, _ := strings.Cut(target, "_")
		systems[system] = true
	}
	run := readText(t, "../../.ci/run")
	for system := range systems {
		if system != "linux" && !strings.Contains(run, system) {
			t.Errorf("CI does not look at fob for %s", system)
		}
	}
	if len(systems) != 3 || file.Checksum.Name == "" {
		t.Errorf("systems %v, checksums in %q", systems, file.Checksum.Name)
	}
	if len(file.SBOMs) != 1 || file.SBOMs[0].Artifacts != "binary" || file.SBOMs[0].Cmd != "cyclonedx-gomod" {
		t.Errorf("the list of what is in a program is made by %+v", file.SBOMs)
	}
	for _, job := range []string{"make release RELEASE=\n", "make release\n"} {
		if !strings.Contains(readText(t, "../../.github/workflows/release.yml"), job) {
			t.Errorf("the workflow does not run %q", job)
		}
	}
}
