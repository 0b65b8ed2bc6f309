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

	"github.com/fob-oauth/fob/internal/oauth"
)

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
