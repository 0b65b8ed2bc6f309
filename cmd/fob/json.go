package main

import (
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
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
	if isASCII(text) { // nearly every line
		return v.to.Write(text)
	}
	out := make([]byte, 0, len(text))
	for _, c := range string(text) {
		switch {
		case c == '\n' || unicode.IsPrint(c): // a line end is outside of texts
			out = append(out, string(c)...)
		case c > 0xffff:
			high, low := utf16.EncodeRune(c)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, c)
		}
	}
	if _, err := v.to.Write(out); err != nil {
		return 0, err
	}
	return len(text), nil
}

// isASCII reports a text of printable ASCII and line ends alone.
func isASCII(text []byte) bool {
	for _, c := range text {
		if c != '\n' && (c < ' ' || c > '~') {
			return false
		}
	}
	return true
}
