package repotest_test

import (
	"regexp"
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
