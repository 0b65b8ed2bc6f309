package main

import (
	"context"
	"fmt"
	"slices"
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

For somebody whom your own users proved (docs/own-users.md) that item stays, and keeps
them out. fob subject enable lets them in again.

Counters of wrong passwords hold no name, and go by themselves within a day.`

func userRemoveCommand(p *program) *cobra.Command {
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
		RunE: p.withStores(func(ctx context.Context, s stores, args []string) error {
			return removeUsers(ctx, p, s.userRegistrar(), args, wait)
		}),
	}
	cmd.Flags().Var(&wait, "wait", "how long to wait for logins that are under way")
	return printsJSON(cmd, []removedUser{})
}

func removeUsers(ctx context.Context, p *program, r *oauth.UserRegistrar, names []string, wait seconds) error {
	// All of them are looked up first: one misspelt name changes nothing.
	users := make([]oauth.User, len(names))
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return fail(exitUsage, "the user %q is named twice", name)
		}
		var err error
		if users[i], err = r.User(ctx, name); err != nil {
			return err
		}
	}
	for i, u := range users {
		if err := r.RemoveUser(ctx, u); err != nil {
			// Those before are gone, and what is left of them goes as well.
			gone, left := users[:i], i > 0 && forget(ctx, p, r, users[:i], wait) != nil
			return removalStopped(p, gone, left, names[i:], err)
		}
	}
	left := forget(ctx, p, r, users, wait)
	removed, lines := make([]removedUser, len(users)), make([]string, len(users))
	for i, u := range users {
		removed[i] = removedUser{u.Username, u.ID, true}
		lines[i] = "The user " + shown(u.Username) + " is removed."
	}
	err := p.confirm(removed, strings.Join(lines, "\n"))
	if err == nil && left != nil {
		// They are gone, and the exit code must not make a script do it again.
		p.say("the users are removed, but an item without their data stays for each: %s", oneLine(left.Error()))
	}
	return err
}

// removalStopped says what holds after a removal that failed at the first of the
// users who are left.
func removalStopped(p *program, gone []oauth.User, itemsStay bool, left []string, err error) error {
	cause := p.cause(err)
	half := oauth.IsChange(err, oauth.HalfDone)
	switch {
	case len(gone) == 0 && half:
		return halfDone(cause, fmt.Sprintf("the user %q is disabled and, as far as can be seen, not removed, so remove %s again", left[0], quoted(left)))
	case len(gone) == 0:
		return inDoubt(cause, fmt.Sprintf("it is not known whether the user %q is removed, so remove %s again", left[0], quoted(left)))
	}
	names := make([]string, len(gone))
	for i, u := range gone {
		names[i] = u.Username
	}
	removed := quoted(names) + " " + isAre(int64(len(gone)), "is", "are") + " removed"
	if itemsStay {
		removed += " but for an item without their data"
	}
	if half {
		return halfDone(cause, fmt.Sprintf("%s, and %q is disabled and, as far as can be seen, not removed, so remove %s as well", removed, left[0], quoted(left)))
	}
	return halfDone(cause, fmt.Sprintf("%s, and the others are not yet, so remove %s as well", removed, quoted(left)))
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

// forget waits until no login that read the users can be under way, and deletes what
// they left.
func forget(ctx context.Context, p *program, r *oauth.UserRegistrar, users []oauth.User, wait seconds) error {
	p.say("waiting %s until no login is under way", &wait)
	if p.sleep(ctx, time.Duration(wait)*time.Second) != nil {
		return errInterrupted
	}
	for _, u := range users {
		if err := r.ForgetUser(ctx, u); err != nil {
			return p.cause(err)
		}
	}
	return nil
}
