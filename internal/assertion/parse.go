package assertion

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"

	"github.com/fob-oauth/fob/internal/oauth"
)

const (
	maxToken = 16 * 1024 // bytes. ID tokens have 1 to 3 KB
	maxText  = 512       // bytes of iss, sub, jti, kid and of each aud
	maxDepth = 16        // of JSON within JSON
	maxTime  = 1 << 40   // seconds, the year 36812
)

// parsed is a token whose form is right. Nothing in it is proven.
type parsed struct {
	jws    *jose.JSONWebSignature
	alg    string
	kid    string
	hasKid bool
	nonce  *string
	before int64 // nbf; 0 for none
	claims oauth.Claims
}

// keyHeaders are the header parameters that name a key or bring one (RFC 7515
// §4.1.2, §4.1.3, §4.1.5, §4.1.6): a forger's own would verify. Thumbprints (x5t)
// are ignored.
var keyHeaders = []string{"jku", "jwk", "x5u", "x5c"}

// parse takes a token apart and refuses what can be refused without knowing who
// signed it.
func parse(token string, expect oauth.Expectation) (parsed, error) {
	if len(token) > maxToken {
		return parsed{}, refused("too long")
	}
	segments := strings.Split(token, ".")
	if len(segments) != 3 {
		return parsed{}, refused("not of three segments")
	}
	var octets [3][]byte
	for i, s := range segments {
		// Strict refuses a last character with stray bits: such a token would have a
		// twin. The decoder by itself skips line breaks.
		o, err := base64.RawURLEncoding.Strict().DecodeString(s)
		if err != nil || len(o) == 0 || strings.ContainsAny(s, "\r\n") {
			return parsed{}, refused("a segment is empty or not base64url")
		}
		octets[i] = o
	}
	header, err := object(octets[0])
	if err != nil {
		return parsed{}, refused("the header is not an unambiguous JSON object")
	}
	payload, err := object(octets[1])
	if err != nil {
		return parsed{}, refused("the payload is not an unambiguous JSON object")
	}
	var t parsed
	if err := t.readHeader(header, expect); err != nil {
		return parsed{}, err
	}
	if err := t.readClaims(payload, expect); err != nil {
		return parsed{}, err
	}
	t.jws, err = jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(t.alg)})
	if err != nil {
		return parsed{}, refused("not a signed JWT")
	}
	return t, nil
}

func (t *parsed) readHeader(header members, expect oauth.Expectation) error {
	for _, name := range keyHeaders {
		if header[name] != nil {
			return refused("the header brings or names a key")
		}
	}
	switch {
	case header["crit"] != nil || header["b64"] != nil:
		return refused("the header has crit or b64") // RFC 7515 §4.1.11, RFC 7797
	case header["cty"] != nil:
		return refused("the header has cty: a JWT within a JWT") // RFC 7519 §5.2
	}
	var ok bool
	if t.alg, ok = header.text("alg"); !ok || !slices.Contains(oauth.Algorithms(), t.alg) {
		return refused("fob does not verify this algorithm")
	}
	if header["kid"] != nil {
		if t.kid, ok = header.text("kid"); !ok {
			return refused("kid is not a text")
		}
		t.hasKid = true
	}
	if header["typ"] != nil {
		typ, ok := header.text("typ")
		typ = strings.TrimPrefix(strings.ToLower(typ), "application/")
		// RFC 8725 §3.11: an access token (at+jwt) is not an ID token, nor is an event.
		if !ok || typ != "jwt" && !(expect.Event && typ == "secevent+jwt") {
			return refused("the header types another kind of token")
		}
	}
	return nil
}

func (t *parsed) readClaims(payload members, expect oauth.Expectation) error {
	c := &t.claims
	var ok bool
	if c.Issuer, ok = payload.text("iss"); !ok || c.Issuer == "" {
		return refused("iss is not a text")
	}
	if c.Subject, ok = payload.text("sub"); !ok || c.Subject == "" {
		if payload["sub"] != nil || !expect.Event {
			return refused("sub is not a text")
		}
	}
	if c.ID, ok = payload.text("jti"); !ok || c.ID == "" {
		if payload["jti"] != nil || expect.Event {
			return refused("jti is not a text")
		}
	}
	if (payload["events"] != nil) != expect.Event {
		return refused("an event in place of another token, or the reverse")
	}
	if !expect.Event && payload.isAccessToken(expect.IDToken) {
		return refused("the claims are of an access token")
	}
	if c.Audiences, ok = payload.texts("aud"); !ok {
		return refused("aud is not a text or a list of texts")
	}
	// RFC 7523 §3 lets an assertion have none.
	if c.IssuedAt, ok = payload.time("iat"); !ok && (payload["iat"] != nil || expect.Event) {
		return refused("iat is not a time in whole seconds")
	}
	if c.Expires, ok = payload.time("exp"); !ok && (payload["exp"] != nil || !expect.Event) {
		return refused("exp is not a time in whole seconds")
	}
	if t.before, ok = payload.time("nbf"); !ok && payload["nbf"] != nil {
		return refused("nbf is not a time in whole seconds")
	}
	if payload["nonce"] != nil {
		nonce, ok := payload.text("nonce")
		if !ok {
			return refused("nonce is not a text")
		}
		t.nonce = &nonce
	}
	verified := string(payload["email_verified"])
	c.EmailVerified = verified == `true` || verified == `"true"`
	*c = c.WithAll(payload)
	return nil
}

// members are those of a JSON object.
type members map[string]json.RawMessage

func (m members) text(name string) (string, bool) {
	var s string
	raw := m[name]
	ok := len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil
	return s, ok && len(s) <= maxText
}

func (m members) texts(name string) ([]string, bool) {
	list, ok := oauth.Claims{}.WithAll(m).Texts(name)
	long := func(s string) bool { return len(s) > maxText }
	return list, ok && len(list) > 0 && !slices.ContainsFunc(list, long)
}

// isAccessToken reports whether the claims are of an access token: many issuers do not
// type those as at+jwt (RFC 9068 §2.1). token_use is Cognito's, typ Keycloak's, scp
// Entra's and Okta's. An assertion may have a scope, for what it asks for.
func (m members) isAccessToken(inPlaceOfIDToken bool) bool {
	for name, want := range map[string]string{"token_use": "id", "typ": "ID"} {
		if kind, _ := m.text(name); m[name] != nil && kind != want {
			return true
		}
	}
	return inPlaceOfIDToken && (m["scope"] != nil || m["scp"] != nil)
}

// time reads a NumericDate (RFC 7519 §2) of whole seconds. The RFC allows 1e9 and 1.0
// too, which are further spellings of one time.
func (m members) time(name string) (int64, bool) {
	n, err := strconv.ParseUint(string(m[name]), 10, 63)
	return int64(n), err == nil && n > 0 && n < maxTime
}

var errAmbiguous = errors.New("not an unambiguous JSON object")

// object reads a JSON object. It refuses what two readers could read differently: a
// member that occurs twice, at any depth, and text that is not Unicode.
func object(text []byte) (members, error) {
	if !isUnicode(text) {
		return nil, errAmbiguous
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil, errAmbiguous
	}
	if err := walk(d, '{', 1); err != nil {
		return nil, err
	}
	var m members
	if json.Unmarshal(text, &m) != nil { // there is more behind the object
		return nil, errAmbiguous
	}
	return m, nil
}

// walk reads the rest of an object or list.
func walk(d *json.Decoder, in json.Delim, depth int) error {
	if depth > maxDepth {
		return errAmbiguous
	}
	seen := map[string]bool{}
	for d.More() {
		if in == '{' {
			token, err := d.Token()
			name, ok := token.(string)
			if err != nil || !ok || seen[name] {
				return errAmbiguous
			}
			seen[name] = true
		}
		value, err := d.Token()
		if err != nil {
			return errAmbiguous
		}
		if start, ok := value.(json.Delim); ok {
			if err := walk(d, start, depth+1); err != nil {
				return err
			}
		}
	}
	if _, err := d.Token(); err != nil { // the end of it
		return errAmbiguous
	}
	return nil
}

// isUnicode reports whether a JSON text is UTF-8 and escapes no half of a surrogate pair. The
// decoder reads both as U+FFFD, which a text may also have in earnest.
func isUnicode(text []byte) bool {
	var half rune // what the escape before this was, if that is half of a pair
	for i := 0; i < len(text); i++ {
		var unit rune
		if text[i] == '\\' {
			i++
			if i+4 < len(text) && text[i] == 'u' {
				n, _ := strconv.ParseUint(string(text[i+1:i+5]), 16, 16)
				unit, i = rune(n), i+4
			}
		}
		switch {
		case half != 0 && utf16.DecodeRune(half, unit) == utf8.RuneError:
			return false
		case half == 0 && utf16.IsSurrogate(unit):
			half = unit
		default:
			half = 0
		}
	}
	return half == 0 && utf8.Valid(text)
}
