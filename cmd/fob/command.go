package main

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// program is fob with its surroundings.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string

	tables tables // from the flags
	json   bool   // from the flags

	// open returns the stores that the flags name, made if they are missing for fob
	// serve. Then the clock. run sets those that a test has not set.
	open  func(ctx context.Context, forServe bool) (stores, error)
	now   func() time.Time
	sleep func(ctx context.Context, d time.Duration) error
}

// run executes one command and returns the exit code.
func (p *program) run(ctx context.Context, args []string) int {
	if p.open == nil {
		p.open = p.tables.open
	}
	if p.now == nil {
		p.now = time.Now
	}
	if p.sleep == nil {
		p.sleep = sleep
	}
	root := p.command()
	root.SetArgs(args)
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)

	// Cobra returns its own errors about flags and arguments as it returns a command's.
	// If PersistentPreRun was not called, the error is cobra's.
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
	p.say("%s", text)
	return code
}

// sleep returns after d, or with an error when ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

const rootHelp = `fob is an OAuth 2.0 token service for mobile back ends, with one token for each
user, app and device.

fob serve runs the whole API on this machine: begin there. fob token asks it, or a
deployment, as an app does. All other commands work on a deployment: on its tables and
keys, which --stack names by the outputs of the stack.
A flag for one of them wins over the stack, and the stack over the environment. In AWS
the region and the credentials are those of the usual AWS variables and files.
--dynamodb is for an endpoint of DynamoDB instead, as on a laptop.

Passwords, secrets and tokens are read from standard input or a file and never from
arguments, where other processes and the history of the shell would see them. The only
secret that fob prints is one that it made, once, and fob token prints the tokens that it
was given. No other command needs anybody's token.

The result of a command goes to standard output, with --json as JSON: members may
be added in later releases, and none is renamed or removed. An error is one line on
standard error that says what to do next, and changes nothing unless it says so.`

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
	p.tables.addFlags(p, flags)
	flags.BoolVar(&p.json, "json", false, "print JSON, for programs")
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { manual(cmd.OutOrStdout(), cmd) })
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(serveCommand(p), clientCommand(p), userCommand(p), scopeCommand(p), issuerCommand(p), deviceCommand(p), subjectCommand(p),
		keyCommand(p), epochCommand(p), tokenCommand(p), smokeCommand(p), versionCommand(p))
	ofLibrary(root)
	inOrder(root)
	return root
}

// inOrder makes the help show flags in the order in which they were added.
func inOrder(cmd *cobra.Command) {
	cmd.Flags().SortFlags, cmd.PersistentFlags().SortFlags = false, false
	for _, c := range cmd.Commands() {
		inOrder(c)
	}
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

// ofLibrary makes the commands of the library refuse slips as all others do: they would
// show a page, and succeed.
func ofLibrary(root *cobra.Command) {
	root.SetHelpCommand(&cobra.Command{
		Use:   "help [COMMAND ...]",
		Short: "Show the page of a command",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err == nil {
				err = noArgs(cmd, rest)
			}
			if err != nil {
				return fail(exitUsage, "%v", err)
			}
			return cmd.Help()
		},
	})
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			cmd.Args = noArgs
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
}

// completeValues makes the shell complete a flag with these values.
func completeValues(cmd *cobra.Command, flag string, values ...string) {
	// It fails for a flag that is not there: a slip that the first test finds.
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err)
	}
}
