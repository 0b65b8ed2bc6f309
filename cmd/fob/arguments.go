package main

// Errors about a command line, with the command or the flag that may have been meant.

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fob-oauth/fob/internal/endpoint"
)

// noArgs refuses arguments. It is for groups, too: for a command that does not exist
// cobra would show the help of the group, and succeed.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !cmd.HasSubCommands() {
		return fmt.Errorf("%s takes no arguments", cmd.CommandPath())
	}
	if endpoint.IsLike(args[0]) {
		return errTokenAsArgument
	}
	return fmt.Errorf("%s has no command %q%s", cmd.CommandPath(), args[0], didYouMean(cmd, args[0], ""))
}

// didYouMean completes an error about a name that does not exist with the commands of
// cmd whose names are near.
func didYouMean(cmd *cobra.Command, name, prefix string) string {
	cmd.SuggestionsMinimumDistance = 2
	near := cmd.SuggestionsFor(name)
	if len(near) == 0 {
		return ""
	}
	return ", did you mean " + prefix + strings.Join(near, " or "+prefix) + "?"
}

// flagError words an error about a flag: to one that does not exist it adds the flags
// whose names are near.
func flagError(cmd *cobra.Command, err error) error {
	// A group has hardly a flag: the slip is in the command's name before it.
	if args := cmd.Flags().Args(); cmd.HasSubCommands() && len(args) > 0 {
		return noArgs(cmd, args)
	}
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok && errors.Is(err, errEmpty) {
		return fmt.Errorf("--%s is empty: %w", invalid.GetFlag().Name, errEmpty)
	}
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return err
	}
	name := cmp.Or(unknown.GetSpecifiedShortnames(), unknown.GetSpecifiedName()) // -scope is one letter to the library
	if cmd.Flags().Lookup(name) != nil {
		return fmt.Errorf("%s has no flag -%s, did you mean --%s?", cmd.CommandPath(), name, name)
	}
	// The library measures the distance of commands alone.
	flags := &cobra.Command{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		flags.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	dashes := "--"
	if unknown.GetSpecifiedShortnames() != "" {
		dashes = "-"
	}
	return fmt.Errorf("%s has no flag %s%s%s", cmd.CommandPath(), dashes, name, didYouMean(flags, name, "--"))
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

// oneOf refuses a command line with two of the flags.
func oneOf(cmd *cobra.Command, flags ...string) error {
	var given []string
	for _, flag := range flags {
		if cmd.Flags().Changed(flag) {
			given = append(given, "--"+flag)
		}
	}
	if len(given) > 1 {
		return fail(exitUsage, "%s exclude each other", strings.Join(given, " and "))
	}
	return nil
}
