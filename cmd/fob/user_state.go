package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

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

// underWay is how long a request that read a user may still be served: functions
// end after 10 seconds, fob serve's answers too.
const underWay seconds = 15

const userRemoveHelp = `Remove users, with everything that is kept of them: their tokens end at once, they
can log in no more, and their items are deleted from all tables. The id of a user is
never given again.

A login that is under way while its user is removed must not bring a token to life.
So the last item of a user, which holds the switch that ended the tokens, goes only
when no such login can be left: the command waits for that, once for all names. If it
is interrupted while it waits, that one small item stays, and does no harm.

Counters of wrong passwords hold no name, and go by themselves within a day.`

func (p *program) userRemoveCommand() *cobra.Command {
	wait := underWay
	cmd := &cobra.Command{
		Use:     "remove NAME...",
		Short:   "Remove users and everything that is kept of them",
		Long:    userRemoveHelp,
		Example: "  fob user remove ann@example.com\n  fob user remove ann@example.com bob@example.com",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("%s takes the names of the users", cmd.CommandPath())
			}
			return nil
		},
		RunE: p.withUsers(func(ctx context.Context, s stores, args []string) error {
			return p.removeUsers(ctx, s, args, time.Duration(wait)*time.Second)
		}),
	}
	cmd.Flags().Var(&wait, "wait", "how long to wait for logins that are under way")
	return p.tells(cmd, []removedUser{})
}

func (p *program) removeUsers(ctx context.Context, s stores, names []string, wait time.Duration) error {
	// All of them are looked up first: a slip of the pen changes nothing.
	subjects := make([]oauth.Subject, len(names))
	users := make([]oauth.User, len(names))
	seen := map[string]bool{}
	for i, name := range names {
		if seen[name] {
			return fail(exitUsage, "the user %q is named twice", name)
		}
		seen[name] = true
		var err error
		if users[i], subjects[i], err = findUser(ctx, s, name); err != nil {
			return err
		}
	}
	d := p.directory(s)
	for i, u := range users {
		state, err := p.removeUser(ctx, s, d, u, subjects[i])
		if err == nil {
			continue
		}
		if i == 0 && (exitCode(err) == exitUnavailable || isInterrupted(err)) || i == 0 && state != "" {
			return fail(exitCode(err), "%s: run it again for %s. %v", orElse(state, "it is not known whether anything was done"), quoted(names), err)
		}
		if i == 0 {
			return err
		}
		// Those before are gone, and what is left of them goes as well.
		gone := "removed: " + quoted(names[:i])
		if p.forget(ctx, s, subjects[:i], wait) != nil {
			gone += ", of whom an item without their data stays"
		}
		code := exitCode(err)
		if code != exitUnavailable {
			code = exitFailure // whatever it was, something was done
		}
		return fail(code, "%s; %s: run it again for %s. %v", gone, orElse(state, "not yet the others"), quoted(names[i:]), err)
	}
	left := p.forget(ctx, s, subjects, wait)
	removed := make([]removedUser, len(users))
	for i, u := range users {
		removed[i] = removedUser{u.Username, u.ID, true}
	}
	err := p.confirm(removed, func(w io.Writer) {
		for _, u := range removed {
			_, _ = fmt.Fprintf(w, "The user %s is removed.\n", shown(u.Username))
		}
	})
	if err == nil && left != nil {
		// They are gone, and the exit code must not make a script do it again.
		_, _ = fmt.Fprintf(p.stderr, "fob: the users are removed, but an item without their data stays for each: %s\n", oneLine(left.Error()))
	}
	return err
}

type removedUser struct {
	Username string `json:"username"`
	UserID   string `json:"user_id"`
	Removed  bool   `json:"removed"`
}

func quoted(names []string) string {
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = strconv.Quote(name)
	}
	return strings.Join(words, ", ")
}

// removeUser leaves the subject's state, which refuses logins that are under way.
// With an error it says what was done before it, if anything was.
func (p *program) removeUser(ctx context.Context, s stores, d *oauth.Directory, u oauth.User, subject oauth.Subject) (state string, err error) {
	// Disabled before gone: a login that read the user is refused by the state.
	if err := s.subjects.Raise(ctx, subject, oauth.StateChange{Disabled: new(true)}); err != nil {
		return "", p.tables.tokens().explain(err)
	}
	if _, err := d.End(ctx, subject, oauth.Filter{}); err != nil {
		return fmt.Sprintf("%q is disabled and not removed", u.Username), p.tables.tokens().explain(err)
	}
	if _, err := s.users.RemoveUser(ctx, u); err != nil {
		// The reply may be all that was lost.
		if _, found, look := s.users.User(ctx, u.Username); look == nil && !found {
			return "", nil
		}
		return fmt.Sprintf("%q is disabled and not removed, as far as can be seen", u.Username), p.tables.users().explain(err)
	}
	return "", nil
}

// forget deletes the states of subjects that are gone, and the records that
// logins under way may have made, dead as they are.
func (p *program) forget(ctx context.Context, s stores, subjects []oauth.Subject, wait time.Duration) error {
	_, _ = fmt.Fprintf(p.stderr, "fob: waiting %s until no login is under way\n", wait)
	if p.clock.sleep(ctx, wait) != nil {
		return errors.New("interrupted")
	}
	d := p.directory(s)
	for _, subject := range subjects {
		if _, err := d.End(ctx, subject, oauth.Filter{}); err != nil {
			return p.tables.tokens().explain(err)
		}
		if err := s.registry.Forget(ctx, subject); err != nil {
			return p.tables.tokens().explain(err)
		}
	}
	return nil
}
