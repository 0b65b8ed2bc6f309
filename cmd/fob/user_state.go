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
