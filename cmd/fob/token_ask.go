package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/endpoint"
)

func tokenIntrospectCommand(p *program) *cobra.Command {
	var c caller
	cmd := &cobra.Command{
		Use:   "introspect [FILE]",
		Short: "Ask whether a token is active, and whose it is",
		Long: `Ask /introspect about the token in FILE, as an API does: with a client that is registered
with --introspects. FILE has the token alone, or is as fob token get --json prints it;
then it is the access token. Of the JSON in --secret-file it takes the member
resource_client_secret, which fob serve --json prints for demo-api, and else client_secret.

An inactive token is an answer too, with exit code 0. A client without --introspects for an
audience of the token always gets that answer.`,
		Example: `  fob token introspect --stack fob-prod --client shop-api --secret-file shop-api.json ipad.json
  fob token introspect --url http://localhost:8080 --client demo-api --secret-file demo.json < token.txt`,
	}
	c.askAbout(p, cmd, func(ctx context.Context, client *endpoint.Client, token givenToken) error {
		said, err := client.Introspect(ctx, token.text)
		if err != nil {
			return err
		}
		err = p.print(said, columns(introspectionRows(said)...))
		if err == nil && !said.Active && !p.json {
			p.say("a client without --introspects for an audience of the token always gets this answer")
		}
		return err
	}, bearer.Access.String())
	c.secret.members = []string{"resource_client_secret", "client_secret"}
	return printsJSON(cmd, endpoint.Introspection{})
}

func introspectionRows(said endpoint.Introspection) [][]string {
	if !said.Active {
		return [][]string{{"active", "no"}}
	}
	rows := [][]string{{"active", "yes"}}
	for _, row := range [][]string{
		{"scope", said.Scope}, {"client_id", said.ClientID}, {"username", said.Username}, {"device", said.Device}, {"sub", said.Subject},
		{"aud", strings.Join(said.Audience, " ")}, {"iss", said.Issuer}, {"jti", said.ID},
	} {
		if row[1] != "" {
			rows = append(rows, row)
		}
	}
	if said.IssuedAt != 0 {
		rows = append(rows, []string{"iat", timestamp(said.IssuedAt)})
	}
	if said.Expiry != 0 {
		rows = append(rows, []string{"exp", timestamp(said.Expiry)})
	}
	return rows
}

type revokedView struct {
	Revoked bool `json:"revoked"`
}

func tokenRevokeCommand(p *program) *cobra.Command {
	var c caller
	cmd := &cobra.Command{
		Use:   "revoke [FILE]",
		Short: "End a token, and the sign-in that it is of",
		Long: `End the sign-in that the token in FILE is of, with its access token and its refresh token,
and nothing else. FILE has a token alone, or is as fob token get --json prints it. The
client is the one that the token was issued to. A token that had ended, or that fob never
made, is not an error.`,
		Example: `  fob token revoke --url http://localhost:8080 --client demo-app ipad.json
  fob token revoke --stack fob-prod --client shop --secret-file shop.json < token.txt`,
	}
	c.askAbout(p, cmd, func(ctx context.Context, client *endpoint.Client, token givenToken) error {
		if err := client.Revoke(ctx, token.text); err != nil {
			return err
		}
		return p.confirmf(revokedView{true}, "The token is inactive, and so is what belongs to its sign-in.")
	}, bearer.Refresh.String(), bearer.Access.String())
	return printsJSON(cmd, revokedView{})
}
