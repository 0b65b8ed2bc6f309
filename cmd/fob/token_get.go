package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/endpoint"
)

// tokensView is the answer of the token endpoint. Here the tokens leave on purpose.
type tokensView struct {
	AccessToken      string `json:"access_token"`
	TokenType        string `json:"token_type"`
	ExpiresIn        int64  `json:"expires_in" is:"seconds"`
	RefreshToken     string `json:"refresh_token,omitempty"`
	RefreshExpiresIn int64  `json:"refresh_token_expires_in,omitempty" is:"seconds"`
	Scope            string `json:"scope,omitempty"`
	IssuedTokenType  string `json:"issued_token_type,omitempty"`
}

// confirmTokens prints the access token alone, or everything as JSON.
func (p *program) confirmTokens(t endpoint.Tokens) error {
	view := tokensView{
		t.AccessToken.Reveal(), t.TokenType, t.ExpiresIn,
		t.RefreshToken.Reveal(), t.RefreshExpiresIn, t.Scope, t.IssuedTokenType,
	}
	return p.confirm(view, shown(view.AccessToken))
}

func tokenGetCommand(p *program) *cobra.Command {
	var c caller
	var login endpoint.Login
	password := secretFile{what: "password", flag: "password-file", members: []string{"password"}}
	idToken := secretFile{what: "ID token", flag: "id-token-file", members: []string{"id_token"}}
	assertion := secretFile{what: "assertion", flag: "assertion-file", members: []string{"assertion"}}
	cmd := &cobra.Command{
		Use:   "get",
		Short: "Get the token of a user, or of the client itself",
		Long: `Get an access token, and print it alone; with --json also the refresh token. With --user
it is the token of a user who has a password, with --id-token-file or --assertion-file
that of a user whom an issuer knows (see fob issuer), and else the client's own.

While the token is in force the same request gets the same token again. A scope that
begins with device_ names the device.`,
		Example: `  fob token get --url http://localhost:8080 --client demo-app --user demo-user --password-file demo.json --scope read --scope device_ipad
  fob token get --stack fob-prod --client nightly --secret-file nightly.json --json
  fob token get --stack fob-prod --client shop-app --id-token-file - --scope device_ipad < id-token.txt`,
		Args: noArgs,
	}
	c.addFlags(p, cmd)
	f := cmd.Flags()
	addText(f, &login.Username, "user", "", "`name` of the user who logs in")
	addText(f, &password.name, password.flag, "-", "`file` with the user's password")
	addText(f, &idToken.name, idToken.flag, "", "`file` with an ID token, which is exchanged, or -")
	addText(f, &assertion.name, assertion.flag, "", "`file` with an assertion of RFC 7523, or -")
	f.StringArrayVar(&login.Scopes, "scope", nil, "`scope` that the token is for; repeat for more (default: those of the client)")
	f.StringVar(&login.Resource, "audience", "", "one `audience` of the client that the token is for (default: all)")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := oneOf(cmd, "user", idToken.flag, assertion.flag); err != nil {
			return err
		}
		if login.Username == "" {
			if cmd.Flags().Changed(password.flag) {
				return fail(exitUsage, "whose password is it? --%s goes with --user", password.flag)
			}
			password.name = ""
		}
		return c.check(p, password, idToken, assertion)
	}
	cmd.RunE = c.asking(p, func(ctx context.Context, client *endpoint.Client, _ []string) (err error) {
		switch {
		case password.name != "":
			login.Password, err = p.readSecret(ctx, password)
		case idToken.name != "":
			login.IDToken, err = p.readSecret(ctx, idToken)
		case assertion.name != "":
			login.Assertion, err = p.readSecret(ctx, assertion)
		}
		if err != nil {
			return err
		}
		tokens, err := client.Get(ctx, login)
		if err != nil {
			return err
		}
		return p.confirmTokens(tokens)
	})
	return printsJSON(cmd, tokensView{})
}

func tokenRefreshCommand(p *program) *cobra.Command {
	var c caller
	cmd := &cobra.Command{
		Use:   "refresh [FILE]",
		Short: "Get the next token for a refresh token",
		Long: `Get an access token for the refresh token in FILE, and print it alone; with --json also
the next refresh token. FILE is as fob token get --json prints it, or has the refresh
token alone.

The refresh token of a public client is used up by this. Its successor is in the answer,
so use --json, and write it to another file than FILE, which the shell would empty
before fob reads it. If the answer is lost, the same request gets it again within the
client's grace, which is a minute by default.`,
		Example: `  fob token refresh --url http://localhost:8080 --client demo-app ipad.json --json
  fob token refresh --stack fob-prod --client shop --secret-file shop.json < refresh.txt`,
	}
	c.askAbout(p, cmd, func(ctx context.Context, client *endpoint.Client, token givenToken) error {
		if token.sight.Kind != bearer.Refresh.String() {
			return fail(exitUsage, "%s has another token: a refresh token begins with fob_rt_", token.place)
		}
		next, err := client.Refresh(ctx, token.text)
		if err != nil {
			return err
		}
		if next.RefreshToken.Len() > 0 && !next.RefreshToken.Equal(token.text) && !p.json {
			p.say("warning: the refresh token is used up, and only --json prints the next one: repeat it with --json now, within the client's grace")
		}
		return p.confirmTokens(next)
	}, bearer.Refresh.String())
	return printsJSON(cmd, tokensView{})
}
