package main

import (
	"io"
	"slices"
	"time"
)

// eventLog writes lines behind the requests that they tell of. Programs that
// start fob often give it a pipe for standard error and never read it: once that
// is full a write blocks for good. Then lines are lost, and the service goes on.
type eventLog struct {
	lines chan []byte
	quit  chan struct{}
	done  chan struct{}
}

const (
	eventBacklog = 1024
	eventFlush   = time.Second
)

func newEventLog(w io.Writer) *eventLog {
	l := &eventLog{lines: make(chan []byte, eventBacklog), quit: make(chan struct{}), done: make(chan struct{})}
	go l.run(w)
	return l
}

// Write implements io.Writer for one line at a time.
func (l *eventLog) Write(line []byte) (int, error) {
	select {
	case l.lines <- slices.Clone(line):
	default:
	}
	return len(line), nil
}

func (l *eventLog) run(w io.Writer) {
	defer close(l.done)
	for quitting := false; ; {
		select {
		case line := <-l.lines:
			_, _ = w.Write(line) // whom should we tell
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

// close writes the lines so far, if anybody reads them, and ends the log.
func (l *eventLog) close() {
	close(l.quit)
	select {
	case <-l.done:
	case <-time.After(eventFlush):
	}
}
