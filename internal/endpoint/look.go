package endpoint

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/secret"
)

// Formats of tokens.
const (
	Opaque = "opaque"
	JWT    = "jwt"
)

// Sight is what a token says about itself. Nobody verified it: everybody can write such
// a text. It is what fob token show --json prints: programs rely on the names.
type Sight struct {
	Kind     string `json:"kind,omitempty" is:"access_token or refresh_token"` // empty for a JWT that does not say
	Format   string `json:"format" is:"opaque or jwt"`
	KeyID    string `json:"kid,omitempty"`                         // of the key that it names
	Expiry   int64  `json:"exp,omitempty" is:"seconds since 1970"` // zero if it does not say
	Verified bool   `json:"verified" is:"false, always"`

	// Header and Claims are those of a JWT (RFC 7519 §3), with numbers as [json.Number].
	Header map[string]any `json:"header,omitempty" is:"the members of a JWT's header"`
	Claims map[string]any `json:"claims,omitempty" is:"the claims of a JWT"`
}

var base64url = base64.RawURLEncoding.Strict()

// Look reads a token. It reports false for a text that is neither a token of fob nor a
// signed JWT in its compact form (RFC 7515 §7.1).
func Look(token secret.Text) (s Sight, ok bool) {
	text := token.Reveal()
	if strings.ContainsAny(text, "\r\n") { // which the decoder skips
		return Sight{}, false
	}
	if name, opaque := bearer.Look(bearer.Bearer{Text: token}); opaque {
		return Sight{Kind: name.Kind.String(), Format: Opaque, KeyID: strconv.Itoa(int(name.KID)), Expiry: name.Expiry}, true
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return Sight{}, false
	}
	s = Sight{Format: JWT, Header: object(parts[0]), Claims: object(parts[1])}
	if s.Header == nil || s.Claims == nil {
		return Sight{}, false
	}
	typ, _ := s.Header["typ"].(string)
	if typ = strings.ToLower(typ); strings.TrimPrefix(typ, "application/") == "at+jwt" { // RFC 9068 §2.1
		s.Kind = bearer.Access.String()
	}
	s.KeyID, _ = s.Header["kid"].(string)
	if exp, isNumber := s.Claims["exp"].(json.Number); isNumber {
		if seconds, err := exp.Float64(); err == nil && seconds > 0 && seconds < bearer.MaxExpiry { // RFC 7519 §2 allows fractions
			s.Expiry = int64(seconds)
		}
	}
	return s, true
}

// IsLike reports a text that is a token, or has the beginning of one: it must not be shown.
func IsLike(text string) bool {
	_, ok := Look(secret.New(text))
	return ok || bearer.HasPrefix(text)
}

// object decodes a part of a JWT; nil if it is not a JSON object.
func object(part string) (members map[string]any) {
	text, err := base64url.DecodeString(part)
	if err != nil {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(&members) != nil || d.More() {
		return nil
	}
	return members
}
