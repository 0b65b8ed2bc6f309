package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

// addClientSettings adds the flags that fob client add and set share. A setting that
// is new needs a line here. A JWT needs a pair in the key ring r.
func addClientSettings(cmd *cobra.Command, p *program, r *ring) *entryFlags[oauth.Client] {
	all := newEntryFlags[oauth.Client](cmd)
	scopes := func(flag, help string, of func(c *oauth.Client) *scope.Set) {
		all.list(flag, help, func(c *oauth.Client, values []string) (err error) {
			if *of(c), err = scope.Parse(strings.Join(values, " ")); err != nil {
				return fmt.Errorf("--%s: %w", flag, err)
			}
			return nil
		})
	}

	grants := oauth.GrantNames()
	all.list("grant", "`type` of grant that it may use: "+strings.Join(grants, ", ")+"; repeat for more", func(c *oauth.Client, values []string) error {
		c.Grants = nil
		for _, g := range values {
			c.Grants = append(c.Grants, oauth.GrantNamed(g))
		}
		return nil
	})
	completeValues(cmd, "grant", grants...)
	scopes("scope", "`scope` that it may ask for; repeat for more", func(c *oauth.Client) *scope.Set { return &c.Scopes })
	scopes("default-scope", "`scope` that it gets when it asks for none; repeat for more", func(c *oauth.Client) *scope.Set { return &c.DefaultScopes })
	all.texts(audienceFlag, "`audience` of its tokens; repeat for more (default: its id)", func(c *oauth.Client) *[]string { return &c.Audiences })
	all.texts(introspectsFlag, "`audience` whose access tokens it may introspect; repeat for more", func(c *oauth.Client) *[]string { return &c.Introspects })
	all.texts("login-audience", "`audience` of the ID tokens and assertions that it may show; repeat for more (default: all of all issuers)", func(c *oauth.Client) *[]string { return &c.LoginAudiences })
	var format string // which is not emptied like other settings: APIs that verify by themselves would take no token
	addText(cmd.Flags(), &format, tokenFormatFlag, "", "`format` of its access tokens: opaque, or jwt for APIs that verify by themselves (default opaque)")
	all.add(tokenFormatFlag, func(c *oauth.Client) error {
		c.TokenFormat = ledger.TokenFormat(format)
		return nil
	})
	completeValues(cmd, tokenFormatFlag, string(ledger.Opaque), string(ledger.JWT))
	r.addFlags(p, cmd.Flags())
	all.span("access-lifetime", "how long access tokens live (default 1h, for JWTs 10m)", func(c *oauth.Client) *int64 { return &c.AccessLifetime })
	all.span("refresh-idle", "how long a refresh token lives without use (default 30d)", func(c *oauth.Client) *int64 { return &c.RefreshIdle })
	all.span("refresh-absolute", "how long a refresh token lives at most (default 90d)", func(c *oauth.Client) *int64 { return &c.RefreshAbsolute })
	all.span("refresh-grace", "for how long after its use a refresh token of a public client gets the same successor again, 30s to 10m (default 1m)", func(c *oauth.Client) *int64 { return &c.RefreshGrace })
	// Keys and trust take the place of each other, unless both are given.
	file := cmd.Flags().String(clientKeysFlag, "", "`file` with a JWK Set: the public keys that sign its assertions (private_key_jwt)")
	all.add(clientKeysFlag, func(c *oauth.Client) (err error) {
		if c.JWKS, err = p.readKeySet(*file); *file != "" {
			c.Trusts = oauth.Trust{}
		}
		return err
	})
	trust := func(flag, help string, of func(t *oauth.Trust) *string) {
		value := cmd.Flags().String(flag, "", help)
		all.add(flag, func(c *oauth.Client) error {
			if *of(&c.Trusts) = *value; *value != "" && !cmd.Flags().Changed(clientKeysFlag) {
				c.JWKS = ""
			}
			return nil
		})
	}
	trust("trusts-issuer", "`name` of an issuer for clients, which signs its assertions: see fob issuer add --subject client", func(t *oauth.Trust) *string { return &t.Issuer })
	trust("trusts-subject", "`sub` of those assertions, to the letter", func(t *oauth.Trust) *string { return &t.Subject })
	all.truth("sends-user-address", "it is a back end whose logins have user_address, by which wrong passwords are counted", func(c *oauth.Client) *bool { return &c.SendsUserAddress })
	all.number(maxAuthorizationsFlag, "`number` of devices and scopes of one user that are live at once (default 25)", func(c *oauth.Client) *int { return &c.MaxAuthorizations })
	return all
}

const (
	clientKeysFlag        = "keys-file"
	audienceFlag          = "audience"
	tokenFormatFlag       = "token-format"
	introspectsFlag       = "introspects"
	maxAuthorizationsFlag = "max-authorizations"
)
