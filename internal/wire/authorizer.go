package wire

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

// Authorizer judges a request that somebody else will serve. It does not look at
// the method.
type Authorizer struct {
	Judge func(*http.Request) Judgement
	// ByRoute says that a judgement is good for the route of the request alone. If
	// it is false, it is good for the token, wherever it is used.
	ByRoute bool
}

// Judgement is what an Authorizer finds.
type Judgement struct {
	// Status is 200 if the request may pass, else that with which a resource would
	// refuse it.
	Status    int
	Caller    Caller // if it may pass
	Challenge string // the WWW-Authenticate of the refusal
}

// Policy is what an Authorizer asks for beyond an active token.
type Policy struct {
	// Audience is one that the token must have. Empty means any.
	Audience string
	// Routes are the scopes that a route asks for, all of them: by method and path
	// as in Gateway.Route, by ANY and a path for methods without a line of their
	// own, and by * for all other routes. HEAD without a line of its own asks for what
	// GET does, whose answer it is without the body. An empty set asks for an active
	// token alone. A route without any of these lines is closed; if there is no line at
	// all, an active token opens every route.
	Routes map[string]scope.Set
}

// NewAuthorizer returns the Authorizer of a Policy. It writes one line for each
// request, as an endpoint does.
func NewAuthorizer(source CallerSource, p Policy, o Options) Authorizer {
	const name = "authorizer"
	o = o.withDefaults(name)
	judge := func(r *http.Request) Judgement {
		began := time.Now()
		event := new(oauth.Event)
		r = r.WithContext(oauth.WithEvent(r.Context(), event))
		j := Judgement{Status: http.StatusOK}
		caller, err := p.judge(r, source)
		if err == nil {
			j.Caller = newCaller(caller)
		} else {
			refused := refusalOf(err)
			j.Status = refused.status
			if refused.header == "WWW-Authenticate" {
				j.Challenge = refused.value
			}
		}
		o.record(r, name, event, j.Status, began, err)
		return j
	}
	return Authorizer{judge, len(p.Routes) > 0}
}

func (p Policy) judge(r *http.Request, source CallerSource) (caller oauth.Introspection, err error) {
	defer func() {
		if v := recover(); v != nil {
			caller, err = oauth.Introspection{}, PanicError(v)
		}
	}()
	needed, open, err := p.scopesOf(r.Context())
	if err != nil {
		return oauth.Introspection{}, err
	}
	var audiences []string
	if p.Audience != "" {
		audiences = []string{p.Audience}
	}
	caller, err = callerOf(nil, r, source, isAccessToken, audiences...)
	if err != nil {
		return oauth.Introspection{}, err
	}
	if !open {
		oauth.EventOf(r.Context()).Reason = oauth.ReasonRoute
		return caller, errClosed
	}
	return caller, needs(r.Context(), caller, needed.Ordinary()...)
}

// errClosed is for a route without a line. Asking for another scope would not help, so
// none is named.
var errClosed = refuseResource(oauth.InsufficientScope, "no token opens this route")

// errNoRoute is a defect of the deployment.
var errNoRoute = errors.New("the gateway does not say which route it guards: scopes by route need an authorizer of type REQUEST")

// anyRoute means the routes that no line names.
const anyRoute = "*"

// scopesOf are the scopes that the route of ctx asks for, if any token opens it.
func (p Policy) scopesOf(ctx context.Context) (scopes scope.Set, open bool, err error) {
	if len(p.Routes) == 0 {
		return scope.Set{}, true, nil
	}
	g := GatewayOf(ctx)
	if g.Route == "" {
		return scope.Set{}, false, errNoRoute
	}
	method, path, _ := strings.Cut(g.Route, " ")
	names := []string{g.Route, "ANY " + path, anyRoute}
	if method == http.MethodHead {
		names = slices.Insert(names, 1, http.MethodGet+" "+path)
	}
	for _, name := range names {
		if set, listed := p.Routes[name]; listed {
			return set, true, nil
		}
	}
	return scope.Set{}, false, nil
}
