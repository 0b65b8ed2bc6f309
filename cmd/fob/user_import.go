package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/password"
	"github.com/fob-oauth/fob/internal/text"
	"github.com/fob-oauth/fob/internal/userimport"
)

const importHelp = `Import adds the users of another system, with the passwords that they have there.
FILE, or standard input for -, has one JSON object a line:

  {"username":"ann","roles":["editor"],"password_hash":"$2b$10$..."}
  {"username":"bob","disabled":true,"password_hash":"...","digest":"SHA-256",
   "salt":"..."}

(the second is one line as well). docs/import.md has the SQL that makes such a
file from the tables of WSO2.

  username       required
  password_hash  required: $argon2id$..., bcrypt, $pbkdf2-sha256$..., or LDAP's
                 {SSHA}, {SSHA256}, {SSHA512}; else base64, of which digest says
                 what it is
  digest         SHA-1, SHA-256, SHA-384, SHA-512 or PBKDF2
  salt           UM_SALT_VALUE as it is in the table
  prf, iterations, dk_length
                 of PBKDF2, such as PBKDF2WithHmacSHA256, 10000 and 256
  roles          a list of names
  disabled       true for a user who may not log in

A member that is null is not there. A member with another name, which may be a
slip, is refused.

A line that is not good is refused, and the others go on. A user whose name is in
the table already is left alone: after an outage, or a Ctrl-C, the same command
goes on where it was. If a line was refused the exit code is 6. What --dry-run
prints with --json has "valid" in the place of "imported" and "existing".

WSO2 prints a user ann of its own user store as PRIMARY/ann, as ann@carbon.super or
with both. fob compares names byte for byte, so a login has to send the name that was
imported. Lines with such a name are refused, unless --strip-domain and --strip-tenant
cut it down, or --keep-names takes it as it is. Other domains and tenants are a part of
the name, unless these flags name them.

It also counts the hashes that take longer or shorter than fob's own, by their kind,
such as bcrypt:12: until its user has logged in, the time of a login reveals that the
name exists. docs/import.md says how to hide that.

Passwords are hashed anew when their users log in for the first time.`

const importExample = `  fob user import users.jsonl --dry-run
  fob user import users.jsonl --report refused.jsonl`

type importOptions struct {
	dryRun bool
	report string
	names  userimport.Names
}

func userImportCommand(p *program) *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:     "import FILE",
		Short:   "Import users of another system with their passwords",
		Long:    importHelp,
		Example: importExample,
		Args:    oneArg("the file, or - for standard input"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if o.dryRun { // the tables need not be there
			return importUsers(cmd.Context(), p, nil, args[0], o)
		}
		return p.withStores(func(ctx context.Context, s stores, args []string) error {
			return importUsers(ctx, p, s.userRegistrar(), args[0], o)
		})(cmd, args)
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.dryRun, "dry-run", false, "check the file, ask no table and change nothing")
	printsJSON(cmd, importView{})
	flags.StringArrayVar(&o.names.Domains, "strip-domain", nil, "cut this `domain` of a user store and the slash off: PRIMARY/ann becomes ann; repeat for more")
	flags.StringArrayVar(&o.names.Tenants, "strip-tenant", nil, "cut the @ and this `tenant` off: ann@carbon.super becomes ann; repeat for more")
	flags.BoolVar(&o.names.Keep, "keep-names", false, "import also names with PRIMARY/ or @carbon.super as they are")
	flags.StringVar(&o.report, "report", "", "`file` for the refused lines, one JSON object each; it is written anew")
	return cmd
}

// refusedShown are how many refused lines people see.
const refusedShown = 20

func importUsers(ctx context.Context, p *program, r *oauth.UserRegistrar, file string, o importOptions) error {
	in, name, size, err := openImport(p, file)
	if err != nil {
		return err
	}
	var report *os.File
	if o.report != "" {
		if report, err = createReport(o.report, in); err != nil {
			return err
		}
	}
	lines := newEncoder(report)
	refused := []userimport.Refusal{}
	bar := p.newProgress(size)
	counts, err := userimport.Importer{
		Registrar: r,
		Names:     o.names,
		Refused: func(line userimport.Refusal) error {
			if p.json || len(refused) < refusedShown {
				refused = append(refused, line)
			}
			if report == nil {
				return nil
			}
			return reportFault(lines.Encode(line))
		},
		Progress: bar.add,
	}.Run(ctx, in)
	bar.end()
	if report != nil {
		err = errors.Join(err, reportFault(report.Close()))
	}
	switch {
	case err != nil && counts.Imported+counts.Existing > 0:
		return halfDone(importFault(p, err), soFar(counts)+", and the rest may not be, so run the same command again")
	case err != nil:
		return importFault(p, err)
	case counts.Good+counts.Refused == 0:
		return fail(exitUsage, "there are no users in %s", name)
	}
	return reportImport(p, counts, refused, o)
}

func importFault(p *program, err error) error {
	if errors.Is(err, text.ErrUTF16) {
		return fail(exitUsage, "the users cannot be read: %v", err)
	}
	return p.cause(err)
}

// openImport returns the file, which stays open to the end of the process, what to
// call it, and its size, or a negative one if that is not known.
func openImport(p *program, file string) (in io.Reader, name string, size int64, err error) {
	if file == "-" {
		return p.stdin, "standard input", -1, nil
	}
	f, err := os.Open(file) //nolint:gosec // the operator names it
	if err != nil {
		return nil, "", 0, fail(exitFailure, "the users cannot be read: %v", err)
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return f, shown(file), -1, nil
	}
	return f, shown(file), info.Size(), nil
}

// createReport refuses to write over what is being read.
func createReport(name string, in io.Reader) (*os.File, error) {
	if f, ok := in.(*os.File); ok {
		reading, err := f.Stat()
		there, err2 := os.Stat(name)
		if err == nil && err2 == nil && os.SameFile(reading, there) {
			return nil, fail(exitUsage, "--report names the file that is imported")
		}
	}
	report, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // the operator names it
	if err != nil {
		return nil, reportFault(err)
	}
	return report, nil
}

func reportFault(err error) error {
	if err == nil {
		return nil
	}
	return fail(exitFailure, "the report cannot be written: %v", err)
}

// importView is what --json shows. Programs rely on the names.
type importView struct {
	Imported  int64                `json:"imported"`
	Existing  int64                `json:"existing"`
	Refused   []userimport.Refusal `json:"refused"`
	Revealing []kindView           `json:"revealing"`
}

// checkView is what --json shows of a --dry-run.
type checkView struct {
	Valid     int64                `json:"valid"`
	Refused   []userimport.Refusal `json:"refused"`
	Revealing []kindView           `json:"revealing"`
}

// kindView is a kind of hashes whose time reveals which names exist.
type kindView struct {
	Kind  password.Kind `json:"kind"`
	Users int64         `json:"users"`
}

// viewKinds begins with the commonest.
func viewKinds(users map[password.Kind]int64) []kindView {
	views := []kindView{}
	for kind, n := range users {
		views = append(views, kindView{kind, n})
	}
	slices.SortFunc(views, func(a, b kindView) int {
		return cmp.Or(cmp.Compare(b.Users, a.Users), cmp.Compare(a.Kind, b.Kind))
	})
	return views
}

// kindsInWords says what the time of a login reveals.
func kindsInWords(kinds []kindView, good int64) string {
	if len(kinds) == 0 {
		return ""
	}
	all, list := int64(0), make([]string, len(kinds))
	for i, k := range kinds {
		all += k.Users
		list[i] = fmt.Sprintf("%d %s", k.Users, k.Kind)
	}
	return fmt.Sprintf("\n%d of %s longer or shorter than fob's own (%s). Until its user has logged in, the time of a login\n"+
		"reveals that the name exists: see docs/import.md.", all, plural(good, "hash takes", "hashes take"), strings.Join(list, ", "))
}

func reportImport(p *program, counts userimport.Counts, refused []userimport.Refusal, o importOptions) error {
	kinds := viewKinds(counts.Revealing)
	var view any = importView{counts.Imported, counts.Existing, refused, kinds}
	text, show := soFar(counts), p.confirm
	if o.dryRun {
		view = checkView{counts.Good, refused, kinds}
		text, show = plural(counts.Good, "user can be imported", "users can be imported"), p.print
	}
	if counts.Refused == 0 {
		text += "."
	} else {
		text += fmt.Sprintf(", %d %s refused:\n%s", counts.Refused, isAre(counts.Refused, "is", "are"), refusedInWords(counts, refused, o))
	}
	if err := show(view, text+kindsInWords(kinds, counts.Good)); err != nil || counts.Refused == 0 {
		return err
	}
	where := "the report on standard output"
	if o.report != "" {
		where = shown(o.report)
	}
	return fail(exitPartly, "%s refused: see %s", plural(counts.Refused, "line is", "lines are"), where)
}

// refusedInWords lists the first of the refused lines.
func refusedInWords(counts userimport.Counts, refused []userimport.Refusal, o importOptions) string {
	rows := [][]string{{"LINE", "USER", "REASON"}}
	for _, r := range refused[:min(len(refused), refusedShown)] {
		rows = append(rows, []string{strconv.Itoa(r.Line), cmp.Or(r.Username, "-"), r.Reason})
	}
	text := columns(rows...)
	if more := counts.Refused - refusedShown; more > 0 {
		all := "--report FILE and --json list them all"
		if o.report != "" {
			all = shown(o.report) + " has them all"
		}
		text += fmt.Sprintf("\nand %d more: %s.", more, all)
	}
	return text
}

// soFar says how many users are in.
func soFar(c userimport.Counts) string {
	return fmt.Sprintf("%s, %d %s there already", plural(c.Imported, "user is imported", "users are imported"), c.Existing, isAre(c.Existing, "was", "were"))
}
