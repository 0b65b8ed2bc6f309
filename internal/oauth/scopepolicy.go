package oauth

import (
	"slices"

	"github.com/fob-oauth/fob/internal/scope"
)

// requestedScope reads scope and tokenBindingId, WSO2's other spelling of the
// device. Both are checked before any store is asked.
func requestedScope(form Form) (scope.Set, error) {
	set, err := parseScope(form)
	if err != nil {
		return scope.Set{}, err
	}
	binding := form[paramTokenBindingID]
	if binding == "" {
		return set, nil
	}
	device, err := scope.ParseDevice(binding)
	if err != nil {
		return scope.Set{}, refuse(InvalidRequest, "tokenBindingId is not a device name of 1 to 64 of A-Z a-z 0-9 . _ -")
	}
	if set.Device() != "" && set.Device() != device {
		return scope.Set{}, refuse(InvalidRequest, "tokenBindingId and the device scope name different devices")
	}
	return set.WithDevice(device), nil
}

// parseScope reads scope alone. The errors of package scope never repeat input.
func parseScope(form Form) (scope.Set, error) {
	set, err := scope.Parse(form[paramScope])
	if err != nil {
		return scope.Set{}, refuse(InvalidScope, err.Error())
	}
	return set, nil
}

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

// mayStillUse is mayUse for every ordinary scope of a set.
func (c Client) mayStillUse(set scope.Set, registered ResourceScopes) bool {
	for _, name := range set.Ordinary() {
		if !c.mayUse(name, registered) {
			return false
		}
	}
	return true
}

func holdsRoleFor(name string, registered ResourceScopes, roles []string) bool {
	wanted := registered.Roles[name]
	return len(wanted) == 0 || slices.ContainsFunc(wanted, func(role string) bool { return slices.Contains(roles, role) })
}
