package functions_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// line is one line of a function's log.
type line map[string]any

func parseLine(t *testing.T, text []byte) line {
	t.Helper()
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		t.Fatalf("a line of the log is not a JSON object: %v\n%s", err, text)
	}
	return l
}

func (l line) text(name string) string { s, _ := l[name].(string); return s }

func (l line) number(name string) float64 { n, _ := l[name].(float64); return n }

// checkMetrics holds a line to CloudWatch's embedded metric format: whatever is
// wrong there makes the metric vanish without a word.
func checkMetrics(t *testing.T, l line) {
	t.Helper()
	text, err := json.Marshal(l["_aws"])
	if err != nil {
		t.Fatal(err)
	}
	var metadata struct {
		Timestamp         int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct{ Name, Unit string }
		}
	}
	// "MUST NOT contain any additional members".
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&metadata); err != nil {
		t.Errorf("_aws: %v\n%s", err, text)
	}
	if age := time.Since(time.UnixMilli(metadata.Timestamp)); age < -time.Minute || age > time.Hour {
		t.Errorf("_aws: the timestamp %d is not now in milliseconds", metadata.Timestamp)
	}
	if len(metadata.CloudWatchMetrics) != 1 {
		t.Fatalf("_aws: %d directives, want one\n%s", len(metadata.CloudWatchMetrics), text)
	}
	d := metadata.CloudWatchMetrics[0]
	if d.Namespace == "" || len(d.Namespace) > 255 || strings.HasPrefix(d.Namespace, "AWS/") {
		t.Errorf("_aws: namespace %q", d.Namespace)
	}
	if len(d.Dimensions) == 0 || len(d.Metrics) == 0 || len(d.Metrics) > 100 {
		t.Errorf("_aws: %d sets of dimensions and %d metrics", len(d.Dimensions), len(d.Metrics))
	}
	for _, set := range d.Dimensions {
		for _, name := range set {
			if value := l.text(name); value == "" || len(set) > 30 || len(value) > 1024 {
				t.Errorf("_aws: the dimension %q names %v, which is not text at the root", name, l[name])
			}
		}
	}
	for _, m := range d.Metrics {
		if _, ok := l[m.Name].(float64); !ok {
			t.Errorf("_aws: the metric %q names %v, which is not a number at the root", m.Name, l[m.Name])
		}
		if cmp.Or(m.Unit, "None") != "Count" {
			t.Errorf("_aws: the metric %q has the unit %q", m.Name, m.Unit)
		}
	}
}

// lineMembers are all that a request's line may have, and whether it must.
var lineMembers = map[string]bool{
	"time": true, "level": true, "msg": true,
	"function": true, "endpoint": true, "outcome": true, "status": true,
	"store_calls": true, "read_units": true, "write_units": true, "duration_ms": true,
	"source": true, "request_id": true, "gateway_request_id": true,
	"edge": false, "client": false, "client_claimed": false, "grant": false, "name": false, "code": false, "reason": false, "scope": false, "issuer": false, "event": false, "subject": false, "refusal": false, "locator": false, "error": false, "_aws": false,
	"issued": false, "returned": false, "refreshed": false, "replayed": false, "revoked": false,
	"denied": false, "failed": false, "added": false, "changed": false, "removed": false, "repeated": false, "evicted": false, "raced": false, "tampered": false,
}

// whence returns what the gateway writes into its access log about the request of an
// event of either format.
func whence(t *testing.T, event []byte) (requestID, source string) {
	t.Helper()
	var e struct {
		RequestContext struct {
			RequestID string                    `json:"requestId"`
			HTTP      struct{ SourceIP string } `json:"http"`
			Identity  struct{ SourceIP string } `json:"identity"`
		} `json:"requestContext"`
	}
	must(t, json.Unmarshal(event, &e))
	return e.RequestContext.RequestID, cmp.Or(e.RequestContext.HTTP.SourceIP, e.RequestContext.Identity.SourceIP)
}
