package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/oauth"
)

// editClient reads a client, lets edit change it, and saves it, again and again
// while others do the same. Nothing is saved if edit fails or the outcome is not
// valid. edit must give the same change each time that it is called.
func editClient(ctx context.Context, clients oauth.ClientRegistry, id string, edit func(*oauth.Client) error) (oauth.Client, error) {
	var saved oauth.Client
	err := untilNoConflict(func() error {
		c, found, err := clients.Client(ctx, oauth.ClientID(id))
		if err != nil {
			return err
		}
		if !found {
			return noSuchClient(id)
		}
		if err := edit(&c); err != nil {
			return err
		}
		if err := c.Validate(); err != nil {
			return invalid("the client was not changed", err)
		}
		saved, err = clients.SaveClient(ctx, c)
		return err
	})
	return saved, err
}

const clientSetHelp = `Change the settings of a client. What no flag names stays as it is. A flag for a
list replaces the whole list; with an empty value the list is empty.

A change holds within 10 seconds, for new tokens:

  lifetimes   tokens that are there keep their expiry, and fob key remembers that
  scopes      a token that has a scope which was taken away is active to its end, and
              cannot be refreshed
  audiences   everybody's next login gives another token; those from before stay active
  grants      a client without refresh_token cannot refresh any more
  max-authorizations
              devices beyond it are signed out when the next one logs in

Whether a client is public cannot be changed: add another one.`

func (p *program) clientSetCommand() *cobra.Command {
	var o clientOptions
	cmd := &cobra.Command{
		Use:   "set ID",
		Short: "Change the settings of a client",
		Long:  clientSetHelp,
		Example: `  fob client set shop-app --access-lifetime 15m
  fob client set shop-app --scope 'read write' --default-scope read
  fob client set shop-api --introspects shop-app --introspects nightly
  fob client set shop-app --default-scope ''`,
		Args: oneArg("the client's id"),
	}
	o.addSettings(cmd)
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if !slices.ContainsFunc(settingFlags, cmd.Flags().Changed) {
			return fail(exitUsage, "fob client set needs a setting to change")
		}
		return nil
	}
	cmd.RunE = p.changingClients(func(ctx context.Context, clients oauth.ClientRegistry, args []string) error {
		return p.setClient(ctx, clients, args[0], o, cmd.Flags().Changed)
	})
	return p.tells(cmd, clientView{})
}

func (p *program) setClient(ctx context.Context, clients oauth.ClientRegistry, id string, o clientOptions, given func(flag string) bool) error {
	registered, err := clients.ResourceScopes(ctx)
	if err != nil {
		return err
	}
	var want oauth.Client
	faults := []error{o.settings(&want)}
	if given(maxAuthorizationsFlag) && o.maxAuthorizations == 0 {
		faults = append(faults, errors.New("live authorizations of a subject: 1 or more"))
	}
	faults = append(faults, scopesExist(want, registered))
	if err := errors.Join(faults...); err != nil {
		return invalid("the client was not changed", err)
	}
	saved, err := editClient(ctx, clients, id, func(c *oauth.Client) error {
		// Tokens that are there keep the life that they were given, and a key that made
		// them is needed as long.
		longest := c.LongestTokenLife()
		copySettings(c, want, given)
		if longest > c.LongestTokenLife() {
			c.LongestLife = longest
		}
		if len(c.Grants) == 0 && len(c.Introspects) == 0 {
			return invalid("the client was not changed", errCouldDoNothing)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.confirm(viewClient(saved), func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "The client %s is changed, within 10 seconds. See fob client show %s.\n", shown(id), shown(id))
	})
}
