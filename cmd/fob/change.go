package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/oauth"
)

// withStores runs a command on the tables and explains its error.
func (p *program) withStores(run func(ctx context.Context, s stores, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		s, err := p.open(cmd.Context())
		if err != nil {
			return err
		}
		return p.explain(run(cmd.Context(), s, args), sentences{})
	}
}

// changing runs a command that makes one change: it returns what --json shows of it,
// and the sentence for people.
func (p *program) changing(change func(ctx context.Context, r *oauth.Registrar, args []string) (view any, sentence string, err error)) func(*cobra.Command, []string) error {
	return p.withStores(func(ctx context.Context, s stores, args []string) error {
		view, sentence, err := change(ctx, s.registrar(), args)
		if err != nil {
			return err
		}
		return p.confirm(view, func(w io.Writer) { _, _ = fmt.Fprintln(w, sentence) })
	})
}

// sentences say in the words of one command what is the matter with its change.
// Those that are empty are said in words for all.
type sentences struct {
	invalid  string // what did not happen because of faults
	inDoubt  string // what nobody knows after a write that was not answered
	halfDone string // what holds after the first of two writes
}

// explain turns an error of a change, or of the stores, into what to do about it.
func (p *program) explain(err error, of sentences) error {
	e, ok := errors.AsType[*oauth.ChangeError](err)
	if !ok {
		return p.tables.explain(err)
	}
	switch e.Kind {
	case oauth.InvalidEntry:
		return invalid(cmp.Or(of.invalid, fmt.Sprintf("the %s was not changed", e.Entry)), faultInWords(e.Err))
	case oauth.HalfDone:
		return halfDone(p.cause(err), of.halfDone)
	case oauth.InDoubt:
		return inDoubt(p.cause(err), cmp.Or(of.inDoubt, "it is not known whether that was done"))
	case oauth.ScopeInUse:
		return fail(exitConflict, "the scope %q is in use by %s: remove them first, or give --force", e.Name, strings.Join(e.UsedBy, ", "))
	case oauth.EntryExists:
		instead := map[oauth.EntryKind]string{
			oauth.ClientEntry: "see fob client show " + e.Name,
			oauth.UserEntry:   "fob user passwd changes the password",
			oauth.ScopeEntry:  "--replace gives it these roles",
		}
		return fail(exitConflict, "there is a %s %q already: %s", e.Entry, e.Name, instead[e.Entry])
	case oauth.NoSuchEntry:
		return fail(exitNotFound, "there is no %s %q: see fob %s list", e.Entry, e.Name, e.Entry)
	case oauth.SecretOfPublic:
		return fail(exitUsage, "the client %q is public and has no secret", e.Name)
	case oauth.SecretKnown:
		return fail(exitConflict, "the client %q has that secret already", e.Name)
	case oauth.TwoSecrets:
		return fail(exitConflict, "the client %q has two secrets already: drop the older one with --finish, or both with --now", e.Name)
	case oauth.OneSecret:
		return fail(exitConflict, "the client %q has one secret only: fob client rotate-secret %s gives it the next", e.Name, e.Name)
	}
	return err
}

// cause explains what the stores said, without the change that it was about.
func (p *program) cause(err error) error {
	if e, ok := errors.AsType[*oauth.ChangeError](err); ok && e.Err != nil {
		err = e.Err
	}
	return p.tables.explain(err)
}

// faultInWords names the flags where the domain does not know them.
func faultInWords(fault error) error {
	if several, ok := fault.(interface{ Unwrap() []error }); ok {
		var words []error
		for _, one := range several.Unwrap() {
			words = append(words, faultInWords(one))
		}
		return errors.Join(words...)
	}
	if missing, ok := fault.(*oauth.MissingScopeError); ok { //nolint:errorlint // nothing is wrapped here
		return fmt.Errorf("%w, add it first: fob scope add %s", fault, missing.Scope)
	}
	if errors.Is(fault, oauth.ErrNoUse) {
		return errors.New("without --grant or --introspects it could do nothing")
	}
	return fault
}

// explain turns an error of the stores into what to do about it.
func (t *tables) explain(err error) error {
	asked := t.tokens()
	if e, ok := errors.AsType[*dynamo.TableError](err); ok {
		for _, table := range []table{t.clients(), t.users()} {
			if table.name == e.Table {
				asked = table
			}
		}
	}
	return asked.explain(err)
}
