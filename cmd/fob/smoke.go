package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/smoke"
)

const smokeHelp = `Try a deployment from outside, as its users do, and clean up: for the end of a
pipeline, and for the question at night whether it works at all.

It adds a client and a user of its own to the tables, both named fob-smoke-... and
a random word. Then it asks URL for tokens: the same one twice for a device, another
one for another device; it refreshes, introspects, is refused with a wrong password,
revokes the first device's token, and sees that this one is inactive, the other one
active, and the next one new. Where there is no password grant the client asks for
itself, and what only users can do is left out. --client-only does so where your own
users are asked at each login (OwnUsersMode): they do not know the user of the walk.
At the end, also of a run that failed or was interrupted, it removes the client, the
user and their tokens.

URL is the address before /token. With --stack it may be left out: then it is the
stack's own. Secrets are sent to it, so it is https, but on this machine.`

func smokeCommand(p *program) *cobra.Command {
	var clientOnly bool
	cmd := &cobra.Command{
		Use:   "smoke [URL]",
		Short: "Issue, ask again, revoke and introspect against a deployment, then clean up",
		Long:  smokeHelp,
		Example: `  fob smoke --stack fob-prod
  fob smoke --stack fob-prod https://login.example.com
  fob smoke --dynamodb http://localhost:8000 http://localhost:8080`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := p.tables.choose(); err != nil {
				return err
			}
			switch {
			case len(args) > 1:
				return fmt.Errorf("%s takes one argument, the address before /token", cmd.CommandPath())
			case len(args) == 0 && p.tables.stack.value == "":
				return fmt.Errorf("%s needs the address before /token, or --stack", cmd.CommandPath())
			case len(args) == 0:
				return nil
			}
			_, err := parseBase(args[0])
			return err
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.open(cmd.Context(), false)
			if err != nil {
				return err
			}
			base, err := p.tables.base(cmd.Context(), &setting{output: "ApiUrl", value: strings.Join(args, "")}) // one argument, or none
			if err != nil {
				return err
			}
			return trySmoke(cmd.Context(), p, s, base, clientOnly)
		},
	}
	cmd.Flags().BoolVar(&clientOnly, "client-only", false, "try what a client does for itself, and no login")
	return printsJSON(cmd, smoke.View{})
}

func trySmoke(ctx context.Context, p *program, s stores, base string, clientOnly bool) error {
	d := smoke.Deployment{
		Registrar: s.registrar(), Users: s.userRegistrar(), SignIns: s.signIns(), Explain: p.cause,
		Reached: func(err error) bool { return unanswered(p.cause(err)) },
	}
	if clientOnly {
		d.Users = nil
	}
	view, err := smoke.Try(ctx, d, base)
	if len(view.Steps) == 0 {
		return err
	}
	printed := p.print(view, tableOfSteps(view.Steps))
	if fault := view.Fault(); fault != "" {
		printed = errors.Join(fail(exitFailure, "%s does not work: %s", base, fault), printed)
	}
	return errors.Join(printed, err)
}

func tableOfSteps(steps []smoke.Step) string {
	rows := make([][]string, len(steps))
	for i, s := range steps {
		outcome := "ok"
		if !s.Passed {
			outcome = "FAILED"
		}
		rows[i] = []string{outcome, s.Step, fmt.Sprintf("%d ms", s.Milliseconds)}
	}
	return columns(rows...)
}
