// Package config reads what a function is told by its environment: one struct
// for each function, all faults reported at once. The environment holds names
// and references, never a secret.
package config

import (
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
	Offer
}

// Revoke configures functions/revoke.
type Revoke struct{ Base }

// Introspect configures functions/introspect.
type Introspect struct {
	Base
	// Issuer is the iss of answers (RFC 7662 §2.2), an https URL without query and
	// fragment. Empty means the address that the gateway says the request came to.
	Issuer string `env:"FOB_ISSUER"`
}

// Authorizer configures functions/authorizer.
type Authorizer struct {
	Base
	// Audience is what a token must be for. Empty accepts tokens for any audience,
	// which is right while there is one API.
	Audience string `env:"FOB_AUDIENCE"`
	// RouteScopes are the scopes that a route asks for. Empty means that an active
	// token is enough everywhere.
	RouteScopes RouteScopes `env:"FOB_ROUTE_SCOPES"`
}

// RouteScopes are scopes by route; see wire.Policy. They are written
//
//	GET /orders=orders:read; ANY /orders/{id}=orders:read orders:write; *=api
//
// with the path as the API spells it, variables and all.
type RouteScopes map[string]scope.Set

// methods are those of API Gateway.
var methods = []string{"ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}

// UnmarshalText tells all that is wrong, by the number of the line: a text that
// is no route at all may be a secret in the wrong place.
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
		route, names, found := strings.Cut(line, "=")
		route = strings.TrimSpace(route)
		if !found {
			fault("has no = between a route and its scopes")
			continue
		}
		if !isRoute(route) {
			fault("the route must be a method and a path, such as GET /orders, or *")
		}
		if _, twice := (*r)[route]; twice {
			fault("the route is there twice")
		}
		set, err := scope.Parse(strings.Join(strings.Fields(names), " "))
		switch {
		case err != nil:
			fault(err.Error())
		case set.IsEmpty():
			fault("names no scope; a route that is left out needs none")
		case set.Device() != "":
			fault("a device is no scope to ask for")
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

// notInRoute tells what no path of an API has. RouteScopes of template.yaml says the
// same by a pattern.
func notInRoute(c rune) bool { return c <= ' ' || c > '~' || c == '?' || c == '#' }

// Devices configures functions/devices.
type Devices struct{ Base }

// Metadata configures functions/metadata. It reads no table and no key.
type Metadata struct {
	// Issuer is the issuer (RFC 8414 §2), below which the endpoints are. Empty means
	// the address that the gateway says the request came to.
	Issuer string `env:"FOB_ISSUER"`
	Offer
}

// Offer is what a deployment offers, whatever its clients are registered for.
type Offer struct {
	// PasswordGrant tells whether there is a password grant at all. Clients have to
	// be registered for it besides.
	PasswordGrant bool `env:"FOB_PASSWORD_GRANT" envDefault:"true"`
}

// Base is what every function with tables needs.
type Base struct {
	// TokensTable holds Authorizations and the state of subjects.
	TokensTable string `env:"FOB_TOKENS_TABLE,required,notEmpty"`
	// ClientsTable holds clients and resource scopes.
	ClientsTable string `env:"FOB_CLIENTS_TABLE,required,notEmpty"`
	// CheckSecret is the ARN of the secret with the check keys.
	CheckSecret string `env:"FOB_CHECK_SECRET"`
	// KeysFile is a file with the whole key ring, read in place of the secrets: for
	// sam local, where there is no Secrets Manager.
	KeysFile string `env:"FOB_KEYS_FILE"`
}

// Read fills a C from the environment.
func Read[C Token | Revoke | Introspect | Authorizer | Devices | Metadata]() (C, error) {
	return read[C](nil)
}

func read[C Token | Revoke | Introspect | Authorizer | Devices | Metadata](environment map[string]string) (C, error) {
	var c C
	errs := []error{env.ParseWithOptions(&c, env.Options{Environment: environment})}
	switch c := any(c).(type) {
	case Token:
		errs = append(errs, c.faults())
		if c.KeysFile == "" && c.MintSecret == "" {
			errs = append(errs, errors.New("FOB_MINT_SECRET is empty, and there is no FOB_KEYS_FILE"))
		}
	case Revoke:
		errs = append(errs, c.faults())
	case Introspect:
		errs = append(errs, c.faults(), validateIssuer(c.Issuer))
	case Authorizer:
		errs = append(errs, c.faults())
	case Devices:
		errs = append(errs, c.faults())
	case Metadata:
		errs = append(errs, validateIssuer(c.Issuer))
	}
	if err := errors.Join(errs...); err != nil {
		return c, fmt.Errorf("configuration: %w", err)
	}
	return c, nil
}

func (b Base) faults() error {
	if b.KeysFile == "" && b.CheckSecret == "" {
		return errors.New("FOB_CHECK_SECRET is empty, and there is no FOB_KEYS_FILE")
	}
	return nil
}

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

// EnvNames lists the environment variables that the struct v reads, sorted. The
// template is held to it.
func EnvNames(v any) ([]string, error) {
	params, err := env.GetFieldParams(v)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range params {
		names = append(names, p.Key)
	}
	slices.Sort(names)
	return names, nil
}
