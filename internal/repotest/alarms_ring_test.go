package repotest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/eventbridge"
	"github.com/fob-oauth/fob/internal/wire"
)

// datapoints are the values of one period, by namespace, metric and the value of its
// dimension, such as "fob denied TokenFunction".
type datapoints map[string][]float64

// TestAlarmsRing: each alarm of the template rings when it has to and is silent below. What
// fob counts is read from lines that its handlers print.
func TestAlarmsRing(t *testing.T) {
	tmpl, err := readTemplate("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	deniedAbove, _ := at(tmpl.Parameters["AlarmDeniedAbove"], "Default").(int)
	p := newPrinter(t)
	api := func(faults, requests int) datapoints {
		return datapoints{"AWS/ApiGateway 5xx Api": {float64(faults)}, "AWS/ApiGateway Count Api": {float64(requests)}}
	}
	slow := func(of20 int) datapoints {
		return datapoints{"AWS/ApiGateway Latency Api": slices.Concat(slices.Repeat([]float64{40, 3000}, (20-of20)/2), slices.Repeat([]float64{3001}, of20))}
	}
	aws := func(key string, value float64) datapoints { return datapoints{key: {value}} }
	quiet := datapoints{}
	denied := func(n int) datapoints { return p.times(n, p.deny) }

	for _, test := range []struct {
		alarm         string
		silent, rings []datapoints // period after period
	}{
		{"ApiFaults", []datapoints{api(10, 1000), api(500, 1000), api(500, 1000), quiet, quiet}, []datapoints{api(11, 1000), quiet, api(11, 1000), quiet, api(11, 1000)}},
		{"ApiSlow", []datapoints{slow(0), slow(0), slow(0), slow(2), slow(2)}, []datapoints{slow(2), slow(2), slow(2), slow(0), quiet}},
		{"FunctionFaults", []datapoints{{"AWS/Lambda Errors AuthorizerFunction": {9}, "AWS/Lambda Errors MeFunction": {0}}}, []datapoints{aws("AWS/Lambda Errors MeFunction", 1)}},
		{"FunctionThrottles", []datapoints{aws("AWS/Lambda Throttles TokenFunction", 0)}, []datapoints{aws("AWS/Lambda Throttles AuthorizerFunction", 1)}},
		{"TableThrottles", slices.Repeat([]datapoints{aws("AWS/DynamoDB ReadThrottleEvents UsersTable", 10)}, 5), slices.Repeat([]datapoints{{"AWS/DynamoDB ReadThrottleEvents UsersTable": {6}, "AWS/DynamoDB WriteThrottleEvents TokensTable": {5}}}, 5)},
		{"AuthorizerFaults", []datapoints{p.fail("authorizer"), p.fail("authorizer"), quiet, quiet, quiet}, []datapoints{p.fail("authorizer"), quiet, p.fail("authorizer"), quiet, p.start("authorizer")}},
		{"TokenFaults", slices.Repeat([]datapoints{merge(p.points(p.introspectDown), aws("AWS/Lambda Invocations IntrospectFunction", 100))}, 5), slices.Repeat([]datapoints{merge(p.points(p.introspectDown), aws("AWS/Lambda Invocations TokenFunction", 99))}, 3)},
		{"RevokeFaults", []datapoints{p.times(2, p.revokeDown)}, []datapoints{p.times(3, p.revokeDown)}},
		{"EventsFaults", []datapoints{p.times(2, p.eventsDown)}, []datapoints{p.times(3, p.eventsDown)}},
		{"AnnounceLate", []datapoints{aws("AWS/Lambda IteratorAge AnnounceFunction", 600_000)}, []datapoints{aws("AWS/Lambda IteratorAge AnnounceFunction", 600_001)}},
		{"AnnounceFailed", []datapoints{aws("AWS/SQS ApproximateNumberOfMessagesVisible AnnounceFailures.QueueName", 0)}, []datapoints{aws("AWS/SQS ApproximateNumberOfMessagesVisible AnnounceFailures.QueueName", 1)}},
		{"AnnounceFailed", []datapoints{aws("AWS/Lambda DroppedEventCount "+mappingOfTokens, 0)}, []datapoints{aws("AWS/Lambda DroppedEventCount "+mappingOfTokens, 1)}},
		{"AnnounceStopped", []datapoints{aws("AWS/Lambda PolledEventCount "+mappingOfTokens, 0), quiet, quiet}, []datapoints{quiet, quiet, quiet}},
		{"AnnounceFailed", []datapoints{p.announce(true)}, []datapoints{p.announce(false)}},
		{"Tampered", []datapoints{p.introspect(false)}, []datapoints{p.introspect(true)}},
		{"Replayed", []datapoints{p.refresh(2, 0)}, []datapoints{p.replay()}},
		{"Repeated", []datapoints{p.refresh(0, 5)}, []datapoints{p.refresh(190, 6)}},
		{"Repeated", []datapoints{p.refresh(194, 6)}, []datapoints{p.refresh(0, 6)}},
		{"Evicted", []datapoints{p.evict(10)}, []datapoints{p.evict(11)}},
		{"Denied", []datapoints{denied(deniedAbove)}, []datapoints{denied(deniedAbove + 1)}},
		{"TurnedAway", []datapoints{merge(turnedAway(t, tmpl, 100, "429"), turnedAway(t, tmpl, 200, "401"))}, []datapoints{turnedAway(t, tmpl, 101, "429")}},
		{"OldKey", []datapoints{p.keyAge(400)}, []datapoints{merge(p.keyAge(401), p.keyAge(3))}},
	} {
		alarm, found := tmpl.Resources[test.alarm]
		if !found {
			t.Errorf("there is no alarm %s", test.alarm)
			continue
		}
		if rings(t, tmpl, alarm, test.silent) {
			t.Errorf("%s rings for %v", test.alarm, test.silent)
		}
		if !rings(t, tmpl, alarm, test.rings) {
			t.Errorf("%s is silent for %v", test.alarm, test.rings)
		}
		tested[test.alarm] = true
	}
	for name := range tmpl.ofType("AWS::CloudWatch::Alarm") {
		if !tested[name] {
			t.Errorf("no test says when %s rings", name)
		}
	}
}

var tested = map[string]bool{}

// counted reads the metrics out of lines in CloudWatch's embedded metric format. A function
// is called as its folder there, and by its resource here.
func counted(t *testing.T, log []byte) datapoints {
	t.Helper()
	points := datapoints{}
	for text := range bytes.Lines(log) {
		var line map[string]any
		if err := json.Unmarshal(text, &line); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		directives, _ := at(line["_aws"], "CloudWatchMetrics").([]any)
		for _, d := range directives {
			dimensions, _ := at(d, "Dimensions").([]any)
			metrics, _ := at(d, "Metrics").([]any)
			for _, set := range dimensions {
				for _, m := range metrics {
					name, _ := at(m, "Name").(string)
					value, _ := line[name].(float64)
					var of []string
					for _, dimension := range set.([]any) {
						of = append(of, resourceName(fmt.Sprint(line[dimension.(string)]))+"Function")
					}
					key := fmt.Sprint(at(d, "Namespace"), " ", name, " ", strings.Join(of, " "))
					points[key] = append(points[key], value)
				}
			}
		}
	}
	return points
}

func merge(all ...datapoints) datapoints {
	merged := datapoints{}
	for _, points := range all {
		for key, values := range points {
			merged[key] = append(merged[key], values...)
		}
	}
	return merged
}

// turnedAway are n requests that the gateway answered, as the template's access log has them
// and its filter counts them.
func turnedAway(t *testing.T, tmpl template, n int, status string) datapoints {
	t.Helper()
	format, _ := at(tmpl.Resources["Api"], "Properties", "AccessLogSettings", "Format").(string)
	var line map[string]string
	if err := json.Unmarshal([]byte(strings.ReplaceAll(format, "$context.status", status)), &line); err != nil {
		t.Fatal(err)
	}
	filter := at(tmpl.Resources["TurnedAwayCount"], "Properties")
	field, want, _ := strings.Cut(strings.Trim(fmt.Sprint(at(filter, "FilterPattern")), "{ }"), " = ")
	if name, ok := strings.CutPrefix(field, "$."); !ok || `"`+line[name]+`"` != want {
		return datapoints{}
	}
	counts, _ := at(filter, "MetricTransformations").([]any)
	key := strings.TrimSpace(fmt.Sprint(at(counts[0], "MetricNamespace"), " ", at(counts[0], "MetricName"), " "))
	return datapoints{key: slices.Repeat([]float64{1}, n)}
}

// announce is a batch of the stream with one record, which may be one that cannot be read.
func (p *printer) announce(readable bool) datapoints {
	record := `{"eventID":"e","eventName":"MODIFY","dynamodb":{"ApproximateCreationDateTime":1,"SequenceNumber":"1","Keys":{"pk":{"S":"x"},"sk":{"S":"L"}}}}`
	if !readable {
		record = strings.Replace(record, `"eventID":"e",`, "", 1)
	}
	announcer := eventbridge.Announcer{Options: wire.Options{Function: "announce", Log: p.log}}
	return p.points(func() {
		if done, err := announcer.Handle(p.t.Context(), eventbridge.Batch{Records: []json.RawMessage{[]byte(record)}}); err != nil || len(done.Failures) > 0 {
			p.t.Errorf("%v, %v", done, err)
		}
	})
}

// keyAge is a start of the token function under a key that has been active for so long.
func (p *printer) keyAge(days int) datapoints {
	return p.points(func() {
		now := time.Unix(began, 0)
		wire.Options{Function: "token", Log: p.log}.LogKeyAge(p.t.Context(), 1, now.Add(-time.Duration(days)*24*time.Hour).Unix(), now)
	})
}

// rings says whether an alarm rings after these periods: whether enough of the latest ones
// are past its threshold.
func rings(t *testing.T, tmpl template, alarm any, periods []datapoints) bool {
	t.Helper()
	properties := at(alarm, "Properties")
	number := func(name string) (int, bool) { n, ok := at(properties, name).(int); return n, ok }
	of, _ := number("EvaluationPeriods")
	need, given := number("DatapointsToAlarm")
	if !given {
		need = of
	}
	threshold, fixed := number("Threshold")
	if parameter, ok := at(properties, "Threshold").(ref); ok {
		threshold, fixed = at(tmpl.Parameters[string(parameter)], "Default").(int)
	}
	below := at(properties, "ComparisonOperator") == "LessThanThreshold"
	if !fixed || of == 0 || !below && at(properties, "ComparisonOperator") != "GreaterThanThreshold" {
		t.Fatalf("an alarm that this test cannot read: %v", slices.Sorted(maps.Keys(properties.(map[string]any))))
	}
	past := 0
	for _, period := range periods[max(0, len(periods)-of):] {
		value, found := valueOf(t, properties, period)
		switch {
		case !found && at(properties, "TreatMissingData") == "breaching",
			found && below && value < float64(threshold),
			found && !below && value > float64(threshold):
			past++
		}
	}
	return past >= need
}
