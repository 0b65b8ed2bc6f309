package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

// clientSettings are the flags that fob client add and set share.
type clientSettings []clientSetting

type clientSetting struct {
	given func() bool
	apply func(c *oauth.Client) error
}

// apply puts those settings into c whose flags were given.
func (all clientSettings) apply(c *oauth.Client) error {
	var faults []error
	for _, s := range all {
		if s.given() {
			faults = append(faults, s.apply(c))
		}
	}
	return errors.Join(faults...)
}

// addClientSettings adds the flags. A setting that is new needs a line here.
func addClientSettings(cmd *cobra.Command) (all clientSettings) {
	f := cmd.Flags()
	f.SortFlags = false
	add := func(flag string, apply func(c *oauth.Client) error) {
		all = append(all, clientSetting{func() bool { return f.Changed(flag) }, apply})
	}
	list := func(flag, help string, set func(c *oauth.Client, values []string) error) {
		values := f.StringArray(flag, nil, help)
		add(flag, func(c *oauth.Client) error {
			if len(*values) == 1 && (*values)[0] == "" {
				return set(c, nil) // an empty value says that the list is empty
			}
			return set(c, *values)
		})
	}
	scopes := func(flag, help string, of func(c *oauth.Client) *scope.Set) {
		list(flag, help, func(c *oauth.Client, values []string) (err error) {
			if *of(c), err = scope.Parse(strings.Join(values, " ")); err != nil {
				return fmt.Errorf("--%s: %w", flag, err)
			}
			return nil
		})
	}
	audiences := func(flag, help string, of func(c *oauth.Client) *[]string) {
		list(flag, help, func(c *oauth.Client, values []string) error {
			*of(c) = values
			return nil
		})
	}
	span := func(flag, help string, of func(c *oauth.Client) *int64) {
		var value seconds
		f.Var(&value, flag, help)
		add(flag, func(c *oauth.Client) error {
			*of(c) = int64(value)
			return nil
		})
	}

	var grants []string
	for _, g := range oauth.GrantTypes() {
		grants = append(grants, string(g))
	}
	list("grant", "`type` of grant that it may use: password, client_credentials or refresh_token; repeat for more", func(c *oauth.Client, values []string) error {
		c.Grants = nil
		for _, g := range values {
			c.Grants = append(c.Grants, oauth.GrantType(g))
		}
		return nil
	})
	completeValues(cmd, "grant", grants...)
	scopes("scope", "`scope` that it may ask for; repeat for more", func(c *oauth.Client) *scope.Set { return &c.Scopes })
	scopes("default-scope", "`scope` that it gets when it asks for none; repeat for more", func(c *oauth.Client) *scope.Set { return &c.DefaultScopes })
	audiences("audience", "`audience` of its tokens; repeat for more (default: its id)", func(c *oauth.Client) *[]string { return &c.Audiences })
	audiences("introspects", "`audience` whose access tokens it may introspect; repeat for more", func(c *oauth.Client) *[]string { return &c.Introspects })
	span("access-lifetime", "how long access tokens live (default 1h)", func(c *oauth.Client) *int64 { return &c.AccessLifetime })
	span("refresh-idle", "how long a refresh token lives without use (default 30d)", func(c *oauth.Client) *int64 { return &c.RefreshIdle })
	span("refresh-absolute", "how long a refresh token lives at most (default 90d)", func(c *oauth.Client) *int64 { return &c.RefreshAbsolute })
	maximum := f.Int(maxAuthorizationsFlag, 0, "`number` of devices and scopes of one user that are live at once (default 25)")
	add(maxAuthorizationsFlag, func(c *oauth.Client) error {
		c.MaxAuthorizations = *maximum
		return nil
	})
	return all
}

const maxAuthorizationsFlag = "max-authorizations"
