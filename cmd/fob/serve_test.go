package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

// A request that is under way when the signal comes is answered, and then fob
// serve ends with success.
func TestServeAnswersWhatIsUnderWay(t *testing.T) {
	ctx, signal := context.WithCancel(t.Context())
	defer signal()
	out, write := io.Pipe()
	p := program{stdin: strings.NewReader(""), stdout: write, stderr: io.Discard, getenv: noEnv}
	code := make(chan int, 1)
	go func() { code <- p.run(ctx, []string{"serve", "--json", "--addr", "127.0.0.1:0"}) }()
	fob := readReady(t, out)

	u, err := url.Parse(fob.TokenEndpoint)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	body := "grant_type=client_credentials&client_id=" + fob.ClientID + "&client_secret=" + url.QueryEscape(fob.ClientSecret)
	_, _ = fmt.Fprintf(conn, "POST /token HTTP/1.1\r\nHost: %s\r\nExpect: 100-continue\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n", u.Host, len(body))
	answers := bufio.NewReader(conn)
	if resp, err := http.ReadResponse(answers, nil); err != nil || resp.StatusCode != http.StatusContinue {
		t.Fatalf("%v, %v; want that it reads on", resp, err)
	}
	signal()
	_, _ = io.WriteString(conn, body)
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || !strings.Contains(string(text), "fob_at_") {
		t.Errorf("%s %s", resp.Status, text)
	}
	if c := <-code; c != 0 {
		t.Errorf("exit code %d", c)
	}
}

func TestServeNeedsAFreePort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	var out, said output
	p := program{stdin: strings.NewReader(""), stdout: &out, stderr: &said, getenv: noEnv}
	code := p.run(t.Context(), []string{"serve", "--addr", taken.Addr().String()})
	if code != exitFailure || out.String() != "" || !strings.Contains(said.String(), "give another --addr") {
		t.Errorf("exit code %d, standard output %q, standard error %q", code, &out, &said)
	}
}

// gauge counts how many passwords are verified at once.
type gauge struct {
	now  atomic.Int32
	full chan struct{}
}

func (g *gauge) Hash(secret.Text) (secret.Text, error) { return secret.Text{}, nil }

func (g *gauge) Verify(secret.Text, secret.Text) (ok, outdated bool, err error) {
	g.now.Add(1)
	<-g.full
	return true, false, nil
}

func TestFewPasswordsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gauge{full: make(chan struct{})}
		few := fewAtOnce{g, make(chan struct{}, 3)}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if ok, _, err := few.Verify(secret.Text{}, secret.Text{}); !ok || err != nil {
					t.Errorf("%v, %v", ok, err)
				}
			})
		}
		synctest.Wait()
		if n := g.now.Load(); n != 3 {
			t.Errorf("%d at once, want 3", n)
		}
		close(g.full)
		all.Wait()
		if n := g.now.Load(); n != 20 {
			t.Errorf("%d were verified, want all 20", n)
		}
	})
}

// A login that gets no turn is told to come again; nobody waits for ever.
func TestLoginsDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gauge{full: make(chan struct{})}
		few := fewAtOnce{g, make(chan struct{}, 1)}
		var all sync.WaitGroup
		all.Go(func() { _, _, _ = few.Verify(secret.Text{}, secret.Text{}) })
		synctest.Wait()
		began := time.Now()
		if ok, _, err := few.Verify(secret.Text{}, secret.Text{}); ok || !errors.Is(err, oauth.ErrUnavailable) || time.Since(began) != turnPatience {
			t.Errorf("without a turn: %v, %v after %v", ok, err, time.Since(began))
		}
		close(g.full)
		all.Wait()
	})
}

func TestBaseURL(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:8080":   "http://localhost:8080",
		"0.0.0.0:8080":     "http://localhost:8080",
		"[::]:8080":        "http://localhost:8080",
		"[::1]:8080":       "http://[::1]:8080",
		"127.0.0.2:8080":   "http://127.0.0.2:8080",
		"192.168.1.7:8080": "http://192.168.1.7:8080",
	} {
		tcp, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := baseURL(tcp); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

// A pipe for standard error that nobody reads is full after some hundred lines.
// Requests are answered all the same.
func TestServeWithoutAReaderOfItsLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never, write := io.Pipe()
		log := newEventLog(write)
		for range 3 * eventBacklog {
			if n, err := io.WriteString(log, "a line\n"); n != 7 || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
		}
		log.close() // gives up
		_ = never.Close()
		synctest.Wait()
	})
}

func TestEventLogKeepsTheOrder(t *testing.T) {
	var got output
	log := newEventLog(&got)
	var want strings.Builder
	for i := range eventBacklog {
		_, _ = fmt.Fprintf(io.MultiWriter(log, &want), "line %d\n", i)
	}
	log.close()
	if got.String() != want.String() {
		t.Errorf("wrote %d bytes, want %d in order", len(got.String()), want.Len())
	}
}

// A path has the route that the gateway of the template would match.
func TestRouteOf(t *testing.T) {
	for path, want := range map[string]string{
		"/devices": "/devices", "/devices/sign-out": "/devices/sign-out", "/devices/ipad": "/devices/{device}", "/devices/devices": "/devices/{device}",
		"/devices/": "/devices/", "/devices/a/b": "/devices/a/b", "/devices/devices/b": "/devices/devices/b", "/devices/sign-out/": "/devices/sign-out/",
		"/token": "/token", "/token/": "/token/", "/": "/", "": "",
	} {
		if got := routeOf(path); got != want {
			t.Errorf("%q has the route %q, want %q", path, got, want)
		}
	}
}
