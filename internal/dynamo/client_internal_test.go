package dynamo

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// A request to DynamoDB is one write: with TLS each one is a record of its own.
func TestInOneWrite(t *testing.T) {
	var got atomic.Pointer[string]
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		body := string(text)
		got.Store(&body)
	}))
	defer server.Close()
	var writes atomic.Int32
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return countedWrites{conn, &writes}, err
	}}
	defer transport.CloseIdleConnections()
	send := func(by aws.HTTPClient) int32 {
		body := struct{ io.ReadCloser }{io.NopCloser(strings.NewReader("{}"))} // as opaque as the SDK's
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, body)
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = 2
		writes.Store(0)
		answer, err := by.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if text := got.Swap(nil); text == nil || *text != "{}" {
			t.Errorf("sent %v", text)
		}
		return writes.Load()
	}
	plain := &http.Client{Transport: transport}
	if n := send(plain); n != 2 {
		t.Errorf("net/http makes %d writes: inOneWrite may have become needless", n)
	}
	if n := send(inOneWrite{plain}); n != 1 {
		t.Errorf("%d writes, want one", n)
	}
}

type countedWrites struct {
	net.Conn
	n *atomic.Int32
}

func (c countedWrites) Write(b []byte) (int, error) {
	c.n.Add(1)
	return c.Conn.Write(b)
}

func TestNewClientBoundsHowLongACallerWaits(t *testing.T) {
	for name, given := range map[string]aws.HTTPClient{"none": nil, "the SDK's": awshttp.NewBuildableClient()} {
		cfg := aws.Config{}
		cfg.HTTPClient = given
		options := NewClient(cfg).Options()
		sends, _ := options.HTTPClient.(inOneWrite)
		client, ok := sends.HTTPClient.(*awshttp.BuildableClient)
		if !ok {
			t.Fatalf("%s: the HTTP client is a %T around a %T", name, options.HTTPClient, sends.HTTPClient)
		}
		transport := client.GetTransport()
		// Three attempts must fit into the thirty seconds of an HTTP API.
		attempt := client.GetDialer().Timeout + transport.TLSHandshakeTimeout + transport.ResponseHeaderTimeout
		if options.RetryMaxAttempts > 3 || options.Retryer.MaxAttempts() != 3 || attempt <= 0 || 3*attempt.Seconds() > 25 ||
			transport.ResponseHeaderTimeout == 0 {
			t.Errorf("%s: %d attempts of up to %v", name, options.Retryer.MaxAttempts(), attempt)
		}
	}
	cfg := aws.Config{}
	cfg.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.ResponseHeaderTimeout = time.Hour })
	if sends, _ := NewClient(cfg).Options().HTTPClient.(inOneWrite); sends.HTTPClient.(*awshttp.BuildableClient).GetTransport().ResponseHeaderTimeout != time.Hour {
		t.Error("a client with a time of its own for an answer lost it")
	}
	own := &http.Client{}
	cfg.HTTPClient = own
	if got := NewClient(cfg).Options().HTTPClient; got != own {
		t.Errorf("the given HTTP client became a %T", got)
	}
}
