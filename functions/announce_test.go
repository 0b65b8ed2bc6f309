package functions_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/announce/announcetest"
)

// The function as it is released announces a sample on the bus that it is told, reports where
// Lambda has to go on, and does not start without a bus.
func TestAnnounce(t *testing.T) {
	const bus = "arn:aws:events:eu-central-1:123456789012:event-bus/people"
	down := false
	var put []string // bodies of calls
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		put = append(put, string(body))
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if down {
			w.WriteHeader(http.StatusBadRequest) // which the SDK does not repeat
			_, _ = w.Write([]byte(`{"__type":"AccessDeniedException","message":"no"}`))
			return
		}
		_, _ = w.Write([]byte(`{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}`))
	}))
	defer web.Close()
	environment := map[string]string{
		"AWS_LAMBDA_FUNCTION_NAME": "announce", "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "fixture", "AWS_SECRET_ACCESS_KEY": "fixture",
		"AWS_ENDPOINT_URL_EVENTBRIDGE": web.URL, "FOB_EVENT_BUS": bus,
	}
	sample, err := os.ReadFile("announce/events/new-device.json")
	must(t, err)

	f := start(t, "announce", environment)
	f.awaitStart(t)
	if len(put) > 0 || len(f.stdout.all(t)) > 0 {
		t.Errorf("before the first batch: %q, %s", put, f.stdout.all(t))
	}
	done, err := f.invoke(t.Context(), sample, timeout)
	if err != nil || done.failed || string(done.raw) != `{"batchItemFailures":[]}` {
		t.Fatalf("answered %s %s, %v", done.raw, done.message, err)
	}
	var call struct {
		Entries []struct{ EventBusName, Detail string }
	}
	if len(put) != 1 || json.Unmarshal([]byte(put[0]), &call) != nil || len(call.Entries) != 1 || call.Entries[0].EventBusName != bus {
		t.Fatalf("put %q", put)
	}
	announcetest.Valid(t, []byte(call.Entries[0].Detail))
	lines := f.stdout.next(t)
	if len(lines) != 1 {
		t.Fatalf("the log has %q", lines)
	}
	said := parseLine(t, lines[0])
	if said.text("msg") != "announced" || said.number("events") != 1 || said.text("function") != "announce" {
		t.Errorf("the log has %v", said)
	}

	down = true
	done, err = f.invoke(t.Context(), sample, timeout)
	if err != nil || done.failed || !strings.HasPrefix(string(done.raw), `{"batchItemFailures":[{"itemIdentifier":"`) {
		t.Errorf("while the bus is closed: %s %s, %v", done.raw, done.message, err)
	}

	delete(environment, "FOB_EVENT_BUS")
	f = start(t, "announce", environment)
	if exit := f.awaitEnd(t); exit != 1 || !strings.Contains(string(f.stdout.all(t)), "FOB_EVENT_BUS") {
		t.Errorf("without a bus: status %d, %s", exit, f.stdout.all(t))
	}
}
