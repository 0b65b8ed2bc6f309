package functions_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hookCloud is Lambda and CodeDeploy as the trial sees them.
type hookCloud struct {
	*httptest.Server
	mu       sync.Mutex
	reported []map[string]any
}

const versionOf = "arn:aws:lambda:eu-central-1:123456789012:function:"

// newHookCloud hands invocations to functions, by the ARN versionOf and the name with :7.
func newHookCloud(t *testing.T, functions map[string]*instance) *hookCloud {
	t.Helper()
	c := &hookCloud{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /2015-03-31/functions/{arn}/invocations", func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimSuffix(strings.TrimPrefix(r.PathValue("arn"), versionOf), ":7")
		event, err := io.ReadAll(r.Body)
		if err != nil || functions[name] == nil {
			http.Error(w, "no such function", http.StatusNotFound)
			return
		}
		o, err := functions[name].invoke(r.Context(), event, timeout)
		if err != nil || o.failed {
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
		}
		_, _ = w.Write(o.raw)
	})
	mux.HandleFunc("POST /{$}", func(w http.ResponseWriter, r *http.Request) {
		var report map[string]any
		if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".PutLifecycleEventHookExecutionStatus") || json.NewDecoder(r.Body).Decode(&report) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.reported = append(c.reported, report)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, _ = w.Write([]byte(`{}`))
	})
	c.Server = httptest.NewServer(mux)
	t.Cleanup(c.Close)
	return c
}

// The program that CodeDeploy calls, with the programs that it tries: it reports success,
// leaves no client, and makes no other calls than its role allows. While the tables are
// down it reports the failure.
func TestTrial(t *testing.T) {
	s := newStage(t)
	defer s.searchForLeaks(t)
	tried := map[string]*instance{}
	for _, name := range []string{"token", "revoke", "introspect"} {
		tried[name] = s.run(t, name)
	}
	cloud := newHookCloud(t, tried)
	hook := s.run(t, hookName, func(_ *instance, environment map[string]string) {
		environment["AWS_ENDPOINT_URL_LAMBDA"], environment["AWS_ENDPOINT_URL_CODEDEPLOY"] = cloud.URL, cloud.URL
		for _, name := range []string{"token", "revoke", "introspect"} {
			environment["FOB_"+strings.ToUpper(name)+"_VERSION"] = versionOf + name + ":7"
		}
	})
	event, err := os.ReadFile("trial/events/before-traffic.json")
	must(t, err)
	clients := len(s.fixture.Items(t, s.fixture.Tables.Clients))
	try := func(want string) {
		t.Helper()
		cloud.reported = nil
		o, err := hook.invoke(t.Context(), event, 90*time.Second)
		must(t, err)
		if o.failed || len(cloud.reported) != 1 {
			t.Fatalf("failed: %v, reported %v\n%s", o.failed, cloud.reported, hook.stdout.all(t))
		}
		report := map[string]any{"deploymentId": "d-ABCDEF123", "lifecycleEventHookExecutionId": "eyJlbmNyeXB0ZWREYXRhIjoiZXhhbXBsZSJ9", "status": want}
		if diff := cmp.Diff(report, cloud.reported[0]); diff != "" {
			t.Errorf("report (-want +got):\n%s\n%s", diff, hook.stdout.all(t))
		}
		if n := len(s.fixture.Items(t, s.fixture.Tables.Clients)); n != clients {
			t.Errorf("%d clients, and %d before", n, clients)
		}
	}
	try("Succeeded")
	if diff := cmp.Diff(map[string]int{"GetItem": 1, "PutItem": 1, "DeleteItem": 1}, hook.tables.counts()); diff != "" {
		t.Errorf("calls to DynamoDB (-want +got):\n%s", diff)
	}
	if got := hook.secrets.counts(); len(got) > 0 {
		t.Errorf("the trial read %v", got)
	}
	tried["revoke"].tables.set(broken)
	try("Failed")
}
