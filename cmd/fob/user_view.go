package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/oauth"
)

// userView is a user as --json shows it. Programs rely on the names.
type userView struct {
	Username  string   `json:"username"`
	UserID    string   `json:"user_id"`
	Roles     []string `json:"roles"`
	CreatedAt string   `json:"created_at" is:"time"`
	Origin    string   `json:"origin,omitempty" is:"asked or kept, of somebody whom your own users proved"`

	// From the table of tokens, for those that look there.
	Disabled *bool `json:"disabled,omitempty"`
	SignedIn *int  `json:"signed_in,omitempty"` // Authorizations with an active token
}

func viewUser(u oauth.User) userView {
	return userView{Username: u.Username, UserID: u.ID, Roles: orEmpty(u.Roles), CreatedAt: timestamp(u.Created), Origin: string(u.Origin)}
}

func listUsers(ctx context.Context, p *program, s stores) error {
	all, err := oauth.AllUsers(ctx, s.users)
	if err != nil {
		return err
	}
	return printTable(p, all, []string{"USER", "ID", "ROLES", "CREATED"}, func(u oauth.User) (userView, []string) {
		v := viewUser(u)
		return v, []string{v.Username, v.UserID, list(v.Roles), v.CreatedAt}
	})
}

func userShowCommand(p *program) *cobra.Command {
	var byID bool
	var r ring
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show a user",
		Long: `Show a user: the id that APIs know as sub, the roles, whether logins are refused, and
how many devices and scopes are signed in. fob device list shows them.
` + judgedHelp,
		Example: `  fob user show ann@example.com
  fob user show --id u_b4q2...`,
		Args: oneArg("the user's name"),
	}
	cmd.Flags().BoolVar(&byID, "id", false, "NAME is the user's id, which APIs and log lines have")
	r.addCheckFlags(p, cmd.Flags())
	cmd.RunE = p.withStores(func(ctx context.Context, s stores, args []string) error {
		find := s.userRegistrar().User
		if byID {
			find = s.userRegistrar().UserByID
		}
		u, err := find(ctx, args[0])
		if byID && oauth.IsChange(err, oauth.NoSuchEntry) {
			return fail(exitNotFound, "nobody has the id %q: fob user list has all", args[0])
		}
		if err != nil {
			return err
		}
		return showUser(ctx, p, s, u, &r)
	})
	return printsJSON(cmd, userView{})
}

func showUser(ctx context.Context, p *program, s stores, u oauth.User, r *ring) error {
	subject := oauth.SubjectOf(u.ID)
	state, err := s.subjects.State(ctx, subject)
	if err != nil {
		return err
	}
	d, err := judging(ctx, p, s, r)
	if err != nil {
		return err
	}
	active, err := d.List(ctx, subject, oauth.Filter{})
	if err != nil {
		return err
	}
	view, signedIn := viewUser(u), len(active)
	view.Disabled, view.SignedIn = new(u.Disabled || state.Disabled), &signedIn
	rows := [][]string{
		{"username", view.Username},
		{"user_id", view.UserID},
		{"roles", list(view.Roles)},
		{"disabled", strconv.FormatBool(*view.Disabled)},
		{"created", view.CreatedAt},
		{"signed in", strconv.Itoa(signedIn)},
	}
	if view.Origin != "" {
		rows = append(rows, []string{"origin", view.Origin})
	}
	return p.print(view, columns(rows...))
}
