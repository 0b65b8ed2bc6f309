package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/password"
	"github.com/fob-oauth/fob/internal/secret"
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

Passwords are hashed anew when their users log in for the first time.`

const importExample = `  fob user import users.jsonl --dry-run
  fob user import users.jsonl --report refused.jsonl`

type importOptions struct {
	dryRun bool
	report string
}

func (p *program) userImportCommand() *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:     "import FILE",
		Short:   "Import users of another system with their passwords",
		Long:    importHelp,
		Example: importExample,
		Args:    oneArg("the file, or - for standard input"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		run := func(ctx context.Context, s stores, args []string) error {
			return p.importUsers(ctx, s, args[0], o)
		}
		if o.dryRun {
			return run(cmd.Context(), stores{}, args) // which need not be there
		}
		return p.withStores(run)(cmd, args)
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&o.dryRun, "dry-run", false, "check the file, ask no table and change nothing")
	p.tells(cmd, importView{})
	flags.StringVar(&o.report, "report", "", "`file` for the refused lines, one JSON object each; it is written anew")
	return cmd
}

const (
	// importers are how many users are on their way to the store at once.
	importers = 16
	// refusedShown are how many refused lines people are told of.
	refusedShown = 20
)

// refusal is a line that was refused, as --json and --report show it. Programs
// rely on the names.
type refusal struct {
	Line     int    `json:"line"`
	Username string `json:"username"` // empty if the line does not give one
	Reason   string `json:"reason"`
}

// importer is one run.
type importer struct {
	stores
	dryRun   bool
	hashing  chan struct{} // a place for each hash that is being made
	progress progress

	imported, existing atomic.Int64

	// The rest is the reading goroutine's.
	valid      int
	seen       map[nameKey]int // the line of each name
	refused    []refusal       // as many as will be told
	refusedAll int
	keep       int
	report     *json.Encoder // nil if none was asked for
}

func (p *program) importUsers(ctx context.Context, s stores, file string, o importOptions) error {
	in, size, err := p.openImport(file)
	if err != nil {
		return err
	}
	defer in.Close()
	im := &importer{
		stores:  s,
		dryRun:  o.dryRun,
		hashing: make(chan struct{}, runtime.GOMAXPROCS(0)),
		seen:    map[nameKey]int{},
		keep:    refusedShown,
	}
	if p.json {
		im.keep = -1
	}
	var report *os.File
	if o.report != "" {
		if report, err = createReport(p.path(o.report), in); err != nil {
			return err
		}
		im.report = json.NewEncoder(report)
		im.report.SetEscapeHTML(false)
	}
	im.progress = p.newProgress(size)
	err = im.run(ctx, in)
	im.progress.end()
	if report != nil {
		err = errors.Join(err, reportFault(report.Close()))
	}
	switch {
	case err != nil && o.dryRun:
		return p.tables.users().explain(err)
	case err != nil && im.imported.Load()+im.existing.Load() == 0:
		return p.explainImport(err)
	case err != nil:
		return halfDone(p.explainImport(err), im.sofar()+", the rest may not be")
	case len(im.seen) == 0 && im.refusedAll == 0:
		return fail(exitUsage, "there are no users in %s", inputName(file))
	}
	return p.reportImport(im)
}

// openImport returns the file, and its size, or a negative one if that is not
// known.
func (p *program) openImport(file string) (io.ReadCloser, int64, error) {
	if file == "-" {
		if f, ok := p.stdin.(*os.File); ok {
			return stdinFile{f}, -1, nil
		}
		return io.NopCloser(p.stdin), -1, nil
	}
	f, err := os.Open(p.path(file))
	if err != nil {
		return nil, 0, fail(exitFailure, "the users cannot be read: %v", err)
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return f, -1, nil
	}
	return f, info.Size(), nil
}

func inputName(file string) string {
	if file == "-" {
		return "standard input"
	}
	return shown(file)
}

// stdinFile is standard input, which is not ours to close.
type stdinFile struct{ *os.File }

func (stdinFile) Close() error { return nil }

// createReport refuses to write over what is being read.
func createReport(name string, in io.ReadCloser) (*os.File, error) {
	if f, ok := in.(interface{ Stat() (os.FileInfo, error) }); ok {
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

// run imports what in holds. After an error some users are in and others are not.
func (im *importer) run(ctx context.Context, in io.Reader) error {
	outer := ctx
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	users := make(chan newUser)
	var workers sync.WaitGroup
	for range importers {
		workers.Go(func() {
			for u := range users {
				if err := im.save(ctx, u); err != nil {
					stop(err) // the first is told
					return
				}
				im.progress.add(u.size, im.imported.Load()+im.existing.Load())
			}
		})
	}
	if err := im.read(ctx, in, users); err != nil {
		stop(err)
	}
	close(users)
	workers.Wait()
	if outer.Err() != nil {
		return outer.Err()
	}
	return context.Cause(ctx)
}

// newUser is a user who was found good and is not saved yet.
type newUser struct {
	user     oauth.User
	hash     password.Checked
	disabled bool
	size     int // of the line
}

// read checks lines and sends the users that are good. It is the only one who
// refuses, so refusals come in the order of the lines.
func (im *importer) read(ctx context.Context, in io.Reader, users chan<- newUser) error {
	lines := readLines(ctx, in)
	for {
		select {
		case <-ctx.Done():
			return nil
		case l, more := <-lines:
			if !more {
				return nil
			}
			if l.err != nil {
				return l.err
			}
			u, name, fault := im.check(l)
			switch {
			case fault != nil:
				if err := im.refuse(refusal{l.number, name, oneLine(fault.Error())}); err != nil {
					return err
				}
				im.progress.add(l.size, im.imported.Load()+im.existing.Load())
				continue
			case im.dryRun:
				im.valid++
				im.progress.add(l.size, int64(im.valid))
				continue
			}
			select {
			case users <- u:
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// check returns the user of a line, or the name if there is one and every fault.
func (im *importer) check(l line) (u newUser, name string, fault error) {
	if l.tooLong {
		return newUser{}, "", fmt.Errorf("the line has more than %d KiB", maxLine>>10)
	}
	e, err := parseEntry(l.text)
	name = e.username[:min(len(e.username), oauth.MaxUsername)]
	if err != nil {
		return newUser{}, name, im.alsoTwice(e.username, l.number, err)
	}
	u = newUser{
		user:     oauth.User{Username: e.username, ID: oauth.NewUserID(), Roles: e.roles, Created: time.Now().Unix()},
		disabled: e.disabled,
		size:     l.size,
	}
	u.hash, err = e.hash.Check()
	u.user.PasswordHash = e.hash.Hash // Stored comes later
	if err != nil {
		u.user.PasswordHash = placeholder // its fault is told already
	}
	if err := errors.Join(u.user.Validate(), lostCharacter(e.username), err); err != nil {
		return newUser{}, name, im.alsoTwice(e.username, l.number, err)
	}
	return u, name, im.alsoTwice(e.username, l.number, nil)
}

// alsoTwice adds the fault that a name was there before, refused or not: nobody
// can tell which of the two was meant.
func (im *importer) alsoTwice(name string, number int, err error) error {
	if name == "" {
		return err
	}
	key := keyOfName(name)
	if first, twice := im.seen[key]; twice {
		return errors.Join(fmt.Errorf("the name is in line %d already", first), err)
	}
	im.seen[key] = number
	return err
}

func (im *importer) refuse(r refusal) error {
	im.refusedAll++
	if im.keep < 0 || len(im.refused) < im.keep {
		im.refused = append(im.refused, r)
	}
	if im.report == nil {
		return nil
	}
	return reportFault(im.report.Encode(r))
}

func reportFault(err error) error {
	if err == nil {
		return nil
	}
	return fail(exitFailure, "the report cannot be written: %v", err)
}

// save adds a user, unless there is one of that name. A disabled one is disabled
// before there is anybody to log in: the id is ours, and if the user is not saved
// after all, nobody ever has it.
func (im *importer) save(ctx context.Context, n newUser) error {
	u := n.user
	if _, there, err := im.users.User(ctx, u.Username); err != nil {
		return err
	} else if there {
		im.existing.Add(1)
		return nil
	}
	var err error
	if u.PasswordHash, err = im.stored(ctx, n.hash); err != nil {
		return err
	}
	if n.disabled {
		yes := true
		subject := oauth.Subject{Kind: oauth.UserSubject, ID: u.ID}
		if err := im.subjects.Raise(ctx, subject, oauth.StateChange{Disabled: &yes}); err != nil {
			return &tokensError{err}
		}
	}
	_, err = im.users.SaveUser(ctx, u)
	if errors.Is(err, oauth.ErrConflict) { // somebody was faster
		im.existing.Add(1)
		return nil
	}
	if err != nil {
		return err
	}
	im.imported.Add(1)
	return nil
}

// stored makes few hashes at a time: each takes 19 MiB, and more at once would
// not be faster.
func (im *importer) stored(ctx context.Context, hash password.Checked) (secret.Text, error) {
	select {
	case im.hashing <- struct{}{}:
	case <-ctx.Done():
		return secret.Text{}, context.Cause(ctx)
	}
	defer func() { <-im.hashing }()
	return hash.Stored()
}

// tokensError is an error of the table of tokens. Others are of the table of
// users.
type tokensError struct{ error }

func (e *tokensError) Unwrap() error { return e.error }

func (p *program) explainImport(err error) error {
	if _, ok := errors.AsType[*tokensError](err); ok {
		return p.tables.tokens().explain(err)
	}
	return p.tables.users().explain(err)
}

// importView is what --json shows. Programs rely on the names.
type importView struct {
	Imported int64     `json:"imported"`
	Existing int64     `json:"existing"`
	Refused  []refusal `json:"refused"`
}

// checkView is the same for --dry-run.
type checkView struct {
	Valid   int       `json:"valid"`
	Refused []refusal `json:"refused"`
}

func (p *program) reportImport(im *importer) error {
	var view any = importView{im.imported.Load(), im.existing.Load(), orEmpty(im.refused)}
	text := im.sofar()
	if im.dryRun {
		view = checkView{im.valid, orEmpty(im.refused)}
		text = plural(int64(im.valid), "user can be imported", "users can be imported")
	}
	refused := int64(im.refusedAll)
	tell := p.confirm
	if im.dryRun {
		tell = p.print
	}
	err := tell(view, func(w io.Writer) {
		if refused == 0 {
			_, _ = fmt.Fprintf(w, "%s.\n", text)
			return
		}
		_, _ = fmt.Fprintf(w, "%s, %d %s refused:\n", text, refused, isAre(refused, "is", "are"))
		rows := [][]string{{"LINE", "USER", "REASON"}}
		for _, r := range im.refused {
			rows = append(rows, []string{strconv.Itoa(r.Line), cmp.Or(r.Username, "-"), r.Reason})
		}
		columns(w, rows...)
		if more := im.refusedAll - len(im.refused); more > 0 {
			_, _ = fmt.Fprintf(w, "and %d more: --report FILE and --json tell of all.\n", more)
		}
	})
	if err != nil || refused == 0 {
		return err
	}
	return fail(exitPartly, "%s refused: see the report on standard output", plural(refused, "line is", "lines are"))
}

// sofar tells how many users are in.
func (im *importer) sofar() string {
	imported, existing := im.imported.Load(), im.existing.Load()
	return fmt.Sprintf("%s, %d %s there already", plural(imported, "user is imported", "users are imported"), existing, isAre(existing, "was", "were"))
}

// plural counts what one and many are the words for.
func plural(n int64, one, many string) string {
	return strconv.FormatInt(n, 10) + " " + isAre(n, one, many)
}

func isAre(n int64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
