package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/fob-oauth/fob/internal/password"
	"github.com/fob-oauth/fob/internal/secret"
)

// maxLine is the most bytes of a line. A user with a hundred roles has 13 KiB.
const maxLine = 64 << 10

// line is one that is not blank.
type line struct {
	number  int
	text    []byte
	size    int  // with its end, and the blank ones before it
	tooLong bool // then there is no text
	err     error
}

const byteOrderMark = "\xef\xbb\xbf"

// readLines sends the lines of a file, one that could not be read last. It gives
// up when ctx ends; a read that is under way then it leaves to the end of the
// process, since nobody can end one of standard input.
func readLines(ctx context.Context, in io.Reader) <-chan line {
	lines := make(chan line)
	go func() {
		defer close(lines)
		r := bufio.NewReaderSize(in, maxLine)
		blank := 0
		for number := 1; ; number++ {
			l, err := readLine(r)
			l.number, l.size = number, l.size+blank
			blank = 0
			if number == 1 {
				l.text = bytes.TrimPrefix(l.text, []byte(byteOrderMark))
				if bytes.HasPrefix(l.text, []byte("\xff\xfe")) || bytes.HasPrefix(l.text, []byte("\xfe\xff")) {
					l.err = fail(exitUsage, "the file is UTF-16, as PowerShell writes it: it must be UTF-8")
				}
			}
			if err != nil && !errors.Is(err, io.EOF) {
				l.err = fail(exitFailure, "the users cannot be read: %v", err)
			}
			if l.err != nil || l.tooLong || len(bytes.TrimSpace(l.text)) > 0 {
				select {
				case lines <- l:
				case <-ctx.Done():
					return
				}
			} else {
				blank = l.size
			}
			if err != nil {
				return
			}
		}
	}()
	return lines
}

// readLine reads to the end of a line and keeps no more than maxLine of it.
func readLine(r *bufio.Reader) (line, error) {
	text, err := r.ReadSlice('\n')
	l := line{size: len(text)}
	for errors.Is(err, bufio.ErrBufferFull) {
		l.tooLong = true
		text, err = r.ReadSlice('\n')
		l.size += len(text)
	}
	if !l.tooLong {
		l.text = bytes.Clone(text)
	}
	return l, err
}

// entry is a line as it is read. It may hold what was read before a fault.
type entry struct {
	username string
	roles    []string
	disabled bool
	hash     password.Foreign
}

// parseEntry reads one JSON object. Its errors quote nothing but the names of
// members and roles: anything else may be a hash.
func parseEntry(text []byte) (e entry, err error) {
	if !utf8.Valid(text) {
		return entry{}, errors.New("the line is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	switch start, err := d.Token(); {
	case err == nil && start == json.Delim('['):
		return entry{}, errors.New("the line is a JSON list; one object a line is wanted, as jq -c '.[]' makes them")
	case err != nil || start != json.Delim('{'):
		return entry{}, errors.New("the line is no JSON object")
	}
	var hash, salt string
	members := map[string]any{
		"username":      &e.username,
		"password_hash": &hash,
		"salt":          &salt,
		"digest":        &e.hash.Digest,
		"prf":           &e.hash.PRF,
		"iterations":    &e.hash.Iterations,
		"dk_length":     &e.hash.KeyBits,
		"roles":         &e.roles,
		"disabled":      &e.disabled,
	}
	wanted := map[string]string{
		"iterations": "a whole number", "dk_length": "a whole number", "roles": "a list of names", "disabled": "true or false",
	}
	var faults []error
	read := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		name, _ := token.(string)
		if err != nil {
			return e, brokenJSON(d)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return e, brokenJSON(d)
		}
		to, known := members[name]
		switch {
		case !known:
			faults = append(faults, unknownMember(name))
		case read[name]:
			faults = append(faults, fmt.Errorf("%s is there twice", name))
		case json.Unmarshal(value, to) != nil:
			want := wanted[name]
			if want == "" {
				want = "a text"
			}
			faults = append(faults, fmt.Errorf("%s wants %s", name, want))
		}
		read[name] = true
	}
	if _, err := d.Token(); err != nil {
		return e, brokenJSON(d)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return e, errors.New("there is more on the line than one JSON object")
	}
	e.hash.Hash, e.hash.Salt = secret.New(hash), secret.New(salt)
	return e, errors.Join(faults...)
}

func brokenJSON(d *json.Decoder) error {
	return fmt.Errorf("the line is no JSON object: it breaks near byte %d", d.InputOffset()+1)
}

// unknownMember quotes what looks like a name and not like a hash.
func unknownMember(name string) error {
	notLetter := func(c rune) bool { return c != '_' && c != '-' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') }
	if name == "" || len(name) > 32 || strings.ContainsFunc(name, notLetter) {
		return errors.New("a member whose name is not known")
	}
	return fmt.Errorf("%q is no member that is known", name)
}

// lostCharacter finds names that were damaged before they came here: what could
// not be read in the charset that somebody assumed has become U+FFFD.
func lostCharacter(username string) error {
	if strings.ContainsRune(username, utf8.RuneError) {
		return errors.New("a character of the username is lost: the file was made in another charset")
	}
	return nil
}

// placeholder stands for a hash that is refused.
var placeholder = secret.New("refused")

// nameKey stands for a name, so that thousands of long ones are no matter.
type nameKey [16]byte

func keyOfName(name string) nameKey {
	sum := sha256.Sum256([]byte(name))
	return nameKey(sum[:16])
}
