package wire

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/fob-oauth/fob/internal/oauth"
)

// refusal is an error as the client sees it (RFC 6749 §5.2).
type refusal struct {
	status      int
	code        oauth.Code
	description string
	// A header that belongs to the status.
	header, value string
	id            string // of the user who exists
}

// refusalOf is the one table from error to answer. An error that it does not know
// is a defect of the service and reads alike for everybody: its text is for the log.
func refusalOf(err error) refusal {
	method, isMethod := errors.AsType[*methodError](err)
	exists, isExisting := errors.AsType[*existsError](err)
	resource, isResource := errors.AsType[*resourceError](err)
	refused, isRefused := errors.AsType[*oauth.Error](err)
	switch {
	// Doubt comes first, also where it is wrapped in a refusal or joined with one.
	case isDoubt(err):
		return refusal{http.StatusServiceUnavailable, oauth.TemporarilyUnavailable,
			"temporarily unavailable, try again", "Retry-After", "2", ""} // RFC 7009 §2.2.1
	case isMethod:
		return refusal{http.StatusMethodNotAllowed, oauth.InvalidRequest, method.description, "Allow", method.allow, ""}
	case isExisting:
		return refusal{status: http.StatusConflict, code: oauth.AlreadyExists, description: exists.Error(), id: exists.id}
	case isResource:
		return refusal{statusOf[refused.Code], refused.Code, refused.Description, "WWW-Authenticate", resource.challenge(), ""}
	case !isRefused:
	case error(refused) == errTooLarge:
		return refusal{status: http.StatusRequestEntityTooLarge, code: refused.Code, description: refused.Description}
	case error(refused) == errCoding:
		// RFC 9110 §15.5.16, and §12.5.3 for the header.
		return refusal{http.StatusUnsupportedMediaType, refused.Code, refused.Description, "Accept-Encoding", "identity", ""}
	case refused.Code == oauth.InvalidClient:
		// RFC 9110 §15.5.2 wants a challenge with each 401, and RFC 6749 §5.2 this one,
		// however the credentials came. The text is fixed: all causes must read alike.
		return refusal{http.StatusUnauthorized, refused.Code, oauth.ErrInvalidClient.Description, "WWW-Authenticate", `Basic realm="fob"`, ""}
	case slices.Contains(unchallenged, statusOf[refused.Code]):
		return refusal{status: statusOf[refused.Code], code: refused.Code, description: refused.Description}
	}
	return refusal{status: http.StatusInternalServerError, code: oauth.ServerError, description: "internal error"}
}

var statusOf = map[oauth.Code]int{
	oauth.InvalidRequest:       http.StatusBadRequest,
	oauth.InvalidGrant:         http.StatusBadRequest,
	oauth.UnauthorizedClient:   http.StatusBadRequest,
	oauth.UnsupportedGrantType: http.StatusBadRequest,
	oauth.InvalidScope:         http.StatusBadRequest,
	oauth.InvalidTarget:        http.StatusBadRequest, // RFC 8707 §2
	oauth.InvalidIssuer:        http.StatusBadRequest, // RFC 8935 §2.4, and the next two
	oauth.InvalidAudience:      http.StatusBadRequest,
	oauth.InvalidKey:           http.StatusBadRequest,
	oauth.InvalidToken:         http.StatusUnauthorized, // RFC 6750 §3.1
	oauth.InsufficientScope:    http.StatusForbidden,    // RFC 6750 §3.1
	oauth.UnsupportedTokenType: http.StatusForbidden,    // decision 27
	oauth.NotFound:             http.StatusNotFound,
	oauth.PreconditionFailed:   http.StatusPreconditionFailed,

	oauth.InsufficientAuthentication: http.StatusUnauthorized, // RFC 9470 §3
}

// unchallenged are the statuses that have no header of their own.
var unchallenged = []int{http.StatusBadRequest, http.StatusNotFound, http.StatusPreconditionFailed}

// methodError is for a method that the endpoint does not serve.
type methodError struct{ description, allow string }

func (e *methodError) Error() string { return e.description }

func errMethodNotIn(methods ...string) error {
	return &methodError{"the method is not one of this resource", strings.Join(methods, ", ")}
}

// reads are the methods of what can be read. HEAD is GET without a body (RFC 9110
// §9.3.2), which net/http and package apigw leave out.
var reads = []string{http.MethodGet, http.MethodHead}

func isRead(method string) bool { return slices.Contains(reads, method) }

func isDoubt(err error) bool {
	return errors.Is(err, oauth.ErrUnavailable) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// errorJSON is the body of RFC 6749 §5.2.
type errorJSON struct {
	Error       oauth.Code `json:"error"`
	Description string     `json:"error_description,omitempty"`
	ID          string     `json:"id,omitempty"` // with already_exists: of the user who has the name
}

// notInDescription reports a character that error_description must not have:
// all but %x20-21 / %x23-5B / %x5D-7E (RFC 6749 §5.2).
func notInDescription(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }
