package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// newEncoder writes JSON as fob shows it.
func newEncoder(w io.Writer) *json.Encoder {
	e := json.NewEncoder(visible{w})
	e.SetEscapeHTML(false)
	return e
}

// visible takes JSON and writes each character that has no shape as \u and its code:
// at a terminal, U+009B would begin a command and U+202E turn the line round.
type visible struct{ to io.Writer }

func (v visible) Write(text []byte) (int, error) {
	special := func(c byte) bool { return c != '\n' && (c < ' ' || c > '~') }
	if !slices.ContainsFunc(text, special) { // nearly every line
		return v.to.Write(text)
	}
	out := make([]byte, 0, len(text))
	for _, c := range string(text) {
		if c == '\n' || unicode.IsPrint(c) { // a line end is outside of texts
			out = utf8.AppendRune(out, c)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, c) {
			out = fmt.Appendf(out, `\u%04x`, unit)
		}
	}
	if _, err := v.to.Write(out); err != nil {
		return 0, err
	}
	return len(text), nil
}
