package laptop

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A pipe for standard error that nobody reads is full after some hundred lines.
// Requests are answered nevertheless.
func TestServeWithoutAReaderOfItsLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never, write := io.Pipe()
		log := NewEventLog(write)
		line := strings.Repeat("-", 511) + "\n"
		for range 3 * eventBacklog / len(line) {
			if n, err := io.WriteString(log, line); n != len(line) || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
		}
		log.mu.Lock()
		if kept := len(log.waiting); kept > eventBacklog {
			t.Errorf("%d bytes wait, want at most %d", kept, eventBacklog)
		}
		log.mu.Unlock()
		log.Close() // gives up
		_ = never.Close()
		synctest.Wait()
	})
}

// writes are what was written, a text each time.
type writes []string

func (w *writes) Write(p []byte) (int, error) {
	*w = append(*w, string(p))
	return len(p), nil
}

// Lines that come within ten milliseconds are one write, which no later line and no end has
// to cause.
func TestEventLogWritesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got writes
		log := NewEventLog(&got)
		_, _ = io.WriteString(log, "a\n")
		_, _ = io.WriteString(log, "b\n")
		time.Sleep(eventDelay / 2)
		synctest.Wait()
		if len(got) > 0 { // before the next line, whose lock orders this read and the write
			t.Errorf("wrote %q at once", got)
		}
		_, _ = io.WriteString(log, "c\n")
		time.Sleep(eventDelay)
		synctest.Wait()
		if fmt.Sprint(got) != fmt.Sprint(writes{"a\nb\nc\n"}) {
			t.Errorf("wrote %q, want one write of three lines", got)
		}
		_, _ = io.WriteString(log, "d\n")
		time.Sleep(eventDelay)
		synctest.Wait()
		if len(got) != 2 || got[1] != "d\n" {
			t.Errorf("wrote %q, want the last line alone after the others", got)
		}
		log.Close()
	})
}

// A handler that outlives the server may still write its line.
func TestEventLogAfterItsEnd(t *testing.T) {
	var got writes
	log := NewEventLog(&got)
	_, _ = io.WriteString(log, "before\n")
	log.Close()
	if n, err := io.WriteString(log, "after\n"); n != len("after\n") || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if len(got) != 1 || got[0] != "before\n" {
		t.Errorf("wrote %q", got)
	}
}

func TestEventLogKeepsTheOrder(t *testing.T) {
	var got bytes.Buffer
	log := NewEventLog(&got)
	var want strings.Builder
	for i := range 10_000 {
		_, _ = fmt.Fprintf(io.MultiWriter(log, &want), "line %d\n", i)
	}
	log.Close()
	if got.String() != want.String() {
		t.Errorf("wrote %d bytes, want %d in order", got.Len(), want.Len())
	}
}
