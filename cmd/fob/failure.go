package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/fob-oauth/fob/internal/oauth"
)

// The exit codes. They are told in rootHelp, and scripts rely on them.
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

// inDoubt adds what is not known to an outage or an interruption. What was refused
// did not happen.
func inDoubt(err error, state string) error {
	if err == nil {
		return nil
	}
	if code := exitCode(err); code == exitUnavailable || isInterrupted(err) {
		return fail(code, "%s: run the same command again. %v", state, err)
	}
	return err
}

// halfDone adds what was done before an error, whatever that was.
func halfDone(err error, state string) error {
	code := exitCode(err)
	if code == exitUsage {
		code = exitFailure // which does not say that nothing was changed
	}
	return fail(code, "%s: run the same command again. %v", state, err)
}

func isInterrupted(err error) bool { return errors.Is(err, errInterrupted) }

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
func invalid(what string, faults error) error {
	return fail(exitUsage, "%s: %s", what, oneLine(faults.Error()))
}

// explain turns an error of the store into what to do about it. t is the table
// that was asked.
func (t table) explain(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*failure](err); ok {
		return err
	}
	_, missing := errors.AsType[*types.ResourceNotFoundException](err)
	_, noHost := errors.AsType[*net.DNSError](err)
	api, _ := errors.AsType[smithy.APIError](err)
	code := ""
	if api != nil {
		code = api.ErrorCode()
	}
	switch {
	case errors.Is(err, oauth.ErrConflict):
		return fail(exitConflict, "somebody else changed it meanwhile: look at it, and run the command again")
	case errors.Is(err, context.Canceled):
		return errInterrupted
	case missing:
		return fail(exitFailure, "there is no table %q %s: name it with --%s or %s (fob serve --dynamodb makes missing tables)",
			t.name, t.where, t.flag, t.env)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fail(exitUnavailable, "nothing answers %s: start it, or give another --dynamodb", t.where)
	case noHost:
		return fail(exitUnavailable, "the host of DynamoDB %s is not known here: check --dynamodb, or the AWS region", t.where)
	case code == "ValidationException":
		return fail(exitUsage, "%q %s is no table of fob's, or no table name at all: name it with --%s or %s (%s)",
			t.name, t.where, t.flag, t.env, oneLine(api.ErrorMessage()))
	case code == "AccessDeniedException":
		return fail(exitFailure, "AWS forbids it: %s", api.ErrorMessage())
	case isCredentialFault(code):
		return fail(exitFailure, "DynamoDB %s refuses the credentials: %s", t.where, api.ErrorMessage())
	case errors.Is(err, oauth.ErrUnavailable):
		return fail(exitUnavailable, "the table %q %s gives no answer, try again: %v", t.name, t.where, err)
	}
	return err
}
