package main

import (
	"context"
	"errors"
	"net/url"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

const rotateSecretHelp = `Give a client a second secret, next to the one that it has. Both work until the
older is dropped, so that the client's instances can change over one by one:

  1. fob client rotate-secret ID            the new secret is shown, once
  2. give it to the client, everywhere
  3. fob client rotate-secret ID --finish   the older one is dropped

Before step 3 check whether the older one is still used: a request that uses it has
"older_secret":true in its line of the log. A new secret that got lost is dropped
with --cancel, and the older one stays.

A secret that leaked is replaced at once with --now: the client is locked out until
it has the new one. Tokens that were issued with the old secret stay active; fob
client sign-out ends them, too.

A client that moved over to keys, or to an issuer that it trusts, needs no secret: --finish
drops the last one, too.

A change holds within 10 seconds.`

type rotateOptions struct{ stdin, finish, cancel, now bool }

func clientRotateSecretCommand(p *program) *cobra.Command {
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
		RunE: p.withStores(func(ctx context.Context, s stores, args []string) error {
			if o.finish || o.cancel {
				return dropSecret(ctx, p, s.registrar(), ledger.ClientID(args[0]), o.cancel)
			}
			return addSecret(ctx, p, s.registrar(), ledger.ClientID(args[0]), o)
		}),
	}
	f := cmd.Flags()
	f.BoolVar(&o.finish, "finish", false, "drop the older of two secrets")
	f.BoolVar(&o.cancel, "cancel", false, "drop the newer of two secrets")
	f.BoolVar(&o.now, "now", false, "drop all secrets that it has, at once")
	f.BoolVar(&o.stdin, "secret-stdin", false, "read the new secret from standard input, one line of at least 20 characters, instead of generating it")
	return printsJSON(cmd, clientView{})
}

func addSecret(ctx context.Context, p *program, r *oauth.Registrar, id ledger.ClientID, o rotateOptions) error {
	c, err := r.Client(ctx, id)
	if err == nil {
		err = c.MayAddSecret(o.now) // before it is asked for
	}
	if err != nil {
		return err
	}
	text, err := newClientSecret(ctx, p, o.stdin)
	if err != nil {
		return err
	}
	// From here on a Ctrl-C waits: a secret must not be stored without being shown.
	ctx = context.WithoutCancel(ctx)
	advice := "it may have got a secret that nobody will see: look at fob client show, and drop the newest of two with fob client rotate-secret --cancel"
	if o.now {
		advice = "it may be left with a secret that nobody will see: run the same command again"
	}
	saved, err := r.AddSecret(ctx, id, text, o.now)
	saved, err = afterDoubt(ctx, p, r, saved, err, advice)
	if err != nil {
		return err
	}
	view := viewClient(saved)
	if !o.stdin {
		view.ClientSecret = text.Reveal()
	}
	before := "It is the only one: whatever it had before is refused within 10 seconds."
	if len(view.Secrets) > 1 {
		before = "The one before works as well until fob client rotate-secret " + shown(view.ClientID) + " --finish."
	}
	return confirmSecret(p, view, secretInWords(view)+"\n"+before)
}

// newClientSecret draws a secret, which is then to be shown, or reads the one that an
// operator brings along and warns of what its owner may not be able to change.
func newClientSecret(ctx context.Context, p *program, stdin bool) (secret.Text, error) {
	if !stdin {
		return oauth.NewClientSecret(), nil
	}
	text, err := p.readNewSecret(ctx, "client secret")
	if err != nil || oauth.ValidateClientSecret(text) != nil {
		return text, err
	}
	if decoded, err := url.QueryUnescape(text.Reveal()); err != nil || decoded != text.Reveal() {
		p.say("warning: the secret has a %% or +, so the client must form-encode it in its Basic header (RFC 6749 section 2.3.1); curl -u does not")
	}
	return text, nil
}

// secretInWords shows a generated secret on purpose, this once.
func secretInWords(view clientView) string {
	if view.ClientSecret == "" {
		return columns([]string{"client_id", view.ClientID})
	}
	return columns([]string{"client_id", view.ClientID}, []string{"client_secret", view.ClientSecret}) +
		"\nThe secret is shown this once and kept nowhere: put it where the client needs it."
}

// afterDoubt takes what AddClient or AddSecret returned. It looks for a client whose write
// was not answered, so that a secret which landed is shown after all. otherwise is what to
// say if nothing is seen.
func afterDoubt(ctx context.Context, p *program, r *oauth.Registrar, sent oauth.Client, doubt error, otherwise string) (oauth.Client, error) {
	if !oauth.IsChange(doubt, oauth.InDoubt) {
		return sent, doubt
	}
	explained := p.cause(doubt)
	if exitCode(explained) != exitUnavailable || errors.Is(doubt, syscall.ECONNREFUSED) {
		return oauth.Client{}, explained // it was refused, or it was not received
	}
	// A write can be under way for some time after its caller gave up.
	for range doubtLooks {
		if c, landed, err := r.Landed(ctx, sent); err == nil && landed {
			return c, nil
		}
		if p.sleep(ctx, time.Second) != nil {
			break
		}
	}
	return oauth.Client{}, fail(exitCode(explained), "it is not known what became of the client %q, of which nothing was seen yet: %s (%v)", sent.ID, otherwise, explained)
}

// doubtLooks is how often a look is taken after an outage, a second apart.
const doubtLooks = 8

// confirmSecret is confirm for an answer that may hold a secret which nobody else
// has.
func confirmSecret(p *program, view clientView, text string) error {
	err := p.confirm(view, text)
	if err != nil && view.ClientSecret != "" {
		return fail(exitFailure, "the client %q has a new secret, but standard output did not take it, and it is kept nowhere: give it another with fob client rotate-secret %s --now, or drop it with --cancel if there is an older one", view.ClientID, view.ClientID)
	}
	return err
}

// dropSecret drops the older of two secrets, or the newer one.
func dropSecret(ctx context.Context, p *program, r *oauth.Registrar, id ledger.ClientID, newer bool) error {
	saved, err := r.DropSecret(ctx, id, newer)
	if err != nil {
		return err
	}
	which := "older"
	switch {
	case newer:
		which = "newer"
	case len(saved.Secrets) == 0:
		which = "last"
	}
	return p.confirmf(viewClient(saved), "The %s secret of %s is dropped. It is refused within 10 seconds.", which, shown(string(id)))
}
