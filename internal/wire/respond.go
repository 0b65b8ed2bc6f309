package wire

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
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
}

// refusalOf is the one table from error to answer. What it does not know is a
// fault of ours and reads the same for everybody: the text of an error is for
// the log.
func refusalOf(err error) refusal {
	// Doubt first: nothing that surrounds it may turn it into an answer.
	if isDoubt(err) {
		return refusal{http.StatusServiceUnavailable, oauth.TemporarilyUnavailable,
			"temporarily unavailable, try again", "Retry-After", "2"} // RFC 7009 §2.2.1
	}
	if r, ok := errors.AsType[*resourceError](err); ok {
		return r.refusal()
	}
	refused, _ := errors.AsType[*oauth.Error](err)
	switch {
	case refused == nil:
	case refused == errMethod:
		return refusal{http.StatusMethodNotAllowed, refused.Code, refused.Description, "Allow", http.MethodPost}
	case refused == errTooLarge:
		return refusal{status: http.StatusRequestEntityTooLarge, code: refused.Code, description: refused.Description}
	default:
		switch refused.Code {
		case oauth.InvalidClient:
			// RFC 9110 §15.5.2 wants a challenge on each 401, however the credentials
			// came, and RFC 6749 §5.2 this one. The description is ours for all of them:
			// the causes must read the same.
			return refusal{http.StatusUnauthorized, refused.Code,
				"client authentication failed", "WWW-Authenticate", `Basic realm="fob"`}
		case oauth.InvalidRequest, oauth.InvalidGrant, oauth.UnauthorizedClient,
			oauth.UnsupportedGrantType, oauth.InvalidScope:
			return refusal{status: http.StatusBadRequest, code: refused.Code, description: refused.Description}
		}
	}
	return refusal{status: http.StatusInternalServerError, code: oauth.ServerError, description: "internal error"}
}

func isDoubt(err error) bool {
	return errors.Is(err, oauth.ErrUnavailable) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// errorJSON is the body of RFC 6749 §5.2.
type errorJSON struct {
	Error       oauth.Code `json:"error"`
	Description string     `json:"error_description,omitempty"`
}

// respond writes the answer and returns its status.
func respond(w http.ResponseWriter, https bool, a answer, err error) int {
	h := w.Header()
	if err == nil && a.maxAge > 0 {
		h.Set("Cache-Control", "public, max-age="+strconv.Itoa(a.maxAge))
	} else {
		h.Set("Cache-Control", "no-store") // RFC 6749 §5.1, RFC 7662 §4
		h.Set("Pragma", "no-cache")        // RFC 6749 §5.1
	}
	h.Set("X-Content-Type-Options", "nosniff")
	if https {
		// Not for subdomains: the host may be one of many that others own.
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	status, body := http.StatusOK, a.body
	switch {
	case err == nil && a.empty:
		status = http.StatusNoContent
	case err != nil:
		r := refusalOf(err)
		status = r.status
		if r.header != "" {
			h.Set(r.header, r.value)
		}
		if strings.ContainsFunc(r.description, notInDescription) {
			r.description = "" // not one of ours
		}
		body, _ = json.Marshal(errorJSON{r.code, r.description}) // two strings
	}
	if len(body) > 0 {
		h.Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // whom should we tell
	return status
}

// notInDescription tells the characters that error_description must not have:
// all but %x20-21 / %x23-5B / %x5D-7E (RFC 6749 §5.2).
func notInDescription(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }
