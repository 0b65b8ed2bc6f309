package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/scope"
)

const deviceHelp = `See which devices are signed in, and end their tokens, without having any of them.

A sign-in is selected if all of the flags fit it. --user and --subject look at one
subject and cost next to nothing. Without them the whole table of tokens is read:
that is for --client and --device alone.

A name is the part of the scope after device_: scope=device_ipad is --device ipad.`

func deviceCommand(p *program) *cobra.Command {
	return group("device", "List the devices that are signed in, and sign them out", deviceHelp,
		deviceListCommand(p),
		deviceEndCommand(p),
	)
}

func deviceListCommand(p *program) *cobra.Command {
	var which selection
	var r ring
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the devices that are signed in",
		Long: `List what is signed in: each combination of user, client, device and scopes that has
an active token, the one used last first. "issued" is when a token was last made for
it, "until" when the last of its tokens ends if it is not used again.
` + judgedHelp + `

` + deviceHelp,
		Example: `  fob device list --user ann@example.com
  fob device list --user ann@example.com --client shop-app
  fob device list --client shop-app --device kiosk-7 --json`,
		Args: noArgs,
	}
	which.addFlags(cmd)
	r.addCheckFlags(p, cmd.Flags())
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if err := which.parse(cmd); err != nil {
			return err
		}
		if which == (selection{}) {
			return fail(exitUsage, "fob device list needs to know whose: --user, --subject, --client or --device")
		}
		return nil
	}
	cmd.RunE = p.withStores(func(ctx context.Context, s stores, _ []string) error {
		return listDevices(ctx, p, s, which, &r)
	})
	return printsJSON(cmd, []deviceView{})
}

// deviceView is an Authorization as --json shows it. Programs rely on the names.
type deviceView struct {
	Subject     string   `json:"sub"`
	Username    string   `json:"username,omitempty"`
	ClientID    string   `json:"client_id"`
	Device      string   `json:"device,omitempty"`
	Scopes      []string `json:"scopes"` // without the device's
	FirstIssued string   `json:"first_issued_at" is:"time"`
	LastIssued  string   `json:"last_issued_at" is:"time"`
	Expires     string   `json:"expires_at" is:"time"`
}

func listDevices(ctx context.Context, p *program, s stores, which selection, r *ring) error {
	subject, one, err := which.one(ctx, s)
	if err != nil {
		return err
	}
	d, err := judging(ctx, p, s, r)
	if err != nil {
		return err
	}
	var active []ledger.Record
	if one {
		active, err = d.List(ctx, subject, which.filter)
	} else {
		active, err = d.ListAll(ctx, s.registry, which.filter)
	}
	if err != nil {
		return err
	}
	if len(active) == 0 {
		if err := which.clientIsKnown(ctx, s); err != nil {
			return err
		}
		if strings.HasPrefix(which.device, scope.DevicePrefix) { // a slip
			p.say("%s", which.nothing())
		}
	}
	return printTable(p, active, []string{"USER", "CLIENT", "DEVICE", "SCOPES", "ISSUED", "UNTIL"}, func(r ledger.Record) (deviceView, []string) {
		a := r.Authorization
		v := deviceView{
			Subject: a.Subject.ID, Username: a.Username, ClientID: string(a.Client), Device: string(a.Scope.Device()),
			Scopes: orEmpty(a.Scope.Ordinary()), FirstIssued: timestamp(r.Created), LastIssued: timestamp(r.LastIssued()), Expires: timestamp(r.LastExpiry()),
		}
		return v, []string{cmp.Or(v.Username, "-"), v.ClientID, cmp.Or(v.Device, "-"), list(v.Scopes), v.LastIssued, v.Expires}
	})
}

func deviceEndCommand(p *program) *cobra.Command {
	var which selection
	var everybody bool
	cmd := &cobra.Command{
		Use:   "end",
		Short: "Sign devices out",
		Long: `End the tokens of what is selected, access and refresh tokens alike, at once and for
good. A user who logs in there again gets new ones.

It is for the lost phone: its owner needs no token of it, and other devices stay
signed in. To sign a user out everywhere, fob subject sign-out.

` + deviceHelp,
		Example: `  fob device end --user ann@example.com --device iphone
  fob device end --user ann@example.com --client shop-app
  fob device end --client kiosk --device kiosk-7 --everybody`,
		Args: noArgs,
	}
	which.addFlags(cmd)
	cmd.Flags().BoolVar(&everybody, "everybody", false, "of all users: without --user and --subject")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if err := which.parse(cmd); err != nil {
			return err
		}
		switch {
		case which.client == "" && which.device == "":
			return fail(exitUsage, "fob device end needs --client or --device; fob subject sign-out ends all that somebody has")
		case (which.user+which.subject == "") != everybody:
			return fail(exitUsage, "fob device end needs either --user or --subject, or --everybody")
		}
		return nil
	}
	cmd.RunE = p.withStores(func(ctx context.Context, s stores, _ []string) error { return endDevices(ctx, p, s, which) })
	return printsJSON(cmd, endedView{})
}

// endedView is what --json shows of things that were ended.
type endedView struct {
	Ended int `json:"ended"`
}

func endDevices(ctx context.Context, p *program, s stores, which selection) error {
	subject, one, err := which.one(ctx, s)
	if err != nil {
		return err
	}
	d := s.signIns()
	var ended int
	if one {
		ended, err = d.End(ctx, subject, which.filter)
	} else {
		ended, err = d.EndAll(ctx, s.registry, which.filter)
	}
	if err != nil {
		err = p.tables.explain(err)
		if ended == 0 {
			return inDoubt(err, "it is not known whether anything was ended, so run the same command again")
		}
		return halfDone(err, fmt.Sprintf("%s ended and more may be left, so run the same command again", plural(int64(ended), "sign-in is", "sign-ins are")))
	}
	text := fmt.Sprintf("%d signed out.", ended)
	if ended == 0 {
		if err := which.clientIsKnown(ctx, s); err != nil {
			return err
		}
		text = which.nothing()
	}
	return p.confirm(endedView{ended}, text)
}
