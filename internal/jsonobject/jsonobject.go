// Package jsonobject reads one JSON object that somebody wrote into Go variables. It
// refuses what two readers could take in two ways: a member that comes twice, one whose
// name is not known, and bytes that are not UTF-8 (RFC 8259 §4, §8.1).
//
// Names are compared byte for byte. Its errors repeat nothing but names: a value may be a
// password.
package jsonobject

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Members are the values of an object by their names.
type Members map[string]json.RawMessage

// Has reports a member that is there and not null.
func (m Members) Has(name string) bool { return m[name] != nil && string(m[name]) != "null" }

// ErrList is the error of Read for a list.
var ErrList = errors.New("a JSON list in the place of one object")

// Read reads text, which errors call what, such as "the line". Each member goes to the
// pointer of its name, as [json.Unmarshal] does it: a text, a number, a truth value, a
// list of texts, or a [json.RawMessage]. Null leaves all but the last as they are.
//
// It returns the members that were there, with every fault that they have. Members before
// a fault are kept.
func Read(what string, text []byte, to map[string]any) (read Members, fault error) {
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%s is not UTF-8", what)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	broken := func() error {
		return fmt.Errorf("%s is not a JSON object: it breaks near byte %d", what, d.InputOffset()+1)
	}
	switch start, err := d.Token(); {
	case err == nil && start == json.Delim('['):
		return nil, ErrList
	case err != nil || start != json.Delim('{'):
		return nil, fmt.Errorf("%s is not a JSON object", what)
	}
	var faults []error
	read = Members{}
	for d.More() {
		token, err := d.Token()
		name, _ := token.(string)
		if err != nil {
			return read, broken()
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return read, broken()
		}
		target, known := to[name]
		switch {
		case !known:
			faults = append(faults, unknown(name))
		case read[name] != nil:
			faults = append(faults, fmt.Errorf("%s is there twice", name))
		case json.Unmarshal(value, target) != nil, nullInList(value, target):
			faults = append(faults, fmt.Errorf("%s wants %s", name, kindOf(target)))
		case hasLost(target):
			faults = append(faults, fmt.Errorf("a character of the %s is lost: it was written in another charset", name))
		}
		read[name] = value
	}
	if _, err := d.Token(); err != nil {
		return read, broken()
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return read, fmt.Errorf("there is more in %s than one JSON object", what)
	}
	return read, errors.Join(faults...)
}

func kindOf(target any) string {
	switch target.(type) {
	case *int:
		return "a whole number"
	case *bool:
		return "true or false"
	case *[]string:
		return "a list of names"
	}
	return "a text"
}

// nullInList reports a null among texts, which package json takes for an empty one.
func nullInList(value json.RawMessage, target any) bool {
	var list []*string
	_, texts := target.(*[]string)
	return texts && json.Unmarshal(value, &list) == nil && slices.Contains(list, nil)
}

// hasLost reports U+FFFD in a text. Package json puts it in the place of half a surrogate
// pair, and others do for what they could not convert.
func hasLost(target any) bool {
	lost := func(text string) bool { return strings.ContainsRune(text, utf8.RuneError) }
	switch t := target.(type) {
	case *string:
		return lost(*t)
	case *[]string:
		return slices.ContainsFunc(*t, lost)
	}
	return false
}

// unknown quotes what looks like a name and not like a hash.
func unknown(name string) error {
	notLetter := func(c rune) bool { return c != '_' && c != '-' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') }
	if name == "" || len(name) > 32 || strings.ContainsFunc(name, notLetter) {
		return errors.New("a member whose name is not known")
	}
	return fmt.Errorf("the member %q is not known", name)
}
