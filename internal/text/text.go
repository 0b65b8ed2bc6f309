// Package text reads text as editors and shells leave it in files and on standard
// input: [UTF8] and [Line] take away everything that is not content. The caller checks the
// content.
package text

import (
	"bytes"
	"errors"
)

// ErrUTF16 is the error of text that begins as UTF-16 does. It is the end of a
// sentence about where the text is.
var ErrUTF16 = errors.New("UTF-16, as PowerShell writes it: it must be UTF-8")

// byteOrderMark is U+FEFF. At the beginning of a text it says that UTF-8 follows
// (RFC 3629 §6); Windows writes it, and nobody sees it.
const byteOrderMark = "\xef\xbb\xbf"

// UTF8 returns b without the byte order mark that it may begin with, or ErrUTF16. It
// does not look at the rest.
func UTF8(b []byte) ([]byte, error) {
	if bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) {
		return nil, ErrUTF16
	}
	return bytes.TrimPrefix(b, []byte(byteOrderMark)), nil
}

// Line is UTF8 without the end of the line, LF or CRLF, if b ends in one. Other line
// ends stay.
func Line(b []byte) ([]byte, error) {
	b, err := UTF8(b)
	if cut, ended := bytes.CutSuffix(b, []byte("\n")); ended {
		b = bytes.TrimSuffix(cut, []byte("\r"))
	}
	return b, err
}
