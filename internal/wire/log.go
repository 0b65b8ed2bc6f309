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
// Event, which has no room for secrets, and where the request came from. The
// text of an error is added only for a status of 500 and above: then it is about
// stores and keys, not about what the client sent.
//
// The line carries its own counters in CloudWatch's embedded metric format.
func (o Options) record(r *http.Request, endpoint string, event *oauth.Event, status int, began time.Time, err error) {
	ctx, now := r.Context(), time.Now()
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

	attrs := make([]slog.Attr, 0, 32) // more than a line has
	attrs = append(attrs, slog.String("function", o.Function), slog.String("endpoint", endpoint))
	optional := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	optional("client", string(event.Client))
	optional("client_claimed", string(event.Claimed))
	if event.OlderSecret {
		attrs = append(attrs, slog.Bool("older_secret", true))
	}
	optional("grant", string(event.Grant))
	optional("name", event.Name)
	optional("user_source", event.UserSource)
	optional("outcome", string(event.Outcome))
	optional("code", string(event.Code))
	optional("reason", string(event.Reason))
	optional("scope", event.Scope)
	optional("subject", event.Subject)
	optional("issuer", event.Issuer)
	optional("event", event.SecurityEvent)
	optional("refusal", event.Refusal)
	attrs = append(attrs, slog.Int("status", status))
	optional("locator", event.Locator)
	attrs = append(attrs,
		slog.Int("store_calls", event.StoreCalls),
		number("read_units", event.ReadUnits),
		number("write_units", event.WriteUnits),
		slog.Float64("duration_ms", float64(now.Sub(began).Microseconds())/1000),
	)
	from := o.sourceOf(r)
	optional("source", from.text)
	if from.edge {
		attrs = append(attrs, slog.Bool("edge", true))
	}
	optional("request_id", GatewayOf(ctx).InvocationID)
	optional("gateway_request_id", GatewayOf(ctx).RequestID)
	if status >= http.StatusInternalServerError {
		optional("error", err.Error())
		attrs = append(attrs, stackOf(err)...)
	}
	counters := []counter{{"raced", event.Raced}, {"tampered", event.Tampered}, {"evicted", event.Evicted}}
	switch event.Outcome {
	case oauth.Issued, oauth.Returned, oauth.Refreshed, oauth.Repeated, oauth.Replayed, oauth.Revoked, oauth.Added, oauth.Changed, oauth.Removed, oauth.Denied, oauth.Failed:
		counters = append(counters, counter{string(event.Outcome), 1})
	}
	// Not by LogAttrs, which walks the stack for a line of source that no handler writes.
	if log := o.Log.Handler(); log.Enabled(ctx, level) {
		line := slog.NewRecord(now, level, "request", 0)
		line.AddAttrs(o.withMetrics(attrs, counters, now)...)
		_ = log.Handle(ctx, line) // nobody is left to hear of it
	}
}

// LogFailure logs a failure outside any request: a start that failed, an event that
// cannot be served, a panic. It moves the counter that a failed request moves, so
// that the same alarm rings. err must hold nothing that a client sent.
func (o Options) LogFailure(ctx context.Context, what string, err error, attrs ...slog.Attr) {
	if o.Log == nil {
		return
	}
	attrs = append([]slog.Attr{slog.String("function", o.Function), slog.String("error", err.Error())}, attrs...)
	attrs = append(attrs, stackOf(err)...)
	if o.Function != "" { // or the metric has no dimension, and CloudWatch drops it
		attrs = o.withMetrics(attrs, []counter{{string(oauth.Failed), 1}}, time.Now())
	}
	o.Log.LogAttrs(ctx, slog.LevelError, what, attrs...)
}

// LogKeyAge writes the line of a start that says since how many whole days the active key is
// active, for the alarm on keys that nobody turns. A key in its first day, or of which the
// time is not known (since is zero), has no line. since is in Unix seconds.
func (o Options) LogKeyAge(ctx context.Context, kid uint8, since int64, now time.Time) {
	days := int(now.Sub(time.Unix(since, 0)).Hours() / 24)
	if o.Log == nil || o.Function == "" || since == 0 || days < 1 {
		return
	}
	attrs := []slog.Attr{slog.String("function", o.Function), slog.Int("key", int(kid))}
	o.Log.LogAttrs(ctx, slog.LevelInfo, "key ring", o.withMetrics(attrs, []counter{{KeyAgeMetric, days}}, now)...)
}

// KeyAgeMetric is the metric of [Options.LogKeyAge].
const KeyAgeMetric = "key_age_days"

// stackOf is where a panic was, if err is one.
func stackOf(err error) []slog.Attr {
	if p, ok := errors.AsType[*panicked](err); ok {
		return []slog.Attr{slog.Any("stack", p.stack)}
	}
	return nil
}

// number is a number as JSON has it. slog hands every float to encoding/json, and most
// requests take whole units.
func number(name string, value float64) slog.Attr {
	if whole := int64(value); float64(whole) == value {
		return slog.Int64(name, whole)
	}
	return slog.Float64(name, value)
}

// withMetrics adds the counters that moved, and the member of the embedded metric
// format that makes CloudWatch see them.
func (o Options) withMetrics(attrs []slog.Attr, counters []counter, now time.Time) []slog.Attr {
	var metrics []metric
	for _, c := range counters {
		if c.value > 0 {
			attrs = append(attrs, slog.Int(c.name, c.value))
			metrics = append(metrics, metric{c.name, "Count"})
		}
	}
	if metrics == nil || o.NoMetrics {
		return attrs
	}
	return append(attrs, slog.Any("_aws", metadata{now.UnixMilli(), []directive{{"fob", [][]string{{"function"}}, metrics}}}))
}

type counter struct {
	name  string
	value int
}

// The embedded metric format, whose names are members of JSON.
type (
	metadata struct {
		Timestamp         int64 // milliseconds
		CloudWatchMetrics []directive
	}
	directive struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []metric
	}
	metric struct{ Name, Unit string }
)
