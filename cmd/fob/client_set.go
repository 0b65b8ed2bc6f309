package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

const clientSetHelp = `Change the settings of a client. Settings that no flag names stay. A flag for a
list replaces the whole list; with an empty value the list is empty.

A change holds within 10 seconds, for new tokens:

  lifetimes   tokens that are there keep their expiry, and fob key remembers that
  token-format
              everybody's next login gives a token of that format; a refresh token from
              before goes on giving what it gave. For jwt, --keys or the two secrets say
              where the key ring is: its active key gets a pair, if it has none. The
              command waits until that is 90 seconds old, so that every instance knows
              it, and can be stopped and run again
  scopes      a token that has a scope which was taken away is active to its end, and
              cannot be refreshed
  audiences   everybody's next login gives another token; those from before stay active
  grants      a client without refresh_token cannot refresh any more
  keys, trust an assertion of the way before is refused; tokens stay active
  max-authorizations
              devices beyond it are signed out when the next one logs in

Whether a client is public cannot be changed: add another one.`

func clientSetCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set ID",
		Short: "Change the settings of a client",
		Long:  clientSetHelp,
		Example: `  fob client set shop-app --access-lifetime 15m
  fob client set shop-app --token-format jwt
  fob client set shop-app --scope 'read write' --default-scope read
  fob client set shop-api --introspects shop-app --introspects nightly
  fob client set shop-app --default-scope ''
  fob client set report --trusts-subject arn:aws:iam::123456789012:role/report-2`,
		Args: oneArg("the client's id"),
	}
	var r ring
	settings := addClientSettings(cmd, p, &r)
	cmd.PreRunE = settings.needOne
	cmd.RunE = p.changing(func(ctx context.Context, s stores, args []string) (any, string, error) {
		clients := s.registrar()
		edit := func(c *oauth.Client) error {
			fault := settings.apply(c)
			if cmd.Flags().Changed(maxAuthorizationsFlag) && c.MaxAuthorizations == 0 { // the default
				fault = errors.Join(fault, errors.New("live authorizations of a subject: 1 or more"))
			}
			return fault
		}
		if cmd.Flags().Lookup(tokenFormatFlag).Value.String() == string(ledger.JWT) {
			if err := clients.CheckEdit(ctx, ledger.ClientID(args[0]), edit); err != nil {
				return nil, "", err
			}
			if err := pairForJWTs(ctx, p, &r); err != nil {
				return nil, "", err
			}
		}
		saved, err := clients.EditClient(ctx, ledger.ClientID(args[0]), edit)
		if err != nil {
			return nil, "", err
		}
		if changed := cmd.Flags().Changed; changed(introspectsFlag) || changed(audienceFlag) {
			warnOfAudiences(ctx, p, clients, func(c oauth.Client) bool { return c.ID == saved.ID || changed(audienceFlag) })
		}
		id, view := shown(args[0]), viewClient(saved)
		warnOfLongJWTs(p, view)
		return view, fmt.Sprintf("The client %s is changed, within 10 seconds. See fob client show %s.", id, id), nil
	})
	return printsJSON(cmd, clientView{})
}
