// Package eventbridge puts what the stream of the tokens table says about users on an
// event bus: the function announce, whose events are those of package announce.
//
// Each event is put at least once. If some could not be put, Lambda learns the
// first record of them, and comes again with all from there on, until the
// record is too old. A record that cannot be read would never be: it is logged as a
// failure, which an alarm hears, and left out.
package eventbridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/fob-oauth/fob/internal/announce"
	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/wire"
)

// Source is the source of all events.
const Source = "fob"

// maxEntries is EventBridge's limit for one call.
const maxEntries = 10

// NewClient returns a client for the bus of that ARN, which may be in another Region than
// the function: EventBridge takes events for a bus only in the bus's own Region.
func NewClient(cfg aws.Config, bus string) (*eventbridge.Client, error) {
	of, err := arn.Parse(bus)
	if err != nil {
		return nil, fmt.Errorf("read the ARN of the event bus: %w", err)
	}
	return eventbridge.NewFromConfig(cfg, func(o *eventbridge.Options) { o.Region = of.Region }), nil
}

// Announcer announces batches of the stream.
type Announcer struct {
	Client *eventbridge.Client
	Bus    string // the ARN
	wire.Options
}

// Batch is what Lambda hands over, with each record as it is.
type Batch struct {
	Records []json.RawMessage
}

// Response says where Lambda has to go on. Without a failure the batch is done.
type Response struct {
	Failures []Failure `json:"batchItemFailures"`
}

// Failure is the first record that was not announced.
type Failure struct {
	Sequence string `json:"itemIdentifier"`
}

// entry is an event, and the record that it is of.
type entry struct {
	event    announce.Event
	sequence string
}

// Handle announces one batch. It never returns an error: Lambda would come again with
// the whole batch.
func (a *Announcer) Handle(ctx context.Context, b Batch) (Response, error) {
	began := time.Now()
	if deadline, ok := ctx.Deadline(); ok { // some time is left to say how far it came
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-time.Second))
		defer cancel()
	}
	var all []entry
	for _, raw := range b.Records {
		all = append(all, a.read(ctx, raw)...)
	}
	done := Response{Failures: []Failure{}}
	put := 0
	for chunk := range slices.Chunk(all, maxEntries) {
		n, err := a.put(ctx, chunk)
		put += n
		if err != nil {
			a.Log.LogAttrs(ctx, slog.LevelWarn, "not put, and to be put again", slog.String("function", a.Function),
				slog.String("id", chunk[n].event.ID), slog.String("error", err.Error()))
			done.Failures = []Failure{{chunk[n].sequence}}
			break
		}
	}
	a.Log.LogAttrs(ctx, slog.LevelInfo, "announced", slog.String("function", a.Function), slog.Int("records", len(b.Records)),
		slog.Int("events", put), slog.Int("left", len(all)-put), slog.Float64("duration_ms", float64(time.Since(began).Microseconds())/1000))
	return done, nil
}

// read returns the events of a record.
func (a *Announcer) read(ctx context.Context, raw json.RawMessage) (all []entry) {
	var r dynamo.StreamRecord
	err := json.Unmarshal(raw, &r)
	if err == nil && r.Change.Sequence == "" {
		err = errors.New("a record of a stream without its sequence number")
	}
	if err == nil {
		w, unreadable := r.Write()
		if err = unreadable; err == nil {
			for _, e := range announce.Of(w) {
				all = append(all, entry{e, r.Change.Sequence})
			}
			return all
		}
	}
	a.LogFailure(ctx, "not announced", err, slog.String("stream_record", r.ID))
	return nil
}

// put returns how many of the chunk are on the bus for certain, from its beginning. With
// an error, others may be as well.
func (a *Announcer) put(ctx context.Context, chunk []entry) (n int, err error) {
	in := &eventbridge.PutEventsInput{}
	for _, e := range chunk {
		detail, err := json.Marshal(e.event)
		if err != nil {
			return 0, err
		}
		in.Entries = append(in.Entries, types.PutEventsRequestEntry{
			EventBusName: &a.Bus, Source: aws.String(Source), DetailType: aws.String(string(e.event.Type)),
			Detail: aws.String(string(detail)), Time: aws.Time(time.Unix(e.event.Time, 0)),
		})
	}
	out, err := a.Client.PutEvents(ctx, in)
	switch {
	case err != nil:
		return 0, err
	case len(out.Entries) != len(chunk):
		return 0, fmt.Errorf("EventBridge answered about %d of %d events", len(out.Entries), len(chunk))
	}
	// Single events may be refused in an answer that is a success.
	for i, entry := range out.Entries {
		if entry.EventId == nil {
			return i, fmt.Errorf("EventBridge refused an event: %s", aws.ToString(entry.ErrorCode))
		}
	}
	if out.FailedEntryCount > 0 {
		return 0, errors.New("EventBridge refused an event without saying which")
	}
	return len(chunk), nil
}
