package oauth

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"github.com/fob-oauth/fob/internal/bearer"
)

// Everything that becomes a key is made in this file. Each key is a cut SHA-256
// over length-prefixed fields that begin with the name of the key, so no two
// lists of fields meet: glued strings would one day hand one user another's
// token.

// Locator is the key under which the Authorization's record stands. It covers
// every field of a.
func (a Authorization) Locator() bearer.Locator {
	return bearer.Locator{
		Subject:       SubjectKey(a.Subject),
		Client:        ClientKey(a.Client),
		Authorization: hashAuthorization(a),
	}
}

// SubjectKey is the partition of all that belongs to one subject.
func SubjectKey(s Subject) (k [16]byte) {
	cut(k[:], "fob subject 1", string(s.Kind), s.ID)
	return k
}

// ClientKey is the part of a locator that the Authorizations of one client share.
func ClientKey(id ClientID) (k [8]byte) {
	cut(k[:], "fob client 1", string(id))
	return k
}

func hashAuthorization(a Authorization) (k [16]byte) {
	fields := []string{
		"fob authorization 1",
		string(a.Subject.Kind), a.Subject.ID, a.Username, string(a.Client), string(a.Format),
		a.Scope.String(), // canonical, with the device
	}
	cut(k[:], append(fields, a.Audiences...)...)
	return k
}

// UserKey is the key of a user's record. Names are hashed: people type passwords
// into the wrong field, and a table is no place for those.
func UserKey(username string) (k [16]byte) {
	cut(k[:], "fob user 1", username)
	return k
}

// CounterKey names a counter of wrong passwords within one window of time.
type CounterKey [16]byte

func pairCounterKey(username, source string, window int64) (k CounterKey) {
	cut(k[:], "fob pair counter 1", username, source, string(binary.BigEndian.AppendUint64(nil, uint64(window)))) //nolint:gosec // never negative
	return k
}

func nameCounterKey(username string, window int64) (k CounterKey) {
	cut(k[:], "fob name counter 1", username, string(binary.BigEndian.AppendUint64(nil, uint64(window)))) //nolint:gosec // never negative
	return k
}

func cut(dst []byte, fields ...string) {
	h := sha256.New()
	for _, f := range fields {
		writeField(h, f)
	}
	copy(dst, h.Sum(nil))
}

func writeField(h hash.Hash, s string) {
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(s))) //nolint:gosec // bounded by the body limit
	h.Write(length[:])
	h.Write([]byte(s))
}
