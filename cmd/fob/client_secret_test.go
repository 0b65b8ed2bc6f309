package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
)

// A write whose reply was lost is looked at: what landed is shown after all, the
// secret that it generated too, which nobody else has.
func TestSecretsAreNotLostInDoubt(t *testing.T) {
	engine := dynamotest.Engine(t)
	f := dynamotest.New(t, engine)
	lossy := refusing(t, engine, regexp.MustCompile(`PutItem$`), 500, "InternalServerError", "oops")
	secretIn := regexp.MustCompile(`client_secret +[A-Za-z0-9_-]{43}\n`)
	if code, out, said := fobAt(t, lossy, "", f, "client", "add", "--id", "lost", "--grant", "client_credentials"); code != 0 || !secretIn.MatchString(out) {
		t.Errorf("add: exit code %d, %q, %q", code, out, said)
	}
	if code, out, said := fobAt(t, lossy, "", f, "client", "rotate-secret", "lost"); code != 0 || !secretIn.MatchString(out) {
		t.Errorf("rotate: exit code %d, %q, %q", code, out, said)
	}
	// A write can land after its caller gave up, and after the first look.
	late, release := slowPut(t, engine, 3)
	if code, out, said := fobAt(t, late, "", f, "client", "rotate-secret", "lost", "--now"); code != 0 || !secretIn.MatchString(out) {
		t.Errorf("late: exit code %d, %q, %q", code, out, said)
	}
	release()
	// A secret that nobody can compare is not called unchanged.
	for _, args := range [][]string{
		{"client", "add", "--id", "another", "--grant", "client_credentials"},
		{"client", "rotate-secret", "lost", "--now"},
	} {
		never, release := slowPut(t, engine, 1000)
		code, out, said := fobAt(t, never, "", f, args...)
		if code != exitUnavailable || out != "" || !strings.HasPrefix(said, "fob: it is not known what became of the client ") || strings.Contains(said, "nothing was changed") {
			t.Errorf("%q: exit code %d, %q, %q", args, code, out, said)
		}
		if strings.Contains(said, "--cancel") {
			t.Errorf("%q: there is no older secret to go back to: %q", args, said)
		}
		release()
	}
}

// slowPut is an engine that answers a PutItem with 500 at once and does it before
// the n-th read that comes after it.
func slowPut(t *testing.T, engine string, n int) (endpoint string, release func()) {
	t.Helper()
	target, err := url.Parse(engine)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	var mu sync.Mutex // guards what follows
	var pending *http.Request
	var body []byte
	reads := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch operation := r.Header.Get("X-Amz-Target"); {
		case strings.HasSuffix(operation, "PutItem"):
			pending, reads = r.Clone(context.WithoutCancel(r.Context())), 0
			body, _ = io.ReadAll(r.Body)
			w.Header().Set("Content-Type", "application/x-amz-json-1.0")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"oops"}`)
			return
		case strings.HasSuffix(operation, "GetItem") && pending != nil:
			if reads++; reads == n {
				pending.Body = io.NopCloser(bytes.NewReader(body))
				proxy.ServeHTTP(httptest.NewRecorder(), pending)
				pending = nil
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	return server.URL, server.Close
}
