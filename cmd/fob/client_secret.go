package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

const rotateSecretHelp = `Give a client a second secret beside the one that it has. Both work until the
older is dropped, so that the client's instances can change over one by one:

  1. fob client rotate-secret ID            the new secret is shown, once
  2. give it to the client, everywhere
  3. fob client rotate-secret ID --finish   the older one is dropped

Before step 3 look whether anybody still uses the older one: requests that do have
"older_secret":true in their line of the log.

A secret that leaked is replaced at once with --now: the client is locked out until
it has the new one. Tokens that were issued with the old secret stay active; fob
client sign-out ends them, too.

A change holds within 10 seconds.`

type rotateOptions struct{ stdin, finish, now bool }

func (p *program) clientRotateSecretCommand() *cobra.Command {
	var o rotateOptions
	cmd := &cobra.Command{
		Use:   "rotate-secret ID",
		Short: "Give a client a new secret, and then drop the older one",
		Long:  rotateSecretHelp,
		Example: `  fob client rotate-secret nightly
  fob client rotate-secret nightly --finish
  fob client rotate-secret nightly --now`,
		Args: oneArg("the client's id"),
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			return errors.Join(oneOf(cmd, "finish", "now"), oneOf(cmd, "finish", "secret-stdin"))
		},
		RunE: p.withClients(func(ctx context.Context, clients oauth.ClientRegistry, args []string) error {
			if o.finish {
				return p.dropOlderSecret(ctx, clients, args[0])
			}
			return p.addSecret(ctx, clients, args[0], o)
		}),
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&o.finish, "finish", false, "drop the older of two secrets")
	f.BoolVar(&o.now, "now", false, "drop all secrets that it has, at once")
	f.BoolVar(&o.stdin, "secret-stdin", false, "read the new secret from standard input, one line, instead of generating it")
	return p.tells(cmd, clientView{})
}

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

func (p *program) addSecret(ctx context.Context, clients oauth.ClientRegistry, id string, o rotateOptions) error {
	// Looked at before the secret is asked for.
	c, found, err := clients.Client(ctx, oauth.ClientID(id))
	if err != nil {
		return err
	}
	if !found {
		return noSuchClient(id)
	}
	if err := mayRotate(c, o.now); err != nil {
		return err
	}
	text, generated := oauth.NewClientSecret(), secret.Text{}
	if o.stdin {
		if text, err = p.readSecret(ctx, "client secret"); err != nil {
			return err
		}
		if err := p.validateBrought(text); err != nil {
			return invalid("the client was not changed", err)
		}
	} else {
		generated = text
	}
	added := oauth.ClientSecret{Hash: oauth.HashClientSecret(text), Created: time.Now().Unix()}
	saved, err := editClient(ctx, clients, id, func(c *oauth.Client) error {
		switch {
		case c.Public:
			return mayRotate(*c, o.now)
		case o.now:
			c.Secrets = nil
		case slices.ContainsFunc(c.Secrets, func(s oauth.ClientSecret) bool { return s.Hash == added.Hash }):
			return fail(exitConflict, "the client %q has that secret already", id)
		case len(c.Secrets) > 1:
			return mayRotate(*c, o.now)
		}
		c.Secrets = append(c.Secrets, added)
		return nil
	})
	if errors.Is(err, oauth.ErrUnavailable) && generated.Len() > 0 {
		// Nobody will ever see it.
		explained := p.tables.clients().explain(err)
		return fail(exitCode(explained), "the client %q may have got a new secret or not, and it was not shown: give it another with fob client rotate-secret %s --now, or drop the newest by hand: %v", id, id, explained)
	}
	if err != nil {
		return err
	}
	view := viewClient(saved)
	view.ClientSecret = generated.Reveal()
	return p.print(view, func(w io.Writer) {
		rows := [][]string{{"client_id", view.ClientID}}
		if view.ClientSecret != "" {
			rows = append(rows, []string{"client_secret", view.ClientSecret})
		}
		columns(w, rows...)
		if view.ClientSecret != "" {
			_, _ = io.WriteString(w, "The secret is shown this once and kept nowhere: put it where the client needs it.\n")
		}
		if len(view.Secrets) > 1 {
			_, _ = fmt.Fprintf(w, "The one before works as well until fob client rotate-secret %s --finish.\n", shown(id))
		} else {
			_, _ = io.WriteString(w, "It is the only one: whatever it had before is refused within 10 seconds.\n")
		}
	})
}

// mayRotate refuses what editClient would refuse later, with what to do instead.
func mayRotate(c oauth.Client, now bool) error {
	switch {
	case c.Public:
		return fail(exitUsage, "the client %q is public and has no secret", c.ID)
	case len(c.Secrets) > 1 && !now:
		return fail(exitConflict, "the client %q has two secrets already: drop the older one with --finish, or both with --now", c.ID)
	}
	return nil
}

func (p *program) dropOlderSecret(ctx context.Context, clients oauth.ClientRegistry, id string) error {
	saved, err := editClient(ctx, clients, id, func(c *oauth.Client) error {
		switch {
		case c.Public:
			return mayRotate(*c, false)
		case len(c.Secrets) < 2:
			return fail(exitConflict, "the client %q has one secret only: fob client rotate-secret %s gives it the next", id, id)
		}
		c.Secrets = c.Secrets[len(c.Secrets)-1:]
		return nil
	})
	if err != nil {
		return err
	}
	return p.print(viewClient(saved), func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "The older secret of %s is dropped. It is refused within 10 seconds.\n", shown(id))
	})
}
