package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/oauth"
)

func (p *program) scopeCommand() *cobra.Command {
	var roles []string
	var replace, force bool
	add := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a scope",
		Long: `Add a scope that clients can be registered for. With roles, only users who have
one of them get it. Device scopes need no entry.`,
		Example: "  fob scope add read\n  fob scope add publish --role editor --role admin",
		Args:    oneArg("the scope's name"),
		RunE: p.changingClients(func(ctx context.Context, clients oauth.ClientRegistry, args []string) error {
			return p.addScope(ctx, clients, args[0], roles, replace)
		}),
	}
	p.tells(add, scopeView{})
	add.Flags().StringArrayVar(&roles, "role", nil, "`role` that may have it; repeat for more (default: everybody)")
	add.Flags().BoolVar(&replace, "replace", false, "change the roles of a scope that is there; they count from the next login on")
	remove := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a scope",
		Long: `Remove a scope. It is refused while a client is registered for the scope: that client
could no longer ask for it, nor refresh a token that has it.`,
		Example: "  fob scope remove publish",
		Args:    oneArg("the scope's name"),
		RunE: p.changingClients(func(ctx context.Context, clients oauth.ClientRegistry, args []string) error {
			return p.removeScope(ctx, clients, args[0], force)
		}),
	}
	p.tells(remove, removedScope{})
	remove.Flags().BoolVar(&force, "force", false, "even if clients are registered for it")
	return group("scope", "Add, list and remove scopes", "Scopes are what clients can ask for, besides devices.",
		add,
		p.tells(&cobra.Command{
			Use:     "list",
			Short:   "List the scopes",
			Long:    `List all scopes, with the roles that may have them; none is everybody.`,
			Example: "  fob scope list",
			Args:    noArgs,
			RunE:    p.withClients(p.listScopes),
		}, []scopeView{}),
		remove,
	)
}

// scopeView is a scope as --json shows it. Programs rely on the names.
type scopeView struct {
	Scope string   `json:"scope"`
	Roles []string `json:"roles"` // none is everybody
}

type removedScope struct {
	Scope   string `json:"scope"`
	Removed bool   `json:"removed"`
}

// changeScopes reads all scopes, lets change edit them, and saves them, again and
// again while others do the same.
func changeScopes(ctx context.Context, clients oauth.ClientRegistry, change func(roles map[string][]string) error) error {
	return untilNoConflict(func() error {
		s, err := clients.ResourceScopes(ctx)
		if err != nil {
			return err
		}
		roles := map[string][]string{}
		maps.Copy(roles, s.Roles)
		if err := change(roles); err != nil {
			return err
		}
		s.Roles = roles
		if err := s.Validate(); err != nil {
			return invalid("the scope was not added", err)
		}
		return clients.SaveResourceScopes(ctx, s)
	})
}

func (p *program) addScope(ctx context.Context, clients oauth.ClientRegistry, name string, roles []string, replace bool) error {
	err := changeScopes(ctx, clients, func(all map[string][]string) error {
		if _, exists := all[name]; exists && !replace {
			return fail(exitConflict, "there is a scope %q already: --replace gives it these roles", name)
		}
		all[name] = roles
		return nil
	})
	if err != nil {
		return err
	}
	return p.confirm(scopeView{name, orEmpty(roles)}, func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "The scope %s is added, for %s.\n", name, rolesInWords(roles))
	})
}

func rolesInWords(roles []string) string {
	if len(roles) == 0 {
		return "everybody"
	}
	return "users with the role " + strings.Join(roles, " or ")
}

func (p *program) listScopes(ctx context.Context, clients oauth.ClientRegistry, _ []string) error {
	s, err := clients.ResourceScopes(ctx)
	if err != nil {
		return err
	}
	views := []scopeView{}
	rows := [][]string{{"SCOPE", "ROLES"}}
	for _, name := range slices.Sorted(maps.Keys(s.Roles)) {
		roles := s.Roles[name]
		views = append(views, scopeView{name, orEmpty(roles)})
		rows = append(rows, []string{name, list(roles)})
	}
	return p.print(views, func(w io.Writer) { columns(w, rows...) })
}

func (p *program) removeScope(ctx context.Context, clients oauth.ClientRegistry, name string, force bool) error {
	err := changeScopes(ctx, clients, func(all map[string][]string) error {
		if _, exists := all[name]; !exists {
			return fail(exitNotFound, "there is no scope %q: see fob scope list", name)
		}
		if !force {
			if err := refuseInUse(ctx, clients, name); err != nil {
				return err
			}
		}
		delete(all, name)
		return nil
	})
	if err != nil {
		return err
	}
	return p.confirm(removedScope{name, true}, func(w io.Writer) { _, _ = fmt.Fprintf(w, "The scope %s is removed.\n", name) })
}

func refuseInUse(ctx context.Context, clients oauth.ClientRegistry, name string) error {
	all, err := clients.ListClients(ctx)
	if err != nil {
		return err
	}
	var registered []string
	for _, c := range all {
		if c.Scopes.Contains(name) {
			registered = append(registered, string(c.ID))
		}
	}
	if len(registered) == 0 {
		return nil
	}
	return fail(exitConflict, "the scope %q is in use by %s: remove them first, or give --force", name, strings.Join(registered, ", "))
}
