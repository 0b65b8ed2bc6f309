package bearer

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"strings"
)

// A JWT access token (RFC 9068) is an opaque one with a signature in the place of its
// tag. Its jti is base64url of the bytes that precede the tag in a [Bearer], so Open finds
// the record of a JWT by one read, too. The secret in it is another one than that of an
// opaque token of the same [Name], and so is its [Hash]: neither becomes the other.
//
// RSASSA-PKCS1-v1_5 has no randomness, so the same claims under the same key are the same
// string at each instance.

const (
	algorithm = "RS256"

	// MaxJWT is the length of the longest JWT, in characters. API Gateway takes 10 KB of
	// headers.
	MaxJWT = 8 << 10

	jtiLen = ((rawLen-tagLen)*8 + 5) / 6
	// jtiFirst begins each payload, so that it can be read without a parser of JSON, before
	// anything is believed.
	jtiFirst = `{"jti":"`
)

// Claims is what a JWT says in addition to its [Name].
type Claims struct {
	Issuer    string
	Subject   string
	Audiences []string
	Client    string
	Scope     string
	IssuedAt  int64 // Unix seconds
}

// payload is what is signed. Its order and its form are fixed: if they change, the next
// answer of a live token is another string.
type payload struct {
	ID         string   `json:"jti"`
	Issuer     string   `json:"iss"`
	Subject    string   `json:"sub"`
	Audience   []string `json:"aud"` // an array also for one
	Client     string   `json:"client_id"`
	Scope      string   `json:"scope,omitempty"`
	IssuedAt   int64    `json:"iat"`
	Expiration int64    `json:"exp"`
}

func encodeHeader(id string) string {
	return encoding.EncodeToString([]byte(`{"alg":"` + algorithm + `","typ":"at+jwt","kid":"` + id + `"}`))
}

// SealJWT is [MintRing.Seal] for a JWT with claims c. n must be the Name of an access
// token. It reports false also when the key has no pair, or the JWT would be longer than
// [MaxJWT].
func (r *MintRing) SealJWT(n Name, rid RID, c Claims) (Bearer, Hash, bool) {
	mintKey, public, private := r.mint[n.KID], r.verifying[n.KID], r.signing[n.KID]
	if mintKey == nil || public == nil || private == nil || !r.Verifies(n.KID) || !n.fits() || n.Kind != Access {
		return Bearer{}, Hash{}, false
	}
	key, err := private()
	if err != nil {
		return Bearer{}, Hash{}, false
	}
	secret := deriveJWTSecret(mintKey, n, rid, c.IssuedAt)
	claims, err := json.Marshal(payload{
		ID:     n.jti(secret),
		Issuer: c.Issuer, Subject: c.Subject, Audience: c.Audiences, Client: c.Client, Scope: c.Scope,
		IssuedAt: c.IssuedAt, Expiration: n.Expiry,
	})
	if err != nil {
		return Bearer{}, Hash{}, false
	}
	signed := public.header + "." + encoding.EncodeToString(claims)
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	text := signed + "." + encoding.EncodeToString(signature)
	if err != nil || len(text) > MaxJWT {
		return Bearer{}, Hash{}, false
	}
	return FromClient(text), hashOfJWT(secret), true
}

// deriveJWTSecret = HMAC-SHA-256(mint key, the secret of the opaque token, time of issue).
// The other claims are in the name, because the locator is a hash of them.
func deriveJWTSecret(k key, n Name, rid RID, issuedAt int64) [32]byte {
	opaque := deriveSecret(k, n, rid)
	message := AppendField(nil, "fob jwt secret 1")
	message = AppendField(message, opaque[:])
	message = AppendField(message, binary.BigEndian.AppendUint64(nil, uint64(issuedAt))) //nolint:gosec // any 64 bits
	return [32]byte(mac(k, message))
}

func (n Name) jti(secret [32]byte) string {
	return encoding.EncodeToString(n.appendUntagged(make([]byte, 0, rawLen), secret))
}

// hashOfJWT is not the hash of an opaque token's secret: who holds the check key and has
// seen a jti, which goes into logs, could tag it as an opaque token.
func hashOfJWT(secret [32]byte) Hash {
	return sha256.Sum256(AppendField(AppendField(nil, "fob jwt hash 1"), secret[:]))
}

// openJWT is Open for what is not an opaque token.
func (r *CheckRing) openJWT(text string) (Token, error) {
	header, rest, _ := strings.Cut(text, ".")
	body, mark, ok := strings.Cut(rest, ".")
	if !ok || len(text) > MaxJWT {
		return Token{}, ErrInvalid
	}
	claims, err := encoding.DecodeString(body)
	if err != nil || !bytes.HasPrefix(claims, []byte(jtiFirst)) || len(claims) < len(jtiFirst)+jtiLen {
		return Token{}, ErrInvalid
	}
	id := string(claims[len(jtiFirst):][:jtiLen])
	raw, err := encoding.DecodeString(id)
	if err != nil || len(raw) != rawLen-tagLen || raw[0] != version {
		return Token{}, ErrInvalid
	}
	t := Token{Name: Name{Kind: Access}, signed: true}
	t.read(raw)
	public := r.verifying[t.KID]
	if public == nil && r.Verifies(t.KID) || !r.Knows(t.KID) {
		return Token{}, ErrUnknownKey // a newer ring may have the key, or its pair
	}
	if public == nil || header != public.header {
		return Token{}, ErrInvalid
	}
	signature, err := encoding.DecodeString(mark)
	// DecodeString skips CR and LF, so two strings could mean one token.
	if err != nil || encoding.EncodeToString(signature) != mark {
		return Token{}, ErrInvalid
	}
	digest := sha256.Sum256([]byte(public.header + "." + body))
	if rsa.VerifyPKCS1v15(public.rsa, crypto.SHA256, digest[:], signature) != nil {
		return Token{}, ErrInvalid
	}
	if !r.Verifies(t.KID) {
		return Token{}, ErrRetiredKey
	}
	t.Hash = hashOfJWT(*t.secret)
	return t, nil
}

// JTI is the jti of a JWT, and empty for an opaque token. Nobody can make the token of it.
func (t Token) JTI() string {
	if !t.signed {
		return ""
	}
	return t.jti(*t.secret)
}
