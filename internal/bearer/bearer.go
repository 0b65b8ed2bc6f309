// Package bearer makes and reads the strings that clients hold. [MintRing.Seal] makes
// the same string again of the same [Name] and [RID]; [CheckRing.Open] verifies one
// before anything is read, and gives the [Locator] and the [Hash] to compare.
// [ParseMintRing] and [ParseCheckRing] come first: without the mint keys, or without
// the item, no string can be made. [MintRing.SealJWT] makes a JWT of what Seal takes.
//
// The package is pure: no clock, no store, no randomness. It does not judge expiry,
// since a revocation accepts a token whose time has passed, and knows nothing of epochs
// or of what a Locator points to.
package bearer

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"maps"
	"strings"
	"sync"

	"github.com/fob-oauth/fob/internal/secret"
)

// Kind is access token or refresh token. It enters the secret and the tag, so a
// bearer cannot change its kind by changing its prefix.
type Kind uint8

const (
	Access  Kind = 1
	Refresh Kind = 2
)

func (k Kind) String() string {
	switch k {
	case Access:
		return "access_token"
	case Refresh:
		return "refresh_token"
	}
	return "unknown"
}

func (k Kind) prefix() string {
	if k == Refresh {
		return "fob_rt_"
	}
	return "fob_at_"
}

// A Bearer is the string as the client holds it. It is never stored and never logged;
// see [secret.Text]. It is a JWT, or opaque. An opaque one is, behind fob_at_ or fob_rt_,
// base64url without padding of 99 bytes:
//
//	version 1 | kid 1 | expiry 5 | subject 16 | client 8 | authorization 16 | generation 4 | secret 32 | tag 16
//
// Subject, client and authorization are the whole key of the item in the table. The
// secret is an HMAC under the mint key over what the bearer names and the item's [RID].
// The item keeps only its SHA-256, so that a copy of the tables holds no usable token.
// The tag is an HMAC under the check key over all that precedes it, for functions that
// verify and cannot mint.
type Bearer struct{ secret.Text }

// FromClient wraps a string that arrived from outside, genuine or not.
func FromClient(s string) Bearer { return Bearer{secret.New(s)} }

// Locator names an Authorization's item: cut hashes of the subject, the client
// and everything the token asserts.
type Locator struct {
	Subject       [16]byte
	Client        [8]byte
	Authorization [16]byte
}

// Compare orders locators by their bytes.
func (l Locator) Compare(m Locator) int {
	return cmp.Or(bytes.Compare(l.Subject[:], m.Subject[:]), bytes.Compare(l.Client[:], m.Client[:]), bytes.Compare(l.Authorization[:], m.Authorization[:]))
}

// RID is the random id of an Authorization's item. It enters each secret and
// never leaves the table, so that an item made anew has other tokens.
type RID [16]byte

// Hash is the SHA-256 of a bearer's secret, all that is stored of it.
type Hash [32]byte

// Name is what identifies one bearer: for one RID, equal Names give equal
// strings.
type Name struct {
	Kind       Kind
	KID        uint8 // key id, 1 to 255
	Expiry     int64 // Unix seconds, below 2^40
	Locator    Locator
	Generation uint32
}

// Token is a bearer whose tag has been verified: fob made it, or somebody who holds
// the check key did. Only a comparison with the stored Hash shows which.
type Token struct {
	Name
	Hash Hash

	secret *[32]byte // a pointer, so that a Token printed by mistake does not show it
	signed bool      // it is a JWT
}

var (
	// ErrInvalid: the string is not a bearer of this ring. It is malformed, altered,
	// of another kind than its prefix says, or under a retired key.
	ErrInvalid = errors.New("bearer: not a token of this ring")

	// ErrRetiredKey is the [ErrInvalid] of a token whose tag is right and whose key is
	// retired.
	ErrRetiredKey = fmt.Errorf("%w: its key is retired", ErrInvalid)

	// ErrUnknownKey: the string is well formed but names a key id that the ring does
	// not have. A newer ring may have it.
	ErrUnknownKey = errors.New("bearer: unknown key id")
)

const (
	version   = 1
	prefixLen = 7
	tagLen    = 16
	rawLen    = 1 + 1 + 5 + 16 + 8 + 16 + 4 + 32 + tagLen
	textLen   = prefixLen + (rawLen*4+2)/3

	// MaxExpiry is the last expiry that fits into a bearer, in Unix seconds.
	MaxExpiry = 1<<40 - 1
)

var encoding = base64.RawURLEncoding.Strict()

// parse reads the layout and verifies nothing but the form.
func parse(text string) (Token, []byte, bool) {
	if len(text) != textLen {
		return Token{}, nil, false
	}
	t := Token{Name: Name{Kind: Access}}
	if strings.HasPrefix(text, Refresh.prefix()) {
		t.Kind = Refresh
	}
	body, ok := strings.CutPrefix(text, t.Kind.prefix())
	if !ok {
		return Token{}, nil, false
	}
	raw, err := encoding.DecodeString(body)
	// Strict still skips CR and LF, so two strings could mean one token.
	if err != nil || len(raw) != rawLen || encoding.EncodeToString(raw) != body || raw[0] != version {
		return Token{}, nil, false
	}
	t.read(raw)
	return t, raw, true
}

// read is the inverse of appendUntagged.
func (t *Token) read(raw []byte) {
	rest := raw[1:]
	next := func(n int) []byte {
		b := rest[:n]
		rest = rest[n:]
		return b
	}
	t.KID = next(1)[0]
	t.Expiry = int64(binary.BigEndian.Uint64(append([]byte{0, 0, 0}, next(5)...))) //nolint:gosec // 40 bits
	copy(t.Locator.Subject[:], next(16))
	copy(t.Locator.Client[:], next(8))
	copy(t.Locator.Authorization[:], next(16))
	t.Generation = binary.BigEndian.Uint32(next(4))
	t.secret = (*[32]byte)(next(32))
}

// appendUntagged writes all bytes before the tag.
func (n Name) appendUntagged(b []byte, secret [32]byte) []byte {
	b = append(b, version, n.KID)
	b = append(b, binary.BigEndian.AppendUint64(nil, uint64(n.Expiry))[3:]...) //nolint:gosec // 0 to MaxExpiry
	b = append(b, n.Locator.Subject[:]...)
	b = append(b, n.Locator.Client[:]...)
	b = append(b, n.Locator.Authorization[:]...)
	b = binary.BigEndian.AppendUint32(b, n.Generation)
	return append(b, secret[:]...)
}

// key is behind a pointer so that a ring printed by mistake shows addresses: fmt
// asks no methods of unexported fields.
type key = *keyed

type keyed struct {
	text [32]byte
	// idle has HMACs of the key that nobody uses now. To make one hashes the key again.
	idle sync.Pool
}

func newKey(text [32]byte) key {
	k := &keyed{text: text}
	k.idle.New = func() any { return hmac.New(sha256.New, k.text[:]) }
	return k
}

// CheckRing verifies bearers. It is what introspection and revocation hold. A
// ring is immutable; a changed one is parsed anew.
type CheckRing struct {
	issuerEpoch uint64
	active      uint8
	states      map[uint8]State
	since       map[uint8]int64 // Unix seconds, where the secret says it
	keys        map[uint8]key
	verifying   map[uint8]*verifying
}

// IssuerEpoch is the deployment's kill switch: what was issued under a lower one
// is inactive.
func (r *CheckRing) IssuerEpoch() uint64 { return r.issuerEpoch }

// Knows reports whether the ring has kid, retired or not. A token under a key that it does
// not know may come from an instance with a newer ring.
func (r *CheckRing) Knows(kid uint8) bool {
	_, known := r.states[kid]
	return known
}

// Verifies reports whether tokens under kid can be active.
func (r *CheckRing) Verifies(kid uint8) bool {
	s, known := r.states[kid]
	return known && s != Retired
}

// Open verifies form and tag of a bearer in constant time, or the signature of a JWT. Its errors are
// ErrInvalid, ErrRetiredKey and ErrUnknownKey; all return the zero Token. Expiry is
// left to the caller.
func (r *CheckRing) Open(b Bearer) (Token, error) {
	t, raw, ok := parse(b.Reveal())
	if !ok {
		return r.openJWT(b.Reveal())
	}
	if !r.Knows(t.KID) {
		return Token{}, ErrUnknownKey
	}
	tag := r.tag(t.Kind, t.KID, raw[:rawLen-tagLen])
	if subtle.ConstantTimeCompare(tag, raw[rawLen-tagLen:]) != 1 {
		return Token{}, ErrInvalid
	}
	if !r.Verifies(t.KID) {
		return Token{}, ErrRetiredKey
	}
	t.Hash = sha256.Sum256(t.secret[:])
	return t, nil
}

// tag = first 16 bytes of HMAC-SHA-256(check key, "fob tag 1", kind, all bytes
// before it).
func (r *CheckRing) tag(kind Kind, kid uint8, untagged []byte) []byte {
	message := AppendField(make([]byte, 0, maxMessage), "fob tag 1")
	message = AppendField(message, []byte{byte(kind)})
	message = AppendField(message, untagged)
	return mac(r.keys[kid], message)[:tagLen]
}

// MintRing makes bearers, and verifies them too. Only the token function holds
// it.
type MintRing struct {
	*CheckRing
	mint    map[uint8]key
	signing map[uint8]signing
}

// ActiveKID is the key id for new tokens.
func (r *MintRing) ActiveKID() uint8 { return r.active }

// ActiveSince is when the active key became active, in Unix seconds, or zero if that is
// not known.
func (r *MintRing) ActiveSince() int64 { return r.since[r.active] }

// Written returns the ring of a check secret that was written at a time, in Unix seconds.
// Where the secret itself does not say since when its key is active, this is the time.
func (r *MintRing) Written(at int64) *MintRing {
	if r.ActiveSince() != 0 {
		return r
	}
	check := *r.CheckRing
	check.since = maps.Clone(check.since)
	check.since[r.active] = at
	return &MintRing{CheckRing: &check, mint: r.mint, signing: r.signing}
}

// Seal makes the bearer of a Name within the item rid, and the Hash that the
// item keeps. Equal arguments give equal strings. It reports false when the ring
// cannot make tokens under n.KID.
func (r *MintRing) Seal(n Name, rid RID) (Bearer, Hash, bool) {
	mintKey, ok := r.mint[n.KID]
	if !ok || !r.Verifies(n.KID) || !n.fits() {
		return Bearer{}, Hash{}, false
	}
	secret := deriveSecret(mintKey, n, rid)
	raw := n.appendUntagged(make([]byte, 0, rawLen), secret)
	raw = append(raw, r.tag(n.Kind, n.KID, raw)...)
	return FromClient(n.Kind.prefix() + encoding.EncodeToString(raw)), sha256.Sum256(secret[:]), true
}

// fits reports whether a bearer has room for the expiry.
func (n Name) fits() bool { return n.Expiry >= 0 && n.Expiry <= MaxExpiry }

// MintedWithin reports whether t's secret is the one that Seal gives its Name
// within rid: whether the item rid once issued t, even if it has forgotten t's
// hash since.
func (r *MintRing) MintedWithin(t Token, rid RID) bool {
	mintKey, ok := r.mint[t.KID]
	if !ok {
		return false
	}
	secret := deriveSecret(mintKey, t.Name, rid)
	return t.secret != nil && subtle.ConstantTimeCompare(secret[:], t.secret[:]) == 1
}

// NameTag stands for a username in a log: the first 8 bytes of HMAC-SHA-256(active mint
// key, "fob log name 1", name), in hex. Without the key nobody can try names on a log.
func (r *MintRing) NameTag(name string) string {
	message := AppendField(nil, "fob log name 1")
	message = AppendField(message, name)
	return hex.EncodeToString(mac(r.mint[r.active], message)[:8])
}

// deriveSecret = HMAC-SHA-256(mint key, kind, locator, rid, generation, expiry).
func deriveSecret(k key, n Name, rid RID) [32]byte {
	message := AppendField(make([]byte, 0, maxMessage), "fob secret 1")
	message = AppendField(message, []byte{byte(n.Kind)})
	message = AppendField(message, n.Locator.Subject[:])
	message = AppendField(message, n.Locator.Client[:])
	message = AppendField(message, n.Locator.Authorization[:])
	message = AppendField(message, rid[:])
	message = AppendField(message, binary.BigEndian.AppendUint32(nil, n.Generation))
	message = AppendField(message, binary.BigEndian.AppendUint64(nil, uint64(n.Expiry))) //nolint:gosec // 0 to MaxExpiry
	return [32]byte(mac(k, message))
}

// maxMessage is more bytes than the fields of a tag or a secret have.
const maxMessage = 192

func mac(k key, message []byte) []byte {
	h := k.idle.Get().(hash.Hash) // as newKey has it
	defer k.idle.Put(h)
	h.Reset()
	h.Write(message)
	return h.Sum(nil)
}

// AppendField adds a field behind its length, so that no two lists of fields are the
// same bytes.
func AppendField[F string | []byte](message []byte, field F) []byte {
	message = binary.BigEndian.AppendUint32(message, uint32(len(field))) //nolint:gosec // fields are short
	return append(message, field...)
}
