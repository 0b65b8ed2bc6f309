package laptop

import (
	"io"
	"sync"
	"time"
)

// EventLog writes lines without holding up the requests that they are about. Programs
// that start fob often give it a pipe for standard error and never read it: once the
// pipe is full, a write blocks for good. Then lines are lost, and the service goes on.
//
// A line waits ten milliseconds for others, and one write takes all. So requests that come
// one after the other share a system call and the wake-up of a goroutine. Who kills the
// process loses the lines of these ten milliseconds; a handler that panics loses none.
type EventLog struct {
	mu      sync.Mutex
	waiting []byte // whole lines
	closed  bool

	due  chan struct{} // has an element once a line waits that run does not know of
	done chan struct{}
}

const (
	eventBacklog = 1 << 20 // bytes
	eventDelay   = 10 * time.Millisecond
	eventFlush   = time.Second
)

// NewEventLog writes to w until Close.
func NewEventLog(w io.Writer) *EventLog {
	l := &EventLog{due: make(chan struct{}, 1), done: make(chan struct{})}
	go l.run(w)
	return l
}

// Write implements io.Writer for whole lines.
func (l *EventLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.waiting)+len(line) > eventBacklog {
		return len(line), nil
	}
	if len(l.waiting) == 0 {
		l.due <- struct{}{} // run took the last one before it took the lines
	}
	l.waiting = append(l.waiting, line...)
	return len(line), nil
}

func (l *EventLog) run(w io.Writer) {
	defer close(l.done)
	var lines []byte
	for range l.due {
		time.Sleep(eventDelay)
		l.mu.Lock()
		lines, l.waiting = l.waiting, lines[:0]
		l.mu.Unlock()
		_, _ = w.Write(lines)
	}
}

// Close writes the lines so far, if anybody reads them, and ends the log.
func (l *EventLog) Close() {
	l.mu.Lock()
	l.closed = true
	close(l.due)
	l.mu.Unlock()
	select {
	case <-l.done:
	case <-time.After(eventFlush):
	}
}
