package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/oauth"
)

func userCommand(p *program) *cobra.Command {
	var roles []string
	var policy oauth.PasswordPolicy
	add := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user",
		Long: `Add a user who logs in with a password. It is asked for at a terminal, and else
read from standard input, one line.`,
		Example: "  fob user add ann@example.com --role editor < password.txt",
		Args:    oneArg("the user's name"),
		RunE: p.changing(func(ctx context.Context, s stores, args []string) (any, string, error) {
			r := s.userRegistrar()
			r.Policy = policy
			u, err := addUser(ctx, p, r, args[0], roles)
			return viewUser(u), fmt.Sprintf("The user %s is added, with the id %s.", shown(args[0]), u.ID), err
		}),
	}
	printsJSON(add, userView{})
	add.Flags().StringArrayVar(&roles, "role", nil, "`role` that the user has; repeat for more")
	passwd := userPasswdCommand(p, &policy)
	for _, cmd := range []*cobra.Command{add, passwd} {
		cmd.Flags().IntVar(&policy.MinLength, "min-length", oauth.DefaultMinPassword, "how many `characters` the password must have at least")
		cmd.Flags().BoolVar(&policy.AllowCommon, "allow-common", false, "take one of the thousand commonest passwords, or the username, as well")
	}
	return group("user", "Add users, change and remove them", "Users log in with a name and a password.",
		add,
		passwd,
		userRolesCommand(p),
		userDisableCommand(p),
		userEnableCommand(p),
		userShowCommand(p),
		userRemoveCommand(p),
		printsJSON(&cobra.Command{
			Use:     "list",
			Short:   "List the users",
			Long:    `List all users, by their names. It reads the whole table.`,
			Example: "  fob user list",
			Args:    noArgs,
			RunE:    p.withStores(func(ctx context.Context, s stores, _ []string) error { return listUsers(ctx, p, s) }),
		}, []userView{}),
		userImportCommand(p),
	)
}

func userPasswdCommand(p *program, policy *oauth.PasswordPolicy) *cobra.Command {
	var takeOver bool
	cmd := printsJSON(&cobra.Command{
		Use:   "passwd NAME",
		Short: "Change a user's password and end all of the user's tokens",
		Long: `Change a user's password. It is asked for at a terminal, and else read from
standard input, one line. All of the user's tokens end with it, on every device.

The command refuses somebody whose password your own users keep. When OwnUsers is empty,
--take-over gives that person a password at fob; the id stays. While OwnUsersMode is ask,
no password that fob has logs in.`,
		Example: "  fob user passwd ann@example.com < password.txt",
		Args:    oneArg("the user's name"),
		RunE: p.changing(func(ctx context.Context, s stores, args []string) (any, string, error) {
			r := s.userRegistrar()
			r.Policy = *policy
			if takeOver {
				r.OwnUsersMode = oauth.NeverAsked
			}
			u, err := changePassword(ctx, p, r, args[0])
			return viewUser(u), fmt.Sprintf("The password of %s is changed, and all tokens issued before are ended.", shown(args[0])),
				p.explain(err, "the new password is stored, but tokens issued before may still be active")
		}),
	}, userView{})
	cmd.Flags().BoolVar(&takeOver, "take-over", false, "also for somebody whose password your own users kept, who are asked no more")
	return cmd
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

func addUser(ctx context.Context, p *program, r *oauth.UserRegistrar, name string, roles []string) (oauth.User, error) {
	u, err := r.User(ctx, name)
	if err == nil { // known before the password is asked for
		return u, &oauth.ChangeError{Kind: oauth.EntryExists, Entry: oauth.UserEntry, Name: name}
	}
	if !oauth.IsChange(err, oauth.NoSuchEntry) {
		return u, err
	}
	text, err := p.readNewSecret(ctx, "password")
	if err != nil {
		return u, err
	}
	return r.AddUser(ctx, oauth.NewUser{Username: name, Roles: roles, Password: text})
}

func changePassword(ctx context.Context, p *program, r *oauth.UserRegistrar, name string) (oauth.User, error) {
	u, err := r.User(ctx, name)
	if err != nil {
		return u, err
	}
	text, err := p.readNewSecret(ctx, "password")
	if err != nil {
		return u, err
	}
	return r.SetPassword(ctx, u, text)
}
