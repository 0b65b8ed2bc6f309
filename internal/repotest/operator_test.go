package repotest_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// notForOperators are calls that fob links for fob serve, which makes tables on a
// laptop and introspects, and that every client of DynamoDB links.
var notForOperators = []string{
	"dynamodb:CreateTable", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:UpdateTimeToLive",
	"dynamodb:DescribeEndpoints", "dynamodb:BatchGetItem",
}

// The two policies in docs/operating.md together allow the calls that the program makes,
// and no other. cmd/fob has the test of each.
func TestOperatorPolicy(t *testing.T) {
	doc, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	type policy struct {
		Version   string
		Statement []struct {
			Effect   string
			Action   wordOrWords
			Resource wordOrWords
		}
	}
	var allowed []string
	blocks := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllSubmatch(doc, -1)
	if len(blocks) != 2 {
		t.Fatalf("docs/operating.md has %d policies", len(blocks))
	}
	for _, block := range blocks {
		var p policy
		if err := json.Unmarshal(block[1], &p); err != nil {
			t.Fatalf("the policy: %v", err)
		}
		for _, s := range p.Statement {
			if s.Effect != "Allow" || slices.Contains(s.Resource, "*") {
				t.Errorf("a statement for %v", s.Action)
			}
			allowed = append(allowed, s.Action...)
		}
	}

	calls := regexp.MustCompile(`^` + regexp.QuoteMeta(awsSDK) + `service/(dynamodb|secretsmanager|cloudformation)\.\(\*Client\)\.([A-Z]\w+)$`)
	var linked []string
	for _, symbol := range symbolsOf(t, "./cmd/fob") {
		if m := calls.FindStringSubmatch(symbol); m != nil && !slices.Contains(notForOperators, m[1]+":"+m[2]) {
			linked = append(linked, m[1]+":"+m[2])
		}
	}
	slices.Sort(allowed)
	allowed = slices.Compact(allowed)
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
