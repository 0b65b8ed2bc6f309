package userimport

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/fob-oauth/fob/internal/text"
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
			// Of every line: where files were joined, each began with its own mark.
			if l.text, l.err = text.UTF8(l.text); l.err != nil {
				l.err = fmt.Errorf("line %d is %w", number, l.err)
			}
			if err != nil && !errors.Is(err, io.EOF) {
				l.err = fmt.Errorf("the users cannot be read: %w", err)
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
	part, err := r.ReadSlice('\n')
	l := line{size: len(part)}
	for errors.Is(err, bufio.ErrBufferFull) {
		l.tooLong = true
		part, err = r.ReadSlice('\n')
		l.size += len(part)
	}
	if !l.tooLong {
		l.text = bytes.Clone(part)
	}
	return l, err
}

// nameKey is a hash of a name: thousands of long names would take much memory.
type nameKey [16]byte

func keyOfName(name string) nameKey {
	sum := sha256.Sum256([]byte(name))
	return nameKey(sum[:16])
}
