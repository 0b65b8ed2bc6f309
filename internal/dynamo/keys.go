package dynamo

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// Every key of the three tables is rendered in this file, and nowhere else.
//
//	tokens   pk = base64url(subject)   sk = A#base64url(client)#base64url(authorization)
//	         pk = base64url(subject)   sk = S
//	clients  pk = client#<client id>
//	         pk = issuer#<name of the issuer>
//	         pk = scopes
//	users    pk = user#base64url(user key)
//	         pk = id#<user id>
//	         pk = count#base64url(counter key)
//
// The binary parts are hashes of one length each, made by ledger.Key, and #
// is not in the alphabet of base64url, so no two keys meet. A client id or the name
// of an issuer is the last part of its key and needs no frame, and so is a user id.

const (
	partitionKey = "pk"
	sortKey      = "sk"

	recordPrefix  = "A#"
	stateSort     = "S"
	clientPrefix  = "client#"
	issuerPrefix  = "issuer#"
	scopesKey     = "scopes"
	userPrefix    = "user#"
	userIDPrefix  = "id#"
	counterPrefix = "count#"

	maxPartitionKey = 2048 // bytes, DynamoDB's limit
)

func recordKey(loc bearer.Locator) item {
	return subjectKey(loc.Subject, listPrefix(&loc.Client)+base64url(loc.Authorization[:]))
}

func stateKey(subject [16]byte) item { return subjectKey(subject, stateSort) }

func subjectKey(subject [16]byte, sort string) item {
	return item{partitionKey: text(base64url(subject[:])), sortKey: text(sort)}
}

// listPrefix is what the sort keys of a subject's records begin with, of one
// client's unless that is nil.
func listPrefix(client *[8]byte) string {
	if client == nil {
		return recordPrefix
	}
	return recordPrefix + base64url(client[:]) + "#"
}

// clientKey reports false for an id that cannot be a key. No client has such an
// id, but anybody can send one, and DynamoDB would call that our fault.
func clientKey(id ledger.ClientID) (item, bool) { return nameKey(clientPrefix, string(id)) }

// issuerKey reports false as clientKey does, for what a token may claim as iss.
func issuerKey(name string) (item, bool) { return nameKey(issuerPrefix, name) }

func nameKey(prefix, name string) (item, bool) {
	key := prefix + name
	if len(key) > maxPartitionKey || !utf8.ValidString(key) {
		return nil, false
	}
	return item{partitionKey: text(key)}, true
}

func resourceScopesKey() item { return item{partitionKey: text(scopesKey)} }

// userKey hashes the name: people type passwords into the wrong field, and a
// table is not a place for those.
func userKey(username string) item {
	var k [16]byte
	ledger.Key(k[:], "fob user 1", username)
	return item{partitionKey: text(userPrefix + base64url(k[:]))}
}

// userIDKey reports false as clientKey does.
func userIDKey(id string) (item, bool) { return nameKey(userIDPrefix, id) }

func counterKey(k oauth.CounterKey) item {
	return item{partitionKey: text(counterPrefix + base64url(k[:]))}
}

// identity is the key of an item as one comparable value.
func (it item) identity() [2]string {
	return [2]string{keyText(it[partitionKey]), keyText(it[sortKey])}
}

func keyText(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

// alphabet is that of base64url in the order in which DynamoDB sorts it, and
// afterBase64URL follows every text of it.
const (
	alphabet       = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
	afterBase64URL = "~"
)

// placeOf is where a text lies among all that base64url can make of a long hash, in
// the order of DynamoDB, from 0 to 1. A character outside base64url counts as the next one
// in it.
func placeOf(text string) (place float64) {
	width := 1.0
	for _, c := range []byte(text[:min(len(text), 8)]) {
		at := strings.IndexByte(alphabet, c)
		if at < 0 {
			return place + width
		}
		width /= float64(len(alphabet))
		place += float64(at) * width
	}
	return place
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
