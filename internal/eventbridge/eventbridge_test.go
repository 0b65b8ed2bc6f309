package eventbridge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awseventbridge "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/announce/announcetest"
	"github.com/fob-oauth/fob/internal/eventbridge"
	"github.com/fob-oauth/fob/internal/wire"
)

const bus = "arn:aws:events:eu-central-1:123456789012:event-bus/people"

// entry is an event as the bus gets it.
type entry struct {
	EventBusName, Source, DetailType, Detail string
	Time                                     float64
}

// server stands in for EventBridge. answer says what it does with the entries of a call.
type server struct {
	t      *testing.T
	got    []entry // those that were accepted
	calls  int
	answer func(call int, entries []entry) (status int, refused map[int]bool)
	log    bytes.Buffer
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.calls++
	var in struct{ Entries []entry }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.Header.Get("X-Amz-Target") != "AWSEvents.PutEvents" || len(in.Entries) > 10 {
		s.t.Errorf("%s: %d entries, %v", r.Header.Get("X-Amz-Target"), len(in.Entries), err)
	}
	status, refused := http.StatusOK, map[int]bool(nil)
	if s.answer != nil {
		status, refused = s.answer(s.calls, in.Entries)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if status != http.StatusOK {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"__type":"InternalException"}`))
		return
	}
	var results []string
	for i, e := range in.Entries {
		if refused[i] {
			results = append(results, `{"ErrorCode":"ThrottlingException","ErrorMessage":"CANARY"}`)
			continue
		}
		s.got = append(s.got, e)
		results = append(results, fmt.Sprintf(`{"EventId":"%d"}`, len(s.got)))
	}
	_, _ = fmt.Fprintf(w, `{"FailedEntryCount":%d,"Entries":[%s]}`, len(refused), strings.Join(results, ","))
}

func newAnnouncer(t *testing.T, answer func(int, []entry) (int, map[int]bool)) (*eventbridge.Announcer, *server) {
	t.Helper()
	s := &server{t: t, answer: answer}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	client := awseventbridge.New(awseventbridge.Options{
		Region: "eu-central-1", BaseEndpoint: &web.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("fixture", "fixture", ""), HTTPClient: aws.HTTPClient(http.DefaultClient),
	})
	return &eventbridge.Announcer{Client: client, Bus: bus, Options: wire.Options{Function: "announce", Log: slog.New(slog.NewJSONHandler(&s.log, nil))}}, s
}

// sample are the records of a sample event of the function.
func sample(t *testing.T, name string) []json.RawMessage {
	t.Helper()
	text, err := os.ReadFile("../../functions/announce/events/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var b eventbridge.Batch
	if err := json.Unmarshal(text, &b); err != nil || len(b.Records) == 0 {
		t.Fatalf("%s: %v", name, err)
	}
	return b.Records
}

// many are n new devices, whose records have the sequence numbers 1, 2 and so on.
func many(t *testing.T, n int) (all []json.RawMessage) {
	t.Helper()
	var record map[string]any
	if err := json.Unmarshal(sample(t, "new-device.json")[0], &record); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		record["eventID"] = fmt.Sprint("e", i+1)
		record["dynamodb"].(map[string]any)["SequenceNumber"] = fmt.Sprint(i + 1)
		text, err := json.Marshal(record)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	return all
}

// handle wants the sequence number at which Lambda has to go on, or none.
func handle(t *testing.T, a *eventbridge.Announcer, records []json.RawMessage, want string) {
	t.Helper()
	done, err := a.Handle(t.Context(), eventbridge.Batch{Records: records})
	text, jsonErr := json.Marshal(done)
	wanted := `{"batchItemFailures":[]}`
	if want != "" {
		wanted = `{"batchItemFailures":[{"itemIdentifier":"` + want + `"}]}`
	}
	if err != nil || jsonErr != nil || string(text) != wanted {
		t.Errorf("answered %s, %v, %v; want %s", text, err, jsonErr, wanted)
	}
}

func ids(t *testing.T, entries []entry) (all []string) {
	t.Helper()
	for _, e := range entries {
		announcetest.Valid(t, []byte(e.Detail))
		var event struct{ ID string }
		if err := json.Unmarshal([]byte(e.Detail), &event); err != nil {
			t.Fatal(err)
		}
		all = append(all, event.ID)
	}
	return all
}

// The samples are announced as these events, on the bus that was named.
func TestSamples(t *testing.T) {
	for name, want := range map[string][]string{
		"new-device.json": {"new_device"},
		"renewed.json":    nil,
		"swept.json":      nil,
		"replayed.json":   {"refresh_token_replayed", "signed_out"},
		"changed.json":    {"signed_out", "roles_changed", "user_disabled", "signed_out"},
	} {
		a, s := newAnnouncer(t, nil)
		handle(t, a, sample(t, name), "")
		var got []string
		for _, e := range s.got {
			got = append(got, e.DetailType)
			if e.EventBusName != bus || e.Source != "fob" || e.Time < 1764231000 || e.Time > 1764231010 {
				t.Errorf("%s: %+v", name, e)
			}
		}
		ids(t, s.got) // all are valid
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		// The samples have these, and nobody else may.
		for _, hidden := range []string{"demo-user", "ipad", "lDh53u9D", "N8jM46wQ8luSTOFyIco78Q"} {
			if said := s.log.String(); strings.Contains(said, hidden) || strings.Contains(fmt.Sprint(s.got), hidden) {
				t.Errorf("%s: %s leaves: %s%v", name, hidden, said, s.got)
			}
		}
	}
}

// EventBridge takes ten events a call.
func TestManyEvents(t *testing.T) {
	a, s := newAnnouncer(t, nil)
	handle(t, a, many(t, 23), "")
	if all := ids(t, s.got); s.calls != 3 || len(all) != 23 || all[0] != "e1-new_device" || all[22] != "e23-new_device" {
		t.Errorf("%d calls, %q", s.calls, all)
	}
}

// Lambda sends again all from the first event on that is not there for certain.
func TestFailures(t *testing.T) {
	secondCall := func(call int, _ []entry) (int, map[int]bool) {
		if call == 2 {
			return http.StatusInternalServerError, nil
		}
		return http.StatusOK, nil
	}
	refuse := func(refused ...int) func(int, []entry) (int, map[int]bool) {
		return func(call int, _ []entry) (int, map[int]bool) {
			all := map[int]bool{}
			for _, i := range refused {
				all[i] = call == 2
			}
			if call != 2 {
				return http.StatusOK, nil
			}
			return http.StatusOK, all
		}
	}
	for _, test := range []struct {
		name   string
		answer func(int, []entry) (int, map[int]bool)
		want   string
		put    int
	}{
		{"a call fails", secondCall, "11", 10},
		{"one event is refused", refuse(4), "15", 10 + 9},
		{"the first and another are refused", refuse(0, 3), "11", 10 + 8},
		{"the last is refused", refuse(9), "20", 10 + 9},
	} {
		a, s := newAnnouncer(t, test.answer)
		handle(t, a, many(t, 30), test.want)
		if s.calls != 2 || len(s.got) != test.put {
			t.Errorf("%s: %d calls, %d are on the bus", test.name, s.calls, len(s.got))
		}
		if said := s.log.String(); !strings.Contains(said, `"level":"WARN"`) || strings.Contains(said, "CANARY") || strings.Contains(said, "_aws") {
			t.Errorf("%s: the log has %s", test.name, said)
		}
	}
}

// Both events of one record come again if one is missing, with the ids that they had.
func TestHalfOfARecord(t *testing.T) {
	a, s := newAnnouncer(t, func(call int, _ []entry) (int, map[int]bool) {
		return http.StatusOK, map[int]map[int]bool{1: {1: true}}[call]
	})
	records := sample(t, "replayed.json")
	var record struct {
		Dynamodb struct{ SequenceNumber string }
	}
	if err := json.Unmarshal(records[0], &record); err != nil {
		t.Fatal(err)
	}
	handle(t, a, records, record.Dynamodb.SequenceNumber)
	handle(t, a, records, "")
	all := ids(t, s.got)
	if len(all) != 3 || all[0] != all[1] || all[2] == all[0] {
		t.Errorf("the bus has %q", all)
	}
}

// A record that cannot be read holds nobody up, and an alarm hears of it.
func TestRecordsThatCannotBeRead(t *testing.T) {
	good := many(t, 2)
	for _, bad := range []string{
		`7`, `{}`, `{"eventID":"e"}`,
		strings.Replace(string(good[0]), `"S":"demo-app"`, `"S":"CANARY"`, 1), // edited: another client
		strings.Replace(string(good[0]), `"SequenceNumber":"1"`, `"SequenceNumber":""`, 1),
	} {
		a, s := newAnnouncer(t, nil)
		handle(t, a, []json.RawMessage{[]byte(bad), good[1]}, "")
		said := s.log.String()
		if all := ids(t, s.got); len(all) != 1 || all[0] != "e2-new_device" || !strings.Contains(said, `"failed":1`) || strings.Contains(said, "CANARY") {
			t.Errorf("%.40s: %q, the log has %s", bad, all, said)
		}
	}
}

// If the bus does not answer, Lambda is told where to go on before it ends the function.
func TestNoTimeLeft(t *testing.T) {
	a, _ := newAnnouncer(t, nil)
	o := a.Client.Options()
	o.HTTPClient = silent{}
	a.Client = awseventbridge.New(o)
	records := many(t, 1)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		done, err := a.Handle(ctx, eventbridge.Batch{Records: records})
		if took := time.Since(began); err != nil || len(done.Failures) != 1 || took != 9*time.Second {
			t.Errorf("%v, %v after %v", done, err, took)
		}
	})
}

// silent never answers.
type silent struct{}

func (silent) Do(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// EventBridge refuses an event for a bus of another Region than the one that is asked.
func TestTheRegionIsThatOfTheBus(t *testing.T) {
	client, err := eventbridge.NewClient(aws.Config{Region: "us-east-1"}, bus)
	if err != nil {
		t.Fatal(err)
	}
	if region := client.Options().Region; region != "eu-central-1" {
		t.Errorf("asks in %s for %s", region, bus)
	}
	if _, err := eventbridge.NewClient(aws.Config{Region: "us-east-1"}, "people"); err == nil {
		t.Error("a name is an ARN")
	}
}
