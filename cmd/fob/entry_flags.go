package main

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// entryFlags are the flags that the commands add and set of one kind of entry share.
// Each of them changes a setting of a T.
type entryFlags[T any] struct {
	f   *pflag.FlagSet
	all []entryFlag[T]
}

type entryFlag[T any] struct {
	name  string
	apply func(*T) error
}

func newEntryFlags[T any](cmd *cobra.Command) *entryFlags[T] {
	return &entryFlags[T]{f: cmd.Flags()}
}

// needOne refuses a command line with none of the flags.
func (e *entryFlags[T]) needOne(cmd *cobra.Command, _ []string) error {
	if !slices.ContainsFunc(e.all, func(flag entryFlag[T]) bool { return e.f.Changed(flag.name) }) {
		return fail(exitUsage, "%s needs a setting to change", cmd.CommandPath())
	}
	return nil
}

// apply puts those settings into entry whose flags were given.
func (e *entryFlags[T]) apply(entry *T) error {
	var faults []error
	for _, flag := range e.all {
		if e.f.Changed(flag.name) {
			faults = append(faults, flag.apply(entry))
		}
	}
	return errors.Join(faults...)
}

// add registers what the flag of that name changes.
func (e *entryFlags[T]) add(name string, apply func(*T) error) {
	e.all = append(e.all, entryFlag[T]{name, apply})
}

// list adds a flag that is repeated. One empty value says that the list is empty.
func (e *entryFlags[T]) list(name, help string, set func(entry *T, values []string) error) {
	values := e.f.StringArray(name, nil, help)
	e.add(name, func(entry *T) error {
		if len(*values) == 1 && (*values)[0] == "" {
			return set(entry, nil)
		}
		return set(entry, *values)
	})
}

func (e *entryFlags[T]) texts(name, help string, of func(*T) *[]string) {
	e.list(name, help, func(entry *T, values []string) error {
		*of(entry) = values
		return nil
	})
}

func (e *entryFlags[T]) text(name, help string, of func(*T) *string) {
	sets(e, name, e.f.String(name, "", help), of)
}

func (e *entryFlags[T]) truth(name, help string, of func(*T) *bool) {
	sets(e, name, e.f.Bool(name, false, help), of)
}

func (e *entryFlags[T]) number(name, help string, of func(*T) *int) {
	sets(e, name, e.f.Int(name, 0, help), of)
}

// span adds a flag for a duration.
func (e *entryFlags[T]) span(name, help string, of func(*T) *int64) {
	var value seconds
	e.f.Var(&value, name, help)
	sets(e, name, (*int64)(&value), of)
}

// sets registers that the flag of that name sets what of points to.
func sets[T, V any](e *entryFlags[T], name string, value *V, of func(*T) *V) {
	e.add(name, func(entry *T) error {
		*of(entry) = *value
		return nil
	})
}
