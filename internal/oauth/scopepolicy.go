package oauth

import (
	"slices"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/scope"
)

// grantScope decides what of the requested scopes is granted: all, or none with
// invalid_scope. WSO2 drops what it may not grant and so lands everybody in one
// shared token. The device escapes validation, and only the device. Without any
// ordinary scope in the request the client's default scopes are granted, less
// those that this subject may not have: nobody asked for them.
func grantScope(c Client, registered ResourceScopes, requested scope.Set, roles []string) (scope.Set, error) {
	if requested.HasOrdinary() {
		for _, name := range requested.Ordinary() {
			if !c.mayUse(name, registered) || !holdsRoleFor(name, registered, roles) {
				return scope.Set{}, refuse(InvalidScope, "a requested scope is unknown or not allowed for this client or user")
			}
		}
		return requested, nil
	}
	granted := slices.DeleteFunc(c.DefaultScopes.Ordinary(), func(name string) bool {
		return !c.mayUse(name, registered) || !holdsRoleFor(name, registered, roles)
	})
	set, err := scope.Of(granted...)
	if err != nil {
		return scope.Set{}, err // the registration holds what Validate refuses
	}
	return set.WithDevice(requested.Device()), nil
}

// mayUse reports whether the client is registered for a scope that exists. A
// scope that was removed is not one without roles: it is gone.
func (c Client) mayUse(name string, registered ResourceScopes) bool {
	_, exists := registered.Roles[name]
	return exists && c.Scopes.Contains(name)
}

// checkRefreshScope refuses what a refresh token was decided to get if the request
// names other scopes or another device than were granted, or fewer scopes (a narrower
// token would be another Authorization), or if the client may no longer use one of
// those granted. As at login, a request that names the device alone leaves the
// scopes open: client libraries repeat the scope parameter of the login.
func checkRefreshScope(c Client, registered ResourceScopes, q question, d ledger.Decision) error {
	if d.Do != ledger.Return && d.Do != ledger.Save {
		return nil
	}
	granted := d.Answer.Scope
	if q.scope.HasOrdinary() && q.scope != granted || q.scope.Device() != "" && q.scope.Device() != granted.Device() {
		return refuse(InvalidScope, "scope must be absent or the same set as granted")
	}
	for _, name := range granted.Ordinary() {
		if !c.mayUse(name, registered) {
			return errInvalidRefresh()
		}
	}
	return nil
}

func holdsRoleFor(name string, registered ResourceScopes, roles []string) bool {
	wanted := registered.Roles[name]
	return len(wanted) == 0 || slices.ContainsFunc(wanted, func(role string) bool { return slices.Contains(roles, role) })
}
