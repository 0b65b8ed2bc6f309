package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

const clientAddHelp = `Add a client. A confidential client gets a generated secret, which is shown
once; with --secret-stdin it brings one along from another system. It gets none, and can
only use /token, if it shows assertions instead:

  --keys-file                          it signs them itself (private_key_jwt)
  --trusts-issuer and --trusts-subject AWS, GitHub, Kubernetes or another issuer for clients
                                       signs them, about the role or the workflow that the
                                       client is

Scopes must exist: see fob scope add. Devices need no entry, every client may
name them. Settings that contradict each other are refused. If anything is wrong
with a client, all of it is reported at once, and nothing is saved.`

const clientAddExample = `  # a mobile app whose users log in on several devices
  fob client add --id shop-app --public --grant password --grant refresh_token --scope read

  # a back end that speaks for itself
  fob client add --id nightly --grant client_credentials --scope read --scope write --default-scope read

  # the API that both call: it may introspect tokens of their audiences, which are
  # their ids
  fob client add --id shop-api --introspects shop-app --introspects nightly

  # a client whose tokens are for an audience, and the API that introspects it
  fob client add --id partner --grant password --audience https://orders.example.com
  fob client add --id orders --introspects https://orders.example.com

  # a client whose access tokens are JWTs, for APIs that verify them by themselves
  fob client add --id reports --public --grant password --token-format jwt --audience https://reports.example.com

  # a back end without a secret, which signs assertions
  fob client add --id signer --keys-file signer-keys.json --grant client_credentials --scope read

  # a Lambda function with a role, at an issuer that was added with --subject client
  fob client add --id report --trusts-issuer https://ACCOUNT.tokens.sts.global.api.aws --trusts-subject arn:aws:iam::123456789012:role/report --grant client_credentials --scope read

  # a client of another system, with the secret that is in its config
  fob client add --id legacy --secret-stdin --grant password --scope read < secret.txt`

type clientOptions struct {
	id                  string
	public, secretStdin bool
	settings            *entryFlags[oauth.Client]
	ring                ring
}

func clientAddCommand(p *program) *cobra.Command {
	var o clientOptions
	cmd := &cobra.Command{
		Use:     "add",
		Short:   "Add a client",
		Long:    clientAddHelp,
		Example: clientAddExample,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && o.id == "" {
				return fmt.Errorf("%s takes no arguments, did you mean --id %s?", cmd.CommandPath(), shown(args[0]))
			}
			return noArgs(cmd, args)
		},
	}
	cmd.RunE = p.withStores(func(ctx context.Context, s stores, _ []string) error { return addClient(ctx, p, s.registrar(), o) })
	f := cmd.Flags()
	f.StringVar(&o.id, "id", "", "client `id` (default: a generated one)")
	f.BoolVar(&o.public, "public", false, "it cannot keep a secret, as a mobile app")
	f.BoolVar(&o.secretStdin, "secret-stdin", false, "read its secret from standard input, one line of at least 20 characters")
	o.settings = addClientSettings(cmd, p, &o.ring)
	return printsJSON(cmd, clientView{})
}

func addClient(ctx context.Context, p *program, r *oauth.Registrar, o clientOptions) error {
	if o.public && o.secretStdin {
		return fail(exitUsage, "--public and --secret-stdin exclude each other: a public client has no secret")
	}
	c := oauth.Client{ID: ledger.ClientID(o.id), Public: o.public}
	fault := o.settings.apply(&c)
	var text secret.Text
	if !o.public && (!c.Asserts() || o.secretStdin) {
		var err error
		if text, err = newClientSecret(ctx, p, o.secretStdin); err != nil {
			return err
		}
	}
	if err := r.CheckClient(ctx, c, text, fault); err != nil {
		return err
	}
	if c.TokenFormat == ledger.JWT {
		if err := pairForJWTs(ctx, p, &o.ring); err != nil {
			return err
		}
	}
	// From here on a Ctrl-C waits: a secret must not be stored without being shown.
	ctx = context.WithoutCancel(ctx)
	saved, err := r.AddClient(ctx, c, text)
	saved, err = afterDoubt(ctx, p, r, saved, err, "if fob client show finds it, remove it and add it again")
	if err != nil {
		return err
	}
	warnOfAudiences(ctx, p, r, func(c oauth.Client) bool { return c.ID == saved.ID })
	view := viewClient(saved)
	warnOfLongJWTs(p, view)
	if !o.secretStdin {
		view.ClientSecret = text.Reveal()
	}
	return confirmSecret(p, view, secretInWords(view))
}
