package wire

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
)

// resourceError is a refusal of a resource (RFC 6750 §3): an OAuth error with
// what its challenge says besides.
type resourceError struct {
	code        oauth.Code
	description string
	// unasked says that no token came. The challenge then names no error: the client
	// may not have known that it needs one (RFC 6750 §3.1).
	unasked bool
	// scope is what the token lacks, for insufficient_scope.
	scope string
	// allow are the methods that there are, for a method that there is not. It is no
	// matter of tokens, and has no challenge.
	allow string
}

func (e *resourceError) Error() string { return string(e.code) + ": " + e.description }

// refusal is the part of refusalOf that is about resources.
func (e *resourceError) refusal() refusal {
	if e.allow != "" {
		return refusal{http.StatusMethodNotAllowed, e.code, e.description, "Allow", e.allow}
	}
	status := http.StatusUnauthorized
	switch e.code {
	case oauth.InvalidRequest:
		status = http.StatusBadRequest
	case oauth.InsufficientScope:
		status = http.StatusForbidden
	}
	challenge := `Bearer realm="fob"`
	if !e.unasked {
		challenge += `, error="` + string(e.code) + `"`
	}
	if e.scope != "" {
		challenge += `, scope="` + e.scope + `"` // NQCHAR: nothing in it ends a quoted string
	}
	return refusal{status, e.code, e.description, "WWW-Authenticate", challenge}
}

func refuseBearer(code oauth.Code, description string) *resourceError {
	return &resourceError{code: code, description: description}
}

// errInvalidToken reads the same for every token that is not good, so that nobody
// learns from it why.
func errInvalidToken() error {
	return refuseBearer(oauth.InvalidToken, "the access token is invalid, expired, revoked or not for this resource")
}

// errNoToken has a code in its body, because every error of ours has one.
func errNoToken() error {
	e := refuseBearer(oauth.InvalidToken, "an access token is missing")
	e.unasked = true
	return e
}

func errInsufficientScope(scope string) error {
	e := refuseBearer(oauth.InsufficientScope, "the access token lacks a scope")
	e.scope = scope
	return e
}

func errMethodOf(methods []string) error {
	e := refuseBearer(oauth.InvalidRequest, "the method is not one of this resource")
	e.allow = strings.Join(methods, ", ")
	return e
}

// readBearer reads the token of a request from its Authorization header, the one
// place for it (RFC 6750 §2.1; OAuth 2.1 drops the form and the query). It judges
// the form alone. Where a reader could take one token and the next reader another,
// it takes none.
func readBearer(header http.Header) (bearer.Bearer, error) {
	values := slices.DeleteFunc(slices.Clone(header.Values("Authorization")), func(v string) bool { return strings.TrimSpace(v) == "" })
	value := strings.Join(values, ",") // as a gateway joins what was repeated
	if parts := strings.Split(value, ","); len(parts) > 1 && slices.ContainsFunc(parts, isBearer) {
		return bearer.Bearer{}, refuseBearer(oauth.InvalidRequest, "the access token must come once, in one Authorization header")
	}
	scheme, token, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return bearer.Bearer{}, errNoToken() // also "an unsupported authentication method" (RFC 6750 §3.1)
	}
	token = strings.TrimLeft(token, " ") // RFC 9110 §11.4: 1*SP
	if !isB64token(token) {
		return bearer.Bearer{}, errInvalidToken()
	}
	return bearer.FromClient(token), nil
}

// isBearer tells credentials of this scheme, whatever stands behind it. Those of
// others may have commas of their own (RFC 9110 §11.4).
func isBearer(credentials string) bool {
	words := strings.Fields(credentials)
	return len(words) > 0 && strings.EqualFold(words[0], "Bearer")
}

// isB64token is the grammar of RFC 6750 §2.1: 1*( ALPHA / DIGIT / "-" / "." / "_"
// / "~" / "+" / "/" ) *"=".
func isB64token(s string) bool {
	s = strings.TrimRight(s, "=")
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~+/", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}

// isAccessToken tells the one parameter that means a token to every resource (RFC
// 6750 §2.2, §2.3). What a resource of somebody else's calls token or password is
// theirs to say.
func isAccessToken(name string) bool { return strings.EqualFold(name, "access_token") }

// refuseOtherPlaces refuses what isSecret names in the query or in a form: a second
// place is a second reader's opinion, and URLs are kept. Bodies that are no forms
// are not read, and forms can be read again.
func refuseOtherPlaces(w http.ResponseWriter, r *http.Request, isSecret func(name string) bool) error {
	if nameInQuery(r.URL.RawQuery, isSecret) {
		return refuseBearer(oauth.InvalidRequest, "credentials and tokens must not be in the URL; change those that were")
	}
	if r.ContentLength == 0 || !isForm(r.Header.Values("Content-Type")) {
		return nil
	}
	if r.ContentLength > maxBody {
		return errTooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return errTooLarge
	}
	if err != nil {
		return refuseBearer(oauth.InvalidRequest, "the body cannot be read")
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if nameInQuery(string(body), isSecret) {
		return refuseBearer(oauth.InvalidRequest, "the access token must come once, in one Authorization header")
	}
	return nil
}
