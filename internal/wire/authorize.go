package wire

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/fob-oauth/fob/internal/scope"
)

// Guard judges a request that somebody else will serve: 200 with a Caller if it
// may pass, else the refusal that a resource of our own would give. It does not
// look at the method.
type Guard struct {
	http.Handler
	// ByRoute says that the judgement is good for the route of the request alone. If
	// it is false, it is good for the token, wherever it is used.
	ByRoute bool
}

// Policy is what a Guard asks for beyond an active token.
type Policy struct {
	// Audience is one that the token must have. Empty means any.
	Audience string
	// Routes are the scopes that a route asks for, all of them: by method and path
	// as in Gateway.Route, by ANY and a path for methods without a line of their
	// own, and by * for all other routes. HEAD without a line of its own asks for what
	// GET does, whose answer it is without the body. A route that is not named asks for
	// none.
	Routes map[string]scope.Set
}

// Authorize is the Guard of a Policy.
func Authorize(access Access, p Policy, o Options) Guard {
	var audiences []string
	if p.Audience != "" {
		audiences = []string{p.Audience}
	}
	h := newHandler("authorizer", o, func(w http.ResponseWriter, r *http.Request) (any, error) {
		needed, err := p.needed(r.Context())
		if err != nil {
			return nil, err
		}
		caller, err := callerOf(w, r, access, isAccessToken, audiences...)
		if err != nil {
			return nil, err
		}
		if err := needs(caller, needed); err != nil {
			return nil, err
		}
		return newCaller(caller), nil
	})
	return Guard{h, len(p.Routes) > 0}
}

// errNoRoute is a defect of the deployment. To take an unknown route for one that
// asks for nothing would open it.
var errNoRoute = errors.New("the gateway does not say which route it guards: scopes by route need an authorizer of type REQUEST")

// anyRoute stands for routes that no line names.
const anyRoute = "*"

// needed are the scopes of the route of ctx.
func (p Policy) needed(ctx context.Context) (scope.Set, error) {
	if len(p.Routes) == 0 {
		return scope.Set{}, nil
	}
	g := GatewayOf(ctx)
	if g.Route == "" {
		return scope.Set{}, errNoRoute
	}
	method, path, _ := strings.Cut(g.Route, " ")
	names := []string{g.Route, "ANY " + path, anyRoute}
	if method == http.MethodHead {
		names = slices.Insert(names, 1, http.MethodGet+" "+path)
	}
	for _, name := range names {
		if set, listed := p.Routes[name]; listed {
			return set, nil
		}
	}
	return scope.Set{}, nil
}
