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

// SaveClient implements oauth.ClientRegistry.
func (f FaultyRegistry) SaveClient(ctx context.Context, c oauth.Client) (saved oauth.Client, err error) {
	err = f.try(ctx, "save a client", func() (err error) {
		saved, err = f.stores.Clients.SaveClient(ctx, c)
		return err
	})
	return unless(err, saved), err
}

// RemoveClient implements oauth.ClientRegistry.
func (f FaultyRegistry) RemoveClient(ctx context.Context, id oauth.ClientID) (existed bool, err error) {
	err = f.try(ctx, "remove a client", func() (err error) {
		existed, err = f.stores.Clients.RemoveClient(ctx, id)
		return err
	})
	return unless(err, existed), err
}

// ListClients implements oauth.ClientRegistry.
func (f FaultyRegistry) ListClients(ctx context.Context) (all []oauth.Client, err error) {
	err = f.try(ctx, "list the clients", func() (err error) {
		all, err = f.stores.Clients.ListClients(ctx)
		return err
	})
	return unless(err, all), err
}

// SaveResourceScopes implements oauth.ClientRegistry.
func (f FaultyRegistry) SaveResourceScopes(ctx context.Context, s oauth.ResourceScopes) error {
	return f.try(ctx, "save the resource scopes", func() error { return f.stores.Clients.SaveResourceScopes(ctx, s) })
}

// User implements oauth.UserRegistry.
func (f FaultyRegistry) User(ctx context.Context, username string) (u oauth.User, found bool, err error) {
	err = f.try(ctx, "read a user", func() (err error) {
		u, found, err = f.stores.UserRegistry.User(ctx, username)
		return err
	})
	return unless(err, u), unless(err, found), err
}

// ListUsers implements oauth.UserRegistry.
func (f FaultyRegistry) ListUsers(ctx context.Context) (all []oauth.User, err error) {
	err = f.try(ctx, "list the users", func() (err error) {
		all, err = f.stores.UserRegistry.ListUsers(ctx)
		return err
	})
	return unless(err, all), err
}

// RemoveUser implements oauth.UserRegistry.
func (f FaultyRegistry) RemoveUser(ctx context.Context, u oauth.User) (existed bool, err error) {
	err = f.try(ctx, "remove a user", func() (err error) {
		existed, err = f.stores.UserRegistry.RemoveUser(ctx, u)
		return err
	})
	return unless(err, existed), err
}

// Each implements oauth.TokenRegistry.
func (f FaultyRegistry) Each(ctx context.Context, visit func(oauth.Record) error) error {
	return f.try(ctx, "read all authorizations", func() error { return f.stores.Registry.Each(ctx, visit) })
}

// Forget implements oauth.TokenRegistry.
func (f FaultyRegistry) Forget(ctx context.Context, subject oauth.Subject) error {
	return f.try(ctx, "forget a subject's state", func() error { return f.stores.Registry.Forget(ctx, subject) })
}
