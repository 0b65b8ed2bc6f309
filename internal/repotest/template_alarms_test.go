package repotest_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
)

// alarms: the nested stack gets all parameters that it wants, and alarms only on
// counters that exist.
func (c *checker) alarms(t *testing.T) {
	const path = "infra/alarms.yaml"
	nested, err := readTemplate(filepath.Join("../..", path))
	if err != nil {
		t.Fatal(err)
	}
	c.same("Alarms: TemplateURL", at(c.Resources["Alarms"], "Properties", "TemplateURL"), path)
	given, _ := at(c.Resources["Alarms"], "Properties", "Parameters").(map[string]any)
	c.same("Alarms: parameters", setOf(given), setOf(nested.Parameters))

	inner := &checker{template: nested}
	inner.references()
	inner.names()
	var counted []any // the values of the dimension
	for _, folder := range folders(t) {
		counted = append(counted, ref(resourceName(folder)+"Function")) // apigw.Serve counts by the function's name
	}
	// Every function is in each sum over Lambda's own metrics. The authorizer says
	// 401 by an error, and so has an alarm of its own on what is one.
	for _, alarm := range []string{"FunctionFaults", "FunctionThrottles"} {
		var summed []any
		walk(nested.Resources[alarm], func(v any) {
			if at(v, "Namespace") == "AWS/Lambda" {
				dimensions, _ := at(v, "Dimensions").([]any)
				summed = append(summed, at(dimensions[0], "Value"))
			}
		})
		for _, name := range counted {
			if own := alarm == "FunctionFaults" && name == ref("AuthorizerFunction"); slices.Contains(summed, name) == own {
				inner.fault("%s: without %v, or with it", alarm, name)
			}
		}
	}
	counters := 0
	walk(nested.Resources, func(v any) {
		if at(v, "Namespace") != "fob" {
			return
		}
		counters++
		known := []any{string(oauth.Denied), "tampered", "evicted", string(oauth.Refreshed), string(oauth.Repeated), string(oauth.Replayed), string(oauth.Failed)}
		if name := at(v, "MetricName"); !slices.Contains(known, name) {
			inner.fault("fob counts no %v", name)
		}
		dimensions, _ := at(v, "Dimensions").([]any)
		if len(dimensions) != 1 || at(dimensions[0], "Name") != "function" || !slices.Contains(counted, at(dimensions[0], "Value")) {
			inner.fault("fob counts for %v and not for %v: the alarm would never be heard", counted, dimensions)
		}
	})
	if counters == 0 {
		inner.fault("no alarm on a counter of fob")
	}
	inner.advice(readText(t, "../../docs/runbook.md"))
	inner.turnedAway()
	// CloudWatch charges $0.10 a month for each metric that an alarm looks at.
	metrics := 0
	for _, alarm := range inner.ofType("AWS::CloudWatch::Alarm") {
		before := metrics
		walk(alarm, func(v any) {
			if at(v, "MetricStat") != nil {
				metrics++
			}
		})
		metrics = max(metrics, before+1)
	}
	said, _ := at(c.Parameters["AlarmTopicArn"], "Description").(string)
	if cost := fmt.Sprintf("about $%d.%d0 a month", metrics/10, metrics%10); !strings.Contains(said, cost) {
		c.fault("AlarmTopicArn: the alarms cost %s", cost)
	}
	for _, f := range inner.faults {
		c.fault("%s: %s", path, f)
	}
}

// advice: an alarm says what to do first, and where the runbook goes on.
func (c *checker) advice(runbook string) {
	see := regexp.MustCompile(` First [^.]+\. See docs/runbook\.md, ([^.]+)\.$`)
	for name, alarm := range c.ofType("AWS::CloudWatch::Alarm") {
		text, _ := at(alarm, "Properties", "AlarmDescription").(string)
		m := see.FindStringSubmatch(text)
		switch {
		case m == nil || len(text) > 1024:
			c.fault("%s: AlarmDescription %q", name, text)
		case !strings.Contains(runbook, "# "+m[1]+"\n"):
			c.fault("%s: the runbook has no section %q", name, m[1])
		case !strings.Contains(runbook, "\n| "+name+" |"):
			c.fault("%s: not in the runbook's table", name)
		}
	}
}

// turnedAway: the alarm on 429 looks at what the access log's filter counts.
func (c *checker) turnedAway() {
	filter := at(c.Resources["TurnedAwayCount"], "Properties")
	c.same("TurnedAwayCount: FilterPattern", at(filter, "FilterPattern"), `{ $.status = "429" }`)
	c.same("TurnedAwayCount: LogGroupName", at(filter, "LogGroupName"), ref("ApiLogs"))
	counts, _ := at(filter, "MetricTransformations").([]any)
	alarm := at(c.Resources["TurnedAway"], "Properties")
	if len(counts) != 1 || at(alarm, "MetricName") == nil {
		c.fault("TurnedAway: counts %v", counts)
		return
	}
	c.same("TurnedAway", []any{at(alarm, "Namespace"), at(alarm, "MetricName")}, []any{at(counts[0], "MetricNamespace"), at(counts[0], "MetricName")})
	c.same("Replayed: Threshold", at(c.Resources["Replayed"], "Properties", "Threshold"), 0)
}
