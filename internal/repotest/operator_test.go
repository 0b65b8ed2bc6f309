package repotest_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// notForOperators are calls that fob links for fob serve, which makes tables on a
// laptop, and that every client of DynamoDB links.
var notForOperators = []string{
	"dynamodb:CreateTable", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:UpdateTimeToLive",
	"dynamodb:DescribeEndpoints",
}

// The policy in docs/operating.md allows the calls that the program makes, and no
// other.
func TestOperatorPolicy(t *testing.T) {
	doc, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(doc), "```json\n")
	text, _, found := strings.Cut(text, "```")
	if !found {
		t.Fatal("docs/operating.md has no policy")
	}
	var policy struct {
		Version   string
		Statement []struct {
			Effect   string
			Action   wordOrWords
			Resource wordOrWords
		}
	}
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		t.Fatalf("the policy: %v", err)
	}
	var allowed []string
	for _, s := range policy.Statement {
		if s.Effect != "Allow" || slices.Contains(s.Resource, "*") {
			t.Errorf("a statement for %v", s.Action)
		}
		allowed = append(allowed, s.Action...)
	}

	calls := regexp.MustCompile(`^` + regexp.QuoteMeta(awsSDK) + `service/(dynamodb|secretsmanager|cloudformation)\.\(\*Client\)\.([A-Z]\w+)$`)
	var linked []string
	for _, symbol := range symbolsOf(t, "./cmd/fob") {
		if m := calls.FindStringSubmatch(symbol); m != nil && !slices.Contains(notForOperators, m[1]+":"+m[2]) {
			linked = append(linked, m[1]+":"+m[2])
		}
	}
	slices.Sort(allowed)
	slices.Sort(linked)
	if diff := cmp.Diff(allowed, slices.Compact(linked)); diff != "" {
		t.Errorf("operations (-allowed +linked):\n%s", diff)
	}
}

// wordOrWords is a string or a list of them.
type wordOrWords []string

func (o *wordOrWords) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*o = wordOrWords{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(o))
}
