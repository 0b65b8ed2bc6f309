package proof

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
)

// faultKind is what becomes of one request to the database, below the SDK.
type faultKind int

const (
	faultNone        faultKind = iota
	faultResetBefore           // the connection breaks, and the request never arrives
	faultResetAfter            // it took effect, and the connection breaks
	faultMuted                 // the same, and from then on failed conditions do not say what stands
	faultLate                  // the connection breaks, and the request arrives before the next but one
	faultVeryLate              // the same, but it arrives when the flow is over
	fault500Before
	fault500After
	fault503 // with a page of HTML
	faultThrottled
	faultThrottledTwice
	faultThrottledForEver
	faultConflict // with a transaction
	faultCut      // it took effect, and half of its reply is left
	faultStallBefore
	faultStallAfter
	faultUnprocessed    // no key of a batch, once
	faultUnprocessedOne // one key of a batch, once
	faultUnprocessedForEver
	faultVisit // another instance is at work before the request arrives
	faultVisitAfter
	faultVisitAfterAndReset
	faultKinds
)

var faultNames = [faultKinds]string{
	"none", "reset before", "reset after", "reset after and muted", "late", "very late", "500 before", "500 after", "503",
	"throttled", "throttled twice", "throttled for ever", "transaction conflict", "cut reply", "stall before", "stall after",
	"unprocessed keys", "an unprocessed key", "unprocessed keys for ever", "visit before", "visit after", "visit after, then reset",
}

func (k faultKind) String() string { return faultNames[k] }

// fits reports whether a kind makes a difference for an operation.
func (k faultKind) fits(operation string) bool {
	write := operation == "PutItem" || operation == "DeleteItem" || operation == "UpdateItem"
	switch k {
	case faultResetAfter, faultMuted, fault500After, faultConflict, faultStallAfter, faultVisitAfterAndReset:
		return write
	case faultLate, faultVeryLate:
		// An epoch that is raised late ends what was issued since: the state has no
		// condition, and a second raise "does no harm" but this.
		return write && operation != "UpdateItem"
	case faultUnprocessed, faultUnprocessedOne, faultUnprocessedForEver:
		return operation == "BatchGetItem"
	case faultVisit:
		return write
	case faultVisitAfter:
		return write || operation == "BatchGetItem"
	}
	return true
}

func (k faultKind) stalls() bool { return k == faultStallBefore || k == faultStallAfter }

func (k faultKind) visits() bool {
	return k == faultVisit || k == faultVisitAfter || k == faultVisitAfterAndReset
}

// faultNet is the network between one instance and the engine. A run makes one
// request at a time, so it needs no lock.
type faultNet struct {
	plan  map[int]faultKind // by the number of the request, from 1
	visit func()            // of the other instance
	off   bool

	operations []string // that were sent
	injected   int
	forEver    faultKind
	muted      bool
	late       *http.Request
	lateBody   []byte
	lateAt     int
}

// faultBase is the way to the engine for all runs.
var faultBase = &http.Transport{MaxIdleConns: 64, MaxIdleConnsPerHost: 64}

var errFaultReset = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}

func (n *faultNet) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err = errors.Join(err, req.Body.Close()); err != nil {
		return nil, err
	}
	if n.off {
		return n.pass(req, body)
	}
	_, operation, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	n.operations = append(n.operations, operation)
	number := len(n.operations)
	if n.late != nil && number >= n.lateAt {
		n.deliver()
	}
	kind := n.plan[number]
	if kind == faultNone && n.forEver.fits(operation) {
		kind = n.forEver
	}
	if kind == faultNone || !kind.fits(operation) {
		return n.pass(req, body)
	}
	n.injected++
	return n.fail(req, body, kind)
}

func (n *faultNet) fail(req *http.Request, body []byte, kind faultKind) (*http.Response, error) {
	lose := func(then func() (*http.Response, error)) (*http.Response, error) {
		if _, err := n.pass(req, body); err != nil {
			return nil, err
		}
		return then()
	}
	reset := func() (*http.Response, error) { return nil, errFaultReset }
	stall := func() (*http.Response, error) {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	internal := func() (*http.Response, error) {
		return faultReply(http.StatusInternalServerError, `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"injected"}`), nil
	}
	refuse := func(exception string) (*http.Response, error) {
		return faultReply(http.StatusBadRequest, `{"__type":"com.amazonaws.dynamodb.v20120810#`+exception+`","message":"injected"}`), nil
	}
	switch kind {
	case faultResetBefore:
		return reset()
	case faultMuted:
		n.muted = true
		return lose(reset)
	case faultResetAfter:
		return lose(reset)
	case faultLate:
		n.late, n.lateBody, n.lateAt = req, body, len(n.operations)+2
		return reset()
	case faultVeryLate:
		n.late, n.lateBody, n.lateAt = req, body, math.MaxInt
		return reset()
	case fault500Before:
		return internal()
	case fault500After:
		return lose(internal)
	case fault503:
		return faultReply(http.StatusServiceUnavailable, "<html>"), nil
	case faultThrottled:
		return refuse("ProvisionedThroughputExceededException")
	case faultThrottledTwice:
		n.plan[len(n.operations)+1] = faultThrottled
		return refuse("ThrottlingException")
	case faultThrottledForEver:
		n.forEver = kind
		return refuse("RequestLimitExceeded")
	case faultConflict:
		return refuse("TransactionConflictException")
	case faultCut:
		resp, err := n.pass(req, body)
		if err != nil {
			return nil, err
		}
		reply, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		return faultReply(resp.StatusCode, string(reply[:len(reply)/2])), nil
	case faultStallBefore:
		return stall()
	case faultStallAfter:
		return lose(stall)
	case faultUnprocessedForEver:
		n.forEver = kind
		return n.leave(req, body, 0)
	case faultUnprocessed:
		return n.leave(req, body, 0)
	case faultUnprocessedOne:
		return n.leave(req, body, 1)
	case faultVisit:
		n.visit()
		return n.pass(req, body)
	case faultVisitAfter:
		resp, err := n.pass(req, body)
		n.visit()
		return resp, err
	case faultVisitAfterAndReset:
		return lose(func() (*http.Response, error) {
			n.visit()
			return reset()
		})
	}
	return nil, fmt.Errorf("no such fault: %v", kind)
}

// pass sends a request to the engine and reads the whole reply.
func (n *faultNet) pass(req *http.Request, body []byte) (*http.Response, error) {
	again := req.Clone(req.Context())
	again.Body, again.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp, err := faultBase.RoundTrip(again)
	if err != nil {
		return nil, err
	}
	reply, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	if n.muted && resp.StatusCode == http.StatusBadRequest && bytes.Contains(reply, []byte("ConditionalCheckFailed")) {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(reply, &members); err != nil {
			return nil, err
		}
		delete(members, "Item")
		if reply, err = json.Marshal(members); err != nil {
			return nil, err
		}
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(reply)), int64(len(reply))
	resp.Header.Del("X-Amz-Crc32")
	resp.Header.Del("Content-Length")
	return resp, nil
}

// deliver lets a request arrive whose sender gave up.
func (n *faultNet) deliver() {
	if late := n.late; late != nil {
		n.late = nil
		// Its reply has nobody to go to, an error included.
		_, _ = n.pass(late.WithContext(context.WithoutCancel(late.Context())), n.lateBody)
	}
}

// leave answers a batch without all keys but the first few.
func (n *faultNet) leave(req *http.Request, body []byte, processed int) (*http.Response, error) {
	var in struct {
		RequestItems           map[string]map[string]json.RawMessage
		ReturnConsumedCapacity string `json:",omitempty"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	out := map[string]json.RawMessage{"Responses": json.RawMessage(`{}`)}
	left := map[string]map[string]json.RawMessage{}
	for table, asked := range in.RequestItems {
		var keys []json.RawMessage
		if err := json.Unmarshal(asked["Keys"], &keys); err != nil {
			return nil, err
		}
		cut := min(processed, len(keys)-1)
		rest, err := json.Marshal(keys[cut:])
		if err != nil {
			return nil, err
		}
		left[table] = map[string]json.RawMessage{"Keys": rest, "ConsistentRead": json.RawMessage(`true`)}
		if cut == 0 {
			continue
		}
		if asked["Keys"], err = json.Marshal(keys[:cut]); err != nil {
			return nil, err
		}
		part, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		resp, err := n.pass(req, part)
		if err != nil {
			return nil, err
		}
		if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
			return nil, err
		}
	}
	var err error
	if out["UnprocessedKeys"], err = json.Marshal(left); err != nil {
		return nil, err
	}
	text, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	return faultReply(http.StatusOK, string(text)), nil
}

func faultReply(status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status,
		Header:     http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body:       io.NopCloser(strings.NewReader(body)),
	}
}

// faultBed is the engine with what all runs share on it.
type faultBed struct {
	t        *testing.T
	endpoint string
	fixture  *dynamotest.Fixture
	stats    faultStats

	mu   sync.Mutex // guards what follows
	runs int
}

func newFaultBed(t *testing.T) *faultBed {
	endpoint := dynamotest.Engine(t)
	bed := &faultBed{t: t, endpoint: endpoint, fixture: dynamotest.New(t, endpoint)}
	seedWorld(t, bed.fixture.Stores())
	return bed
}

func (b *faultBed) name() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.runs++
	return fmt.Sprint(b.runs)
}

// run runs a flow once and returns the operations that it sent.
func (b *faultBed) run(flow faultFlow, plan map[int]faultKind, stranger faultStranger) (operations []string) {
	network := &faultNet{plan: map[int]faultKind{}}
	cfg := dynamotest.Config(b.endpoint)
	cfg.HTTPClient = &http.Client{Transport: network}
	db := dynamo.NewClient(cfg)
	tokens := dynamo.NewTokens(db, b.fixture.Tables.Tokens)
	front := worldStores{tokens, dynamo.NewClients(db, b.fixture.Tables.Clients), dynamo.NewUsers(db, b.fixture.Tables.Users)}
	r := newFaultRun(b.t, fmt.Sprintf("%s, faults %v, another instance %s", flow.name, plan, stranger.name), b.name(), flow.client, b.fixture.Stores(), front, tokens, &b.stats)

	var before []faultAnswer
	if flow.prepare != nil {
		before = flow.prepare(r)
	}
	for number, kind := range plan {
		network.plan[number] = kind
		switch {
		case kind.stalls():
			r.deadline = faultShortDeadline
		case kind == faultThrottledForEver || kind == faultUnprocessedForEver:
			r.strict = false
		case kind.visits():
			r.strict = false
			r.deadline = time.Minute // the stranger's time is not the request's
		}
	}
	network.visit = func() { r.visit(flow, stranger) }
	flow.act(r, before)
	operations = network.operations
	b.stats.faults.Add(int64(network.injected))

	// What was under way arrives, and then whoever asks gets a token.
	network.deliver()
	network.off, network.muted, r.strict = true, false, true
	r.observe()
	a := r.login(r.front, faultDevice)
	r.expect(a.status == 200, "a login after all faults answered %v", a)
	return operations
}

// all makes runs side by side: most of their time they wait.
func (b *faultBed) all(atOnce int, runs []func()) {
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, run := range runs {
		slots <- struct{}{}
		if b.t.Failed() {
			return // one is enough to look at
		}
		wg.Go(func() {
			defer func() { <-slots }()
			run()
		})
	}
}

// Each fault of the network and of AWS at each request of every flow, below the
// SDK and its retries, and a random sample of two.
func TestFaultsAtTheProtocol(t *testing.T) {
	bed := newFaultBed(t)
	defer func() {
		t.Logf("%d flows on the engine:", len(faultFlows))
		bed.stats.log(t)
	}()
	pairs := 6 // of each flow
	if faultLong() {
		pairs = 300
	}
	random := rand.New(rand.NewPCG(3, 1))
	var runs, stalls []func()
	seen := map[string]bool{}
	for _, flow := range faultFlows {
		operations := bed.run(flow, nil, faultStrangers[0])
		if len(operations) == 0 {
			t.Fatalf("%s sends nothing", flow.name)
		}
		for i, operation := range operations {
			for kind := faultNone + 1; kind < faultKinds; kind++ {
				if !kind.fits(operation) {
					continue
				}
				// Registrations are read in the same way everywhere, so once is enough
				// but for the two that end differently; and a stall takes its time.
				key := fmt.Sprint(operation, kind)
				switch {
				case faultLong():
					key += fmt.Sprint(flow.name, i)
				case operation == "GetItem" && kind != faultResetBefore && kind != faultThrottledForEver:
				case kind.stalls(), kind == faultVisitAfter && operation == "BatchGetItem":
					key += flow.name
				default:
					key += fmt.Sprint(flow.name, i)
				}
				if seen[key] {
					continue
				}
				seen[key] = true
				if kind.stalls() {
					stalls = append(stalls, func() { bed.run(flow, map[int]faultKind{i + 1: kind}, faultStrangers[0]) })
					continue
				}
				strangers := faultStrangers[:1]
				switch {
				case kind.visits() && operation == "BatchGetItem":
					strangers = faultStrangers[2:3]
				case kind.visits():
					strangers = faultStrangers
				}
				for _, stranger := range strangers {
					runs = append(runs, func() { bed.run(flow, map[int]faultKind{i + 1: kind}, stranger) })
				}
			}
		}
		for range pairs {
			plan := map[int]faultKind{}
			for len(plan) < 2 {
				kind := faultKind(1 + random.IntN(int(faultKinds)-1))
				if !kind.stalls() { // for the time they take; see above
					plan[1+random.IntN(2*len(operations))] = kind
				}
			}
			stranger := faultStrangers[random.IntN(len(faultStrangers))]
			runs = append(runs, func() { bed.run(flow, plan, stranger) })
		}
	}
	bed.all(12, runs)
	bed.all(6, stalls) // each has a deadline to meet
}
