package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fob-oauth/fob/internal/oauth"
)

// The exit codes. The help lists them (exitStatus), and scripts rely on them.
const (
	exitFailure     = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitConflict    = 4
	exitUnavailable = 5
	exitPartly      = 6
)

// failure is an error that already says what to do next.
type failure struct {
	code int
	text string
}

func (f *failure) Error() string { return f.text }

// errInterrupted: the command was stopped, and may not know what it did.
var errInterrupted error = &failure{exitFailure, "interrupted"}

// interrupted reports whether a command was stopped, before or after an error was
// explained.
func interrupted(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, errInterrupted)
}

func fail(code int, format string, args ...any) error {
	return &failure{code, fmt.Sprintf(format, args...)}
}

func exitCode(err error) int {
	f, ok := errors.AsType[*failure](err)
	switch {
	case ok:
		return f.code
	case errors.Is(err, oauth.ErrConflict):
		return exitConflict
	case errors.Is(err, oauth.ErrUnavailable):
		return exitUnavailable
	}
	return exitFailure
}

// inDoubt adds to an outage or an interruption what may or may not have happened. A
// refusal is returned as it is: nothing happened.
func inDoubt(err error, sentence string) error {
	if err == nil || !unanswered(err) {
		return err
	}
	return fail(exitCode(err), "%s (%v)", sentence, err)
}

// halfDone adds to any error what was already done.
func halfDone(err error, sentence string) error {
	code := exitCode(err)
	if code == exitUsage {
		code = exitFailure // which does not say that nothing was changed
	}
	return fail(code, "%s (%v)", sentence, err)
}

// unanswered reports whether a change may have been made although no answer came.
func unanswered(err error) bool {
	return exitCode(err) == exitUnavailable || errors.Is(err, errInterrupted)
}

// oneLine joins the lines of an error: scripts and logs take errors by the line.
func oneLine(s string) string {
	var lines []string
	for line := range strings.SplitSeq(s, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// invalid reports every fault of an entry that was refused.
func invalid(entry oauth.EntryKind, faults error) error {
	return fail(exitUsage, "the %s was not saved: %s", entry, oneLine(faults.Error()))
}

const doubtfulChange = "it is not known whether that was done, so run the same command again"

// explain turns an error of a change, or of the stores, into what to do about it. half
// says what holds after the first of two writes.
func (p *program) explain(err error, half string) error {
	e, ok := errors.AsType[*oauth.ChangeError](err)
	if !ok {
		return p.tables.explain(err)
	}
	switch e.Kind {
	case oauth.InvalidEntry:
		return invalid(e.Entry, faultInWords(e.Err))
	case oauth.HalfDone:
		return halfDone(p.cause(err), half+", so run the same command again")
	case oauth.InDoubt:
		return inDoubt(p.cause(err), doubtfulChange)
	case oauth.ScopeInUse:
		return fail(exitConflict, "the scope %q is in use by %s: remove them first, or give --force", e.Name, strings.Join(e.UsedBy, ", "))
	case oauth.EntryExists:
		instead := map[oauth.EntryKind]string{
			oauth.ClientEntry: "see fob client show " + e.Name,
			oauth.UserEntry:   "fob user passwd changes the password",
			oauth.ScopeEntry:  "--replace gives it these roles",
			oauth.IssuerEntry: "see fob issuer show " + e.Name,
		}
		return fail(exitConflict, "there is %s %q already: %s", articled(e.Entry), e.Name, instead[e.Entry])
	case oauth.NoSuchEntry:
		if e.Entry == oauth.UserEntry && isUserID(e.Name) {
			return fail(exitNotFound, "there is no user with the name %q, which looks like an id: fob user show --id finds the user", e.Name)
		}
		return fail(exitNotFound, "there is no %s %q: see fob %s list", e.Entry, e.Name, e.Entry)
	case oauth.SecretOfPublic:
		return fail(exitUsage, "the client %q is public and has no secret", e.Name)
	case oauth.SecretKnown:
		return fail(exitConflict, "the client %q has that secret already", e.Name)
	case oauth.TwoSecrets:
		return fail(exitConflict, "the client %q has two secrets already: drop the older one with --finish, or both with --now", e.Name)
	case oauth.OneSecret:
		return fail(exitConflict, "the client %q has no secret that it can do without: fob client rotate-secret %s gives it the next", e.Name, e.Name)
	}
	return err
}

// articled is the kind of an entry with its article.
func articled(kind oauth.EntryKind) string {
	if kind == oauth.IssuerEntry {
		return "an " + string(kind)
	}
	return "a " + string(kind)
}

// cause explains what the stores said, without the change that it was about.
func (p *program) cause(err error) error {
	if e, ok := errors.AsType[*oauth.ChangeError](err); ok && e.Err != nil {
		err = e.Err
	}
	return p.tables.explain(err)
}

// faultInWords names the flags where the domain does not know them.
func faultInWords(fault error) error {
	if several, ok := fault.(interface{ Unwrap() []error }); ok {
		var words []error
		for _, one := range several.Unwrap() {
			words = append(words, faultInWords(one))
		}
		return errors.Join(words...)
	}
	if missing, ok := fault.(*oauth.MissingScopeError); ok { //nolint:errorlint // nothing is wrapped here
		return fmt.Errorf("%w, add it first: fob scope add %s", fault, missing.Scope)
	}
	if missing, ok := fault.(*oauth.MissingIssuerError); ok { //nolint:errorlint // as above
		return fmt.Errorf("%w, add it first: fob issuer add --subject client %s", fault, shown(missing.Issuer))
	}
	if errors.Is(fault, oauth.ErrNoUse) {
		return errors.New("without --grant or --introspects it could do nothing")
	}
	return fault
}
