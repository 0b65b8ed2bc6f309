package dynamo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/oauth"
)

// measure sends one request and compares the outcome, the refusal and the price.
func (w *budgetWorld) measure(request func(context.Context) error, outcome oauth.Outcome, code oauth.Code, want price, absent float64) {
	w.t.Helper()
	w.meter.reset()
	var event oauth.Event
	err := request(oauth.WithEvent(w.t.Context(), &event))
	refused, _ := errors.AsType[*oauth.Error](err)
	switch {
	case code == "" && err != nil:
		w.t.Fatal(err)
	case code != "" && (refused == nil || refused.Code != code):
		w.t.Errorf("error %v, want %s", err, code)
	}
	if event.Outcome != outcome {
		w.t.Errorf("outcome %q, want %q", event.Outcome, outcome)
	}
	w.check(event, want, absent)
}

// check holds a request to its price, and the items that it left to their size.
func (w *budgetWorld) check(event oauth.Event, want price, absent float64) {
	w.t.Helper()
	w.checkPrice(event, want, absent)
	if len(want.calls) == 0 {
		return
	}
	for _, item := range w.f.Items(w.t, w.f.Tables.Tokens) {
		if size := sizeOf(item); size >= 1024 {
			w.t.Errorf("an item of %d bytes, which is two write units", size)
		}
	}
}

// checkPrice holds a request to its price, by what the event says and by what the
// meter saw.
func (w *budgetWorld) checkPrice(event oauth.Event, want price, absent float64) {
	w.t.Helper()
	seen := w.meter.reset()
	if diff := cmp.Diff(maps.Clone(want.calls), seen.calls); diff != "" && len(want.calls)+len(seen.calls) > 0 {
		w.t.Errorf("calls (-want +got):\n%s", diff)
	}
	if event.StoreCalls != seen.total() {
		w.t.Errorf("the event counts %d calls, and %d were made", event.StoreCalls, seen.total())
	}
	reads := want.found + want.none*absent
	if event.ReadUnits != reads || seen.reads != reads {
		w.t.Errorf("read units: %v by the event, %v by the engine's answers, want %v", event.ReadUnits, seen.reads, reads)
	}
	if event.WriteUnits != want.write || seen.writes != want.write {
		w.t.Errorf("write units: %v by the event, %v by the engine's answers, want %v", event.WriteUnits, seen.writes, want.write)
	}
}

// sizeOf is the size of an item by DynamoDB's published rules.
func sizeOf(item map[string]types.AttributeValue) (size int) {
	for name, value := range item {
		size += len(name) + sizeOfValue(value)
	}
	return size
}

func sizeOfValue(value types.AttributeValue) int {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return (len(v.Value)+1)/2 + 1
	case *types.AttributeValueMemberL:
		size := 3
		for _, value := range v.Value {
			size += 1 + sizeOfValue(value)
		}
		return size
	case *types.AttributeValueMemberM:
		return 3 + len(v.Value) + sizeOf(v.Value)
	}
	return 1 // a flag
}

// meter counts the requests that leave, also those that nobody meant to send, and
// adds up the capacity that the engine says they consumed.
type meter struct {
	mu   sync.Mutex
	seen reading
}

type reading struct {
	calls         map[string]int // by operation
	reads, writes float64
}

func (r reading) total() (n int) {
	for _, calls := range r.calls {
		n += calls
	}
	return n
}

func (m *meter) reset() reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := m.seen
	m.seen = reading{}
	return seen
}

func (m *meter) RoundTrip(r *http.Request) (*http.Response, error) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	resp, err := http.DefaultTransport.RoundTrip(r)
	var answer struct{ ConsumedCapacity json.RawMessage }
	if err == nil {
		var body []byte
		body, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		resp.Body = io.NopCloser(bytes.NewReader(body))
		_ = json.Unmarshal(body, &answer) // what is not JSON has no capacity
	}
	type capacity struct{ CapacityUnits float64 }
	var one capacity
	var many []capacity
	_, _ = json.Unmarshal(answer.ConsumedCapacity, &one), json.Unmarshal(answer.ConsumedCapacity, &many)
	units := one.CapacityUnits
	for _, c := range many {
		units += c.CapacityUnits
	}

	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen.calls == nil {
		m.seen.calls = map[string]int{}
	}
	m.seen.calls[operation]++
	switch operation {
	case put, update, remove:
		m.seen.writes += units
	default:
		m.seen.reads += units
	}
	return resp, err
}
