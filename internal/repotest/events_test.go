package repotest_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/oauth"
)

// TestEventTypes: docs/events-in.md says of each type of event what the code does.
func TestEventTypes(t *testing.T) {
	const schemas = "https://schemas.openid.net/secevent/"
	got := map[string]bool{}
	row := regexp.MustCompile("(?m)^\\| (Apple|RISC|CAEP|OAuth|SSF) \\| ((?:`[a-z-]+` ?)+) \\| (signs out|nothing) \\| [^|]+ \\|$")
	for _, m := range row.FindAllStringSubmatch(readText(t, "../../docs/events-in.md"), -1) {
		prefix := schemas + strings.ToLower(m[1]) + "/event-type/"
		if m[1] == "Apple" {
			prefix = ""
		}
		for name := range strings.FieldsSeq(strings.ReplaceAll(m[2], "`", "")) {
			got[prefix+name] = m[3] == "signs out"
		}
	}
	if diff := cmp.Diff(oauth.EventTypes(), got); diff != "" {
		t.Errorf("events (-in the code +in docs/events-in.md):\n%s", diff)
	}
}
