// Package laptop is fob on one machine: all endpoints in one handler, and a demo to
// try them on.
//
//	demo := laptop.NewDemo(keys.NewText(), 0)
//	err := demo.Seed(ctx, registrar, userRegistrar)
//	server := &http.Server{Handler: laptop.Handler(stores, fetch, wire.Options{})}
package laptop

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/fob-oauth/fob/docs"
	"github.com/fob-oauth/fob/internal/assertion"
	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/password"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/userimport"
	"github.com/fob-oauth/fob/internal/wire"
)

// Stores are what the endpoints work on.
type Stores struct {
	Tokens   oauth.Tokens
	Subjects oauth.Subjects
	Clients  oauth.Clients
	Issuers  oauth.Issuers
	Users    oauth.Users
	People   oauth.UserRegistry // the same users, for back ends

	// InProcess says that the stores answer at once. Then no timer ends a request: issuers,
	// own users, the key file and a turn to hash a password, which it may still wait for, have
	// limits of their own.
	InProcess bool

	// OwnUsers are asked as the mode says; nil if it is never.
	OwnUsers     oauth.OwnUsers
	OwnUsersMode oauth.OwnUsersMode
}

// answerTimeout bounds one request that may wait for stores. It is answered within a second.
const answerTimeout = 10 * time.Second

// Handler serves each endpoint at its path. fetch returns the key ring.
//
// A ServeMux would redirect paths to those that it would rather have, and a client would
// send its credentials along. The paths are routes, as the template has them.
func Handler(s Stores, fetch func(context.Context) (*bearer.MintRing, error), o wire.Options) http.Handler {
	endpoints := endpointsOf(s, fetch, o)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if !s.InProcess {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, answerTimeout)
			defer cancel()
		}
		route := routeOf(r.URL.Path)
		endpoint, ok := endpoints[route]
		if !ok {
			refuse(w, http.StatusNotFound, "fob serves "+strings.Join(slices.Sorted(maps.Keys(endpoints)), ", "))
			return
		}
		endpoint.ServeHTTP(w, r.WithContext(wire.WithGateway(ctx, wire.Gateway{Route: r.Method + " " + route})))
	})
}

// endpointsOf has each endpoint by its path.
func endpointsOf(s Stores, fetch func(context.Context) (*bearer.MintRing, error), o wire.Options) map[string]http.Handler {
	clients := oauth.NewClientCache(s.Clients, time.Now)
	issuer := &oauth.Issuer{
		Tokens:    s.Tokens,
		Clients:   clients,
		Users:     s.Users,
		Passwords: fewAtOnce{password.Hasher{}, make(chan struct{}, runtime.GOMAXPROCS(0))},

		Issuers:    oauth.NewIssuerCache(s.Issuers, time.Now),
		Assertions: assertion.New(time.Now, nil),

		Keys: keys.NewCache(fetch, time.Now),
		Now:  time.Now,

		OwnUsers: s.OwnUsers, OwnUsersMode: s.OwnUsersMode,
	}
	verifier := &oauth.Verifier{
		Tokens:  s.Tokens,
		Clients: clients,
		Keys: keys.NewCache(func(ctx context.Context) (*bearer.CheckRing, error) {
			ring, err := fetch(ctx)
			if err != nil {
				return nil, err
			}
			return ring.CheckRing, nil
		}, time.Now),
		Now: time.Now,
	}
	receiver := &oauth.Receiver{Issuers: issuer.Issuers, Assertions: issuer.Assertions, Subjects: s.Subjects}
	signIns := verifier.SignIns(s.Subjects)
	people := &oauth.UserRegistrar{
		Users: s.People, Subjects: s.Subjects, Tokens: s.Tokens, Passwords: issuer.Passwords, OwnUsersMode: s.OwnUsersMode, Now: time.Now,
	}
	backEnds := wire.UsersAndSignOut(wire.UserResources{
		Verifier: verifier, SignIns: signIns, Issuers: issuer.Issuers, NewUser: userimport.ParseUser,
		Registrar: people,
	}, o)
	account := wire.Account(verifier, &oauth.Account{Logins: s.Users, SignIns: signIns, Registrar: people}, o)
	labels := wire.DeviceLabels(verifier, signIns, o)
	ofDevices := wire.Devices(verifier, signIns, o)
	devices := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch { // another function's route in a deployment
			labels.ServeHTTP(w, r)
			return
		}
		ofDevices.ServeHTTP(w, r)
	})
	metadata := wire.Metadata(oauth.GrantTypes(), o)
	return map[string]http.Handler{
		wire.TokenPath:      wire.Token(issuer, o),
		wire.RevokePath:     wire.Revoke(verifier, o),
		wire.IntrospectPath: wire.Introspect(verifier, o),
		wire.DevicesPath:    ofDevices,
		wire.DevicePath:     devices,
		wire.SignOutPath:    devices,
		wire.EventsPath:     wire.Events(receiver, o),
		wire.AccountPath:    account,
		wire.PasswordPath:   account,

		wire.UsersPath:         backEnds,
		wire.UserPath:          backEnds,
		wire.UserDevicesPath:   backEnds,
		wire.UserDevicePath:    backEnds,
		wire.UserSignOutPath:   backEnds,
		wire.GlobalSignOutPath: backEnds,
		// No gateway is in front, so /me verifies the token itself.
		wire.MePath:              wire.Me(verifier, o),
		wire.MetadataPath:        metadata,
		wire.OpenIDMetadataPath:  metadata,
		wire.KeySetPath:          wire.KeySet(verifier, o),
		wire.MeMetadataPath:      metadata,
		wire.DevicesMetadataPath: metadata,
		OpenAPIPath:              http.HandlerFunc(describe),
	}
}

// OpenAPIPath is where the description of all endpoints is.
const OpenAPIPath = "/openapi.yaml"

// describe answers with the document.
func describe(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "the method is not one of this resource")
		return
	}
	w.Header().Set("Content-Type", "application/yaml") // RFC 9512
	_, _ = w.Write(docs.OpenAPI)                       // the client is gone if this fails
}

// refuse answers in the form of every other error (RFC 6749 §5.2), because clients
// read every answer as JSON.
func refuse(w http.ResponseWriter, status int, description string) {
	body, _ := json.Marshal(map[string]string{"error": string(oauth.InvalidRequest), "error_description": description}) // two strings
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff") // as every answer of package wire
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone if this fails
}

// routeOf is the route of a path, as a gateway would match it: the one with a
// variable takes a single segment that has no route of its own.
func routeOf(path string) string {
	if user, within := strings.CutPrefix(path, wire.UsersPath+"/"); within {
		switch segments := strings.Split(user, "/"); {
		case len(segments) == 2:
			return wire.UserDevicesPath
		case len(segments) == 3 && segments[2] == "sign-out":
			return wire.UserSignOutPath
		case len(segments) == 3:
			return wire.UserDevicePath
		}
		return wire.UserPath
	}
	device, within := strings.CutPrefix(path, wire.DevicesPath+"/")
	if !within || device == "" || strings.Contains(device, "/") || path == wire.SignOutPath {
		return path
	}
	return wire.DevicePath
}

// fewAtOnce hashes only as many passwords at a time as the machine has cores: each
// run takes 19 MiB, and more at once would not be faster. A run that has no turn after
// [answerTimeout] is not begun, or its answer would come when the server writes none any more.
type fewAtOnce struct {
	oauth.Passwords
	turns chan struct{}
}

var errNoTurn = errors.New("too many passwords are hashed at once")

func (f fewAtOnce) wait() error {
	select {
	case f.turns <- struct{}{}:
		return nil
	default: // without a timer
	}
	select {
	case f.turns <- struct{}{}:
		return nil
	case <-time.After(answerTimeout):
		return oauth.Unavailable("hash a password", errNoTurn)
	}
}

func (f fewAtOnce) Hash(password secret.Text) (secret.Text, error) {
	if err := f.wait(); err != nil {
		return secret.Text{}, err
	}
	defer func() { <-f.turns }()
	return f.Passwords.Hash(password)
}

func (f fewAtOnce) Verify(password, hash secret.Text) (ok, outdated bool, err error) {
	if err := f.wait(); err != nil {
		return false, false, err
	}
	defer func() { <-f.turns }()
	return f.Passwords.Verify(password, hash)
}
