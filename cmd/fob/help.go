package main

import (
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
5  the store could not be reached or did not answer: try again
6  done in part: some entries were refused, and the report says which and why`

// told remembers what commands print with --json, as a value of that type.
type told map[*cobra.Command]any

// tells says what a command prints with --json.
func (p *program) tells(cmd *cobra.Command, view any) *cobra.Command {
	if p.told == nil {
		p.told = told{}
	}
	p.told[cmd] = view
	return cmd
}

func (p *program) help(cmd *cobra.Command, _ []string) {
	p.manual(cmd.OutOrStdout(), cmd)
}

func (p *program) manual(w io.Writer, cmd *cobra.Command) {
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
	if view, ok := p.told[cmd]; ok {
		section("JSON", "With --json it prints\n\n"+indented(shapeOf(view)))
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
	var out strings.Builder
	var rows [][]string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			rows = append(rows, []string{c.Name(), c.Short})
		}
	}
	columns(&out, rows...)
	return out.String()
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

// optionList keeps the order in which they were made.
func optionList(flags *pflag.FlagSet) string {
	flags.SortFlags = false
	return unindented(flags.FlagUsagesWrapped(helpWidth))
}

func namesOf(flags *pflag.FlagSet) string {
	flags.SortFlags = false
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

// shapeOf writes the type of a view as the JSON that it becomes. What a member
// holds stands in its tag `is`.
func shapeOf(view any) string {
	var out strings.Builder
	writeShape(&out, reflect.TypeOf(view), "", "")
	return out.String()
}

func writeShape(out *strings.Builder, t reflect.Type, is, indent string) {
	write := func(text string) { _, _ = out.WriteString(text) }
	switch t.Kind() {
	case reflect.Pointer:
		writeShape(out, t.Elem(), is, indent)
	case reflect.Slice:
		write("[")
		writeShape(out, t.Elem(), is, indent)
		write(", ...]")
	case reflect.Struct:
		write("{\n")
		writeMembers(out, t, indent+"  ")
		write("\n" + indent + "}")
	case reflect.Bool:
		write(orElse(is, "true or false"))
	case reflect.String:
		write(orElse(is, "text"))
	default:
		write(orElse(is, "number"))
	}
}

func writeMembers(out *strings.Builder, t reflect.Type, indent string) {
	first := true
	for f := range t.Fields() {
		if f.Anonymous {
			// Its members stand among those of the whole.
			embedded := f.Type
			if embedded.Kind() == reflect.Pointer {
				embedded = embedded.Elem()
			}
			if !first {
				_, _ = out.WriteString(",\n")
			}
			writeMembers(out, embedded, indent)
			first = false
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !first {
			_, _ = out.WriteString(",\n")
		}
		first = false
		_, _ = fmt.Fprintf(out, "%s%q: ", indent, name)
		writeShape(out, f.Type, f.Tag.Get("is"), indent)
		if options == "omitempty" {
			_, _ = out.WriteString(" (or left out)")
		}
	}
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
