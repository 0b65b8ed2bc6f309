package main

// This file says what to do about an answer of the endpoints that is an error.

import (
	"context"
	"errors"

	"github.com/fob-oauth/fob/internal/endpoint"
	"github.com/fob-oauth/fob/internal/oauth"
)

// advice says what to do about an error of the client, by its code.
var advice = map[oauth.Code]string{
	oauth.InvalidClient:        "check --client and --secret-file",
	oauth.UnauthorizedClient:   "fob client show says what the client may do",
	oauth.UnsupportedGrantType: "fob client show says what the client may do",
	oauth.InvalidScope:         "fob client show says which scopes the client may ask for",
	oauth.InvalidTarget:        "fob client show says which audiences the client has",
}

// explainAnswer turns an answer of the endpoints, or none, into what to do about it. All
// these requests may be sent again after an outage, whatever became of the first.
func explainAnswer(err error, base string) error {
	if _, ok := errors.AsType[*failure](err); ok || err == nil {
		return err
	}
	if errors.Is(err, context.Canceled) {
		return errInterrupted
	}
	if _, ok := errors.AsType[*endpoint.NoAnswerError](err); ok {
		return fail(exitUnavailable, "%v: check the address, and run the same command again", err)
	}
	refused, ok := errors.AsType[*endpoint.RefusedError](err)
	switch {
	case !ok:
		return fail(exitFailure, "%s does not answer as fob does: %v", base, err)
	case refused.Unavailable() && refused.RetryAfter > 0:
		return fail(exitUnavailable, "%s cannot answer now, run the same command again after %d s: %v", base, refused.RetryAfter, err)
	case refused.Unavailable():
		return fail(exitUnavailable, "%s cannot answer now, run the same command again: %v", base, err)
	case refused.Status >= 300 && refused.Status < 400:
		return fail(exitFailure, "%s redirects to another address, give that with --url: %v", base, err)
	}
	if next := advice[oauth.Code(refused.Code)]; next != "" {
		return fail(exitFailure, "%s refuses that: %v (%s)", base, err, next)
	}
	return fail(exitFailure, "%s refuses that: %v", base, err)
}
