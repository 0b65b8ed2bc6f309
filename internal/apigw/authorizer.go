package apigw

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/fob-oauth/fob/internal/wire"
)

// An authorizer's answer, and the client's:
//
//	yes                    the request is passed on, with the context
//	no                     403, the gateway's own body
//	the error Unauthorized 401, the gateway's own body
//	any other error        500, the gateway's own body
//
// The gateway keeps a yes and a no for the life of its cache, and does not keep
// errors. So "no" is for a property of this token and this route: a scope that the
// token lacks. A token that is not good is Unauthorized; so are two tokens in one
// request, which say nothing about either. Doubt is the other error: it must be
// neither a yes nor a 401, upon which apps log out.
var (
	// The gateway looks for this very text.
	errUnauthorized = errors.New("Unauthorized")
	errNotJudged    = errors.New("the token could not be judged")
)

// authorizerEvent is a question of the gateway's in any of its formats: 2.0, 1.0
// of type REQUEST, and TOKEN, which has no more than the header and the ARN.
type authorizerEvent struct {
	Version            string              `json:"version"`
	Type               string              `json:"type"`
	RouteKey           string              `json:"routeKey"`           // 2.0
	IdentitySource     json.RawMessage     `json:"identitySource"`     // 2.0: a list, 1.0: one text
	RawQueryString     string              `json:"rawQueryString"`     // 2.0
	MethodARN          string              `json:"methodArn"`          // 1.0
	AuthorizationToken *string             `json:"authorizationToken"` // TOKEN
	HTTPMethod         string              `json:"httpMethod"`         // 1.0
	Resource           string              `json:"resource"`           // 1.0
	Headers            texts               `json:"headers"`
	Cookies            []string            `json:"cookies"`                         // 2.0
	MultiValueHeaders  map[string][]string `json:"multiValueHeaders"`               // 1.0
	Query              texts               `json:"queryStringParameters"`           // 1.0
	MultiValueQuery    map[string][]string `json:"multiValueQueryStringParameters"` // 1.0
	RequestContext     struct {
		RequestID string `json:"requestId"`
		HTTP      struct {
			Method   string `json:"method"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"` // 2.0
		Identity struct {
			SourceIP string `json:"sourceIp"`
		} `json:"identity"` // 1.0
	} `json:"requestContext"`
}

// Authorizer returns the function of a Lambda authorizer: of HTTP APIs
// in format 2.0 with simple responses, and of REST APIs and HTTP APIs in format
// 1.0 with a policy.
func Authorizer(a wire.Authorizer, o wire.Options) Function {
	return func(ctx context.Context, event json.RawMessage) (answer any, err error) {
		var e authorizerEvent
		// The gateway learns only that there is no judgement; the operator's log says
		// why. The line rings the alarm, because the function's errors cannot: each 401
		// is one.
		notJudged := func(why error) error {
			o.LogFailure(ctx, "event not judged", why, ids(ctx, e.RequestContext.RequestID)...)
			return errNotJudged
		}
		// A client can write such a request, and must not ring the alarm with it.
		refusedQuietly := func(why error) error {
			if o.Log != nil {
				attrs := append(ids(ctx, e.RequestContext.RequestID), slog.String("function", o.Function), slog.String("error", why.Error()))
				o.Log.LogAttrs(ctx, slog.LevelWarn, "event not judged", attrs...)
			}
			return errNotJudged
		}
		defer func() {
			if v := recover(); v != nil {
				answer, err = nil, notJudged(wire.PanicError(v))
			}
		}()
		ctx, cancel := withReserve(ctx)
		defer cancel()
		if json.Unmarshal(event, &e) != nil {
			e = authorizerEvent{}
		}
		r, err := e.request(ctx)
		if err != nil {
			return nil, notJudged(err)
		}
		if a.ByRoute && e.isPattern() {
			return nil, refusedQuietly(errPattern)
		}
		if a.ByRoute && e.sendsSourceItself() {
			return nil, refusedQuietly(errOwnSource)
		}
		if missing := e.missingSources(); a.ByRoute && len(missing) > 0 {
			return nil, notJudged(fmt.Errorf("a judgement by route could be kept for another route: add %s to the authorizer's identity sources", strings.Join(missing, " and ")))
		}
		switch j := a.Judge(r); {
		case j.Status == http.StatusOK && j.Caller.Subject == "":
			return nil, notJudged(errNobody)
		case j.Status == http.StatusOK:
			return e.answer(a.ByRoute, true, j.Caller.Subject, j.Caller.Texts())
		case j.Status == http.StatusForbidden:
			// A REST API can repeat the challenge in its gateway response.
			return e.answer(a.ByRoute, false, "denied", map[string]any{"challenge": j.Challenge})
		case j.Status == http.StatusUnauthorized, j.Status == http.StatusBadRequest:
			return nil, errUnauthorized
		case j.Status < http.StatusInternalServerError:
			return nil, notJudged(errNoJudgement)
		}
		return nil, errNotJudged // the authorizer has counted its own failure
	}
}

// Two defects of an authorizer.
var (
	errNobody      = errors.New("the authorizer says yes, and not to whom")
	errNoJudgement = errors.New("the authorizer's answer is not a judgement")
)

// request is what the client asked for, as far as the gateway passes it to an
// authorizer. It never has a body.
func (e authorizerEvent) request(ctx context.Context) (*http.Request, error) {
	p := requestParts{gateway: wire.Gateway{RequestID: e.RequestContext.RequestID}}
	switch {
	case e.Version == "2.0" && e.RequestContext.HTTP.Method != "":
		p.method, p.query = e.RequestContext.HTTP.Method, e.RawQueryString
		p.header = header2(e.Headers)
		p.gateway.Route, p.sourceIP = route2(p.method, e.RouteKey), e.RequestContext.HTTP.SourceIP
	case e.Type == "REQUEST" && e.MethodARN != "" && e.HTTPMethod != "":
		p.method, p.query = e.HTTPMethod, query1(e.Query, e.MultiValueQuery)
		p.header = header1(e.Headers, e.MultiValueHeaders)
		p.gateway.Route, p.sourceIP = route1(p.method, e.Resource), e.RequestContext.Identity.SourceIP
	case e.Type == "TOKEN" && e.MethodARN != "" && e.AuthorizationToken != nil:
		p.method = http.MethodGet // which it is does not matter
		p.header = http.Header{"Authorization": {*e.AuthorizationToken}}
	default:
		return nil, fmt.Errorf("event of version %.8q and type %.8q: no question of API Gateway's to an authorizer", e.Version, e.Type)
	}
	return p.request(ctx), nil
}

// errPattern is for a method or a path that cannot be judged by itself.
var errPattern = errors.New("the method or the path has a wildcard of policies, which would be about others too")

// isPattern reports whether the method and the path that the client called, as the ARN
// has them, are a pattern to a policy: a judgement of /a/* that is kept would also be one
// of /a/b.
func (e authorizerEvent) isPattern() bool {
	parts := strings.SplitN(e.MethodARN, "/", 3) // API, stage, what the client wrote
	return len(parts) == 3 && (strings.ContainsAny(parts[2], "*?") || strings.Contains(parts[2], "${"))
}

// answer is the yes or no, in the format of the question.
func (e authorizerEvent) answer(byRoute, yes bool, principal string, said map[string]any) (any, error) {
	if e.Version == "2.0" {
		return events.APIGatewayV2CustomAuthorizerSimpleResponse{IsAuthorized: yes, Context: said}, nil
	}
	// The policy says what was judged and no more, because the gateway may keep it
	// and ask it about another method of the API.
	resource := e.MethodARN
	if !byRoute {
		// The token, on every route of this stage that has this authorizer.
		api, path, _ := strings.Cut(e.MethodARN, "/")
		stage, _, _ := strings.Cut(path, "/")
		resource = api + "/" + stage + "/*"
	}
	effect := "Deny"
	if yes {
		effect = "Allow"
	}
	return events.APIGatewayCustomAuthorizerResponse{
		PrincipalID: principal,
		PolicyDocument: events.APIGatewayCustomAuthorizerPolicy{
			Version: "2012-10-17",
			Statement: []events.IAMPolicyStatement{{
				Action: []string{"execute-api:Invoke"}, Effect: effect, Resource: []string{resource},
			}},
		},
		Context: said,
	}, nil
}
