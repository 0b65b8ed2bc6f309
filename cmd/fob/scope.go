package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func scopeCommand(p *program) *cobra.Command {
	var roles []string
	var replace, force bool
	add := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a scope",
		Long: `Add a scope that clients can be registered for. With roles, only users who have
one of them get it. Device scopes need no entry.`,
		Example: "  fob scope add read\n  fob scope add publish --role editor --role admin",
		Args:    oneArg("the scope's name"),
		RunE: p.changing(func(ctx context.Context, s stores, args []string) (any, string, error) {
			err := s.registrar().AddScope(ctx, args[0], roles, replace)
			return scopeView{args[0], orEmpty(roles)}, fmt.Sprintf("The scope %s is added, for %s.", args[0], rolesInWords(roles)), err
		}),
	}
	printsJSON(add, scopeView{})
	add.Flags().StringArrayVar(&roles, "role", nil, "`role` that may have it; repeat for more (default: everybody)")
	add.Flags().BoolVar(&replace, "replace", false, "change the roles of a scope that is there; if that takes it from somebody, all tokens with it end within 10 seconds")
	remove := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a scope",
		Long: `Remove a scope. It is refused while a client is registered for the scope: that client
could no longer ask for it, nor refresh a token that has it.

Within 10 seconds the scope is in no answer about a token and opens no route. If it is
added again, tokens that had it before end: their users log in again.`,
		Example: "  fob scope remove publish",
		Args:    oneArg("the scope's name"),
		RunE: p.changing(func(ctx context.Context, s stores, args []string) (any, string, error) {
			err := s.registrar().RemoveScope(ctx, args[0], force)
			return removedScope{args[0], true}, fmt.Sprintf("The scope %s is removed.", args[0]), err
		}),
	}
	printsJSON(remove, removedScope{})
	remove.Flags().BoolVar(&force, "force", false, "even if clients are registered for it")
	return group("scope", "Add, list and remove scopes", "Scopes are what clients can ask for, apart from devices.",
		add,
		printsJSON(&cobra.Command{
			Use:     "list",
			Short:   "List the scopes",
			Long:    `List all scopes, with the roles that may have them; none is everybody.`,
			Example: "  fob scope list",
			Args:    noArgs,
			RunE:    p.withStores(func(ctx context.Context, s stores, _ []string) error { return listScopes(ctx, p, s) }),
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

func rolesInWords(roles []string) string {
	if len(roles) == 0 {
		return "everybody"
	}
	return "users with the role " + strings.Join(roles, " or ")
}

func listScopes(ctx context.Context, p *program, st stores) error {
	s, err := st.clients.ResourceScopes(ctx)
	if err != nil {
		return err
	}
	return printTable(p, slices.Sorted(maps.Keys(s.Roles)), []string{"SCOPE", "ROLES"}, func(name string) (scopeView, []string) {
		return scopeView{name, orEmpty(s.Roles[name])}, []string{name, list(s.Roles[name])}
	})
}
