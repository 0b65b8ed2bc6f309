package main

import (
	"cmp"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Help reads like a manual page: what the command is called, how it is written,
// what it does, its options, examples, what --json prints, and what it returns.
// docs/commands.md has all of them.

const helpWidth = 86 // characters of a line with options

const exitStatus = `0  done
1  failed
2  wrong usage, or an entry that is not valid: nothing was changed
3  there is no such client, user, scope, key or stack
4  there is one already, it is in use, it is too early, or somebody else changed it
   meanwhile
5  the store or the service could not be reached or did not answer: try again
6  done in part: some entries were refused, and the report says which and why`

// jsonNote is the annotation of a command that has the shape of its JSON.
const jsonNote = "json"

// printsJSON notes for the help what a command prints with --json: a value like view.
func printsJSON(cmd *cobra.Command, view any) *cobra.Command {
	cmd.Annotations = map[string]string{jsonNote: shapeOf(view)}
	return cmd
}

// manual writes the page of a command.
func manual(w io.Writer, cmd *cobra.Command) {
	section := func(title, text string) {
		if text = strings.Trim(text, "\n"); text != "" {
			_, _ = fmt.Fprintf(w, "%s\n%s\n\n", title, indented(text))
		}
	}
	cmd.InitDefaultHelpFlag()
	if f := cmd.Flags().Lookup("help"); f != nil {
		f.Usage = "show this page"
	}
	section("NAME", cmd.CommandPath()+" - "+lowerFirst(cmd.Short))
	section("SYNOPSIS", synopsis(cmd))
	section("DESCRIPTION", cmd.Long)
	section("COMMANDS", commandList(cmd))
	section("OPTIONS", optionList(cmd.LocalNonPersistentFlags()))
	if cmd.HasParent() {
		section("OPTIONS OF ALL COMMANDS", namesOf(cmd.InheritedFlags())+": see fob --help")
	} else {
		section("OPTIONS OF ALL COMMANDS", optionList(cmd.PersistentFlags()))
	}
	section("EXAMPLES", unindented(cmd.Example))
	if shape := cmd.Annotations[jsonNote]; shape != "" {
		section("JSON", "With --json it prints\n\n"+indented(shape))
	}
	if !cmd.HasParent() {
		section("EXIT STATUS", exitStatus)
	}
	section("SEE ALSO", seeAlso(cmd))
}

func lowerFirst(s string) string {
	if len(s) > 1 && s[1] >= 'a' && s[1] <= 'z' {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}

func synopsis(cmd *cobra.Command) string {
	line := cmd.CommandPath()
	if _, arguments, ok := strings.Cut(cmd.Use, " "); ok {
		line += " " + arguments
	}
	if cmd.HasAvailableSubCommands() {
		return line + " COMMAND ..."
	}
	return line + " [OPTION ...]"
}

func commandList(cmd *cobra.Command) string {
	var rows [][]string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			rows = append(rows, []string{c.Name(), c.Short})
		}
	}
	return columns(rows...)
}

func seeAlso(cmd *cobra.Command) string {
	if !cmd.HasParent() {
		return "fob COMMAND --help, and fob completion --help for the shell"
	}
	text := cmd.Parent().CommandPath() + " --help"
	if cmd.Parent().HasParent() {
		text += ", and for exit codes and what all commands have in common fob --help"
	}
	return text
}

func optionList(flags *pflag.FlagSet) string {
	flags.SortFlags = false
	return unindented(flags.FlagUsagesWrapped(helpWidth))
}

func namesOf(flags *pflag.FlagSet) string {
	flags.SortFlags = false // the library made the set
	var names []string
	flags.VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	return strings.Join(names, ", ")
}

func indented(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = "    " + strings.TrimRight(line, " ")
		}
	}
	return strings.Join(lines, "\n")
}

// unindented takes two spaces off each line, which examples have in the source.
func unindented(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, "  ")
	}
	return strings.Join(lines, "\n")
}

// shapeOf is the type of a view as the JSON that it becomes; a member's tag `is` says
// what it holds. It reflects on the type so that the help cannot differ from what the
// command prints.
func shapeOf(view any) string { return shape(reflect.TypeOf(view), "", "") }

func shape(t reflect.Type, is, indent string) string {
	switch t.Kind() {
	case reflect.Pointer:
		return shape(t.Elem(), is, indent)
	case reflect.Slice:
		return "[" + shape(t.Elem(), is, indent) + ", ...]"
	case reflect.Struct:
		return "{\n" + strings.Join(members(t, indent+"  "), ",\n") + "\n" + indent + "}"
	case reflect.Bool:
		return cmp.Or(is, "true or false")
	case reflect.String:
		return cmp.Or(is, "text")
	}
	return cmp.Or(is, "number")
}

// members are those of a struct and, in their place, those of a struct within it.
func members(t reflect.Type, indent string) (lines []string) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for f := range t.Fields() {
		if f.Anonymous {
			lines = append(lines, members(f.Type, indent)...)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		line := fmt.Sprintf("%s%q: %s", indent, name, shape(f.Type, f.Tag.Get("is"), indent))
		if options == "omitempty" {
			line += " (or left out)"
		}
		lines = append(lines, line)
	}
	return lines
}
