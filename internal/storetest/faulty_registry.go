package storetest

import (
	"context"

	"github.com/fob-oauth/fob/internal/oauth"
)

// FaultyRegistry is a [Faulty] for what operators do. Its calls count and fail
// together with those of the Faulty.
type FaultyRegistry struct{ *Faulty }

var (
	_ oauth.ClientRegistry = FaultyRegistry{}
	_ oauth.UserRegistry   = FaultyRegistry{}
	_ oauth.TokenRegistry  = FaultyRegistry{}
)

// tried is the value of one call, unless the call fails.
func tried[T any](ctx context.Context, f *Faulty, doing string, call func() (T, error)) (v T, err error) {
	err = f.try(ctx, doing, func() (err error) {
		v, err = call()
		return err
	})
	return unless(err, v), err
}

func (f FaultyRegistry) SaveClient(ctx context.Context, c oauth.Client) (oauth.Client, error) {
	return tried(ctx, f.Faulty, "save a client", func() (oauth.Client, error) { return f.stores.Clients.SaveClient(ctx, c) })
}

func (f FaultyRegistry) RemoveClient(ctx context.Context, id oauth.ClientID) (bool, error) {
	return tried(ctx, f.Faulty, "remove a client", func() (bool, error) { return f.stores.Clients.RemoveClient(ctx, id) })
}

func (f FaultyRegistry) ListClients(ctx context.Context) ([]oauth.Client, error) {
	return tried(ctx, f.Faulty, "list the clients", func() ([]oauth.Client, error) { return f.stores.Clients.ListClients(ctx) })
}

func (f FaultyRegistry) SaveResourceScopes(ctx context.Context, s oauth.ResourceScopes) error {
	return f.try(ctx, "save the resource scopes", func() error { return f.stores.Clients.SaveResourceScopes(ctx, s) })
}

func (f FaultyRegistry) User(ctx context.Context, username string) (u oauth.User, found bool, err error) {
	err = f.try(ctx, "read a user", func() (err error) {
		u, found, err = f.stores.UserRegistry.User(ctx, username)
		return err
	})
	return unless(err, u), unless(err, found), err
}

func (f FaultyRegistry) ListUsers(ctx context.Context) ([]oauth.User, error) {
	return tried(ctx, f.Faulty, "list the users", func() ([]oauth.User, error) { return f.stores.UserRegistry.ListUsers(ctx) })
}

func (f FaultyRegistry) RemoveUser(ctx context.Context, u oauth.User) (bool, error) {
	return tried(ctx, f.Faulty, "remove a user", func() (bool, error) { return f.stores.UserRegistry.RemoveUser(ctx, u) })
}

func (f FaultyRegistry) Each(ctx context.Context, visit func(oauth.Record) error) error {
	return f.try(ctx, "read all authorizations", func() error { return f.stores.Registry.Each(ctx, visit) })
}

func (f FaultyRegistry) Forget(ctx context.Context, subject oauth.Subject) error {
	return f.try(ctx, "forget a subject's state", func() error { return f.stores.Registry.Forget(ctx, subject) })
}
