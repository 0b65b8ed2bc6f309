package repotest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCallsAreTheRoles: the roles allow the calls that the tests of functions saw, each on
// what it was made on, and no others. Package functions compares the list with what it sees,
// in both directions; TestTemplate compares the roles with allows.
func TestCallsAreTheRoles(t *testing.T) {
	var allowed []string
	for folder, want := range functions {
		for resource, actions := range want.allows {
			if strings.HasSuffix(fmt.Sprint(resource), ".StreamArn") {
				continue // Lambda itself reads the stream, and hands the function what it read
			}
			name := strings.TrimSuffix(strings.TrimSuffix(fmt.Sprint(resource), ".Arn"), "Table")
			for _, action := range actions {
				if strings.HasPrefix(action, "dynamodb:") || strings.HasPrefix(action, "secretsmanager:") {
					allowed = append(allowed, folder+" "+action+" "+name)
				}
			}
		}
	}
	slices.Sort(allowed)
	seen := strings.FieldsFunc(readText(t, "../../functions/testdata/calls.txt"), func(r rune) bool { return r == '\n' })
	if diff := cmp.Diff(seen, allowed); diff != "" {
		t.Errorf("functions/testdata/calls.txt (-seen +allowed):\n%s", diff)
	}
}
