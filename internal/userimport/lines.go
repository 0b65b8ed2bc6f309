package userimport

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
)

// maxLine is the most bytes of a line. A user with a hundred roles has 13 KiB.
const maxLine = 64 << 10

// ErrUTF16 is the error of a file that begins as one in UTF-16.
var ErrUTF16 = errors.New("the file is UTF-16, as PowerShell writes it: it must be UTF-8")

// ReadError is an error of the file, and not of the stores.
type ReadError struct{ err error }

func (e *ReadError) Error() string { return "the users cannot be read: " + e.err.Error() }
func (e *ReadError) Unwrap() error { return e.err }

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
					l.err = ErrUTF16
				}
			}
			if err != nil && !errors.Is(err, io.EOF) {
				l.err = &ReadError{err}
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

// nameKey is a hash of a name: thousands of long names would take much memory.
type nameKey [16]byte

func keyOfName(name string) nameKey {
	sum := sha256.Sum256([]byte(name))
	return nameKey(sum[:16])
}
