package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

// clientSettings are the settings that fob client add and set take as flags.
type clientSettings struct {
	grants                 []string
	scopes, defaults       []string
	audiences, introspects []string
	access, idle, absolute seconds
	maxAuthorizations      int
}

// The flags of a client's settings. A setting that is added has a line in each of
// the functions below.
const (
	grantFlag             = "grant"
	scopeFlag             = "scope"
	defaultScopeFlag      = "default-scope"
	audienceFlag          = "audience"
	introspectsFlag       = "introspects"
	accessLifetimeFlag    = "access-lifetime"
	refreshIdleFlag       = "refresh-idle"
	refreshAbsoluteFlag   = "refresh-absolute"
	maxAuthorizationsFlag = "max-authorizations"
)

var settingFlags = []string{
	grantFlag, scopeFlag, defaultScopeFlag, audienceFlag, introspectsFlag,
	accessLifetimeFlag, refreshIdleFlag, refreshAbsoluteFlag, maxAuthorizationsFlag,
}

func (s *clientSettings) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	f.StringArrayVar(&s.grants, grantFlag, nil, "`type` of grant that it may use: password, client_credentials or refresh_token; repeat for more")
	f.StringArrayVar(&s.scopes, scopeFlag, nil, "`scope` that it may ask for; repeat for more")
	f.StringArrayVar(&s.defaults, defaultScopeFlag, nil, "`scope` that it gets when it asks for none; repeat for more")
	f.StringArrayVar(&s.audiences, audienceFlag, nil, "`audience` of its tokens; repeat for more (default: its id)")
	f.StringArrayVar(&s.introspects, introspectsFlag, nil, "`audience` whose access tokens it may introspect; repeat for more")
	f.Var(&s.access, accessLifetimeFlag, "how long access tokens live (default 1h)")
	f.Var(&s.idle, refreshIdleFlag, "how long a refresh token lives without use (default 30d)")
	f.Var(&s.absolute, refreshAbsoluteFlag, "how long a refresh token lives at most (default 90d)")
	f.IntVar(&s.maxAuthorizations, maxAuthorizationsFlag, 0, "`number` of devices and scopes of one user that are live at once (default 25)")
	var grants []string
	for _, g := range oauth.GrantTypes() {
		grants = append(grants, string(g))
	}
	completeValues(cmd, grantFlag, grants...)
}

// apply puts those settings into c whose flags were given.
func (s *clientSettings) apply(c *oauth.Client, given func(flag string) bool) error {
	var faults []error
	scopes := func(flag string, values []string) scope.Set {
		set, err := scope.Parse(strings.Join(values, " ")) // from as many flags as were given, or from one
		if err != nil {
			faults = append(faults, fmt.Errorf("--%s: %w", flag, err))
		}
		return set
	}
	var grants []oauth.GrantType
	for _, g := range withoutEmpty(s.grants) {
		grants = append(grants, oauth.GrantType(g))
	}
	take(given(grantFlag), &c.Grants, grants)
	take(given(scopeFlag), &c.Scopes, scopes(scopeFlag, s.scopes))
	take(given(defaultScopeFlag), &c.DefaultScopes, scopes(defaultScopeFlag, s.defaults))
	take(given(audienceFlag), &c.Audiences, withoutEmpty(s.audiences))
	take(given(introspectsFlag), &c.Introspects, withoutEmpty(s.introspects))
	take(given(accessLifetimeFlag), &c.AccessLifetime, int64(s.access))
	take(given(refreshIdleFlag), &c.RefreshIdle, int64(s.idle))
	take(given(refreshAbsoluteFlag), &c.RefreshAbsolute, int64(s.absolute))
	take(given(maxAuthorizationsFlag), &c.MaxAuthorizations, s.maxAuthorizations)
	return errors.Join(faults...)
}

func take[T any](given bool, setting *T, value T) {
	if given {
		*setting = value
	}
}

// withoutEmpty lets an empty value say that a list is empty.
func withoutEmpty(values []string) []string {
	if len(values) == 1 && values[0] == "" {
		return nil
	}
	return values
}
