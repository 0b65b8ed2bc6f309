package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
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

// A proxy in front may speak HTTP/2, without TLS and without asking.
func TestServeSpeaksHTTP2(t *testing.T) {
	fob := serveHere(t)
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(fob.MetadataEndpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK || !strings.Contains(string(text), fob.TokenEndpoint) {
		t.Errorf("%s, %s, %v: %s", resp.Proto, resp.Status, err, text)
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
