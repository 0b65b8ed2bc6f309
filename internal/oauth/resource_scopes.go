package oauth

import (
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

// versions are what package ledger needs of the scopes.
func (s ResourceScopes) versions() ledger.ScopeVersions {
	return ledger.ScopeVersions{Current: s.Version, Since: s.Since}
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
