package functions_test

import (
	"bytes"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/keys/keystest"
)

// gate is a proxy between one function and the DynamoDB engine. It counts, keeps
// what is sent, and can close.
type gate struct {
	URL string

	mu    sync.Mutex // guards what follows
	mode  gateMode
	calls map[string]int // by operation
	sent  [][]byte
	all   []madeCall
	once  string // the operation of which the next call breaks
}

type gateMode int

const (
	open   gateMode = iota
	broken          // every connection breaks
	silent          // nothing is ever answered
)

func newGate(t *testing.T, endpoint string) *gate {
	t.Helper()
	target, err := url.Parse(endpoint)
	must(t, err)
	g := &gate{calls: map[string]int{}}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorLog = log.New(io.Discard, "", 0) // of clients that went away
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		switch g.pass(operation, body) {
		case open:
			proxy.ServeHTTP(w, r)
		case broken:
			panic(http.ErrAbortHandler)
		case silent:
			<-r.Context().Done()
		}
	}))
	t.Cleanup(server.Close)
	g.URL = server.URL
	return g
}

func (g *gate) pass(operation string, body []byte) gateMode {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls[operation]++
	g.sent = append(g.sent, body)
	g.all = append(g.all, madeCall{operation, body})
	if operation == g.once {
		g.once = ""
		return broken
	}
	return g.mode
}

func (g *gate) set(mode gateMode) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mode = mode
}

// breakNext breaks the connection of the next call of an operation.
func (g *gate) breakNext(operation string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.once = operation
}

func (g *gate) isOpen() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mode == open
}

func (g *gate) counts() map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.calls)
}

// made are all calls, those that met a closed gate too.
func (g *gate) made() []madeCall {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.all)
}

func (g *gate) total() (n int) {
	for _, calls := range g.counts() {
		n += calls
	}
	return n
}

// secretsManager has the two secrets of the template.
type secretsManager struct{ *keystest.SecretsManager }

func newSecretsManager(t *testing.T) secretsManager {
	t.Helper()
	m := secretsManager{keystest.New(t, time.Now)}
	m.Create(checkARN, checkKeys)
	m.Create(mintARN, mintKeys)
	return m
}

// setDown makes it answer errors alone.
func (m secretsManager) setDown(down bool) {
	m.Before(nil)
	if down {
		m.Before(func(string, string) error { return &keystest.Error{Status: http.StatusServiceUnavailable} })
	}
}

// counts says how often each secret was asked for.
func (m secretsManager) counts() map[string]int {
	asked := map[string]int{}
	for _, call := range m.Calls() {
		_, arn, _ := strings.Cut(call, " ")
		asked[arn]++
	}
	return asked
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
