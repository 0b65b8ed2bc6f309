package laptop

import (
	"io"
	"slices"
	"time"
)

// EventLog writes lines without holding up the requests that they are about. Programs
// that start fob often give it a pipe for standard error and never read it: once the
// pipe is full, a write blocks for good. Then lines are lost, and the service goes on.
type EventLog struct {
	lines chan []byte
	quit  chan struct{}
	done  chan struct{}
}

const (
	eventBacklog = 1024
	eventFlush   = time.Second
)

// NewEventLog writes to w until Close.
func NewEventLog(w io.Writer) *EventLog {
	l := &EventLog{lines: make(chan []byte, eventBacklog), quit: make(chan struct{}), done: make(chan struct{})}
	go l.run(w)
	return l
}

// Write implements io.Writer for one line at a time.
func (l *EventLog) Write(line []byte) (int, error) {
	select {
	case l.lines <- slices.Clone(line):
	default:
	}
	return len(line), nil
}

func (l *EventLog) run(w io.Writer) {
	defer close(l.done)
	for quitting := false; ; {
		select {
		case line := <-l.lines:
			_, _ = w.Write(line)
			continue
		default:
		}
		if quitting {
			return
		}
		select {
		case line := <-l.lines:
			_, _ = w.Write(line)
		case <-l.quit:
			quitting = true
		}
	}
}

// Close writes the lines so far, if anybody reads them, and ends the log.
func (l *EventLog) Close() {
	close(l.quit)
	select {
	case <-l.done:
	case <-time.After(eventFlush):
	}
}
