package oauth_test

import (
	"context"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/storetest"
)

// faultyRegistry is a Faulty for what operators do. Its calls count and fail
// together with those of the Faulty.
type faultyRegistry struct {
	*storetest.Faulty
	stores storetest.Stores
}

// tried is the value of one call, unless the call fails.
func tried[T any](ctx context.Context, f *storetest.Faulty, doing string, call func() (T, error)) (v T, err error) {
	err = f.Try(ctx, doing, func() (err error) {
		v, err = call()
		return err
	})
	if err != nil {
		return *new(T), err
	}
	return v, nil
}

func (f faultyRegistry) SaveClient(ctx context.Context, c oauth.Client) (oauth.Client, error) {
	return tried(ctx, f.Faulty, "save a client", func() (oauth.Client, error) { return f.stores.Clients.SaveClient(ctx, c) })
}

func (f faultyRegistry) RemoveClient(ctx context.Context, id ledger.ClientID) (bool, error) {
	return tried(ctx, f.Faulty, "remove a client", func() (bool, error) { return f.stores.Clients.RemoveClient(ctx, id) })
}

func (f faultyRegistry) ListClients(ctx context.Context) ([]oauth.Client, error) {
	return tried(ctx, f.Faulty, "list the clients", func() ([]oauth.Client, error) { return f.stores.Clients.ListClients(ctx) })
}

func (f faultyRegistry) SaveResourceScopes(ctx context.Context, s oauth.ResourceScopes) error {
	return f.Try(ctx, "save the resource scopes", func() error { return f.stores.Clients.SaveResourceScopes(ctx, s) })
}

func (f faultyRegistry) SaveIssuer(ctx context.Context, i oauth.TrustedIssuer) (oauth.TrustedIssuer, error) {
	return tried(ctx, f.Faulty, "save an issuer", func() (oauth.TrustedIssuer, error) { return f.stores.Issuers.SaveIssuer(ctx, i) })
}

func (f faultyRegistry) RemoveIssuer(ctx context.Context, name string) (bool, error) {
	return tried(ctx, f.Faulty, "remove an issuer", func() (bool, error) { return f.stores.Issuers.RemoveIssuer(ctx, name) })
}

func (f faultyRegistry) ListIssuers(ctx context.Context) ([]oauth.TrustedIssuer, error) {
	return tried(ctx, f.Faulty, "list the issuers", func() ([]oauth.TrustedIssuer, error) { return f.stores.Issuers.ListIssuers(ctx) })
}

func (f faultyRegistry) User(ctx context.Context, username string) (oauth.User, bool, error) {
	found := false
	u, err := tried(ctx, f.Faulty, "read a user", func() (u oauth.User, err error) {
		u, found, err = f.stores.UserRegistry.User(ctx, username)
		return u, err
	})
	return u, found && err == nil, err
}

func (f faultyRegistry) UserByID(ctx context.Context, id string) (oauth.User, bool, error) {
	found := false
	u, err := tried(ctx, f.Faulty, "read a user by id", func() (u oauth.User, err error) {
		u, found, err = f.stores.UserRegistry.UserByID(ctx, id)
		return u, err
	})
	return u, found && err == nil, err
}

func (f faultyRegistry) UsersAfter(ctx context.Context, after string, limit int) (page []oauth.User, next string, err error) {
	err = f.Try(ctx, "list some users", func() error {
		page, next, err = f.stores.UserRegistry.UsersAfter(ctx, after, limit)
		return err
	})
	return page, next, err
}

func (f faultyRegistry) ListUsers(ctx context.Context) ([]oauth.User, error) {
	return tried(ctx, f.Faulty, "list the users", func() ([]oauth.User, error) { return f.stores.UserRegistry.ListUsers(ctx) })
}

func (f faultyRegistry) RemoveUser(ctx context.Context, u oauth.User) (bool, error) {
	return tried(ctx, f.Faulty, "remove a user", func() (bool, error) { return f.stores.UserRegistry.RemoveUser(ctx, u) })
}

func (f faultyRegistry) Each(ctx context.Context, visit func(ledger.Record) error) error {
	return f.Try(ctx, "read all authorizations", func() error { return f.stores.Registry.Each(ctx, visit) })
}

func (f faultyRegistry) Forget(ctx context.Context, subject ledger.Subject) error {
	return f.Try(ctx, "forget a subject's state", func() error { return f.stores.Registry.Forget(ctx, subject) })
}
