package oauth

import (
	"context"
	"maps"
	"reflect"
)

// AddScope adds a scope that clients can be registered for. With roles only users
// who have one of them get it. With replace it may exist, and gets these roles, which
// count from the next login on.
func (r *Registrar) AddScope(ctx context.Context, name string, roles []string, replace bool) error {
	return r.EditScopes(ctx, func(all map[string][]string) error {
		if _, exists := all[name]; exists && !replace {
			return &ChangeError{Kind: EntryExists, Entry: ScopeEntry, Name: name}
		}
		all[name] = roles
		return nil
	})
}

// RemoveScope removes a scope, unless a client is registered for it: that client
// could no longer ask for it, nor refresh a token that has it. force removes it even
// then.
func (r *Registrar) RemoveScope(ctx context.Context, name string, force bool) error {
	return r.EditScopes(ctx, func(all map[string][]string) error {
		if _, exists := all[name]; !exists {
			return &ChangeError{Kind: NoSuchEntry, Entry: ScopeEntry, Name: name}
		}
		delete(all, name)
		if force {
			return nil
		}
		clients, err := r.Clients.ListClients(ctx)
		if err != nil {
			return err
		}
		var usedBy []string
		for _, c := range clients {
			if c.Scopes.Contains(name) {
				usedBy = append(usedBy, string(c.ID))
			}
		}
		if len(usedBy) > 0 {
			return &ChangeError{Kind: ScopeInUse, Entry: ScopeEntry, Name: name, UsedBy: usedBy}
		}
		return nil
	})
}

// EditScopes lets edit change the roles of all scopes, by the names of the scopes,
// and saves them if that made a difference. edit may be called more than once;
// nothing is saved if it returns an error, which is returned.
func (r *Registrar) EditScopes(ctx context.Context, edit func(roles map[string][]string) error) error {
	return untilNoConflict(func() error {
		before, err := r.Clients.ResourceScopes(ctx)
		if err != nil {
			return err
		}
		after := ResourceScopes{Version: before.Version, Roles: map[string][]string{}}
		maps.Copy(after.Roles, before.Roles)
		if err := edit(after.Roles); err != nil {
			return err
		}
		if err := invalidEntry(ScopeEntry, "", after.Validate()); err != nil {
			return err
		}
		if len(before.Roles) == len(after.Roles) && reflect.DeepEqual(before.Roles, after.Roles) {
			return nil
		}
		return unanswered(InDoubt, ScopeEntry, "", r.Clients.SaveResourceScopes(ctx, after))
	})
}
