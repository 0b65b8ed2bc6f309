package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/ledger"
)

func clientDisableCommand(p *program) *cobra.Command {
	return printsJSON(&cobra.Command{
		Use:   "disable ID",
		Short: "Refuse a client, and make its tokens inactive, until it is enabled",
		Long: `Refuse a client at all endpoints, and make all of its tokens inactive, within 10
seconds. It is a pause: what has not expired is active again after fob client
enable. To end the tokens for good, fob client sign-out.`,
		Example: "  fob client disable nightly",
		Args:    oneArg("the client's id"),
		RunE: p.changing(func(ctx context.Context, s stores, args []string) (any, string, error) {
			saved, err := s.registrar().SetClientDisabled(ctx, ledger.ClientID(args[0]), true)
			return viewClient(saved), fmt.Sprintf("The client %s is disabled. It is refused, and its tokens are inactive, within 10 seconds.", shown(args[0])), err
		}),
	}, clientView{})
}

func clientEnableCommand(p *program) *cobra.Command {
	return printsJSON(&cobra.Command{
		Use:     "enable ID",
		Short:   "Serve a disabled client again",
		Long:    `Serve a client again that was disabled, within 10 seconds.`,
		Example: "  fob client enable nightly",
		Args:    oneArg("the client's id"),
		RunE: p.changing(func(ctx context.Context, s stores, args []string) (any, string, error) {
			saved, err := s.registrar().SetClientDisabled(ctx, ledger.ClientID(args[0]), false)
			return viewClient(saved), fmt.Sprintf("The client %s is enabled, within 10 seconds.", shown(args[0])), err
		}),
	}, clientView{})
}

func clientSignOutCommand(p *program) *cobra.Command {
	return printsJSON(&cobra.Command{
		Use:   "sign-out ID",
		Short: "End all tokens of a client, of all its users",
		Long: `End all tokens that a client has, its own and those of all its users, on every
device, within 10 seconds and for good. The client itself is still served: users who
log in again get new tokens.`,
		Example: "  fob client sign-out shop-app",
		Args:    oneArg("the client's id"),
		RunE: p.changing(func(ctx context.Context, s stores, args []string) (any, string, error) {
			saved, err := s.registrar().EndClientTokens(ctx, ledger.ClientID(args[0]))
			return viewClient(saved), fmt.Sprintf("All tokens of the client %s are inactive within 10 seconds.", shown(args[0])), err
		}),
	}, clientView{})
}
