package oauth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/scope"
)

// ResourceScopes are all scopes that exist, each with the roles of which a user
// must have one; no roles means that any subject may have it.
type ResourceScopes struct {
	Version uint64 // grows with every write; zero if none were ever saved
	Roles   map[string][]string
	// Since is the Version with which a scope was added or taken from somebody, by
	// name. Tokens with the scope that an older Version granted have ended. A scope
	// without an entry has been there for as long as tokens can live.
	Since map[string]uint64
}

// only is set without the scopes that do not exist. The device stays.
func (s ResourceScopes) only(set scope.Set) (scope.Set, error) {
	names := slices.DeleteFunc(set.Ordinary(), func(name string) bool {
		_, exists := s.Roles[name]
		return !exists
	})
	left, err := scope.Of(names...)
	return left.WithDevice(set.Device()), err
}

// Validate reports every fault of scopes that are about to be saved.
func (s ResourceScopes) Validate() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(s.Roles)) {
		set, err := scope.Of(name)
		if len(name) > maxScopeName {
			errs = append(errs, fmt.Errorf("scope %.20q...: more than %d characters", name, maxScopeName))
		}
		switch {
		case err != nil && !strings.HasPrefix(name, scope.DevicePrefix):
			errs = append(errs, fmt.Errorf("scope %q: %w", name, err))
		case err != nil, set.Device() != "":
			errs = append(errs, fmt.Errorf("scope %q: the prefix %s is reserved", name, scope.DevicePrefix))
		}
		for _, role := range s.Roles[name] {
			errs = append(errs, validateRole(role))
		}
	}
	return errors.Join(errs...)
}

// authorize is the Authorization of a login, unless that is refused.
func (i *Issuer) authorize(ctx context.Context, client Client, registered ResourceScopes, p proof, q question) (ledger.Authorization, error) {
	a, refusal := authorizationOf(EventOf(ctx), client, registered, p, q)
	if refusal == nil || p.subject.Kind != ledger.UserSubject {
		return a, refusal
	}
	// A disabled user gets the answer to a wrong password, or the password could be
	// confirmed by asking for a scope.
	reading, err := i.Tokens.Read(ctx, a.Locator())
	switch {
	case err != nil:
		return a, err
	case reading.State.Disabled:
		return a, deny(EventOf(ctx), p, reading.State)
	}
	return a, refusal
}

// authorizationOf is the Authorization of a login: what the scope policy grants of the
// requested scopes, for the resource that was asked for.
func authorizationOf(e *Event, client Client, registered ResourceScopes, p proof, q question) (a ledger.Authorization, refusal error) {
	a = ledger.Authorization{
		Subject:  p.subject,
		Username: p.username,
		Client:   client.ID,
		Format:   ledger.Opaque,
	}
	if client.getsJWTs() {
		if q.issuer == "" {
			return a, refuse(InvalidRequest, "the request names no host, which a JWT would name as its issuer")
		}
		a.Format, a.Issuer = ledger.JWT, q.issuer
	}
	if a.Audiences, refusal = client.audiencesFor(q.resource); refusal == nil {
		a.Scope, refusal = grantScope(e, client, registered, q, p.roles)
	}
	return a, refusal
}

// audiencesFor narrows the audiences to the resource that a login names (RFC 8707 §2):
// another audience is another Authorization, and so another token. One resource can be
// named, because wire refuses a parameter that is repeated.
func (c Client) audiencesFor(resource string) ([]string, error) {
	all := c.audiences()
	switch {
	case resource == "":
		return all, nil
	case slices.Contains(all, resource):
		return []string{resource}, nil
	}
	return nil, refuse(InvalidTarget, "resource is not an audience that the client is registered for")
}

// grantScope decides what of the requested scopes is granted: all, or none with
// invalid_scope. WSO2 drops what it may not grant and so lands everybody in one
// shared token. The device escapes validation, and only the device. Without any
// ordinary scope in the request the client's default scopes are granted, less
// those that this subject may not have: nobody asked for them.
func grantScope(e *Event, c Client, registered ResourceScopes, q question, roles []string) (scope.Set, error) {
	if q.scope.HasOrdinary() {
		for _, name := range q.scope.Ordinary() {
			why := c.mayNotUse(name, registered)
			if why == "" && !holdsRoleFor(name, registered, roles) {
				why = ReasonScopeRole
			}
			if why != "" {
				at := slices.Index(strings.Split(q.sent, " "), name) + 1
				e.Reason, e.Scope = why, c.loggedScope(name, at, registered)
				return scope.Set{}, refuse(InvalidScope, fmt.Sprintf("scope number %d is unknown or not allowed for this client or user", at))
			}
		}
		return q.scope, nil
	}
	granted := slices.DeleteFunc(c.DefaultScopes.Ordinary(), func(name string) bool {
		return c.mayNotUse(name, registered) != "" || !holdsRoleFor(name, registered, roles)
	})
	set, err := scope.Of(granted...)
	if err != nil {
		return scope.Set{}, err // the registration holds what Validate refuses
	}
	return set.WithDevice(q.scope.Device()), nil
}

// loggedScope is a scope for the log: its name if an operator wrote it, else its number in
// the request, as in the answer. Clients that mix up their fields send secrets there.
func (c Client) loggedScope(name string, at int, registered ResourceScopes) string {
	if _, exists := registered.Roles[name]; exists || c.Scopes.Contains(name) {
		return name
	}
	return fmt.Sprintf("number %d", at)
}

// mayNotUse says why the client may not have a scope, or "" if it is registered for the
// scope and the scope exists. A scope that was removed is not one without roles: it is
// gone.
func (c Client) mayNotUse(name string, registered ResourceScopes) Reason {
	if _, exists := registered.Roles[name]; !exists {
		return ReasonScopeUnknown
	}
	if !c.Scopes.Contains(name) {
		return ReasonScopeClient
	}
	return ""
}

// checkRefresh refuses what a refresh token was decided to get if it is a JWT of another
// issuer than the request reached, or if the request
// names other scopes, another device or another resource than were granted, or fewer scopes (a narrower
// token would be another Authorization), or if the client may no longer use one of
// those granted. As at login, a request that names the device alone leaves the
// scopes open: client libraries repeat the scope parameter of the login.
func checkRefresh(e *Event, c Client, registered ResourceScopes, q question, d ledger.Decision) error {
	if d.Do != ledger.Return && d.Do != ledger.Save {
		return nil
	}
	a, granted := d.Record.Authorization, d.Answer.Scope
	if a.Format == ledger.JWT && a.Issuer != q.issuer {
		e.Reason = ReasonIssuer
		return errInvalidRefresh
	}
	if q.scope.HasOrdinary() && q.scope != granted || q.scope.Device() != "" && q.scope.Device() != granted.Device() {
		e.Reason = ReasonScopeOther
		return refuse(InvalidScope, "scope must be absent or the same set as granted")
	}
	if q.resource != "" && !slices.Equal(a.Audiences, []string{q.resource}) {
		return refuse(InvalidTarget, "resource must be absent or the one that was granted")
	}
	for _, name := range granted.Ordinary() {
		if why := c.mayNotUse(name, registered); why != "" {
			e.Reason, e.Scope = why, name // which was granted once, so it is not a secret
			return errInvalidRefresh
		}
	}
	return nil
}

func holdsRoleFor(name string, registered ResourceScopes, roles []string) bool {
	wanted := registered.Roles[name]
	return len(wanted) == 0 || slices.ContainsFunc(wanted, func(role string) bool { return slices.Contains(roles, role) })
}
