package oauth

import (
	"errors"
	"fmt"
)

// Code is an error code of RFC 6749 §5.2, or of the RFC that its comment names.
type Code string

const (
	InvalidRequest       Code = "invalid_request"
	InvalidClient        Code = "invalid_client"
	InvalidGrant         Code = "invalid_grant"
	UnauthorizedClient   Code = "unauthorized_client"
	UnsupportedGrantType Code = "unsupported_grant_type"
	InvalidScope         Code = "invalid_scope"
	InvalidTarget        Code = "invalid_target" // RFC 8707 §2

	// InvalidToken and InsufficientScope are what a resource answers (RFC 6750 §3.1).
	InvalidToken      Code = "invalid_token"
	InsufficientScope Code = "insufficient_scope"

	// UnsupportedTokenType (RFC 7009 §2.2.1): this kind of token does not end what the
	// request asks to end.
	UnsupportedTokenType Code = "unsupported_token_type"

	// InsufficientAuthentication (RFC 9470 §3): the sign-in of the token is too long ago.
	InsufficientAuthentication Code = "insufficient_user_authentication"

	// A part of a security event is refused (RFC 8935 §2.4); for the whole there is
	// invalid_request.
	InvalidIssuer   Code = "invalid_issuer"
	InvalidAudience Code = "invalid_audience"
	InvalidKey      Code = "invalid_key"

	// NotFound, AlreadyExists and PreconditionFailed are fob's own, for what back ends ask
	// of users (decision 65).
	NotFound           Code = "not_found"
	AlreadyExists      Code = "already_exists"
	PreconditionFailed Code = "precondition_failed"

	// TemporarilyUnavailable (RFC 6749 §4.1.2.1): fob could not find out.
	TemporarilyUnavailable Code = "temporarily_unavailable"
	// ServerError (RFC 6749 §4.1.2.1): a fault of fob.
	ServerError Code = "server_error"
)

// Error is a refusal that the client may see. Description is text within the
// characters of RFC 6749 §5.2 and never repeats input.
type Error struct {
	Code        Code
	Description string
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Description }

func refuse(code Code, description string) error { return &Error{code, description} }

// ErrUnavailable is matched by every error that means "I could not find out":
// a store or a key source that is down, throttled or too slow. Nothing may turn
// it into an answer about a token.
var ErrUnavailable = errors.New("temporarily unavailable")

// Unavailable wraps err so that it matches ErrUnavailable. Stores wrap every
// failure to reach what they keep.
func Unavailable(doing string, err error) error {
	return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, err)
}

// ErrConflict is returned by the registries' Save methods when the entry was
// changed, made or removed since it was read. The caller reads again.
var ErrConflict = errors.New("changed by somebody else meanwhile")
