package wire

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

// CallerSource says for whom an access token speaks. Caller must return the zero
// Introspection for a token that is not good here, and an error only for doubt or a
// defect. [oauth.Verifier] reads it from the store, [GatewayCaller] believes the
// gateway.
type CallerSource interface {
	Caller(ctx context.Context, token bearer.Bearer, audiences ...string) (oauth.Introspection, error)
}

// Me is a sample of a resource: it answers for whom the token speaks, and on which
// device.
func Me(source CallerSource, o Options) http.Handler {
	return newHandler("me", o, func(w http.ResponseWriter, r *http.Request) (answer, error) {
		if !isRead(r.Method) {
			return answer{}, errMethodNotIn(reads...)
		}
		caller, err := callerOf(w, r, source, isSecretName)
		if err != nil {
			return answer{}, o.describedAt(MeMetadataPath, err)
		}
		return jsonAnswer(newCaller(caller))
	})
}

// callerOf returns for whom the token of a request speaks. A parameter of the query
// that isSecret names is refused. w may be nil.
func callerOf(w http.ResponseWriter, r *http.Request, source CallerSource, isSecret func(name string) bool, audiences ...string) (oauth.Introspection, error) {
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
	caller, err := source.Caller(r.Context(), token, audiences...)
	if err != nil {
		return oauth.Introspection{}, err
	}
	if !caller.Active {
		return oauth.Introspection{}, errInvalidToken
	}
	return caller, nil
}

// needs refuses a token that lacks one of the scopes.
func needs(ctx context.Context, caller oauth.Introspection, scopes ...string) error {
	for _, name := range scopes {
		if !caller.Scope.Contains(name) {
			oauth.EventOf(ctx).Scope = name
			return errInsufficientScope(strings.Join(scopes, " "))
		}
	}
	return nil
}

// Caller is for whom a request speaks, in the words of RFC 7662 §2.2. It is the
// answer of Me, and what an authorizer says to the gateway.
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

// Texts are the members of c by their name in JSON, without empty ones. All values
// are texts, because a gateway keeps nothing else.
func (c Caller) Texts() map[string]any {
	texts := map[string]any{"sub": c.Subject, "client_id": c.ClientID, "scope": c.Scope, "device": c.Device, "username": c.Username}
	maps.DeleteFunc(texts, func(_ string, value any) bool { return value == "" })
	return texts
}

// GatewayCaller is the CallerSource behind the gateway's authorizer, which has
// judged the token. GatewayCaller does not look at it again.
type GatewayCaller struct{}

// errNoAuthorizer is a defect of the deployment: the route has no authorizer.
var errNoAuthorizer = errors.New("the gateway names nobody: the route has no authorizer of fob")

// Caller reads [Gateway.Authorizer] of ctx.
func (GatewayCaller) Caller(ctx context.Context, _ bearer.Bearer, _ ...string) (oauth.Introspection, error) {
	said := func(name string) string {
		text, _ := GatewayOf(ctx).Authorizer[name].(string)
		return text
	}
	sub, client := said("sub"), said("client_id")
	set, err := scope.Parse(said("scope"))
	if sub == "" || client == "" || err != nil || string(set.Device()) != said("device") {
		return oauth.Introspection{}, errNoAuthorizer
	}
	i := oauth.Introspection{
		Active:   true,
		Kind:     bearer.Access,
		Scope:    set,
		ClientID: ledger.ClientID(client),
		Username: said("username"),
		Subject:  oauth.SubjectOf(sub),
	}
	event := oauth.EventOf(ctx)
	event.Client, event.Outcome = i.ClientID, oauth.Active
	return i, nil
}
