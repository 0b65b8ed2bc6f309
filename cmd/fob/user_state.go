package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/oauth"
)

func userDisableCommand(p *program) *cobra.Command {
	return printsJSON(&cobra.Command{
		Use:   "disable NAME",
		Short: "Refuse a user's logins and end all of the user's tokens",
		Long: `Refuse a user's logins, and end all of the user's tokens on every device, at once
and for good: when the user is enabled again, every device logs in again.`,
		Example: "  fob user disable ann@example.com",
		Args:    oneArg("the user's name"),
		RunE: p.changing(func(ctx context.Context, s stores, args []string) (any, string, error) {
			view, err := setUserDisabled(ctx, p, s.userRegistrar(), args[0], true)
			return view, fmt.Sprintf("The user %s is disabled, and all of the user's tokens are ended.", shown(args[0])), err
		}),
	}, userView{})
}

func userEnableCommand(p *program) *cobra.Command {
	return printsJSON(&cobra.Command{
		Use:     "enable NAME",
		Short:   "Let a disabled user log in again",
		Long:    `Let a user log in again who was disabled.`,
		Example: "  fob user enable ann@example.com",
		Args:    oneArg("the user's name"),
		RunE: p.changing(func(ctx context.Context, s stores, args []string) (any, string, error) {
			view, err := setUserDisabled(ctx, p, s.userRegistrar(), args[0], false)
			return view, fmt.Sprintf("The user %s is enabled.", shown(args[0])), err
		}),
	}, userView{})
}

func setUserDisabled(ctx context.Context, p *program, r *oauth.UserRegistrar, name string, disabled bool) (userView, error) {
	u, err := r.User(ctx, name)
	if err == nil {
		err = p.explain(r.SetUserDisabled(ctx, u, disabled), "the change is stored, but tokens issued before may still be active and logins refused")
	}
	view := viewUser(u)
	view.Disabled = &disabled
	return view, err
}

const userRolesHelp = `Give a user other roles. They take the place of those that the user has; with --none
the user has no role.

Scopes that ask for a role are judged at login, so that all tokens from before are
ended, on every device.`

func userRolesCommand(p *program) *cobra.Command {
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
		RunE: p.changing(func(ctx context.Context, s stores, args []string) (any, string, error) {
			r := s.userRegistrar()
			u, err := r.User(ctx, args[0])
			if err == nil {
				u, err = r.ChangeUser(ctx, u, oauth.UserChange{Roles: &roles})
			}
			return viewUser(u), fmt.Sprintf("The user %s has the roles %s, and all tokens issued before are ended.", shown(args[0]), list(u.Roles)),
				p.explain(err, "the roles are stored, but tokens issued before may still be active")
		}),
	}
	cmd.Flags().StringArrayVar(&roles, "role", nil, "`role` that the user has; repeat for more")
	cmd.Flags().BoolVar(&none, "none", false, "the user has no role")
	return printsJSON(cmd, userView{})
}
