package races

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/anishathalye/porcupine"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/secret"
)

// What back ends do to the user ann, while she logs in. In the history each is its two writes.
const (
	doSetPassword action = "set password"
	doDisableUser action = "disable user"
	doEnableUser  action = "enable user"
	doRemove      action = "remove"
)

// passwords that a user may have; number 0 is the first.
const passwords = 3

func passwordOf(user string, number int) string {
	if number == 0 {
		return oauthtest.Password(user)
	}
	return fmt.Sprintf("%s, number %d", oauthtest.Password(user), number)
}

// changeUser does what /users does with the Registrar.
func (i *instance) changeUser(ctx context.Context, r Request) error {
	u, err := i.registrar.UserByID(ctx, r.Subject.ID)
	if err != nil {
		return err
	}
	c := oauth.UserChange{}
	switch r.Verb {
	case doRemove:
		return i.registrar.RemoveUser(ctx, u)
	case doSetPassword:
		c.Password = new(secret.New(passwordOf(u.Username, r.Password)))
	default:
		c.Disabled = new(r.Verb == doDisableUser)
	}
	_, err = i.registrar.ChangeUser(ctx, u, c)
	return err
}

// chooseChange picks what a back end does. At the end of a history it may be a removal.
func chooseChange(roll int, atEnd bool) action {
	switch {
	case roll == 0 && atEnd:
		return doRemove
	case roll < 5:
		return doSetPassword
	case roll == 5:
		return doDisableUser
	case roll < 9: // nobody can log in meanwhile
		return doEnableUser
	}
	return doEndDevice
}

// apart keeps changes that enable the user and a removal from being under way at once, until
// over is called. A login next to both may outlive them
// (docs/decisions/0058-enabled-while-removed.md), and no order of the model explains it.
func (h *recording) apart(verb action) (over func()) {
	switch verb {
	case doEnableUser:
		h.removal.RLock()
		return h.removal.RUnlock
	case doRemove:
		h.removal.Lock()
		return h.removal.Unlock
	}
	return func() {}
}

// choosePassword picks which one a login shows: mostly the one that was set last.
func (h *recording) choosePassword() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if rand.IntN(4) == 0 {
		return rand.IntN(passwords)
	}
	return h.password
}

// changesOf is what a change of a user adds to its history: each write once, and once more at
// any time if a reply was lost.
func changesOf(op porcupine.Operation, answer Answer, number int) []porcupine.Operation {
	in, out := op.Input.(input), op.Output.(output)
	verbs := []action{doSave, doRaise}
	switch in.Verb {
	case doRemove:
		verbs = []action{doDisable, doGone}
	case doDisableUser, doEnableUser:
		in.SetsDisabled, in.Disables = true, in.Verb == doDisableUser
	case doSetPassword:
		in.SetsPassword = true
	}
	if in.Change = number; out.Refused {
		verbs = []action{doSave} // which says that nobody was there
	}
	var ops []porcupine.Operation
	for _, in.Verb = range verbs {
		if op.Input = in; out.Unknown {
			op.Return = forever
		}
		ops = append(ops, op)
		if answer.LostWrites > 0 && !out.Refused {
			again := op
			again.Output, again.Return = output{Unknown: true}, forever
			ops = append(ops, again)
		}
	}
	return ops
}
