package page

import (
	"encoding/json"
	"log/slog"
	"slices"
	"sync"

	"github.com/fob-oauth/fob/internal/laptop"
)

// mostRequests is how many lines the page shows.
const mostRequests = 30

// requests remembers the last lines of the event log, which hold no secrets.
type requests struct {
	mu    sync.Mutex
	lines []json.RawMessage
	count int // of all lines, also those that are forgotten
	calls int // of the store, in all of them
}

// Log is where fob's event lines go to be shown.
func (p *Page) Log() slog.Handler {
	return slog.NewJSONHandler(p.requests, &slog.HandlerOptions{ReplaceAttr: laptop.DropMetrics})
}

// Write implements io.Writer for one line at a time. It keeps those of requests.
func (r *requests) Write(text []byte) (int, error) {
	var line struct {
		Msg   string `json:"msg"`
		Calls int    `json:"store_calls"`
	}
	if err := json.Unmarshal(text, &line); err != nil || line.Msg != "request" {
		return len(text), err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	r.calls += line.Calls
	r.lines = append(r.lines, slices.Clone(text))
	if len(r.lines) > mostRequests {
		r.lines = slices.Delete(r.lines, 0, 1)
	}
	return len(text), nil
}
