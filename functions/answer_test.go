package functions_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/wire"
)

// answer is what a client gets.
type answer struct {
	status int
	header http.Header
	body   string
	line   line
	took   time.Duration
}

// members decodes the body; it is nil if there is none.
func (a answer) members(t *testing.T) map[string]any {
	t.Helper()
	if a.body == "" {
		return nil
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("the answer is not a JSON object: %v", err)
	}
	return m
}

func (a answer) text(t *testing.T, name string) string {
	t.Helper()
	s, _ := a.members(t)[name].(string)
	return s
}

func answerOf(o outcome) answer {
	a := answer{status: o.response.StatusCode, header: http.Header{}, body: o.response.Body, took: o.took}
	for name, value := range o.response.Headers {
		a.header.Set(name, value)
	}
	return a
}

// send hands the instance an event and checks what is true of every answer.
func (i *instance) send(t *testing.T, event []byte) answer {
	t.Helper()
	return i.sendWithin(t, event, timeout)
}

func (i *instance) sendWithin(t *testing.T, event []byte, left time.Duration) answer {
	t.Helper()
	calls := i.tables.total()
	o, err := i.invoke(t.Context(), event, left)
	must(t, err)
	if o.failed {
		t.Fatalf("%s refused the event:\n%s", i.name, i.stdout.all(t))
	}
	a := answerOf(o)
	i.keep(t, a)

	if o.response.IsBase64Encoded || len(o.response.MultiValueHeaders) > 0 || len(o.response.Cookies) > 0 {
		t.Errorf("%s: an answer with more than status, headers and a plain body", i.name)
	}
	headers := map[string]string{
		"Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff",
		"Strict-Transport-Security": "max-age=31536000",
	}
	endpoint := i.name
	if bytes.Contains(event, []byte(wire.KeySetPath)) { // of introspect
		endpoint = "jwks"
	}
	if age := keptFor(endpoint, a); age != "" {
		headers["Cache-Control"], headers["Pragma"] = "public, max-age="+age, ""
	}
	for name, want := range headers {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: header %s: %q, want %q", i.name, name, got, want)
		}
	}
	if got := a.header.Get("Content-Type"); a.body != "" && got != "application/json" {
		t.Errorf("%s: content type %q", i.name, got)
	}

	lines := i.stdout.next(t)
	if len(lines) != 1 {
		t.Fatalf("%s wrote %d lines for one request:\n%s", i.name, len(lines), bytes.Join(lines, nil))
	}
	if noise := i.stderr.next(t); len(noise) > 0 {
		t.Errorf("%s wrote to standard error:\n%s", i.name, bytes.Join(noise, nil))
	}
	a.line = parseLine(t, lines[0])
	for name, must := range lineMembers {
		if _, has := a.line[name]; must && !has {
			t.Errorf("%s: the line lacks %s: %s", i.name, name, lines[0])
		}
	}
	for name := range a.line {
		if _, may := lineMembers[name]; !may {
			t.Errorf("%s: the line has %s: %s", i.name, name, lines[0])
		}
	}
	id, source := whence(t, event)
	for name, want := range map[string]any{
		"msg": "request", "function": i.name, "endpoint": endpoint,
		"status": float64(a.status), "request_id": o.id, "gateway_request_id": id, "source": source,
	} {
		if a.line[name] != want {
			t.Errorf("%s: the line says %s = %v, want %v", i.name, name, a.line[name], want)
		}
	}
	if d := a.line.number("duration_ms"); d <= 0 || d > float64(o.took.Milliseconds()+1) {
		t.Errorf("%s: the line says that it took %v ms; seen from outside it took %v", i.name, d, o.took)
	}
	if _, err := time.Parse(time.RFC3339, a.line.text("time")); err != nil {
		t.Errorf("%s: the line's time: %v", i.name, err)
	}
	if i.tables.isOpen() {
		if seen := i.tables.total() - calls; a.line.number("store_calls") != float64(seen) {
			t.Errorf("%s: the line says %v store calls, and %d were seen", i.name, a.line["store_calls"], seen)
		}
	}
	_, counts := a.line["_aws"]
	switch outcome := a.line.text("outcome"); outcome {
	case "active", "inactive", "listed", "described", "signed_out", "noted":
		if counts {
			t.Errorf("%s: metrics for the outcome %s, which nobody counts", i.name, outcome)
		}
	default:
		if !counts || a.line.number(outcome) != 1 {
			t.Errorf("%s: the outcome %s is not counted: %s", i.name, outcome, lines[0])
		}
	}
	if counts {
		checkMetrics(t, a.line)
	}
	return a
}

// keep sorts an answer: the tokens that it gave out must be nowhere else, and an
// answer without them must not hold a secret.
func (i *instance) keep(t *testing.T, a answer) {
	t.Helper()
	if i.name != "token" || a.status != http.StatusOK {
		i.stage.answers = append(i.stage.answers, []byte(a.body), fmt.Appendf(nil, "%v", a.header))
		return
	}
	i.stage.know("access token", a.text(t, "access_token"))
	if refresh := a.text(t, "refresh_token"); refresh != "" {
		i.stage.know("refresh token", refresh)
	}
}
