package oauth

import (
	"context"
	"crypto/subtle"
	"strings"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/secret"
)

// AuthMethod is how a request showed who its client is (RFC 6749 §2.3.1, RFC
// 7591 §2 token_endpoint_auth_method).
type AuthMethod uint8

const (
	NoCredentials AuthMethod = iota
	ClientIDOnly             // client_id in the body: a public client
	SecretBasic              // client_secret_basic
	SecretPost               // client_secret_post
)

// Credentials are what a request showed to authenticate its client.
type Credentials struct {
	Method AuthMethod
	ID     ledger.ClientID
	Secret secret.Text
}

// ErrInvalidClient is every failure of client authentication. All of them read
// alike, so that an answer does not reveal which clients exist.
var ErrInvalidClient = &Error{InvalidClient, "client authentication failed"}

func errInvalidClient() error { return ErrInvalidClient }

// authenticate proves the client of a request, public clients by their id alone.
// With fresh the registration is read past the cache.
func authenticate(ctx context.Context, clients *ClientCache, cred Credentials, fresh bool) (Client, error) {
	if cred.Method == NoCredentials || !PlausibleClientID(cred.ID) {
		return Client{}, errInvalidClient()
	}
	c, found, err := clients.read(ctx, cred.ID, fresh)
	if err != nil {
		return Client{}, err
	}
	hash := HashClientSecret(cred.Secret)
	matched, older := 0, 0
	for i, s := range c.Secrets {
		same := subtle.ConstantTimeCompare(s.Hash[:], hash[:])
		matched |= same
		if i < len(c.Secrets)-1 {
			older |= same
		}
	}
	ok := found && !c.Disabled
	if c.Public {
		ok = ok && cred.Method == ClientIDOnly
	} else {
		ok = ok && cred.Method != ClientIDOnly && matched == 1
	}
	if !ok {
		return Client{}, errInvalidClient()
	}
	event := EventOf(ctx)
	event.Client, event.OlderSecret = c.ID, older == 1
	return c, nil
}

// PlausibleClientID reports whether a client can have such an id. It spares the
// store the ids that Validate refuses.
func PlausibleClientID(id ledger.ClientID) bool {
	return id != "" && len(id) <= maxClientID && !strings.ContainsFunc(string(id), notPrintableASCII)
}

func notPrintableASCII(c rune) bool { return c <= ' ' || c > '~' }
