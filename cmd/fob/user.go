package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/password"
	"github.com/fob-oauth/fob/internal/secret"
)

func (p *program) userCommand() *cobra.Command {
	var roles []string
	add := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user",
		Long: `Add a user who logs in with a password. It is asked for at a terminal, and else
read from standard input, one line.`,
		Example: "  fob user add ann@example.com --role editor < password.txt",
		Args:    oneArg("the user's name"),
		RunE: p.withUsers(func(ctx context.Context, s stores, args []string) error {
			return p.addUser(ctx, s, args[0], roles)
		}),
	}
	p.tells(add, userView{})
	add.Flags().StringArrayVar(&roles, "role", nil, "`role` that the user has; repeat for more")
	return group("user", "Add users, change and remove them", "Users log in with a name and a password.",
		add,
		p.tells(&cobra.Command{
			Use:   "passwd NAME",
			Short: "Change a user's password and end all of the user's tokens",
			Long: `Change a user's password. It is asked for at a terminal, and else read from
standard input, one line. All of the user's tokens end with it, on every device.`,
			Example: "  fob user passwd ann@example.com < password.txt",
			Args:    oneArg("the user's name"),
			RunE:    p.withUsers(p.changePassword),
		}, userView{}),
		p.userRolesCommand(),
		p.userDisableCommand(),
		p.userEnableCommand(),
		p.userShowCommand(),
		p.userRemoveCommand(),
		p.tells(&cobra.Command{
			Use:     "list",
			Short:   "List the users",
			Long:    `List all users, by their names. It reads the whole table.`,
			Example: "  fob user list",
			Args:    noArgs,
			RunE:    p.withUsers(p.listUsers),
		}, []userView{}),
		p.userImportCommand(),
	)
}

// withUsers runs a command on the tables of users and tokens.
func (p *program) withUsers(run func(ctx context.Context, s stores, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		s, err := p.open(cmd.Context())
		if err != nil {
			return err
		}
		return p.tables.users().explain(run(cmd.Context(), s, args))
	}
}

// userView is a user as --json shows it. Programs rely on the names.
type userView struct {
	Username  string   `json:"username"`
	UserID    string   `json:"user_id"`
	Roles     []string `json:"roles"`
	CreatedAt string   `json:"created_at" is:"time"`

	// Those that look at the tokens table tell these, too.
	Disabled *bool `json:"disabled,omitempty"`
	SignedIn *int  `json:"signed_in,omitempty"` // Authorizations with an active token
}

func viewUser(u oauth.User) userView {
	return userView{Username: u.Username, UserID: u.ID, Roles: orEmpty(u.Roles), CreatedAt: timestamp(u.Created)}
}

func (p *program) addUser(ctx context.Context, s stores, name string, roles []string) error {
	u := oauth.User{Username: name, ID: oauth.NewUserID(), Roles: roles, Created: time.Now().Unix()}
	if _, taken, err := s.users.User(ctx, name); err != nil {
		return err
	} else if taken {
		return userExists(name)
	}
	hash, err := p.readPassword(ctx)
	if _, ok := errors.AsType[*failure](err); ok {
		return err
	}
	u.PasswordHash = hash
	if err != nil {
		u.PasswordHash = secret.New("none") // its fault is told already
	}
	if faults := errors.Join(u.Validate(), err); faults != nil {
		return invalid("the user was not added", faults)
	}
	u, err = s.users.SaveUser(ctx, u)
	if errors.Is(err, oauth.ErrConflict) {
		return userExists(name)
	}
	if err != nil {
		return err
	}
	return p.confirm(viewUser(u), func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "The user %s is added, with the id %s.\n", shown(u.Username), u.ID)
	})
}

func userExists(name string) error {
	return fail(exitConflict, "there is a user %q already: fob user passwd changes the password", name)
}

// readPassword reads a new password and returns its hash.
func (p *program) readPassword(ctx context.Context) (secret.Text, error) {
	text, err := p.readSecret(ctx, "password")
	if err != nil {
		return secret.Text{}, err
	}
	if err := oauth.ValidatePassword(text); err != nil {
		return secret.Text{}, err
	}
	return password.Hasher{}.Hash(text)
}

// changePassword asks for the password before it changes anything.
func (p *program) changePassword(ctx context.Context, s stores, args []string) error {
	name := args[0]
	if _, _, err := findUser(ctx, s, name); err != nil {
		return err
	}
	hash, err := p.readPassword(ctx)
	if _, ok := errors.AsType[*failure](err); ok {
		return err
	}
	if err != nil {
		return invalid("the password was not changed", err)
	}

	saved, err := p.editUser(ctx, s, name, "the new password is stored", func(u *oauth.User) error {
		u.PasswordHash = hash
		return nil
	})
	if err != nil {
		return err
	}
	return p.confirm(viewUser(saved), func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "The password of %s is changed, and all tokens issued before are ended.\n", shown(name))
	})
}

func noSuchUser(name string) error {
	return fail(exitNotFound, "there is no user %q: see fob user list", name)
}

func (p *program) listUsers(ctx context.Context, s stores, _ []string) error {
	all, err := s.users.ListUsers(ctx)
	if err != nil {
		return err
	}
	views := make([]userView, len(all))
	rows := [][]string{{"USER", "ID", "ROLES", "CREATED"}}
	for i, u := range all {
		v := viewUser(u)
		views[i] = v
		rows = append(rows, []string{v.Username, v.UserID, list(v.Roles), v.CreatedAt})
	}
	return p.print(views, func(w io.Writer) { columns(w, rows...) })
}
