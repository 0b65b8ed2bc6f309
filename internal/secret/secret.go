// Package secret holds text that must never be shown: bearers, passwords and
// client secrets.
//
// A Text prints as [redacted] through every door that logging and encoding use
// (fmt, log/slog, encoding/json, encoding.TextMarshaler), so that a struct
// dumped under a debug flag gives nothing away. The only way to the characters
// is Reveal, which is easy to search for.
package secret

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Redacted is what a Text prints as.
const Redacted = "[redacted]"

// Text is a secret string. The zero value is the empty secret. Texts do not
// compare with ==, which would leak their common prefix through time: use Equal.
type Text struct {
	// Behind a pointer because fmt calls no methods on unexported fields: a Text
	// inside somebody's struct would print its characters, this prints an address.
	chars *string
	_     [0]func() // not comparable
}

// New wraps s.
func New(s string) Text { return Text{chars: &s} }

// Reveal returns the characters. Call it only where they leave the program on
// purpose or enter a hash.
func (t Text) Reveal() string {
	if t.chars == nil {
		return ""
	}
	return *t.chars
}

// Len returns the length in bytes.
func (t Text) Len() int { return len(t.Reveal()) }

// Equal compares in time that depends on the lengths alone.
func (t Text) Equal(u Text) bool {
	return subtle.ConstantTimeCompare([]byte(t.Reveal()), []byte(u.Reveal())) == 1
}

// Prepared returns the form in which a password is hashed and compared: each space is
// U+0020, and the text is in NFC (RFC 8265 §4.2.2). So it does not matter which keyboard
// the password was typed on. Unlike RFC 8265 it refuses no character. Text that is not
// UTF-8 stays as it is.
func (t Text) Prepared() Text {
	s := t.Reveal()
	if !utf8.ValidString(s) {
		return t
	}
	return New(norm.NFC.String(strings.Map(toSpace, s)))
}

func toSpace(c rune) rune {
	if unicode.Is(unicode.Zs, c) {
		return ' '
	}
	return c
}

// Format writes [redacted] for every verb. Without it %d would walk the struct
// and print the characters inside its complaint.
func (t Text) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Redacted)) }

func (t Text) String() string               { return Redacted }
func (t Text) GoString() string             { return Redacted }
func (t Text) LogValue() slog.Value         { return slog.StringValue(Redacted) }
func (t Text) MarshalText() ([]byte, error) { return []byte(Redacted), nil }
func (t Text) MarshalJSON() ([]byte, error) { return []byte(`"` + Redacted + `"`), nil }

// UnmarshalJSON takes a text, such as a token in an answer.
func (t *Text) UnmarshalJSON(b []byte) error {
	var text string
	err := json.Unmarshal(b, &text)
	*t = New(text)
	return err
}
