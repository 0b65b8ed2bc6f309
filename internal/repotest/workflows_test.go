package repotest_test

import (
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// TestGitHubSubjects: infra/github.yaml takes the repository as old and as new subjects have
// it, and no text that is more than one repository.
func TestGitHubSubjects(t *testing.T) {
	var file struct {
		Parameters map[string]struct {
			AllowedPattern string `yaml:"AllowedPattern"`
		} `yaml:"Parameters"`
	}
	if err := yaml.Unmarshal([]byte(readText(t, "../../infra/github.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile(file.Parameters["Repository"].AllowedPattern)
	for repository, want := range map[string]bool{
		"octo-org/shop":               true,
		"octo-org@123456/shop@456789": true,
		"octo-org/*":                  false,
		"octo-org@/shop@":             false,
		"octo-org/shop:ref":           false,
		"":                            false,
	} {
		if pattern.MatchString(repository) != want {
			t.Errorf("%q: want %v", repository, want)
		}
	}
}

// TestWorkflowRights: a job that may write or take a role has no more steps than it needs.
func TestWorkflowRights(t *testing.T) {
	type job struct {
		If, Environment string
		Permissions     map[string]string
		Steps           []struct{ Run string }
	}
	jobs := func(name string) map[string]job {
		var file struct {
			Permissions map[string]string
			Jobs        map[string]job
		}
		if err := yaml.Unmarshal([]byte(readText(t, "../../.github/workflows/"+name)), &file); err != nil {
			t.Fatal(err)
		}
		if len(file.Permissions) != 1 || file.Permissions["contents"] != "read" {
			t.Errorf("%s: jobs may %v", name, file.Permissions)
		}
		return file.Jobs
	}
	builds := 0
	for name, job := range jobs("deploy.yml") {
		for _, step := range job.Steps {
			if !strings.Contains(step.Run, "sam build") {
				continue
			}
			builds++
			if len(job.Permissions) > 0 || job.Environment != "" {
				t.Errorf("the job %s builds where it may deploy", name)
			}
		}
	}
	if builds != 1 {
		t.Errorf("%d builds", builds)
	}
	writes := 0
	for name, job := range jobs("release.yml") {
		if job.Permissions["contents"] != "write" {
			continue
		}
		writes++
		if job.If != "github.event_name == 'push'" {
			t.Errorf("the job %s may write in a rehearsal", name)
		}
	}
	if writes != 1 {
		t.Errorf("%d jobs may write", writes)
	}
}
