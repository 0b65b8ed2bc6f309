package smoke

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// The walk as a whole is tested where it is used, by cmd/fob.

func TestFaultRepeatsNothing(t *testing.T) {
	for _, test := range []struct {
		got  answer
		err  error
		want string
	}{
		{answer{status: 400, code: "invalid_grant"}, nil, "status 400, invalid_grant"},
		{answer{status: 200}, nil, "status 200, but not the answer that was promised"},
		{answer{}, fmt.Errorf("no answer: %w", context.Canceled), "interrupted"},
		{answer{}, errors.New("one\ntwo"), "one; two"},
	} {
		if got := faultOf(test.got, test.err); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

func TestAnswerHidesTokens(t *testing.T) {
	var a answer
	if err := json.Unmarshal([]byte(`{"access_token":"fob_at_x","refresh_token":"fob_rt_x"}`), &a); err != nil {
		t.Fatal(err)
	}
	if a.AccessToken.Reveal() != "fob_at_x" || a.RefreshToken.Reveal() != "fob_rt_x" {
		t.Error("the tokens were not read")
	}
	for _, shown := range []string{fmt.Sprint(a), fmt.Sprintf("%+v", a), fmt.Sprintf("%#v", a)} {
		if strings.Contains(shown, "fob_") {
			t.Errorf("an answer prints its tokens: %s", shown)
		}
	}
}

func TestViewNamesTheStepThatFailed(t *testing.T) {
	v := View{Steps: []Step{{Step: "one", Passed: true}, {Step: "two", Fault: "why"}}}
	if got := v.Fault(); got != "two: why" {
		t.Errorf("%q", got)
	}
	if got := (View{Steps: v.Steps[:1]}).Fault(); got != "" {
		t.Errorf("%q where nothing failed", got)
	}
}
