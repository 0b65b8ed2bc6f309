package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/ledger"
)

func clientCommand(p *program) *cobra.Command {
	return group("client", "Register applications, change and remove them",
		`Clients are the registered applications: confidential ones with a secret, public
ones such as mobile apps without one, and APIs that introspect tokens.`,
		clientAddCommand(p),
		clientSetCommand(p),
		clientRotateSecretCommand(p),
		clientDisableCommand(p),
		clientEnableCommand(p),
		clientSignOutCommand(p),
		printsJSON(&cobra.Command{
			Use:     "list",
			Short:   "List the clients",
			Long:    `List all clients, by their ids.`,
			Example: "  fob client list",
			Args:    noArgs,
			RunE:    p.withStores(func(ctx context.Context, s stores, _ []string) error { return listClients(ctx, p, s) }),
		}, []clientView{}),
		printsJSON(&cobra.Command{
			Use:     "show ID",
			Short:   "Show a client",
			Long:    "Show a client with all of its settings, defaults included. Its secrets are not kept and\nso cannot be shown.",
			Example: "  fob client show shop-app",
			Args:    oneArg("the client's id"),
			RunE:    p.withStores(func(ctx context.Context, s stores, args []string) error { return showClient(ctx, p, s, args[0]) }),
		}, clientView{}),
		printsJSON(&cobra.Command{
			Use:   "remove ID",
			Short: "Remove a client",
			Long: `Remove a client. Its tokens are inactive within 10 seconds, and stay so if a
client with that id is added again.`,
			Example: "  fob client remove shop-app",
			Args:    oneArg("the client's id"),
			RunE: p.changing(func(ctx context.Context, s stores, args []string) (any, string, error) {
				err := s.registrar().RemoveClient(ctx, ledger.ClientID(args[0]))
				return removedClient{args[0], true}, fmt.Sprintf("The client %s is removed. Its tokens are inactive within 10 seconds.", shown(args[0])), err
			}),
		}, removedClient{}),
	)
}

type removedClient struct {
	ClientID string `json:"client_id"`
	Removed  bool   `json:"removed"`
}
