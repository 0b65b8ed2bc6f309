package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

const issuerHelp = `Issuers are others whose signed tokens (JWTs) prove who a user is: Apple, Google,
Firebase, a Cognito user pool, or your back end. Or they prove which client asks: AWS,
GitHub Actions, a Kubernetes cluster. No issuer does both. The registration says
what a token may do, never the token. A change holds within 10 seconds.`

func issuerCommand(p *program) *cobra.Command {
	return group("issuer", "Register issuers whose tokens prove a user or a client", issuerHelp,
		issuerAddCommand(p),
		issuerSetCommand(p),
		printsJSON(&cobra.Command{
			Use:     "list",
			Short:   "List the issuers",
			Long:    `List all issuers, by their names.`,
			Example: "  fob issuer list",
			Args:    noArgs,
			RunE:    p.withStores(func(ctx context.Context, s stores, _ []string) error { return listIssuers(ctx, p, s) }),
		}, []issuerView{}),
		printsJSON(&cobra.Command{
			Use:     "show NAME",
			Short:   "Show an issuer",
			Long:    "Show an issuer with all of its settings, defaults included.",
			Example: "  fob issuer show https://accounts.google.com",
			Args:    oneArg("the issuer's name"),
			RunE:    p.withStores(func(ctx context.Context, s stores, args []string) error { return showIssuer(ctx, p, s, args[0]) }),
		}, issuerView{}),
		printsJSON(&cobra.Command{
			Use:   "remove NAME",
			Short: "Remove an issuer",
			Long: `Remove an issuer. Within 10 seconds its tokens prove nothing. Tokens that fob issued to
its users stay active: sign out the users, or end the tokens of the clients that they used
with fob client sign-out. Clients that trust it are refused until they authenticate in
another way.`,
			Example: "  fob issuer remove https://accounts.google.com",
			Args:    oneArg("the issuer's name"),
			RunE: p.changing(func(ctx context.Context, s stores, args []string) (any, string, error) {
				err := s.registrar().RemoveIssuer(ctx, args[0])
				return removedIssuer{args[0], true}, fmt.Sprintf("The issuer %s is removed. Its tokens prove nothing within 10 seconds.", shown(args[0])), err
			}),
		}, removedIssuer{}),
	)
}

type removedIssuer struct {
	Issuer  string `json:"issuer"`
	Removed bool   `json:"removed"`
}
