package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/endpoint"
	"github.com/fob-oauth/fob/internal/secret"
)

const tokenHelp = `Ask the endpoints of a deployment for tokens, and about them, as an app or an API does:
with a client's credentials, and without the tables.

--url is the address before /token, such as that of fob serve. With --stack it may be
left out: then it is the stack's own. It is https, but on this machine.

Secrets and tokens are read from files, never from arguments. A file has the text alone,
in one line, or it has a JSON object with the text as a member, as fob client add --json
(client_secret), fob serve --json (client_secret, resource_client_secret, password) and
fob token get --json (access_token, refresh_token) print it. A file that is called - is
standard input. At a terminal you are asked, and what you type is not shown.`

func tokenCommand(p *program) *cobra.Command {
	return group("token", "Get a token as an app does, look at it, refresh it and end it", tokenHelp,
		tokenGetCommand(p), tokenShowCommand(p), tokenRefreshCommand(p), tokenIntrospectCommand(p), tokenRevokeCommand(p))
}

// caller is the client that asks, and where.
type caller struct {
	url    *setting
	id     string
	secret secretFile
}

func (c *caller) addFlags(p *program, cmd *cobra.Command) {
	f := cmd.Flags()
	c.url = p.newSetting(f, "url", "FOB_URL", "ApiUrl", "", "`address` before /token")
	addText(f, &c.id, "client", "", "`id` of the client that asks")
	c.secret = secretFile{what: "client secret", flag: "secret-file", members: []string{"client_secret"}}
	addText(f, &c.secret.name, c.secret.flag, "", "`file` with the client's secret, or -; a public client has none")
}

// check refuses what cannot work, before a secret is asked for.
func (c *caller) check(p *program, files ...secretFile) error {
	p.tables.leaveToStack(c.url)
	if c.url.value == "" {
		if err := p.tables.choose(); err != nil {
			return err
		}
		if p.tables.stack.value == "" {
			return fail(exitUsage, "where is fob? give --url, the address before /token, or --stack")
		}
	} else if _, err := parseBase(c.url.value); err != nil {
		return err
	}
	if c.id == "" {
		return fail(exitUsage, "which client asks? give its id with --client")
	}
	return p.oneStandardInput(append(files, c.secret)...)
}

// asking runs a command that asks the endpoints.
func (c *caller) asking(p *program, run func(ctx context.Context, client *endpoint.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		base, err := p.tables.base(ctx, c.url)
		if err != nil {
			return err
		}
		var clientSecret secret.Text
		if c.secret.name != "" {
			if clientSecret, err = p.readSecret(ctx, c.secret); err != nil {
				return err
			}
		}
		return explainAnswer(run(ctx, endpoint.New(base, c.id, clientSecret, nil), args), base)
	}
}

// askAbout completes a command that takes the file with a token. members are those of a
// JSON object that may hold the token, the first that is there.
func (c *caller) askAbout(p *program, cmd *cobra.Command, run func(ctx context.Context, client *endpoint.Client, token givenToken) error, members ...string) {
	cmd.Args = tokenFile
	c.addFlags(p, cmd)
	cmd.PreRunE = func(_ *cobra.Command, args []string) error { return c.check(p, fileOf(args, members...)) }
	cmd.RunE = c.asking(p, func(ctx context.Context, client *endpoint.Client, args []string) error {
		token, err := p.readToken(ctx, fileOf(args, members...))
		if err != nil {
			return err
		}
		return run(ctx, client, token)
	})
}

// parseBase is [endpoint.ParseBase].
func parseBase(address string) (string, error) {
	base, err := endpoint.ParseBase(address)
	if err != nil {
		err = fail(exitUsage, "%v", err)
	}
	return base, err
}

// errTokenAsArgument does not repeat the token.
var errTokenAsArgument = errors.New("a token is not an argument, where other processes and the history of the shell see it: revoke this one, and give a file, or - for standard input")

// tokenFile takes the file with the token, which is standard input without an argument. A
// token in its place is refused, and not repeated.
func tokenFile(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("%s takes one argument, the file with the token", cmd.CommandPath())
	}
	if slices.ContainsFunc(args, endpoint.IsLike) {
		return errTokenAsArgument
	}
	return nil
}

// fileOf is the file of [tokenFile].
func fileOf(args []string, members ...string) secretFile {
	name := "-"
	if len(args) == 1 {
		name = args[0]
	}
	return secretFile{name: name, what: "token", members: members}
}

// givenToken is a token, and what it says about itself.
type givenToken struct {
	text  secret.Text
	sight endpoint.Sight
	place string // where it was, for errors
}

// readToken sees what it reads, so that a password in the wrong file is not sent.
func (p *program) readToken(ctx context.Context, file secretFile) (t givenToken, err error) {
	t.place = file.place()
	if t.text, err = p.readSecret(ctx, file); err != nil {
		return t, err
	}
	var ok bool
	if t.sight, ok = endpoint.Look(t.text); !ok {
		return t, fail(exitUsage, "%s has no token: one of fob begins with fob_at_ or fob_rt_, and a JWT has three parts", t.place)
	}
	return t, nil
}
