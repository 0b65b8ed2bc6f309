package wire

import (
	"cmp"
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

const (
	maxBody       = 16 << 10 // bytes
	maxParameters = 100
)

// Parameters that are read here.
const (
	paramClientID            = "client_id"             // RFC 6749 §2.3.1
	paramClientSecret        = "client_secret"         // RFC 6749 §2.3.1
	paramClientAssertion     = "client_assertion"      // RFC 7521 §4.2
	paramClientAssertionType = "client_assertion_type" // RFC 7521 §4.2
	paramToken               = "token"                 // RFC 7009 §2.1, RFC 7662 §2.1
)

// jwtBearerAssertion is the one client_assertion_type (RFC 7523 §2.2).
const jwtBearerAssertion = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// readParameters are those that are read, here or in package oauth; a true one is a secret.
var readParameters = func() map[string]bool {
	all := oauth.TokenParameters()
	maps.Copy(all, map[string]bool{
		paramClientID: false, paramClientAssertionType: false, "token_type_hint": false,
		paramClientSecret: true, paramClientAssertion: true, paramToken: true,
	})
	return all
}()

// isKnown reports a parameter that is read. It may not be repeated; all others are
// ignored, however often they come (RFC 6749 §3.2).
func isKnown(name string) bool {
	_, known := readParameters[name]
	return known
}

// isSecretName reports a parameter whose value must not be in a URL, where proxies
// and browsers keep them (RFC 6749 §2.3.1), in whatever case it is written.
func isSecretName(name string) bool {
	name = strings.ToLower(name)
	return name == "access_token" || readParameters[name]
}

func invalidRequest(description string) error {
	return &oauth.Error{Code: oauth.InvalidRequest, Description: description}
}

var (
	errMethod error = &methodError{"the method must be POST", http.MethodPost}
	// errTooLarge has a status of its own, so refusalOf knows it by identity.
	errTooLarge = invalidRequest("the body has more than 16 KiB")
	// errCoding has a status of its own too.
	errCoding = invalidRequest("the body must have no content coding such as gzip")

	errEncoding = invalidRequest("the body is not application/x-www-form-urlencoded in UTF-8")
)

// readRequest reads what a client asks with a form and its own credentials.
func readRequest(w http.ResponseWriter, r *http.Request) (oauth.Form, oauth.Credentials, error) {
	form, err := readForm(w, r, isKnown)
	if err != nil {
		return nil, oauth.Credentials{}, err
	}
	credentials, err := takeCredentials(r.Header, form)
	if err != nil {
		return nil, oauth.Credentials{}, err
	}
	return form, credentials, timeLeft(r.Context())
}

// readForm reads the parameters that are known: each once, and those without a value
// left out (RFC 6749 §3.2). The cheap refusals come first, and the query is looked at
// only for what must not be there.
func readForm(w http.ResponseWriter, r *http.Request, known func(name string) bool) (oauth.Form, error) {
	if r.Method != http.MethodPost {
		return nil, errMethod
	}
	if nameInQuery(r.URL.RawQuery, isSecretName) {
		return nil, invalidRequest("credentials and tokens must not be in the URL; change those that were")
	}
	charset, ok := formCharset(r.Header.Values("Content-Type"))
	if !ok {
		return nil, invalidRequest("the content type must be application/x-www-form-urlencoded in UTF-8")
	}
	body, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	form, err := parseForm(body, known)
	if err != nil {
		return nil, err
	}
	return form, checkCharset(charset, form)
}

func readBody(w http.ResponseWriter, r *http.Request) (string, error) {
	coding := strings.Join(r.Header.Values("Content-Encoding"), ",")
	if coding != "" && !strings.EqualFold(coding, "identity") {
		return "", errCoding
	}
	if r.ContentLength > maxBody {
		return "", errTooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return "", errTooLarge
	}
	if err != nil {
		return "", invalidRequest("the body cannot be read")
	}
	return string(body), nil
}

const formType = "application/x-www-form-urlencoded"

// formCharset accepts application/x-www-form-urlencoded in any case, from one
// header, and returns its charset, utf-8 if it names none.
func formCharset(contentTypes []string) (charset string, ok bool) {
	if len(contentTypes) != 1 {
		return "", false
	}
	if contentTypes[0] == formType { // nearly every request
		return "utf-8", true
	}
	mediaType, params, err := mime.ParseMediaType(contentTypes[0])
	if err != nil || mediaType != formType {
		return "", false
	}
	return cmp.Or(strings.ToLower(params["charset"]), "utf-8"), true
}

// checkCharset refuses what UTF-8 (RFC 6749 appendix B) and the charset of the
// request could read in two ways. ASCII is the same in both: some clients send forms
// as ISO-8859-1 unless told otherwise.
func checkCharset(charset string, form oauth.Form) error {
	if charset == "utf-8" {
		return nil
	}
	for _, value := range form {
		if strings.ContainsFunc(value, func(c rune) bool { return c >= utf8.RuneSelf }) {
			return invalidRequest("the body must be in the charset UTF-8")
		}
	}
	return nil
}

// parseForm reads application/x-www-form-urlencoded, and refuses what decoders
// are known to read in different ways: a semicolon (once a separator), a broken
// escape, bytes that are not UTF-8, NUL, and a known parameter that comes twice.
// An empty or an equal value counts too: a reader that takes the first one and a
// reader that takes the last one must not disagree who asks.
func parseForm(body string, known func(name string) bool) (oauth.Form, error) {
	if strings.Count(body, "&") >= maxParameters {
		return nil, invalidRequest("the body has more than 100 parameters")
	}
	if strings.Contains(body, ";") {
		return nil, errEncoding
	}
	form := oauth.Form{}
	for pair := range strings.SplitSeq(body, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, ok := unescape(name)
		if !ok {
			return nil, errEncoding
		}
		if value, ok = unescape(value); !ok {
			return nil, errEncoding
		}
		if !known(name) {
			continue
		}
		if _, seen := form[name]; seen {
			return nil, invalidRequest("a parameter is repeated")
		}
		form[name] = value
	}
	maps.DeleteFunc(form, func(_, value string) bool { return value == "" })
	return form, nil
}

// unescape decodes one name or value of a form. It reports false for a broken
// escape and for text that is not UTF-8.
func unescape(s string) (string, bool) {
	text, err := url.QueryUnescape(s)
	if err != nil || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return "", false
	}
	return text, true
}

// nameInQuery finds a name in a raw query, however it is encoded and however broken
// the rest is.
func nameInQuery(raw string, is func(name string) bool) bool {
	isSeparator := func(c rune) bool { return c == '&' || c == ';' || c == '?' }
	for pair := range strings.FieldsFuncSeq(raw, isSeparator) {
		name, _, _ := strings.Cut(pair, "=")
		if text, err := url.QueryUnescape(name); err == nil && is(strings.TrimSpace(text)) {
			return true
		}
	}
	return false
}

// takeCredentials reads what the request shows to authenticate its client (RFC
// 6749 §2.3) and takes it out of the form, so that a client secret goes on only
// as a secret.Text. It judges the form of the credentials; whether they are true
// is the domain's business.
func takeCredentials(header http.Header, form oauth.Form) (oauth.Credentials, error) {
	bodyID, bodySecret := form[paramClientID], form[paramClientSecret]
	assertion, assertionType := form[paramClientAssertion], form[paramClientAssertionType]
	asserts := assertion != "" || assertionType != ""
	for _, name := range []string{paramClientID, paramClientSecret, paramClientAssertion, paramClientAssertionType} {
		delete(form, name)
	}

	// Some clients send the header blank next to credentials in the body.
	authorization := slices.DeleteFunc(slices.Clone(header.Values("Authorization")), func(v string) bool { return strings.TrimSpace(v) == "" })
	mechanisms := len(authorization)
	if bodySecret != "" {
		mechanisms++
	}
	if asserts {
		mechanisms++
	}
	// A gateway joins repeated headers with commas, which base64 does not have.
	joined := len(authorization) == 1 && strings.Contains(authorization[0], ",")
	switch {
	case len(authorization) > 1 || joined:
		return oauth.Credentials{}, invalidRequest("the Authorization header holds more than one value: send it once, with the credentials alone")
	case mechanisms > 1:
		return oauth.Credentials{}, invalidRequest("the client must authenticate in one way only") // RFC 6749 §2.3
	case asserts && (assertion == "" || assertionType != jwtBearerAssertion):
		return oauth.Credentials{}, oauth.ErrInvalidClient
	case asserts:
		return oauth.Credentials{ID: ledger.ClientID(bodyID), Assertion: secret.New(assertion)}, nil
	case len(authorization) == 1:
		id, password, ok := parseBasic(authorization[0])
		if !ok {
			return oauth.Credentials{}, oauth.ErrInvalidClient
		}
		if bodyID != "" && bodyID != id {
			return oauth.Credentials{}, invalidRequest("client_id is not the client that authenticates")
		}
		return oauth.Credentials{ID: ledger.ClientID(id), Secret: password}, nil
	}
	return oauth.Credentials{ID: ledger.ClientID(bodyID), Secret: secret.New(bodySecret)}, nil
}

// basicEncoding is strict: two headers that differ are two credentials.
var basicEncoding = base64.StdEncoding.Strict()

// parseBasic reads a header of the Basic scheme (RFC 7617 §2), whose user-id and
// password are form-encoded before base64 (RFC 6749 §2.3.1).
func parseBasic(header string) (id string, password secret.Text, ok bool) {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", secret.Text{}, false
	}
	encoded = strings.TrimLeft(encoded, " ") // RFC 9110 §11.4: 1*SP
	pair, err := basicEncoding.DecodeString(encoded)
	// The decoder skips line breaks.
	if err != nil || basicEncoding.EncodeToString(pair) != encoded {
		return "", secret.Text{}, false
	}
	rawID, rawPassword, found := strings.Cut(string(pair), ":")
	if !found {
		return "", secret.Text{}, false
	}
	id, idOK := unescape(rawID)
	text, textOK := unescape(rawPassword)
	if !idOK || !textOK {
		return "", secret.Text{}, false
	}
	return id, secret.New(text), true
}
