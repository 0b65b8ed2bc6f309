package page

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"sync"
)

// mostRequests is how many lines the page shows.
const mostRequests = 30

// requests remembers the last lines of the event log, which hold no secrets. They become
// JSON when a page asks: a request does not wait for a page that nobody looks at.
type requests struct {
	mu    sync.Mutex
	lines [mostRequests]slog.Record // that of number n at n % mostRequests
	count int                       // of all lines, also those that are forgotten
	calls int                       // of the store, in all of them
}

// Log is where fob's event lines go to be shown.
func (p *Page) Log() slog.Handler { return p.requests }

// Handle implements [slog.Handler]. It keeps the lines of requests.
func (r *requests) Handle(_ context.Context, line slog.Record) error {
	if line.Message != "request" {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines[r.count%mostRequests] = line.Clone()
	r.count++
	line.Attrs(func(a slog.Attr) bool {
		if a.Key == "store_calls" {
			r.calls += int(a.Value.Int64())
		}
		return true
	})
	return nil
}

// last are the lines that are remembered, from the oldest on, and the counts of all.
func (r *requests) last() (lines []json.RawMessage, count, calls int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines = []json.RawMessage{}
	for n := max(0, r.count-mostRequests); n < r.count; n++ {
		var line bytes.Buffer
		if err := slog.NewJSONHandler(&line, nil).Handle(context.Background(), r.lines[n%mostRequests]); err != nil {
			return nil, 0, 0, err
		}
		lines = append(lines, line.Bytes())
	}
	return lines, r.count, r.calls, nil
}

// Enabled implements [slog.Handler].
func (r *requests) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// WithAttrs implements [slog.Handler]. An event line has no attributes but its own.
func (r *requests) WithAttrs([]slog.Attr) slog.Handler { return r }

// WithGroup implements [slog.Handler]. An event line has no groups.
func (r *requests) WithGroup(string) slog.Handler { return r }
