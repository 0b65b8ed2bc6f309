package apigw

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/wire"
)

// logged are the options of a function whose log is kept.
func logged() (wire.Options, *bytes.Buffer) {
	var log bytes.Buffer
	return wire.Options{Function: "fn", Log: slog.New(slog.NewJSONHandler(&log, nil))}, &log
}

// oneFault reads the one line of a log, which must move the counter of the alarm.
func oneFault(t *testing.T, log *bytes.Buffer) map[string]any {
	t.Helper()
	line := map[string]any{}
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatalf("want one line: %v\n%s", err, log)
	}
	if line["level"] != "ERROR" || line["failed"] != 1.0 || line["function"] != "fn" || line["_aws"] == nil {
		t.Errorf("no alarm hears of %s", log)
	}
	return line
}

// A panic that no endpoint recovered is an error of the event, whose value nobody
// sees.
func TestPanics(t *testing.T) {
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("CANARY") })
	for name, serve := range map[string]func(wire.Options) (any, error){
		"event not served": func(o wire.Options) (any, error) { return Handler(h, o)(t.Context(), json.RawMessage(event1)) },
		"event not judged": func(o wire.Options) (any, error) {
			text := strings.ReplaceAll(question2, "TOKEN", "Bearer good")
			return Authorizer(wire.Authorizer{Judge: func(*http.Request) wire.Judgement { panic("CANARY") }}, o)(t.Context(), json.RawMessage(text))
		},
		"start": func(o wire.Options) (any, error) {
			_, err := composed(func(context.Context, wire.Options) (http.Handler, error) { panic("CANARY") }, o)
			o.LogFailure(t.Context(), "start", err)
			return nil, err
		},
	} {
		o, log := logged()
		answer, err := serve(o)
		if answer != nil || err == nil || strings.Contains(err.Error(), "CANARY") || err.Error() == errUnauthorized.Error() {
			t.Errorf("%s: %v, %v", name, answer, err)
		}
		line := oneFault(t, log)
		stack, _ := line["stack"].([]any)
		if line["msg"] != name || line["error"] != "panic of type string" || strings.Contains(log.String(), "CANARY") ||
			len(stack) == 0 || !strings.Contains(log.String(), "serve_test.go:") {
			t.Errorf("%s: logged %s", name, log)
		}
	}
}

// An answer of an authorizer that is not a judgement is reported.
func TestDefectsOfAnAuthorizer(t *testing.T) {
	for name, j := range map[string]wire.Judgement{
		"nobody":         {Status: http.StatusOK},
		"another status": {Status: http.StatusMethodNotAllowed},
		"none":           {},
	} {
		o, log := logged()
		a := wire.Authorizer{Judge: func(*http.Request) wire.Judgement { return j }}
		answer, err := Authorizer(a, o)(t.Context(), json.RawMessage(question2))
		if answer != nil || !errors.Is(err, errNotJudged) {
			t.Errorf("%s: %v, %v", name, answer, err)
		}
		oneFault(t, log)
	}
}

// The runtime's word of a 401 is dropped, and no other.
func TestExceptUnauthorized(t *testing.T) {
	for line, passes := range map[string]bool{
		`{"errorMessage":"Unauthorized","errorType":"errorString"}` + "\n":                     false,
		`2026/01/02 03:04:05 {"errorMessage":"Unauthorized","errorType":"errorString"}` + "\n": false,
		`{"errorMessage":"the token could not be judged","errorType":"errorString"}` + "\n":    true,
		"expected AWS Lambda environment variables [_LAMBDA_SERVER_PORT] are not defined\n":    true,
		"Unauthorized\n": true,
		"{\n":            true,
	} {
		var out bytes.Buffer
		if n, err := (exceptUnauthorized{&out}).Write([]byte(line)); n != len(line) || err != nil {
			t.Errorf("%q: %d, %v", line, n, err)
		}
		if want := map[bool]string{true: line}[passes]; out.String() != want {
			t.Errorf("of %q passes %q", line, out.String())
		}
	}
}
