package storetest

import (
	"context"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// FaultyRegistry is a Faulty for what operators and back ends do. Its calls count and fail
// together with those of the Faulty.
type FaultyRegistry struct{ *Faulty }

var (
	_ oauth.ClientRegistry = FaultyRegistry{}
	_ oauth.IssuerRegistry = FaultyRegistry{}
	_ oauth.UserRegistry   = FaultyRegistry{}
	_ oauth.TokenRegistry  = FaultyRegistry{}
)

// tried is the value of one call, unless the call fails.
func tried[T any](ctx context.Context, f *Faulty, doing string, call func() (T, error)) (v T, err error) {
	err = f.try(ctx, doing, func() (err error) {
		v, err = call()
		return err
	})
	if err != nil {
		return *new(T), err
	}
	return v, nil
}

// SaveClient implements oauth.ClientRegistry.
func (f FaultyRegistry) SaveClient(ctx context.Context, c oauth.Client) (oauth.Client, error) {
	return tried(ctx, f.Faulty, "save a client", func() (oauth.Client, error) { return f.stores.Clients.SaveClient(ctx, c) })
}

// RemoveClient implements oauth.ClientRegistry.
func (f FaultyRegistry) RemoveClient(ctx context.Context, id ledger.ClientID) (bool, error) {
	return tried(ctx, f.Faulty, "remove a client", func() (bool, error) { return f.stores.Clients.RemoveClient(ctx, id) })
}

// ListClients implements oauth.ClientRegistry.
func (f FaultyRegistry) ListClients(ctx context.Context) ([]oauth.Client, error) {
	return tried(ctx, f.Faulty, "list the clients", func() ([]oauth.Client, error) { return f.stores.Clients.ListClients(ctx) })
}

// SaveResourceScopes implements oauth.ClientRegistry.
func (f FaultyRegistry) SaveResourceScopes(ctx context.Context, s oauth.ResourceScopes) error {
	return f.try(ctx, "save the resource scopes", func() error { return f.stores.Clients.SaveResourceScopes(ctx, s) })
}

// SaveIssuer implements oauth.IssuerRegistry.
func (f FaultyRegistry) SaveIssuer(ctx context.Context, i oauth.TrustedIssuer) (oauth.TrustedIssuer, error) {
	return tried(ctx, f.Faulty, "save an issuer", func() (oauth.TrustedIssuer, error) { return f.stores.Issuers.SaveIssuer(ctx, i) })
}

// RemoveIssuer implements oauth.IssuerRegistry.
func (f FaultyRegistry) RemoveIssuer(ctx context.Context, name string) (bool, error) {
	return tried(ctx, f.Faulty, "remove an issuer", func() (bool, error) { return f.stores.Issuers.RemoveIssuer(ctx, name) })
}

// ListIssuers implements oauth.IssuerRegistry.
func (f FaultyRegistry) ListIssuers(ctx context.Context) ([]oauth.TrustedIssuer, error) {
	return tried(ctx, f.Faulty, "list the issuers", func() ([]oauth.TrustedIssuer, error) { return f.stores.Issuers.ListIssuers(ctx) })
}

// User implements oauth.UserRegistry.
func (f FaultyRegistry) User(ctx context.Context, username string) (oauth.User, bool, error) {
	found := false
	u, err := tried(ctx, f.Faulty, "read a user", func() (u oauth.User, err error) {
		u, found, err = f.stores.UserRegistry.User(ctx, username)
		return u, err
	})
	return u, found && err == nil, err
}

// UserByID implements oauth.UserRegistry.
func (f FaultyRegistry) UserByID(ctx context.Context, id string) (oauth.User, bool, error) {
	found := false
	u, err := tried(ctx, f.Faulty, "read a user by id", func() (u oauth.User, err error) {
		u, found, err = f.stores.UserRegistry.UserByID(ctx, id)
		return u, err
	})
	return u, found && err == nil, err
}

// UsersAfter implements oauth.UserRegistry.
func (f FaultyRegistry) UsersAfter(ctx context.Context, after string, limit int) (page []oauth.User, next string, err error) {
	err = f.try(ctx, "list the users", func() error {
		page, next, err = f.stores.UserRegistry.UsersAfter(ctx, after, limit)
		return err
	})
	return page, next, err
}

// RemoveUser implements oauth.UserRegistry.
func (f FaultyRegistry) RemoveUser(ctx context.Context, u oauth.User) (bool, error) {
	return tried(ctx, f.Faulty, "remove a user", func() (bool, error) { return f.stores.UserRegistry.RemoveUser(ctx, u) })
}

// Each implements oauth.TokenRegistry.
func (f FaultyRegistry) Each(ctx context.Context, visit func(ledger.Record) error) error {
	return f.try(ctx, "read all authorizations", func() error { return f.stores.Registry.Each(ctx, visit) })
}

// Forget implements oauth.TokenRegistry.
func (f FaultyRegistry) Forget(ctx context.Context, subject ledger.Subject) error {
	return f.try(ctx, "forget a subject's state", func() error { return f.stores.Registry.Forget(ctx, subject) })
}
