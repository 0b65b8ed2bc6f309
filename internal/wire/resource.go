package wire

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

// Access tells what an access token asserts. Implementations must return the zero
// Introspection for a token that is not good here, and an error only for doubt or
// a defect. An *oauth.Verifier looks it up; Vouched takes the gateway's word.
type Access interface {
	Access(ctx context.Context, token bearer.Bearer, audiences ...string) (oauth.Introspection, error)
}

// resourceRequest is what a resource may know of an HTTP request.
type resourceRequest struct {
	method string
	path   string // as it came, with the stage if it has one
	caller oauth.Introspection
}

// newResource serves what a client asks with an access token (RFC 6750), by the
// given methods. serve is called for active tokens alone; what scopes they need it
// says with needs.
func newResource(name string, o Options, access Access, methods []string, serve func(context.Context, resourceRequest) (any, error)) http.Handler {
	return newHandler(name, o, func(w http.ResponseWriter, r *http.Request) (any, error) {
		if !slices.Contains(methods, r.Method) {
			return nil, errMethodOf(methods)
		}
		caller, err := callerOf(w, r, access, isSecretName)
		if err != nil {
			return nil, err
		}
		return serve(r.Context(), resourceRequest{r.Method, r.URL.Path, caller})
	})
}

// callerOf tells for whom a request speaks, which is what its token asserts. What
// isSecret names must not stand in its query.
func callerOf(w http.ResponseWriter, r *http.Request, access Access, isSecret func(name string) bool, audiences ...string) (oauth.Introspection, error) {
	if err := refuseOtherPlaces(w, r, isSecret); err != nil {
		return oauth.Introspection{}, err
	}
	token, err := readBearer(r.Header)
	if err != nil {
		return oauth.Introspection{}, err
	}
	if err := timeLeft(r.Context()); err != nil {
		return oauth.Introspection{}, err
	}
	caller, err := access.Access(r.Context(), token, audiences...)
	if err != nil {
		return oauth.Introspection{}, err
	}
	if !caller.Active {
		return oauth.Introspection{}, errInvalidToken()
	}
	return caller, nil
}

// needs refuses a token that lacks one of the scopes.
func needs(caller oauth.Introspection, scopes scope.Set) error {
	for _, name := range scopes.Ordinary() {
		if !caller.Scope.Contains(name) {
			return errInsufficientScope(scopes.String())
		}
	}
	return nil
}

// Caller is for whom a request speaks, in the words of RFC 7662 §2.2. It is the
// answer of Me, and what an authorizer tells the gateway, which keeps texts alone.
type Caller struct {
	Subject  string `json:"sub"`
	ClientID string `json:"client_id"`
	Scope    string `json:"scope,omitempty"`
	Device   string `json:"device,omitempty"`
	Username string `json:"username,omitempty"`
}

func newCaller(i oauth.Introspection) Caller {
	return Caller{
		Subject:  i.Subject.ID,
		ClientID: string(i.ClientID),
		Scope:    i.Scope.String(),
		Device:   string(i.Scope.Device()),
		Username: i.Username,
	}
}

// Vouched is Access by the word of the gateway's authorizer, which judged the
// request before it came here. The token is not looked at again.
type Vouched struct{}

// errNoAuthorizer is a defect of the deployment: nothing stands before a function
// that relies on it.
var errNoAuthorizer = errors.New("the gateway names nobody: the route has no authorizer of fob's")

// Access is about the request of ctx, whatever the token.
func (Vouched) Access(ctx context.Context, _ bearer.Bearer, _ ...string) (oauth.Introspection, error) {
	said := GatewayOf(ctx).Authorizer
	set, err := scope.Parse(said["scope"])
	if said["sub"] == "" || said["client_id"] == "" || err != nil || string(set.Device()) != said["device"] {
		return oauth.Introspection{}, errNoAuthorizer
	}
	i := oauth.Introspection{
		Active:   true,
		Kind:     bearer.Access,
		Scope:    set,
		ClientID: oauth.ClientID(said["client_id"]),
		Username: said["username"],
		Subject:  oauth.Subject{Kind: oauth.UserSubject, ID: said["sub"]},
	}
	if said["sub"] == said["client_id"] {
		i.Subject.Kind = oauth.ClientSubject // no user's id equals a client's
	}
	event := oauth.EventOf(ctx)
	event.Client, event.Outcome = i.ClientID, oauth.Active
	return i, nil
}
