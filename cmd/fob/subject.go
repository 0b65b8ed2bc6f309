package main

import (
	"context"

	"github.com/spf13/cobra"
)

func subjectCommand(p *program) *cobra.Command {
	var which selection
	signOut := &cobra.Command{
		Use:   "sign-out",
		Short: "End all tokens of a user, or of a client that speaks for itself",
		Long: `End all tokens of a subject, on every device and of every client, at once and for
good, with one write. The subject can log in again: to refuse that, too, fob user
disable.`,
		Example: `  fob subject sign-out --user ann@example.com
  fob subject sign-out --subject u_b4q2...`,
		Args: noArgs,
	}
	which.addSubjectFlags(signOut)
	signOut.PreRunE = func(*cobra.Command, []string) error {
		if err := which.parse(signOut); err != nil {
			return err
		}
		if which == (selection{}) {
			return fail(exitUsage, "fob subject sign-out needs --user or --subject")
		}
		return nil
	}
	signOut.RunE = p.withStores(func(ctx context.Context, s stores, _ []string) error { return signOutSubject(ctx, p, s, which) })
	printsJSON(signOut, signedOutView{})
	return group("subject", "Sign a user out everywhere", "A subject is for whom tokens speak: a user, or a client that speaks for itself.", signOut)
}

type signedOutView struct {
	Subject   string `json:"sub"`
	SignedOut bool   `json:"signed_out"`
}

func signOutSubject(ctx context.Context, p *program, s stores, which selection) error {
	subject, _, err := which.one(ctx, s)
	if err != nil {
		return err
	}
	if err := s.signIns().SignOut(ctx, subject); err != nil {
		return inDoubt(p.tables.explain(err), doubtfulChange)
	}
	return p.confirmf(signedOutView{subject.ID, true}, "All tokens of %s are ended.", shown(subject.ID))
}
