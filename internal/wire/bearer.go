package wire

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
)

// resourceError is a refusal of a resource (RFC 6750 §3): an OAuth error, and what
// its challenge says in addition.
type resourceError struct {
	refused *oauth.Error
	// noToken: no token came. The challenge then names no error, because the client
	// may not have known that it needs one (RFC 6750 §3.1).
	noToken bool
	scope   string // for insufficient_scope: what the token lacks
	maxAge  string // for insufficient_user_authentication: how old a sign-in may be, in seconds (RFC 9470 §3)
	// metadata is the address of the resource's document (RFC 9728 §5.1), or empty.
	metadata string
}

func (e *resourceError) Error() string { return e.refused.Error() }
func (e *resourceError) Unwrap() error { return e.refused }

func (e *resourceError) challenge() string {
	challenge := `Bearer realm="fob"`
	if !e.noToken {
		challenge += `, error="` + string(e.refused.Code) + `"`
	}
	if e.scope != "" {
		challenge += `, scope="` + e.scope + `"` // NQCHAR: nothing in it ends a quoted string
	}
	if e.maxAge != "" {
		challenge += `, max_age="` + e.maxAge + `"`
	}
	if e.metadata != "" {
		challenge += `, resource_metadata="` + e.metadata + `"`
	}
	return challenge
}

// describedAt names the document of the resource in a challenge for want of a good token,
// where the issuer is configured. Elsewhere the document could name another resource
// than the one that was called, and clients refuse that (RFC 9728 §3.3).
func (o Options) describedAt(path string, err error) error {
	e, ok := errors.AsType[*resourceError](err)
	if !ok || isDoubt(err) || e.refused.Code != oauth.InvalidToken || o.Issuer == "" {
		return err
	}
	described := *e
	described.metadata = strings.TrimSuffix(o.Issuer, "/") + path
	return &described
}

func refuseResource(code oauth.Code, description string) *resourceError {
	return &resourceError{refused: &oauth.Error{Code: code, Description: description}}
}

// ofResource makes an error of a form one of a resource.
func ofResource(err error) error {
	if e, ok := errors.AsType[*oauth.Error](err); ok && e != errTooLarge && e != errCoding {
		return &resourceError{refused: e}
	}
	return err
}

// errInvalidToken reads alike for every token that is not good, so that nobody
// learns from it why.
var errInvalidToken = refuseResource(oauth.InvalidToken, "the token is invalid, expired, revoked or not for this resource")

// errNoToken has a code in its body, as every error of this package has.
var errNoToken = &resourceError{refused: &oauth.Error{Code: oauth.InvalidToken, Description: "an access token is missing"}, noToken: true}

func errInsufficientScope(scope string) error {
	return &resourceError{refused: &oauth.Error{Code: oauth.InsufficientScope, Description: "the access token lacks a scope"}, scope: scope}
}

// readBearer reads the token of a request from its Authorization header, the one
// place for it (RFC 6750 §2.1; OAuth 2.1 drops the form and the query). It judges
// the form alone. Where a reader could take one token and the next reader another,
// it takes none.
func readBearer(header http.Header) (bearer.Bearer, error) {
	values := slices.DeleteFunc(slices.Clone(header.Values("Authorization")), func(v string) bool { return strings.TrimSpace(v) == "" })
	value := strings.Join(values, ",") // as a gateway joins what was repeated
	if parts := strings.Split(value, ","); len(parts) > 1 && slices.ContainsFunc(parts, isBearer) {
		return bearer.Bearer{}, refuseResource(oauth.InvalidRequest, "the access token must come once, in one Authorization header")
	}
	scheme, token, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return bearer.Bearer{}, errNoToken // also "an unsupported authentication method" (RFC 6750 §3.1)
	}
	token = strings.TrimLeft(token, " ") // RFC 9110 §11.4: 1*SP
	if !isB64token(token) {
		return bearer.Bearer{}, errInvalidToken
	}
	return bearer.FromClient(token), nil
}

// isBearer reports credentials of this scheme, whatever follows it. Credentials of
// other schemes may contain commas (RFC 9110 §11.4).
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

// isAccessToken reports the one parameter that means a token to every resource (RFC
// 6750 §2.2, §2.3). Another resource may use token or password for anything.
func isAccessToken(name string) bool { return strings.EqualFold(name, "access_token") }

// refuseOtherPlaces refuses what isSecret names in the query or in a form: a second
// place is a second reader's opinion, and URLs are kept. A body that is not a form
// is not read; a form can be read again.
func refuseOtherPlaces(w http.ResponseWriter, r *http.Request, isSecret func(name string) bool) error {
	if nameInQuery(r.URL.RawQuery, isSecret) {
		return refuseResource(oauth.InvalidRequest, "credentials and tokens must not be in the URL; change those that were")
	}
	if _, isForm := formCharset(r.Header.Values("Content-Type")); r.ContentLength == 0 || !isForm {
		return nil
	}
	body, err := readBody(w, r)
	if err != nil {
		return ofResource(err)
	}
	r.Body = io.NopCloser(strings.NewReader(body))
	if nameInQuery(body, isSecret) {
		return refuseResource(oauth.InvalidRequest, "the access token must come once, in one Authorization header")
	}
	return nil
}
