package functions_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fob-oauth/fob/internal/dynamo"
)

// callsFile lists the calls of each function: the function, the action of IAM, and what it is
// on. TestCallsAreTheRoles of internal/repotest holds it to the roles of the template.
const callsFile = "testdata/calls.txt"

// seen are the lines of callsFile that functions were seen to make.
var seen struct {
	sync.Mutex
	lines map[string]bool
}

// note adds the calls that an instance has made.
func (s *stage) note(i *instance) {
	seen.Lock()
	defer seen.Unlock()
	if seen.lines == nil {
		seen.lines = map[string]bool{}
	}
	for _, call := range i.tables.made() {
		for _, table := range call.tables() {
			seen.lines[fmt.Sprintf("%s dynamodb:%s %s", i.name, call.operation, kindOf(s.fixture.Tables, table))] = true
		}
	}
	for arn := range i.secrets.counts() {
		name := map[string]string{checkARN: "CheckKeys", mintARN: "MintKeys"}[arn]
		seen.lines[i.name+" secretsmanager:GetSecretValue "+name] = true
	}
}

func kindOf(tables dynamo.Tables, name string) string {
	switch name {
	case tables.Tokens:
		return "Tokens"
	case tables.Clients:
		return "Clients"
	case tables.Users:
		return "Users"
	}
	return "another table"
}

// madeCall is one call of DynamoDB.
type madeCall struct {
	operation string
	body      []byte
}

func (c madeCall) tables() (names []string) {
	var of struct {
		TableName    string
		RequestItems map[string]any
	}
	if json.Unmarshal(c.body, &of) != nil || of.TableName == "" && len(of.RequestItems) == 0 {
		return []string{""}
	}
	if of.TableName != "" {
		names = append(names, of.TableName)
	}
	for name := range of.RequestItems {
		names = append(names, name)
	}
	return names
}

// checkCalls returns what is wrong with the calls that were seen: one that is not in the
// list, and after a run of all tests a line of the list that no function needed.
func checkCalls(all bool) (faults []string) {
	text, err := os.ReadFile(callsFile)
	if err != nil {
		return []string{err.Error()}
	}
	listed := strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
	for line := range seen.lines {
		if !slices.Contains(listed, line) {
			faults = append(faults, "a call that "+callsFile+" does not have: "+line)
		}
	}
	for _, line := range listed {
		if all && !seen.lines[line] {
			faults = append(faults, "no test saw the call: "+line)
		}
	}
	slices.Sort(faults)
	return faults
}

// wholeRun reports whether all tests ran, and passed.
func wholeRun(code int) bool {
	return code == 0 && !testing.Short() && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == ""
}

// Few requests need these, and the roles must allow them.
func TestRareCalls(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	defer s.searchForLeaks(t)
	token, devices := s.run(t, "token"), s.run(t, "devices")

	// A refresh token that comes back after two others ends its sign-in.
	tokens := []string{token.post(t, "grant_type", "password", "username", demoUser, "password", demoPassword, "scope", "device_phone", "client_id", demoApp).text(t, "refresh_token")}
	refresh := func(which int, outcome string) {
		t.Helper()
		a := token.post(t, "grant_type", "refresh_token", "refresh_token", tokens[which], "client_id", demoApp)
		if a.line.text("outcome") != outcome {
			t.Fatalf("%d %v, want %s", a.status, a.line, outcome)
		}
		tokens = append(tokens, a.text(t, "refresh_token"))
	}
	refresh(0, "refreshed")
	refresh(1, "refreshed")
	refresh(0, "replayed")

	// A connection that breaks while a sign-in is saved: what became of it is read.
	token.tables.breakNext("PutItem")
	mine := token.login(t, "devices device_mine")

	// Everywhere, with one write.
	e := filledIn(t, readSample(t, "devices/events/sign-out.json"), mine)
	e.Body, e.IsBase64Encoded = "which=all", false
	if a := devices.send(t, encode(t, e)); a.status != http.StatusNoContent {
		t.Errorf("sign out everywhere: %d %s", a.status, a.body)
	}
}
