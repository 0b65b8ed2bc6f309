// Package wire is the HTTP face of the domain: one http.Handler for each
// endpoint, a form in, JSON out; and for each resource, a bearer in, JSON out.
//
// What it promises: a request reaches the domain only after its form and its
// credentials were read strictly, so that no two readers of the same bytes could
// disagree about them. Every answer is the JSON of the endpoint's RFC or an
// OAuth error, never cached, and its status comes from one table (respond.go).
// Each request writes one line to the log (event.go), and no line and no answer
// ever repeats what the client sent.
//
// What it refuses to know: what makes a token valid, how anything is stored,
// which gateway stands in front of it, and the path, since a function serves one
// endpoint wherever it is mounted. Two look at it all the same: Metadata names the
// others, and Devices has a device behind its own name.
package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"strconv"
	"time"

	"github.com/fob-oauth/fob/internal/oauth"
)

// Options are what the endpoints have in common. The zero value works.
type Options struct {
	// Issuer is the iss of introspection answers. Empty means the address that the
	// request came to; see Gateway.
	Issuer string
	// Function is the dimension of the metrics. Empty means the endpoint's name.
	Function string
	// Log gets one line for each request. For the metrics in it to be found it has
	// to write JSON to the standard output of a Lambda function. Nil discards.
	Log *slog.Logger
	// Now is the clock of the line. Nil means time.Now.
	Now func() time.Time
}

// Gateway is what the gateway in front of a handler knows about a request and
// http.Request has no field for. It travels in the context because anybody can
// send a header.
type Gateway struct {
	// BaseURL is the address of the deployment: scheme, host, and the stage or
	// mapping if it has one, without a slash at the end. Empty means that no
	// gateway said so, and the address is the connection's scheme and the Host that
	// the client named: good enough on a laptop. Whoever serves net/http to others
	// sets Options.Issuer.
	BaseURL string
	// RequestID joins the line of the request with the platform's own.
	RequestID string
	// Route is what the gateway matched: the method and the path as the API spells
	// it, such as "GET /orders/{id}", or "$default". Empty means that it did not say.
	Route string
	// Authorizer is what the gateway's authorizer said of the request, in the words
	// of Caller. Nil means that none was asked.
	Authorizer map[string]string
}

type gatewayKey struct{}

// WithGateway returns a context for a request that came through g.
func WithGateway(ctx context.Context, g Gateway) context.Context {
	return context.WithValue(ctx, gatewayKey{}, g)
}

// GatewayOf returns the zero Gateway for a request that came through none.
func GatewayOf(ctx context.Context) Gateway {
	g, _ := ctx.Value(gatewayKey{}).(Gateway)
	return g
}

// endpoint is the way that every request takes.
type endpoint struct {
	Options
	name string
	// serve reads the request and asks the domain. The answer is marshalled to JSON;
	// nil is an empty body, and noContent and cacheable say more than that.
	serve func(w http.ResponseWriter, r *http.Request) (any, error)
}

// request is what an endpoint that takes a form may know of an HTTP request.
type request struct {
	form        oauth.Form
	credentials oauth.Credentials
	source      string
	issuer      string
}

// newEndpoint serves what a client asks with a form and its own credentials. For
// what it asks with a token, see newResource.
func newEndpoint(name string, o Options, serve func(context.Context, request) (any, error)) http.Handler {
	return newHandler(name, o, func(w http.ResponseWriter, r *http.Request) (any, error) {
		form, err := readForm(w, r)
		if err != nil {
			return nil, err
		}
		credentials, err := takeCredentials(r.Header, form)
		if err != nil {
			return nil, err
		}
		if err := timeLeft(r.Context()); err != nil {
			return nil, err
		}
		return serve(r.Context(), request{form, credentials, sourceOf(r.RemoteAddr), o.issuerOf(r)})
	})
}

// timeLeft is an error when nothing may be begun any more, since it could not be
// finished.
func timeLeft(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("before the request was served: %w", err)
	}
	return nil
}

func (o Options) issuerOf(r *http.Request) string {
	if o.Issuer != "" {
		return o.Issuer
	}
	return baseURL(r)
}

func newHandler(name string, o Options, serve func(http.ResponseWriter, *http.Request) (any, error)) http.Handler {
	if o.Function == "" {
		o.Function = name
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return endpoint{o, name, serve}
}

func (e endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := e.Now()
	event := new(oauth.Event)
	r = r.WithContext(oauth.WithEvent(r.Context(), event))
	a, err := e.answer(w, r)
	status := respond(w, r.TLS != nil, a, err)
	e.record(r.Context(), event, status, began, err)
}

// answer is what goes out if there is no error. The zero value is a 200 without a
// body that nobody may keep.
type answer struct {
	empty  bool // 204
	maxAge int  // seconds for which anybody may keep it
	body   []byte
}

// noContent is the answer to a request that was done and has no result.
type noContent struct{}

// cacheable is content that is the same for everybody.
type cacheable struct {
	content any
	maxAge  int // seconds
}

// answer returns what serve has to say, or the error that says why it has nothing.
func (e endpoint) answer(w http.ResponseWriter, r *http.Request) (a answer, err error) {
	defer func() {
		if v := recover(); v != nil {
			a, err = answer{}, Panicked(v)
		}
	}()
	content, err := e.serve(w, r)
	if err != nil {
		return answer{}, err
	}
	switch c := content.(type) {
	case nil:
		return answer{}, nil
	case noContent:
		return answer{empty: true}, nil
	case cacheable:
		content, a.maxAge = c.content, c.maxAge
	}
	a.body, err = json.Marshal(content)
	return a, err
}

func baseURL(r *http.Request) string {
	switch g := GatewayOf(r.Context()); {
	case g.BaseURL != "":
		return g.BaseURL
	case r.Host == "":
		return ""
	case r.TLS != nil:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// sourceOf reduces the peer's address to what failed logins are counted by: an
// IPv4 address, or the /64 of an IPv6 address, since a single line has all of
// that. It is empty when there is no address.
func sourceOf(remoteAddr string) string {
	addr, err := netip.ParseAddr(remoteAddr)
	if err != nil {
		withPort, err := netip.ParseAddrPort(remoteAddr)
		if err != nil {
			return ""
		}
		addr = withPort.Addr()
	}
	addr = addr.Unmap()
	if addr.Is4() {
		return addr.String()
	}
	return netip.PrefixFrom(addr, 64).Masked().String()
}

// panicked is a panic as the log may know it: neither the value, which may hold
// anything, nor the arguments that debug.Stack prints, which may be bytes of a
// key.
type panicked struct {
	kind  string
	stack []string
}

func (p *panicked) Error() string { return "panic of type " + p.kind }

// Panicked is the error that a panic becomes. It must be called by the deferred
// function that recovered v.
func Panicked(v any) error {
	p := &panicked{kind: fmt.Sprintf("%T", v)}
	var callers [32]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers[:])])
	for {
		frame, more := frames.Next()
		if frame.Function != "" {
			p.stack = append(p.stack, frame.Function+" "+frame.File+":"+strconv.Itoa(frame.Line))
		}
		if !more {
			return p
		}
	}
}
