package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/oauth"
)

func subjectCommand(p *program) *cobra.Command {
	var which selection
	signOut := &cobra.Command{
		Use:   "sign-out",
		Short: "End all tokens of a user, or of a client that speaks for itself",
		Long: `End all tokens of a subject, on every device and of every client, at once and for
good, with one write. The subject can log in again: to refuse that, too, fob subject
disable.`,
		Example: `  fob subject sign-out --user ann@example.com
  fob subject sign-out --subject u_b4q2...`,
		Args: noArgs,
	}
	which.addSubjectFlags(signOut)
	signOut.PreRunE = func(*cobra.Command, []string) error { return which.parseSubject(signOut) }
	signOut.RunE = p.changing(func(ctx context.Context, s stores, _ []string) (any, string, error) {
		subject, _, err := which.one(ctx, s)
		if err == nil {
			err = inDoubt(p.tables.explain(s.signIns().SignOut(ctx, subject)), doubtfulChange)
		}
		return signedOutView{subject.ID, true}, "All tokens of " + shown(subject.ID) + " are ended.", err
	})
	printsJSON(signOut, signedOutView{})
	return group("subject", "Sign a user out everywhere, or refuse a user's logins", subjectHelp, signOut,
		subjectStateCommand(p, true, &cobra.Command{
			Use:   "disable",
			Short: "Refuse a user's logins and end all of the user's tokens",
			Long: `Refuse the logins of a user, and end all of the user's tokens on every device, at once
and for good. It also works for a user of an issuer (see fob issuer), whom fob user list
does not have, and before that user's first login. /me, /introspect and fob device list
show the sub; or name the issuer, and whom it means.`,
			Example: `  fob subject disable --subject u_b4q2...
  fob subject disable --issuer https://appleid.apple.com --sub 001234.abc
  fob subject disable --user ann@example.com`,
		}),
		subjectStateCommand(p, false, &cobra.Command{
			Use:     "enable",
			Short:   "Let a disabled user log in again",
			Long:    `Let a user log in again who was disabled. Every device logs in again.`,
			Example: "  fob subject enable --subject u_b4q2...",
		}))
}

const subjectHelp = `A subject is for whom tokens speak: a user, or a client that speaks for itself. Users
are those of fob, and those of the issuers that are registered.`

// subjectStateCommand completes the command that disables or enables a user.
func subjectStateCommand(p *program, disabled bool, cmd *cobra.Command) *cobra.Command {
	var which selection
	cmd.Args = noArgs
	which.addSubjectFlags(cmd)
	cmd.PreRunE = func(*cobra.Command, []string) error { return which.parseSubject(cmd) }
	cmd.RunE = p.withStores(func(ctx context.Context, s stores, _ []string) error {
		id := which.subject
		if which.user != "" {
			subject, _, err := which.one(ctx, s)
			if err != nil {
				return err
			}
			id = subject.ID
		}
		if err := which.issuerIsKnown(ctx, s); err != nil {
			return err
		}
		err := s.userRegistrar().SetSubjectDisabled(ctx, id, disabled)
		if oauth.IsChange(err, oauth.NoSuchEntry) {
			return fail(exitUsage, "%q is not the id of a user, u_ and 26 letters and digits: for a user's name there is --user, and for a client fob client %s", id, cmd.Name())
		}
		if err != nil {
			return p.explain(err, "logins are refused, but what is stored of earlier ones is not deleted")
		}
		text := "The user %s is enabled."
		if disabled {
			text = "The user %s is disabled, and all of the user's tokens are ended."
		}
		return p.confirmf(disabledSubject{id, disabled}, text, id)
	})
	return printsJSON(cmd, disabledSubject{})
}

type disabledSubject struct {
	Subject  string `json:"sub"`
	Disabled bool   `json:"disabled"`
}

type signedOutView struct {
	Subject   string `json:"sub"`
	SignedOut bool   `json:"signed_out"`
}
