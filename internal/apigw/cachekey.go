package apigw

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// neededSources are the identity sources without which the gateway would keep a
// simple answer for one route and give it for another, by name, with their values
// here. A policy needs none of them, since it names what was judged.
func (e authorizerEvent) neededSources() map[string]string {
	if e.Version != "2.0" {
		return nil
	}
	needed := map[string]string{"$context.routeKey": e.RouteKey}
	hasMethod := e.RouteKey != defaultRoute && !strings.HasPrefix(e.RouteKey, "ANY ")
	if !hasMethod {
		needed["$context.httpMethod"] = e.RequestContext.HTTP.Method
	}
	return needed
}

// keyValues are the values of the identity sources: the key of the gateway's cache.
// none is the answer without sources, and so without a cache. Values that are not a list say nothing.
func (e authorizerEvent) keyValues() (values []string, none bool) {
	if len(e.IdentitySource) == 0 {
		return nil, true
	}
	err := json.Unmarshal(e.IdentitySource, &values)
	return values, err == nil && len(values) == 0
}

// missingSources are the needed sources whose values are not in the cache's key.
func (e authorizerEvent) missingSources() (names []string) {
	values, none := e.keyValues()
	if none {
		return nil
	}
	for name, value := range e.neededSources() {
		if !slices.Contains(values, value) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	slices.Reverse(names) // the route first
	return names
}

// errOwnSource is for a request that cannot be judged by itself.
var errOwnSource = errors.New("the client sent the name of the route or the method as a header, a cookie or in the query: the event does not show whether the cache's key has the gateway's own")

// sendsSourceItself reports whether a value of a needed source is also one that the
// client sent. The event has the values of the identity sources without their names,
// so a header could then take the place of a source that is not configured, and a yes
// would be kept for all routes.
func (e authorizerEvent) sendsSourceItself() bool {
	if _, none := e.keyValues(); none {
		return false
	}
	for _, value := range e.neededSources() {
		isValue := func(sent string) bool { return isOneOf(value, sent) }
		for _, sent := range e.Headers {
			if isValue(sent) {
				return true
			}
		}
		for _, sent := range e.Query {
			if isValue(sent) {
				return true
			}
		}
		if slices.ContainsFunc(e.Cookies, isValue) {
			return true
		}
	}
	return false
}

// isOneOf reports whether value is sent, or one of the values that the gateway joined
// to it.
func isOneOf(value, sent string) bool {
	if strings.TrimSpace(sent) == value {
		return true
	}
	for part := range strings.FieldsFuncSeq(sent, func(c rune) bool { return c == ',' || c == ';' }) {
		if strings.TrimSpace(part) == value {
			return true
		}
	}
	return false
}
