package repotest_test

import (
	"path/filepath"
	"slices"
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
		known := []any{"tampered", "evicted", string(oauth.Refreshed), string(oauth.Repeated), string(oauth.Replayed), string(oauth.Failed)}
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
	for _, f := range inner.faults {
		c.fault("%s: %s", path, f)
	}
}
