// Package config reads the environment of a function into its struct, such as
// [Token], with [Read]. It reports all faults at once. The environment holds names
// and references, never a secret.
package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"

	"github.com/fob-oauth/fob/internal/scope"
)

// Token configures functions/token.
type Token struct {
	Base
	// UsersTable holds users and the counters of wrong passwords.
	UsersTable string `env:"FOB_USERS_TABLE,required,notEmpty"`
	// MintSecret is the ARN of the secret with the mint keys.
	MintSecret string `env:"FOB_MINT_SECRET"`
	// HideKind is the kind of imported hashes that the time of a login hides, such as
	// bcrypt:12; see password.Kind, which checks it. Empty hides none.
	HideKind string `env:"FOB_HIDE_KIND"`
	OwnUsers
	// LambdaEndpoint is where the function of own users is in tests, as the AWS SDK calls it. Empty means
	// the endpoint of the function's region.
	LambdaEndpoint string `env:"AWS_ENDPOINT_URL_LAMBDA"`
	// Issuer is the aud of what clients sign (RFC 7523 §3), and the issuer of the metadata.
	// Empty means the address that the gateway says the request came to.
	Issuer string `env:"FOB_ISSUER"`
	Offer
}

// OwnUsers are the users of a team's own system. functions/token alone may invoke the function.
type OwnUsers struct {
	// Function is the ARN of the Lambda function that says who a name and a password are.
	// Empty means that fob alone has users.
	Function string `env:"FOB_OWN_USERS"`
	// Mode is whether that function is asked at each login, or once for each user.
	Mode OwnUsersMode `env:"FOB_OWN_USERS_MODE" envDefault:"ask"`
}

// OwnUsersMode is ask or migrate.
type OwnUsersMode string

// Keeps reports whether a user who logged in is kept with a hash of fob.
func (m OwnUsersMode) Keeps() bool { return m == "migrate" }

// UnmarshalText refuses other words: with one of them for migrate, passwords would not be kept.
func (m *OwnUsersMode) UnmarshalText(text []byte) error {
	*m = OwnUsersMode(text)
	if *m != "ask" && *m != "migrate" {
		return errors.New("FOB_OWN_USERS_MODE must be ask or migrate")
	}
	return nil
}

// Introspect configures functions/introspect.
type Introspect struct {
	Base
	// Issuer is the iss of answers (RFC 7662 §2.2), an https URL without query and
	// fragment. Empty means the address that the gateway says the request came to.
	Issuer string `env:"FOB_ISSUER"`
}

// Users configures functions/users.
type Users struct {
	Base
	// UsersTable holds users and the counters of wrong passwords.
	UsersTable string `env:"FOB_USERS_TABLE,required,notEmpty"`
	OwnUsers
	// Issuer is the address below which a new user's is. Empty means the address that the
	// gateway says the request came to.
	Issuer string `env:"FOB_ISSUER"`
}

// Trial configures functions/trial.
type Trial struct {
	Base
	// TokenVersion, RevokeVersion and IntrospectVersion are the ARNs of the versions to try.
	TokenVersion      string `env:"FOB_TOKEN_VERSION,required,notEmpty"`
	RevokeVersion     string `env:"FOB_REVOKE_VERSION,required,notEmpty"`
	IntrospectVersion string `env:"FOB_INTROSPECT_VERSION,required,notEmpty"`
}

// Account configures functions/account.
type Account struct {
	Base
	// UsersTable holds users and the counters of wrong passwords.
	UsersTable string `env:"FOB_USERS_TABLE,required,notEmpty"`
	OwnUsers
}

// Authorizer configures functions/authorizer.
type Authorizer struct {
	Base
	// Audience is what a token must be for. Empty accepts tokens for any audience,
	// which is right while there is one API.
	Audience string `env:"FOB_AUDIENCE"`
	// RouteScopes are the scopes that a route asks for. Empty means that an active
	// token is enough everywhere. If one route is named, the others are closed.
	RouteScopes RouteScopes `env:"FOB_ROUTE_SCOPES"`
}

// RouteScopes are scopes by route; see wire.Policy. They are written
//
//	GET /orders=orders:read; ANY /orders/{id}=orders:read orders:write; GET /ping
//
// with the path as the API spells it, variables and all. An entry without = asks for an
// active token and no scope. With nothing behind the = it is refused: the value of a
// variable that somebody left empty must not open a route.
type RouteScopes map[string]scope.Set

// methods are those of API Gateway.
var methods = []string{"ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}

// UnmarshalText reports every fault by the number of its entry and never quotes an
// entry: it may be a secret in the wrong place.
func (r *RouteScopes) UnmarshalText(text []byte) error {
	*r = RouteScopes{}
	var faults []error
	n := 0
	for line := range strings.SplitSeq(string(text), ";") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		n++
		fault := func(what string) {
			faults = append(faults, fmt.Errorf("FOB_ROUTE_SCOPES: entry %d: %s", n, what))
		}
		route, names, asks := strings.Cut(line, "=")
		route = strings.TrimSpace(route)
		if !isRoute(route) {
			fault("the route must be a method and a path, such as GET /orders, or *, with = between it and its scopes")
		}
		if _, twice := (*r)[route]; twice {
			fault("the route is there twice")
		}
		set, err := scope.Parse(strings.Join(strings.Fields(names), " "))
		switch {
		case err != nil:
			fault(err.Error())
		case asks && set.IsEmpty():
			fault("names no scope behind the =; without the = the route asks for none")
		case set.Device() != "":
			fault("a device is not a scope to ask for")
		}
		(*r)[route] = set
	}
	return errors.Join(faults...)
}

func isRoute(route string) bool {
	if route == "*" {
		return true
	}
	method, path, _ := strings.Cut(route, " ")
	return slices.Contains(methods, method) && strings.HasPrefix(path, "/") && !strings.ContainsFunc(path, notInRoute)
}

// notInRoute reports characters that a path of an API cannot have. The pattern of
// RouteScopes in template.yaml excludes them too.
func notInRoute(c rune) bool { return c <= ' ' || c > '~' || c == '?' || c == '#' }

// Metadata configures functions/metadata. It reads no table and no key.
type Metadata struct {
	// Issuer is the issuer (RFC 8414 §2), below which the endpoints are. Empty means
	// the address that the gateway says the request came to.
	Issuer string `env:"FOB_ISSUER"`
	Offer
}

// Offer is what a deployment offers, whatever its clients are registered for.
type Offer struct {
	// PasswordGrant switches the password grant on. A client must also be registered
	// for it.
	PasswordGrant bool `env:"FOB_PASSWORD_GRANT" envDefault:"true"`
}

// Events configures functions/events. It reads no key of fob.
type Events struct{ Tables }

// Announce configures functions/announce. It reads no table and no key: the stream is
// handed to it.
type Announce struct {
	// Bus is the ARN of the event bus that gets the events.
	Bus string `env:"FOB_EVENT_BUS,required,notEmpty"`
}

// Tables are for every function with tables.
type Tables struct {
	// TokensTable holds Authorizations and the state of subjects.
	TokensTable string `env:"FOB_TOKENS_TABLE,required,notEmpty"`
	// ClientsTable holds clients, issuers and resource scopes.
	ClientsTable string `env:"FOB_CLIENTS_TABLE,required,notEmpty"`
	// Edge has the hash of the secret of an edge in front of the gateway, and during a
	// change the hashes of both. Empty means none.
	Edge EdgeHashes `env:"FOB_EDGE_HASH"`
}

// Base is for every function that verifies tokens. It is all that functions/revoke and
// functions/devices read.
type Base struct {
	Tables
	// CheckSecret is the ARN of the secret with the check keys.
	CheckSecret string `env:"FOB_CHECK_SECRET"`
	// KeysFile is a file with the whole key ring, read in place of the secrets: for
	// sam local, where there is no Secrets Manager.
	KeysFile string `env:"FOB_KEYS_FILE"`
}

// EdgeHashes are SHA-256 hashes, written in hex with a comma between two. The secret is
// random, so its hash may be read by anybody.
type EdgeHashes [][32]byte

// UnmarshalText does not quote the text: it may be the secret in place of its hash.
func (e *EdgeHashes) UnmarshalText(text []byte) error {
	*e = nil
	if len(text) == 0 {
		return nil
	}
	for part := range strings.SplitSeq(string(text), ",") {
		hash, err := hex.DecodeString(part)
		if err != nil || len(hash) != sha256.Size || len(*e) == 2 {
			return errors.New("FOB_EDGE_HASH: it must be the SHA-256 of a secret in hex, or two with a comma between them")
		}
		*e = append(*e, [32]byte(hash))
	}
	return nil
}

// Read fills a C from the environment. Its error names every fault.
func Read[C interface{ faults() error }]() (C, error) { return read[C](nil) }

// read reads environment, or that of the process if it is nil.
func read[C interface{ faults() error }](environment map[string]string) (C, error) {
	var c C
	err := env.ParseWithOptions(&c, env.Options{Environment: environment})
	if err = errors.Join(err, c.faults()); err != nil {
		return c, fmt.Errorf("configuration: %w", err)
	}
	return c, nil
}

func (Announce) faults() error { return nil } // so here

func (Events) faults() error { return nil } // Read finds what is missing

func (b Base) faults() error {
	if b.KeysFile == "" && b.CheckSecret == "" {
		return errors.New("FOB_CHECK_SECRET is empty, and there is no FOB_KEYS_FILE")
	}
	return nil
}

func (t Token) faults() error {
	faults := errors.Join(t.Base.faults(), validateIssuer(t.Issuer))
	if t.KeysFile == "" && t.MintSecret == "" {
		return errors.Join(faults, errors.New("FOB_MINT_SECRET is empty, and there is no FOB_KEYS_FILE"))
	}
	return faults
}

func (i Introspect) faults() error { return errors.Join(i.Base.faults(), validateIssuer(i.Issuer)) }

func (u Users) faults() error { return errors.Join(u.Base.faults(), validateIssuer(u.Issuer)) }

func (m Metadata) faults() error { return validateIssuer(m.Issuer) }

// validateIssuer holds the issuer to RFC 8414 §2.
func validateIssuer(issuer string) error {
	if issuer == "" {
		return nil
	}
	u, err := url.Parse(issuer)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.User != nil {
		return errors.New("FOB_ISSUER must be an https URL without query and fragment")
	}
	return nil
}
