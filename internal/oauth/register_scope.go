package oauth

import (
	"context"
	"maps"
	"reflect"
	"slices"
)

// AddScope adds a scope that clients can be registered for. With roles only users
// who have one of them get it. With replace it may exist, and gets these roles. If that
// takes the scope from somebody, all tokens with the scope end within ten seconds.
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
// then. Within ten seconds no token has the scope. If it is added again, the tokens that
// had it before end.
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
		after := ResourceScopes{Version: before.Version, Roles: map[string][]string{}, Since: map[string]uint64{}}
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
		coming := NextVersion(before.Version, r.Now())
		for name, roles := range after.Roles {
			had, existed := before.Roles[name]
			switch since := before.Since[name]; {
			case !existed, takesAway(had, roles):
				after.Since[name] = coming
			case since > 0:
				after.Since[name] = since
			}
		}
		return unanswered(ScopeEntry, "", r.Clients.SaveResourceScopes(ctx, after))
	})
}

// takesAway reports whether somebody who may have a scope of these roles may not have it
// with other roles. No roles mean everybody.
func takesAway(roles, others []string) bool {
	lost := func(role string) bool { return !slices.Contains(others, role) }
	return len(others) > 0 && (len(roles) == 0 || slices.ContainsFunc(roles, lost))
}
