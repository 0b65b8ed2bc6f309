package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/keys/rotation"
)

const epochHelp = `The issuer epoch is a number in the key ring that only grows. A token that was
issued under a lower one is inactive.

A backup of the tables holds tokens that were revoked since it was made, and
restoring it would make them active again. Raise the epoch, and none of them is.`

func epochCommand(p *program) *cobra.Command {
	var r ring
	show := printsJSON(&cobra.Command{
		Use:   "show",
		Short: "Show the issuer epoch",
		Long: `Show the issuer epoch of the key ring. Every instance knows it after 60 seconds at
most.`,
		Example: "  fob epoch show",
		Args:    noArgs,
		RunE:    p.withRing(&r, func(ctx context.Context, v rotation.Vault, _ []string) error { return showEpoch(ctx, p, v) }),
	}, epochView{})
	cmd := group("epoch", "Show and raise the issuer epoch, which ends every token", epochHelp,
		show,
		printsJSON(&cobra.Command{
			Use:   "raise",
			Short: "End every token",
			Long: `Raise the issuer epoch by one. Within 60 seconds every token that was issued before
is inactive, and every user logs in again, once. Raising it twice does no more.

After a restore of the tables from a backup it has to be done: what was revoked
since the backup would be active again. Raise it before the copy takes the place
of the table if you can, and otherwise right after. Only tokens end with it: users
and clients that were removed or changed since the backup are as they were then,
see docs/runbook.md.`,
			Example: "  fob epoch raise",
			Args:    noArgs,
			RunE:    p.withRing(&r, func(ctx context.Context, v rotation.Vault, _ []string) error { return raiseEpoch(ctx, p, v) }),
		}, epochView{}),
	)
	r.addFlags(p, cmd.PersistentFlags())
	return cmd
}

// epochView is the issuer epoch as --json shows it. Programs rely on the names.
type epochView struct {
	IssuerEpoch uint64  `json:"issuer_epoch"`
	Previous    *uint64 `json:"previous,omitempty"` // right after it was raised
}

func showEpoch(ctx context.Context, p *program, v rotation.Vault) error {
	d, err := v.Read(ctx)
	if err != nil {
		return err
	}
	return p.print(epochView{IssuerEpoch: d.IssuerEpoch()}, fmt.Sprintf("The issuer epoch is %d.", d.IssuerEpoch()))
}

func raiseEpoch(ctx context.Context, p *program, v rotation.Vault) error {
	d, after, err := changeRing(ctx, v, rotation.Document.RaiseEpoch)
	if err != nil {
		return err
	}
	before, now := d.IssuerEpoch(), after.IssuerEpoch()
	return p.confirmf(epochView{now, &before}, "The issuer epoch is %d, and was %d. Within 60 seconds every token that was issued before is inactive.", now, before)
}
