package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// program is fob with its surroundings.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string

	tables tables // from the flags
	ring   ring   // from the flags
	json   bool   // from the flags
	clock  clock
}

// run executes one command and returns the exit code.
func (p *program) run(ctx context.Context, args []string) int {
	root := p.command()
	root.SetArgs(args)
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)

	// Cobra does not tell its own complaints about flags and arguments from the
	// errors of a command: those come before this.
	started := false
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }

	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	if !started {
		err = fail(exitUsage, "%v", err)
	}
	code := exitCode(err)
	text := oneLine(err.Error())
	if code == exitUsage {
		text += "; see " + cmd.CommandPath() + " --help"
	}
	_, _ = fmt.Fprintln(p.stderr, "fob: "+text)
	return code
}

const rootHelp = `fob is an OAuth 2.0 token service for mobile back ends, with one token for each
user, app and device.

  fob serve     runs the whole API on this machine: begin here
  fob client, fob user, fob scope
                work on the tables of a deployment, or of a local DynamoDB
  fob key       turns the keys that tokens are made under, without loss
  fob epoch     ends every token there is, after a restore from a backup

The tables are named by flags or by FOB_TOKENS_TABLE, FOB_CLIENTS_TABLE and
FOB_USERS_TABLE. Without --dynamodb they are looked for in AWS, with the region
and credentials of the usual AWS variables and files.

Passwords and secrets are read from standard input and never from arguments.
With --json, what a command has to tell is JSON on standard output. Errors are
one line on standard error in any case.

Exit codes:
  0  done
  1  failed
  2  wrong usage, or an entry that is not valid: nothing was changed
  3  there is no such client, user, scope or key
  4  there is one already, it is in use, it is too early, or somebody else
     changed it meanwhile
  5  the store could not be reached or did not answer: try again`

func (p *program) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "fob",
		Short:         "An OAuth 2.0 token service with one token for each device",
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := root.PersistentFlags()
	flags.SortFlags = false
	p.tables.addFlags(flags, p.getenv)
	flags.BoolVar(&p.json, "json", false, "print JSON, for programs")
	root.AddCommand(p.serveCommand(), p.clientCommand(), p.userCommand(), p.scopeCommand(),
		p.keyCommand(), p.epochCommand())
	return root
}

// group is a command that only has commands.
func group(use, short, long string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Args: noArgs}
	var names []string
	for _, c := range commands {
		names = append(names, c.Name())
	}
	cmd.RunE = func(*cobra.Command, []string) error {
		return fail(exitUsage, "fob %s needs a command: %s", use, strings.Join(names, ", "))
	}
	cmd.AddCommand(commands...)
	return cmd
}

// noArgs also stands guard where cobra would show the help of a group, and
// succeed, for a command that does not exist.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !cmd.HasSubCommands() {
		return fmt.Errorf("%s takes no arguments", cmd.CommandPath())
	}
	hint := ""
	if cmd.SuggestionsMinimumDistance <= 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = ", did you mean " + strings.Join(near, " or ") + "?"
	}
	return fmt.Errorf("%s has no command %q%s", cmd.CommandPath(), args[0], hint)
}

// oneArg wants exactly one argument and calls it what it is.
func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("%s takes one argument, %s", cmd.CommandPath(), what)
		}
		return nil
	}
}
