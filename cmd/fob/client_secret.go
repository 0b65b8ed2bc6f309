package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"
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
"older_secret":true in their line of the log. A new secret that got lost is dropped
with --cancel, and the older one stays.

A secret that leaked is replaced at once with --now: the client is locked out until
it has the new one. Tokens that were issued with the old secret stay active; fob
client sign-out ends them, too.

A change holds within 10 seconds.`

type rotateOptions struct{ stdin, finish, cancel, now bool }

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
			return errors.Join(oneOf(cmd, "finish", "cancel", "now"), oneOf(cmd, "finish", "cancel", "secret-stdin"))
		},
		RunE: p.withClients(func(ctx context.Context, clients oauth.ClientRegistry, args []string) error {
			if o.finish || o.cancel {
				return inDoubt(p.tables.clients().explain(p.dropSecret(ctx, clients, args[0], o.cancel)), "it is not known whether that was done")
			}
			return p.addSecret(ctx, clients, args[0], o)
		}),
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&o.finish, "finish", false, "drop the older of two secrets")
	f.BoolVar(&o.cancel, "cancel", false, "drop the newer of two secrets")
	f.BoolVar(&o.now, "now", false, "drop all secrets that it has, at once")
	f.BoolVar(&o.stdin, "secret-stdin", false, "read the new secret from standard input, one line, instead of generating it")
	return p.tells(cmd, clientView{})
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
	has := func(c oauth.Client) bool {
		return slices.ContainsFunc(c.Secrets, func(s oauth.ClientSecret) bool { return s.Hash == added.Hash })
	}
	// From here on a Ctrl-C waits: the secret would be stored, and nobody have it.
	ctx = context.WithoutCancel(ctx)
	saved, err := editClient(ctx, clients, id, func(c *oauth.Client) error {
		if err := mayRotate(*c, o.now); err != nil {
			return err
		}
		if has(*c) {
			// Also with --now: it would be the secret that is to go.
			return fail(exitConflict, "the client %q has that secret already", id)
		}
		if o.now {
			c.Secrets = nil
		}
		c.Secrets = append(c.Secrets, added)
		return nil
	})
	if errors.Is(err, oauth.ErrUnavailable) {
		// Whether it landed, the client itself tells.
		advice := "it may have got a secret that nobody will see: look at fob client show, and drop the newest of two with fob client rotate-secret --cancel"
		if o.now {
			advice = "it may be left with a secret that nobody will see: run the same command again"
		}
		saved, err = p.afterDoubt(ctx, clients, id, has, err, advice)
	}
	if err != nil {
		return err
	}
	view := viewClient(saved)
	view.ClientSecret = generated.Reveal()
	return p.confirmSecret(view, func(w io.Writer) {
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

// afterDoubt looks what became of a write that was not answered, so that a secret
// which landed is shown after all. doubt is the error of the write, and otherwise
// is what to say if nobody can tell.
func (p *program) afterDoubt(ctx context.Context, clients oauth.ClientRegistry, id string, landed func(oauth.Client) bool, doubt error, otherwise string) (oauth.Client, error) {
	explained := p.tables.clients().explain(doubt)
	if exitCode(explained) != exitUnavailable || errors.Is(doubt, syscall.ECONNREFUSED) {
		return oauth.Client{}, explained // an answer, and it was no; or nobody heard it
	}
	// A write can be under way for some time after its caller gave up.
	for range doubtLooks {
		c, found, err := clients.Client(ctx, oauth.ClientID(id))
		if err == nil && found && landed(c) {
			return c, nil
		}
		if p.clock.sleep(ctx, time.Second) != nil {
			break
		}
	}
	return oauth.Client{}, fail(exitCode(explained), "it is not known what became of the client %q, nothing was seen yet: %s. %v", id, otherwise, explained)
}

// doubtLooks is how often a look is taken after an outage, a second apart.
const doubtLooks = 8

// confirmSecret is confirm for an answer that may hold a secret which nobody else
// has.
func (p *program) confirmSecret(view clientView, people func(w io.Writer)) error {
	err := p.confirm(view, people)
	if err != nil && view.ClientSecret != "" {
		return fail(exitFailure, "the client %q has a new secret, but standard output did not take it, and it is kept nowhere: give it another with fob client rotate-secret %s --now, or drop it with --cancel if there is an older one", view.ClientID, view.ClientID)
	}
	return err
}

// dropSecret drops the older of two secrets, or the newer one.
func (p *program) dropSecret(ctx context.Context, clients oauth.ClientRegistry, id string, newer bool) error {
	saved, err := editClient(ctx, clients, id, func(c *oauth.Client) error {
		switch {
		case c.Public:
			return mayRotate(*c, false)
		case len(c.Secrets) < 2:
			return fail(exitConflict, "the client %q has one secret only: fob client rotate-secret %s gives it the next", id, id)
		case newer:
			c.Secrets = c.Secrets[:len(c.Secrets)-1]
		default:
			c.Secrets = c.Secrets[len(c.Secrets)-1:]
		}
		return nil
	})
	if err != nil {
		return err
	}
	which := "older"
	if newer {
		which = "newer"
	}
	return p.confirm(viewClient(saved), func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "The %s secret of %s is dropped. It is refused within 10 seconds.\n", which, shown(id))
	})
}
