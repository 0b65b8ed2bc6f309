package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fob-oauth/fob/internal/oauth"
)

func (p *program) userDisableCommand() *cobra.Command {
	return p.tells(&cobra.Command{
		Use:   "disable NAME",
		Short: "Refuse a user's logins and end all of the user's tokens",
		Long: `Refuse a user's logins, and end all of the user's tokens on every device, at once
and for good: when the user is enabled again, every device logs in again.`,
		Example: "  fob user disable ann@example.com",
		Args:    oneArg("the user's name"),
		RunE: p.withUsers(func(ctx context.Context, s stores, args []string) error {
			return p.setUserDisabled(ctx, s, args[0], true)
		}),
	}, userView{})
}

func (p *program) userEnableCommand() *cobra.Command {
	return p.tells(&cobra.Command{
		Use:     "enable NAME",
		Short:   "Let a disabled user log in again",
		Long:    `Let a user log in again who was disabled.`,
		Example: "  fob user enable ann@example.com",
		Args:    oneArg("the user's name"),
		RunE: p.withUsers(func(ctx context.Context, s stores, args []string) error {
			return p.setUserDisabled(ctx, s, args[0], false)
		}),
	}, userView{})
}

// findUser returns the user of that name, and what tokens of the user speak for.
func findUser(ctx context.Context, s stores, name string) (oauth.User, oauth.Subject, error) {
	u, found, err := s.users.User(ctx, name)
	if err == nil && !found {
		err = noSuchUser(name)
	}
	return u, oauth.Subject{Kind: oauth.UserSubject, ID: u.ID}, err
}

func (p *program) setUserDisabled(ctx context.Context, s stores, name string, disabled bool) error {
	u, subject, err := findUser(ctx, s, name)
	if err != nil {
		return err
	}
	if err := s.subjects.Raise(ctx, subject, oauth.StateChange{Disabled: &disabled}); err != nil {
		return inDoubt(p.tables.tokens().explain(err), "it is not known whether that was done")
	}
	view := viewUser(u)
	view.Disabled = &disabled
	return p.confirm(view, func(w io.Writer) {
		if disabled {
			_, _ = fmt.Fprintf(w, "The user %s is disabled, and all of the user's tokens are ended.\n", shown(name))
			return
		}
		_, _ = fmt.Fprintf(w, "The user %s is enabled.\n", shown(name))
	})
}

const userRolesHelp = `Give a user other roles. They take the place of those that the user has; with --none
the user has no role.

Scopes that ask for a role are judged at login, so that all tokens from before are
ended, on every device.`

func (p *program) userRolesCommand() *cobra.Command {
	var roles []string
	var none bool
	cmd := &cobra.Command{
		Use:   "roles NAME",
		Short: "Give a user other roles and end all of the user's tokens",
		Long:  userRolesHelp,
		Example: `  fob user roles ann@example.com --role editor --role admin
  fob user roles ann@example.com --none`,
		Args: oneArg("the user's name"),
		PreRunE: func(*cobra.Command, []string) error {
			if none == (len(roles) > 0) {
				return fail(exitUsage, "give either --role, once for each, or --none")
			}
			return nil
		},
		RunE: p.withUsers(func(ctx context.Context, s stores, args []string) error {
			return p.setRoles(ctx, s, args[0], roles)
		}),
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringArrayVar(&roles, "role", nil, "`role` that the user has; repeat for more")
	cmd.Flags().BoolVar(&none, "none", false, "the user has no role")
	return p.tells(cmd, userView{})
}

// setRoles writes the roles first and raises the epoch second, as changePassword
// does, for the same reason.
func (p *program) setRoles(ctx context.Context, s stores, name string, roles []string) error {
	saved, err := p.editUser(ctx, s, name, "the roles are stored", func(u *oauth.User) error {
		u.Roles = roles
		if err := u.Validate(); err != nil {
			return invalid("the roles were not changed", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.confirm(viewUser(saved), func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "The user %s has the roles %s, and all tokens issued before are ended.\n", shown(name), list(saved.Roles))
	})
}

// editUser changes something of a user that logins are judged by: the user first
// and the epoch second, so that a login that read the user before is found out. If
// the second step fails both can be done again. stored says what the first step
// leaves.
func (p *program) editUser(ctx context.Context, s stores, name, stored string, edit func(*oauth.User) error) (oauth.User, error) {
	var saved oauth.User
	// A login may renew the hash of a password meanwhile.
	err := untilNoConflict(func() error {
		u, _, err := findUser(ctx, s, name)
		if err != nil {
			return err
		}
		if err := edit(&u); err != nil {
			return err
		}
		saved, err = s.users.SaveUser(ctx, u)
		return err
	})
	if err != nil {
		return oauth.User{}, inDoubt(p.tables.users().explain(err), "it is not known whether "+stored)
	}
	subject := oauth.Subject{Kind: oauth.UserSubject, ID: saved.ID}
	if err := s.subjects.Raise(ctx, subject, oauth.StateChange{UserVersion: saved.Version}); err != nil {
		return oauth.User{}, halfDone(p.tables.tokens().explain(err), stored+", but tokens issued before may still be active")
	}
	return saved, nil
}

func (p *program) userShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show a user",
		Long: `Show a user: the id that APIs know as sub, the roles, whether logins are refused, and
how many devices and scopes are signed in. fob device list tells which.
` + judgedHelp,
		Example: "  fob user show ann@example.com",
		Args:    oneArg("the user's name"),
	}
	p.ring.addCheckFlags(cmd.Flags(), p.getenv)
	cmd.RunE = p.withUsers(func(ctx context.Context, s stores, args []string) error {
		return p.showUser(ctx, s, args[0], cmd.Flags())
	})
	return p.tells(cmd, userView{})
}

func (p *program) showUser(ctx context.Context, s stores, name string, flags *pflag.FlagSet) error {
	u, subject, err := findUser(ctx, s, name)
	if err != nil {
		return err
	}
	state, err := s.subjects.State(ctx, subject)
	if err != nil {
		return p.tables.tokens().explain(err)
	}
	standing, err := p.judging(ctx, s, flags).List(ctx, subject, oauth.Filter{})
	if err != nil {
		return p.tables.tokens().explain(err)
	}
	view, signedIn := viewUser(u), len(standing)
	view.Disabled, view.SignedIn = &state.Disabled, &signedIn
	return p.print(view, func(w io.Writer) {
		columns(w,
			[]string{"username", view.Username},
			[]string{"user_id", view.UserID},
			[]string{"roles", list(view.Roles)},
			[]string{"disabled", strconv.FormatBool(state.Disabled)},
			[]string{"created", view.CreatedAt},
			[]string{"signed in", strconv.Itoa(signedIn)},
		)
	})
}
