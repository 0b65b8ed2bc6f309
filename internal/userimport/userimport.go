// Package userimport adds the users of another system, with the hashes of the
// passwords that they have there, from a file of JSON lines:
//
//	im := userimport.Importer{Registrar: r, Refused: report}
//	counts, err := im.Run(ctx, file)
//
// A line that is not good is refused, and the others go on. A user whose name is
// taken is left alone, so that after an error the same file goes on where it was. The
// package refuses to know where the file is from and how the outcome is shown.
package userimport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/password"
	"github.com/fob-oauth/fob/internal/secret"
)

// Workers are how many users are on their way to the store at once.
const Workers = 16

// Importer is one import.
type Importer struct {
	Registrar *oauth.UserRegistrar // nil checks the file and adds nobody
	Names     Names

	// Refused is called for each line that is refused, in their order. Its error ends
	// the import.
	Refused func(Refusal) error
	// Progress is called after each line, by many at once: bytes were read for it, and
	// so many users are done.
	Progress func(bytes int, users int64)
}

// Refusal is a line that was refused.
type Refusal struct {
	Line     int    `json:"line"`     // the first is 1
	Username string `json:"username"` // as the line has it; empty if it does not give one
	Reason   string `json:"reason"`   // quotes no hash
}

// Counts are how many users were imported, or were there already, and how many lines
// are good and were refused.
type Counts struct {
	Imported, Existing, Good, Refused int64
	// Revealing are those of the good lines that have hashes of a revealing
	// [password.Kind].
	Revealing map[password.Kind]int64
}

// run is what an Importer has at work.
type run struct {
	Importer
	hashing            chan struct{} // a place for each hash that is being made
	imported, existing atomic.Int64

	// The reading goroutine's.
	good, refused int64
	revealing     map[password.Kind]int64
	lines         map[nameKey]int // of each name
}

// newUser is a user who was found good and is not added yet.
type newUser struct {
	oauth.NewUser
	hash password.Checked
	size int // of the line
}

// Run imports the users of in. The counts are right with an error, too: then some
// users may be added that are not counted.
func (im Importer) Run(ctx context.Context, in io.Reader) (Counts, error) {
	r := run{Importer: im, hashing: make(chan struct{}, runtime.GOMAXPROCS(0)), revealing: map[password.Kind]int64{}, lines: map[nameKey]int{}}
	err := r.run(ctx, in)
	return Counts{r.imported.Load(), r.existing.Load(), r.good, r.refused, r.revealing}, err
}

func (r *run) run(ctx context.Context, in io.Reader) error {
	outer := ctx
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	users := make(chan newUser)
	var workers sync.WaitGroup
	for range Workers {
		workers.Go(func() {
			for u := range users {
				if err := r.add(ctx, u); err != nil {
					stop(err) // of several errors, the first is returned
					return
				}
				r.Progress(u.size, r.imported.Load()+r.existing.Load())
			}
		})
	}
	if err := r.read(ctx, in, users); err != nil {
		stop(err)
	}
	close(users)
	workers.Wait()
	if outer.Err() != nil {
		return outer.Err()
	}
	return context.Cause(ctx)
}

// read checks lines and sends the users that are good. Nothing else refuses lines, so
// refusals come in their order.
func (r *run) read(ctx context.Context, in io.Reader, users chan<- newUser) error {
	lines := readLines(ctx, in)
	for {
		select {
		case <-ctx.Done():
			return nil
		case l, more := <-lines:
			if !more {
				return nil
			}
			if err := r.take(ctx, l, users); err != nil {
				return err
			}
		}
	}
}

// take checks a line, and sends its user if it is good.
func (r *run) take(ctx context.Context, l line, users chan<- newUser) error {
	if l.err != nil {
		return l.err
	}
	u, name, fault := r.check(l)
	if fault != nil {
		r.refused++
		r.Progress(l.size, r.imported.Load()+r.existing.Load())
		return r.Refused(Refusal{l.number, name, strings.ReplaceAll(fault.Error(), "\n", "; ")})
	}
	r.good++
	if kind := u.hash.Kind(); kind.Revealing() {
		r.revealing[kind]++
	}
	if r.Registrar == nil {
		r.Progress(l.size, r.good)
		return nil
	}
	select {
	case users <- u:
	case <-ctx.Done():
	}
	return nil
}

// check returns the user of a line, or the name if there is one and every fault.
func (r *run) check(l line) (u newUser, name string, fault error) {
	if l.tooLong {
		return newUser{}, "", fmt.Errorf("the line has more than %d KiB", maxLine>>10)
	}
	e, fault := parseLine(l.text)
	username, ofName := r.Names.of(e.username)
	u = newUser{NewUser: oauth.NewUser{Username: username, Roles: e.roles, Disabled: e.disabled}, size: l.size}
	if fault == nil {
		var ofHash error
		u.hash, ofHash = e.hash.Check()
		fault = errors.Join(ofName, oauth.ValidateNameAndRoles(username, e.roles), ofHash)
	}
	return u, e.username[:min(len(e.username), oauth.MaxUsername)], errors.Join(r.alsoTwice(username, l.number), fault)
}

// alsoTwice is the fault that a name was there before, refused or not: it is
// not clear which of the two was meant.
func (r *run) alsoTwice(name string, number int) error {
	if name == "" {
		return nil
	}
	key := keyOfName(name)
	if first, twice := r.lines[key]; twice {
		return fmt.Errorf("the name is in line %d already", first)
	}
	r.lines[key] = number
	return nil
}

// add adds a user, unless there is one of that name.
func (r *run) add(ctx context.Context, u newUser) error {
	u.Hash = func() (secret.Text, error) { return r.stored(ctx, u.hash) }
	_, err := r.Registrar.AddUser(ctx, u.NewUser)
	switch {
	case err == nil:
		r.imported.Add(1)
	case oauth.IsChange(err, oauth.EntryExists):
		r.existing.Add(1)
	default:
		return err
	}
	return nil
}

// stored makes few hashes at a time: each takes 19 MiB, and more at once would
// not be faster.
func (r *run) stored(ctx context.Context, hash password.Checked) (secret.Text, error) {
	select {
	case r.hashing <- struct{}{}:
	case <-ctx.Done():
		return secret.Text{}, context.Cause(ctx)
	}
	defer func() { <-r.hashing }()
	return hash.Stored()
}
