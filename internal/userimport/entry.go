package userimport

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/fob-oauth/fob/internal/password"
	"github.com/fob-oauth/fob/internal/secret"
)

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
