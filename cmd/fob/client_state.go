package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/oauth"
)

func (p *program) clientDisableCommand() *cobra.Command {
	return p.tells(&cobra.Command{
		Use:   "disable ID",
		Short: "Refuse a client, and make its tokens inactive, until it is enabled",
		Long: `Refuse a client at all endpoints, and make all of its tokens inactive, within 10
seconds. It is a pause: what has not expired is active again after fob client
enable. To end the tokens for good, fob client sign-out.`,
		Example: "  fob client disable nightly",
		Args:    oneArg("the client's id"),
		RunE: p.changingClients(func(ctx context.Context, clients oauth.ClientRegistry, args []string) error {
			return p.setClientDisabled(ctx, clients, args[0], true)
		}),
	}, clientView{})
}

func (p *program) clientEnableCommand() *cobra.Command {
	return p.tells(&cobra.Command{
		Use:     "enable ID",
		Short:   "Serve a disabled client again",
		Long:    `Serve a client again that was disabled, within 10 seconds.`,
		Example: "  fob client enable nightly",
		Args:    oneArg("the client's id"),
		RunE: p.changingClients(func(ctx context.Context, clients oauth.ClientRegistry, args []string) error {
			return p.setClientDisabled(ctx, clients, args[0], false)
		}),
	}, clientView{})
}

func (p *program) setClientDisabled(ctx context.Context, clients oauth.ClientRegistry, id string, disabled bool) error {
	saved, err := editClient(ctx, clients, id, func(c *oauth.Client) error {
		c.Disabled = disabled
		return nil
	})
	if err != nil {
		return err
	}
	return p.confirm(viewClient(saved), func(w io.Writer) {
		if disabled {
			_, _ = fmt.Fprintf(w, "The client %s is disabled. It is refused, and its tokens are inactive, within 10 seconds.\n", shown(id))
			return
		}
		_, _ = fmt.Fprintf(w, "The client %s is enabled, within 10 seconds.\n", shown(id))
	})
}

func (p *program) clientSignOutCommand() *cobra.Command {
	return p.tells(&cobra.Command{
		Use:   "sign-out ID",
		Short: "End all tokens of a client, of all its users",
		Long: `End all tokens that a client has, its own and those of all its users, on every
device, within 10 seconds and for good. The client itself is still served: whoever
logs in again gets new tokens.`,
		Example: "  fob client sign-out shop-app",
		Args:    oneArg("the client's id"),
		RunE:    p.changingClients(p.signOutClient),
	}, clientView{})
}

func (p *program) signOutClient(ctx context.Context, clients oauth.ClientRegistry, args []string) error {
	id := args[0]
	saved, err := editClient(ctx, clients, id, func(c *oauth.Client) error {
		// No lower than the time, so that it is higher than whatever stood there before
		// the table was restored from a backup.
		c.Epoch = max(c.Epoch+1, uint64(time.Now().Unix())) //nolint:gosec // after 1970
		c.LongestLife = 0                                   // of tokens that have ended
		return nil
	})
	if err != nil {
		return err
	}
	return p.confirm(viewClient(saved), func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "All tokens of the client %s are inactive within 10 seconds.\n", shown(id))
	})
}
