package laptop

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
)

// A pipe for standard error that nobody reads is full after some hundred lines.
// Requests are answered nevertheless.
func TestServeWithoutAReaderOfItsLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never, write := io.Pipe()
		log := NewEventLog(write)
		for range 3 * eventBacklog {
			if n, err := io.WriteString(log, "a line\n"); n != 7 || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
		}
		log.Close() // gives up
		_ = never.Close()
		synctest.Wait()
	})
}

func TestEventLogKeepsTheOrder(t *testing.T) {
	var got bytes.Buffer
	log := NewEventLog(&got)
	var want strings.Builder
	for i := range eventBacklog {
		_, _ = fmt.Fprintf(io.MultiWriter(log, &want), "line %d\n", i)
	}
	log.Close()
	if got.String() != want.String() {
		t.Errorf("wrote %d bytes, want %d in order", len(got.String()), want.Len())
	}
}
