package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// networkFault is what becomes of one request to the database, below the SDK.
type networkFault int

const (
	noFault      networkFault = iota
	resetBefore               // the connection breaks, and the request never arrives
	resetAfter                // it took effect, and the connection breaks
	resetAndMute              // like resetAfter, and from then on failed conditions do not name the item
	late                      // the connection breaks, and the request arrives before the next but one
	veryLate                  // like late, but it arrives when the flow is over
	error500Before
	error500After
	error503 // with a page of HTML
	throttled
	throttledTwice
	throttledForEver
	transactionConflict // with a transaction
	cutReply            // it took effect, and half of its reply is left
	stallBefore
	stallAfter
	unprocessed    // no key of a batch, once
	unprocessedOne // one key of a batch, once
	unprocessedForEver
	visitBefore // another instance is at work before the request arrives
	visitAfter
	visitAfterAndReset
	networkFaults
)

var networkFaultNames = [networkFaults]string{
	"none", "reset before", "reset after", "reset after and muted", "late", "very late", "500 before", "500 after", "503",
	"throttled", "throttled twice", "throttled for ever", "transaction conflict", "cut reply", "stall before", "stall after",
	"unprocessed keys", "an unprocessed key", "unprocessed keys for ever", "visit before", "visit after", "visit after, then reset",
}

func (k networkFault) String() string { return networkFaultNames[k] }

// fits reports whether a kind makes a difference for an operation.
func (k networkFault) fits(operation string) bool {
	write := operation == "PutItem" || operation == "DeleteItem" || operation == "UpdateItem"
	switch k {
	case resetAfter, resetAndMute, error500After, transactionConflict, stallAfter, visitAfterAndReset:
		return write
	case late, veryLate:
		// An epoch that is raised late ends what was issued since: the state has no
		// condition, and a second raise "does no harm" but this.
		return write && operation != "UpdateItem"
	case unprocessed, unprocessedOne, unprocessedForEver:
		return operation == "BatchGetItem"
	case visitBefore:
		return write
	case visitAfter:
		return write || operation == "BatchGetItem"
	}
	return true
}

func (k networkFault) stalls() bool { return k == stallBefore || k == stallAfter }

func (k networkFault) visits() bool {
	return k == visitBefore || k == visitAfter || k == visitAfterAndReset
}

// faultyNetwork is the network between one instance and the engine. A run makes one
// request at a time, so it needs no lock.
type faultyNetwork struct {
	plan  map[int]networkFault // by the number of the request, from 1
	visit func()               // of the other instance
	off   bool

	operations []string // that were sent
	injected   int
	forEver    networkFault
	muted      bool
	late       *http.Request
	lateBody   []byte
	lateAt     int
}

// toEngine is the way to the engine for all runs.
var toEngine = &http.Transport{MaxIdleConns: 64, MaxIdleConnsPerHost: 64}

var errReset = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}

func (n *faultyNetwork) RoundTrip(req *http.Request) (*http.Response, error) {
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
	if kind == noFault && n.forEver.fits(operation) {
		kind = n.forEver
	}
	if kind == noFault || !kind.fits(operation) {
		return n.pass(req, body)
	}
	n.injected++
	return n.fail(req, body, kind)
}

func (n *faultyNetwork) fail(req *http.Request, body []byte, kind networkFault) (*http.Response, error) {
	lose := func(then func() (*http.Response, error)) (*http.Response, error) {
		if _, err := n.pass(req, body); err != nil {
			return nil, err
		}
		return then()
	}
	reset := func() (*http.Response, error) { return nil, errReset }
	stall := func() (*http.Response, error) {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	internal := func() (*http.Response, error) {
		return replyOf(http.StatusInternalServerError, `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"injected"}`), nil
	}
	refuse := func(exception string) (*http.Response, error) {
		return replyOf(http.StatusBadRequest, `{"__type":"com.amazonaws.dynamodb.v20120810#`+exception+`","message":"injected"}`), nil
	}
	switch kind {
	case resetBefore:
		return reset()
	case resetAndMute:
		n.muted = true
		return lose(reset)
	case resetAfter:
		return lose(reset)
	case late:
		n.late, n.lateBody, n.lateAt = req, body, len(n.operations)+2
		return reset()
	case veryLate:
		n.late, n.lateBody, n.lateAt = req, body, math.MaxInt
		return reset()
	case error500Before:
		return internal()
	case error500After:
		return lose(internal)
	case error503:
		return replyOf(http.StatusServiceUnavailable, "<html>"), nil
	case throttled:
		return refuse("ProvisionedThroughputExceededException")
	case throttledTwice:
		n.plan[len(n.operations)+1] = throttled
		return refuse("ThrottlingException")
	case throttledForEver:
		n.forEver = kind
		return refuse("RequestLimitExceeded")
	case transactionConflict:
		return refuse("TransactionConflictException")
	case cutReply:
		resp, err := n.pass(req, body)
		if err != nil {
			return nil, err
		}
		reply, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		return replyOf(resp.StatusCode, string(reply[:len(reply)/2])), nil
	case stallBefore:
		return stall()
	case stallAfter:
		return lose(stall)
	case unprocessedForEver:
		n.forEver = kind
		return n.leave(req, body, 0)
	case unprocessed:
		return n.leave(req, body, 0)
	case unprocessedOne:
		return n.leave(req, body, 1)
	case visitBefore:
		n.visit()
		return n.pass(req, body)
	case visitAfter:
		resp, err := n.pass(req, body)
		n.visit()
		return resp, err
	case visitAfterAndReset:
		return lose(func() (*http.Response, error) {
			n.visit()
			return reset()
		})
	}
	return nil, fmt.Errorf("no such fault: %v", kind)
}

// pass sends a request to the engine and reads the whole reply.
func (n *faultyNetwork) pass(req *http.Request, body []byte) (*http.Response, error) {
	again := req.Clone(req.Context())
	again.Body, again.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp, err := toEngine.RoundTrip(again)
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
func (n *faultyNetwork) deliver() {
	if late := n.late; late != nil {
		n.late = nil
		// Its reply has nobody to go to, an error included.
		_, _ = n.pass(late.WithContext(context.WithoutCancel(late.Context())), n.lateBody)
	}
}

// leave answers a batch without all keys but the first few.
func (n *faultyNetwork) leave(req *http.Request, body []byte, processed int) (*http.Response, error) {
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
	return replyOf(http.StatusOK, string(text)), nil
}

func replyOf(status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status,
		Header:     http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body:       io.NopCloser(strings.NewReader(body)),
	}
}
