// Package wire is the HTTP face of the domain: an http.Handler for each endpoint
// ([Token], [Revoke], [Introspect], [Events], [Metadata]) and each resource ([Me], [Devices],
// [DeviceLabels], [Account], [Users], [SignOut]), and the [Authorizer] for resources that
// somebody else serves. A request that was read strictly reaches the domain; refusal.go
// turns its errors into statuses, and log.go writes one line to the log. No line and no
// answer repeats what the client sent.
//
// The package does not know what makes a token valid, how anything is stored, which
// gateway it is behind, or, but for [Devices], [Account] and [Users], where a handler is
// mounted.
package wire

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/fob-oauth/fob/internal/oauth"
)

// Options are what the endpoints have in common. The zero value works.
type Options struct {
	// Issuer is the iss of introspection answers. Empty means the address that the
	// request came to; see Gateway.
	Issuer string
	// Edge has the SHA-256 of each secret by which an edge in front of the gateway proves
	// itself; see [EdgeHeader]. Empty means none.
	Edge [][32]byte
	// Function is the dimension of the metrics. Empty means the endpoint's name.
	Function string
	// Log gets one line for each request. For the metrics in it to be found it has
	// to write JSON to the standard output of a Lambda function. Nil discards.
	Log *slog.Logger
	// NoMetrics leaves the counters of a line without what makes CloudWatch see them.
	NoMetrics bool
}

// Gateway is what the gateway in front of a handler knows about a request and
// http.Request has no field for. It travels in the context because anybody can
// send a header.
type Gateway struct {
	// BaseURL is the address of the deployment: scheme, host, and the stage or
	// mapping if it has one, without a slash at the end. Empty means that no
	// gateway said so, and the address is the connection's scheme and the Host that
	// the client named. That is enough on a laptop; a server for others sets
	// Options.Issuer.
	BaseURL string
	// RequestID is the gateway's, which is in its access log and in the header
	// apigw-requestid of the answer of an HTTP API.
	RequestID string
	// InvocationID is Lambda's, which is in every line that the platform writes.
	InvocationID string
	// Route is what the gateway matched: the method and the path as the API spells
	// it, such as "GET /orders/{id}", or "$default". Empty means that it did not say.
	Route string
	// Authorizer is the context that the gateway's authorizer gave: [Caller.Texts], if
	// it was fob's. Nil means that none was asked.
	Authorizer map[string]any
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

// endpoint serves every request: it lets serve answer, and writes the line.
type endpoint struct {
	Options
	name string
	// serve reads the request and asks the domain.
	serve func(http.ResponseWriter, *http.Request) (answer, error)
	// eventErrors writes errors as RFC 8935 §2.3 has them.
	eventErrors bool
}

func newHandler(name string, o Options, serve func(http.ResponseWriter, *http.Request) (answer, error)) endpoint {
	return endpoint{Options: o.withDefaults(name), name: name, serve: serve}
}

func (e endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	event := new(oauth.Event)
	r = r.WithContext(oauth.WithEvent(r.Context(), event))
	a, err := e.answer(w, r)
	status := e.respond(w, r.TLS != nil, a, err)
	e.record(r, e.name, event, status, began, err)
}

// answer is what serve answers, or its panic as an error.
func (e endpoint) answer(w http.ResponseWriter, r *http.Request) (a answer, err error) {
	defer func() {
		if v := recover(); v != nil {
			a, err = answer{}, PanicError(v)
		}
	}()
	return e.serve(w, r)
}

// answer is the answer to a request that was not refused. The zero value is a 200
// without a body that nobody may keep.
type answer struct {
	body   []byte            // JSON
	status int               // 0 is 200
	header map[string]string // that belongs to this answer
	maxAge int               // seconds for which anybody may keep it
}

func jsonAnswer(content any) (answer, error) {
	body, err := json.Marshal(content)
	return answer{body: body}, err
}

// respond writes the answer and returns its status.
func (e endpoint) respond(w http.ResponseWriter, https bool, a answer, err error) int {
	h := w.Header()
	if err == nil && a.maxAge > 0 {
		h.Set("Cache-Control", "public, max-age="+strconv.Itoa(a.maxAge))
	} else {
		h.Set("Cache-Control", "no-store") // RFC 6749 §5.1, RFC 7662 §4
		h.Set("Pragma", "no-cache")        // RFC 6749 §5.1
	}
	h.Set("X-Content-Type-Options", "nosniff")
	if https {
		// Not for subdomains: the host may be one of many that others own.
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	if err == nil {
		for name, value := range a.header {
			h.Set(name, value)
		}
	}
	status, body := cmp.Or(a.status, http.StatusOK), a.body
	if err != nil {
		r := refusalOf(err)
		status = r.status
		if r.header != "" {
			h.Set(r.header, r.value)
		}
		if strings.ContainsFunc(r.description, notInDescription) {
			r.description = ""
		}
		var content any = errorJSON{r.code, r.description, r.id}
		if e.eventErrors {
			content = eventErrorJSON{r.code, r.description}
			h.Set("Content-Language", "en") // RFC 8935 §2.3
		}
		body, _ = json.Marshal(content) // strings
	}
	if len(body) > 0 {
		h.Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone if this fails
	return status
}

func (o Options) withDefaults(endpoint string) Options {
	if o.Function == "" {
		o.Function = endpoint
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// timeLeft returns an error if ctx has ended: a request that cannot be finished must
// not begin.
func timeLeft(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("before the request was served: %w", err)
	}
	return nil
}

// issuerOf is empty if nothing names an address.
func (o Options) issuerOf(r *http.Request) string {
	switch g := GatewayOf(r.Context()); {
	case o.Issuer != "":
		return o.Issuer
	case g.BaseURL != "":
		return g.BaseURL
	case r.Host == "":
		return ""
	case r.TLS != nil:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// panicked is a panic as the log may know it: neither the value, which may hold
// anything, nor the arguments that debug.Stack prints, which may be bytes of a
// key.
type panicked struct {
	kind  string
	stack []string
}

func (p *panicked) Error() string { return "panic of type " + p.kind }

// PanicError is the error that a panic becomes. It must be called by the deferred
// function that recovered v.
func PanicError(v any) error {
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
