package repotest_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// mappingOfTokens is what SAM calls the event source: the function and the event.
const mappingOfTokens = "AnnounceFunctionTokens"

// streamOfTokens is the event source of functions/announce. The age is half of the 24 hours
// that a stream keeps a record: after it somebody can still read what was given up.
var streamOfTokens = map[string]any{
	"Type": "DynamoDB",
	"Properties": map[string]any{
		"Stream":                         getAtt("TokensTable.StreamArn"),
		"StartingPosition":               "TRIM_HORIZON", // LATEST leaves out what comes before Lambda reads
		"BatchSize":                      100,
		"MaximumBatchingWindowInSeconds": 1,
		"FunctionResponseTypes":          []any{"ReportBatchItemFailures"},
		"BisectBatchOnFunctionError":     true,
		"MaximumRecordAgeInSeconds":      43200,
		"DestinationConfig":              map[string]any{"OnFailure": map[string]any{"Type": "SQS", "Destination": getAtt("AnnounceFailures.Arn")}},
		"MetricsConfig":                  fn{"If", []any{"HasAlarms", map[string]any{"Metrics": []any{"EventCount"}}, ref("AWS::NoValue")}},
		"FilterCriteria": map[string]any{"Filters": []any{
			map[string]any{"Pattern": `{"eventName":["INSERT"],"dynamodb":{"NewImage":{"kd":{"S":["user"]}}}}`},
			map[string]any{"Pattern": `{"eventName":["REMOVE"],"dynamodb":{"OldImage":{"kd":{"S":["user"]}}}}`},
			map[string]any{"Pattern": `{"eventName":["INSERT","MODIFY"],"dynamodb":{"Keys":{"sk":{"S":["S"]}}}}`},
		}},
	},
}

// stream: the queue of what was given up keeps it as long as SQS can, and the filters let
// all sample records through that are announced. Of those that are not, a renewed token must
// not cost a call.
func (c *checker) stream(t *testing.T) {
	queue := c.Resources["AnnounceFailures"]
	c.same("AnnounceFailures: Condition", at(queue, "Condition"), "HasEventBus")
	c.same("AnnounceFailures", at(queue, "Properties"), map[string]any{"MessageRetentionPeriod": 14 * 24 * 3600, "SqsManagedSseEnabled": true})

	const rule = "EventsComeFromTheStacksTable" // no other stream is known
	assertions, _ := at(c.Rules[rule], "Assertions").([]any)
	c.same(rule, []any{at(c.Rules[rule], "RuleCondition"), at(assertions[0], "Assert")}, []any{
		fn{"Not", []any{fn{"Equals", []any{ref("EventBusArn"), ""}}}}, fn{"Equals", []any{ref("TokensTableName"), ""}},
	})

	samples, err := filepath.Glob("../../functions/announce/events/*.json")
	if err != nil || len(samples) == 0 {
		t.Fatalf("samples %q, %v", samples, err)
	}
	filters, _ := at(c.Resources["AnnounceFunction"], "Properties", "Events", "Tokens", "Properties", "FilterCriteria", "Filters").([]any)
	for _, path := range samples {
		var batch struct{ Records []any }
		if err := json.Unmarshal([]byte(readText(t, path)), &batch); err != nil || len(batch.Records) == 0 {
			t.Fatalf("%s: %v", path, err)
		}
		for i, record := range batch.Records {
			passes := slices.ContainsFunc(filters, func(filter any) bool {
				var pattern map[string]any
				err := json.Unmarshal([]byte(fmt.Sprint(at(filter, "Pattern"))), &pattern)
				return err == nil && matches(pattern, record)
			})
			if want := !strings.Contains(path, "renewed"); passes != want {
				c.fault("the filters let record %d of %s pass: %v", i, filepath.Base(path), passes)
			}
		}
	}
}

// matches reports whether a value fits a pattern of EventBridge that has lists of values.
func matches(pattern, value any) bool {
	switch pattern := pattern.(type) {
	case map[string]any:
		for name, within := range pattern {
			if !matches(within, at(value, name)) {
				return false
			}
		}
		return true
	case []any:
		return slices.ContainsFunc(pattern, func(v any) bool { return reflect.DeepEqual(v, value) })
	}
	return false
}
