package wire

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/fob-oauth/fob/internal/oauth"
)

// record writes the one line of a request. It holds what the domain put into the
// Event, which has no room for secrets, and nothing of the request itself. The
// cause of an error is told only when it is ours: then it speaks of stores and
// keys, not of what the client sent.
//
// The line carries its own counters in CloudWatch's embedded metric format.
func (e endpoint) record(ctx context.Context, event *oauth.Event, status int, began time.Time, err error) {
	now := e.Now()
	level := slog.LevelInfo
	switch {
	case status >= http.StatusInternalServerError:
		// Whatever the domain got done before: Revoke calls itself revoked early.
		event.Outcome = oauth.Failed
		level = slog.LevelError
	case err != nil && event.Outcome != oauth.Replayed:
		event.Outcome = oauth.Denied
	}
	if level == slog.LevelInfo && (event.Outcome == oauth.Replayed || event.Tampered > 0) {
		level = slog.LevelWarn
	}
	if err != nil {
		event.Code = refusalOf(err).code
	}

	attrs := []slog.Attr{slog.String("function", e.Function), slog.String("endpoint", e.name)}
	optional := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	optional("client", string(event.Client))
	if event.OlderSecret {
		attrs = append(attrs, slog.Bool("older_secret", true))
	}
	optional("grant", string(event.Grant))
	optional("outcome", string(event.Outcome))
	optional("code", string(event.Code))
	attrs = append(attrs, slog.Int("status", status))
	optional("locator", event.Locator)
	attrs = append(attrs,
		slog.Int("store_calls", event.StoreCalls),
		slog.Float64("read_units", event.ReadUnits),
		slog.Float64("write_units", event.WriteUnits),
		slog.Float64("duration_ms", float64(now.Sub(began).Microseconds())/1000),
	)
	optional("request_id", GatewayOf(ctx).RequestID)
	if status >= http.StatusInternalServerError {
		optional("error", err.Error())
		if p, ok := errors.AsType[*panicked](err); ok {
			attrs = append(attrs, slog.Any("stack", p.stack))
		}
	}
	e.Log.LogAttrs(ctx, level, "request", e.withMetrics(attrs, event, now)...)
}

// withMetrics adds the counters that this request moved, and the member that
// makes CloudWatch see them.
func (e endpoint) withMetrics(attrs []slog.Attr, event *oauth.Event, now time.Time) []slog.Attr {
	counters := []counter{{"raced", event.Raced}, {"tampered", event.Tampered}}
	switch event.Outcome {
	case oauth.Issued, oauth.Returned, oauth.Refreshed, oauth.Replayed, oauth.Revoked, oauth.Denied, oauth.Failed:
		counters = append(counters, counter{string(event.Outcome), 1})
	}
	var metrics []emfMetric
	for _, c := range counters {
		if c.value > 0 {
			attrs = append(attrs, slog.Int(c.name, c.value))
			metrics = append(metrics, emfMetric{c.name, "Count"})
		}
	}
	if metrics == nil {
		return attrs
	}
	return append(attrs, slog.Any("_aws", emf{
		Timestamp: now.UnixMilli(),
		CloudWatchMetrics: []emfDirective{{
			Namespace:  "fob",
			Dimensions: [][]string{{"function"}},
			Metrics:    metrics,
		}},
	}))
}

type counter struct {
	name  string
	value int
}

// The embedded metric format: its names, in its own spelling.
type (
	emf struct {
		Timestamp         int64
		CloudWatchMetrics []emfDirective
	}
	emfDirective struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []emfMetric
	}
	emfMetric struct {
		Name string
		Unit string
	}
)
