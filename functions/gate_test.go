package functions_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// gate stands between one function and the DynamoDB engine. It counts, keeps
// what is sent, and can close.
type gate struct {
	URL string

	mu    sync.Mutex // guards what follows
	mode  gateMode
	calls map[string]int // by operation
	sent  [][]byte
}

type gateMode int

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
	return g.mode
}

func (g *gate) set(mode gateMode) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mode = mode
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

func (g *gate) total() (n int) {
	for _, calls := range g.counts() {
		n += calls
	}
	return n
}

// secretsManager answers GetSecretValue for the two secrets of the template, or
// nothing but errors while it is down.
type secretsManager struct {
	URL string

	mu    sync.Mutex // guards what follows
	texts map[string]string
	down  bool
	asked map[string]int // by ARN
}

func newSecretsManager(t *testing.T) *secretsManager {
	t.Helper()
	m := &secretsManager{texts: map[string]string{checkARN: checkKeys, mintARN: mintKeys}, asked: map[string]int{}}
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	m.URL = server.URL
	return m
}

func (m *secretsManager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ SecretId string }
	err := json.NewDecoder(r.Body).Decode(&in)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked[in.SecretId]++
	text, found := m.texts[in.SecretId]
	var out any
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	switch {
	case m.down:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case err != nil, r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue", !found:
		w.WriteHeader(http.StatusBadRequest)
		out = map[string]string{"__type": "ResourceNotFoundException", "message": "no such secret"}
	default:
		out = map[string]any{"ARN": in.SecretId, "Name": "keys", "VersionId": "00000000-0000-4000-8000-000000000001",
			"VersionStages": []string{"AWSCURRENT"}, "CreatedDate": 1795422600, "SecretString": text}
	}
	_ = json.NewEncoder(w).Encode(out)
}

func (m *secretsManager) put(arn, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.texts[arn] = text
}

func (m *secretsManager) setDown(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

// counts tells how often each secret was asked for.
func (m *secretsManager) counts() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.asked)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
