package repotest_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// awsMetrics are the metrics of AWS in alarms and on the dashboard, with their dimension, as
// the services document them.
var awsMetrics = map[string]string{
	"AWS/ApiGateway 5xx": "ApiId", "AWS/ApiGateway Count": "ApiId", "AWS/ApiGateway Latency": "ApiId", "AWS/ApiGateway 4xx": "ApiId",
	"AWS/Lambda ConcurrentExecutions": "FunctionName",
	"AWS/Lambda Errors":               "FunctionName", "AWS/Lambda Invocations": "FunctionName", "AWS/Lambda Throttles": "FunctionName",
	"AWS/Lambda PolledEventCount": "EventSourceMappingUUID", "AWS/Lambda DroppedEventCount": "EventSourceMappingUUID",
	"AWS/Lambda IteratorAge": "FunctionName", "AWS/SQS ApproximateNumberOfMessagesVisible": "QueueName",
	"AWS/DynamoDB ReadThrottleEvents": "TableName", "AWS/DynamoDB WriteThrottleEvents": "TableName",
}

// alarms: each says what to do, looks at metrics that exist, and at all resources that it is
// for. That each rings when it has to is TestAlarmsRing.
func (c *checker) alarms(t *testing.T) {
	all := c.ofType("AWS::CloudWatch::Alarm")
	if len(all) == 0 {
		c.fault("no alarms")
	}
	metrics := 0
	counted := map[string]map[string]bool{}
	for name, alarm := range all {
		watched := watchedBy(alarm)
		metrics += len(watched)
		if len(watched) == 0 || len(watched) > 10 {
			c.fault("%s: %d metrics; CloudWatch takes ten for one alarm", name, len(watched))
		}
		for _, m := range watched {
			c.watched(name, m)
			for _, d := range m.dimensions {
				watchedIn(counted, fmt.Sprint(m.name), fmt.Sprint(at(d, "Value")))
			}
		}
		c.computed(name, alarm)
		condition := "HasAlarms"
		if strings.HasPrefix(name, "Announce") {
			condition = "HasEventBusAndAlarms"
		}
		c.same(name+": Condition", at(alarm, "Condition"), condition)
		c.same(name+": AlarmActions", at(alarm, "Properties", "AlarmActions"), fn{"If", []any{"HasAlarmTopic", []any{ref("AlarmTopicArn")}, ref("AWS::NoValue")}})
		missing := "notBreaching"
		if name == "AnnounceStopped" { // no data is what it is about
			missing = "breaching"
		}
		c.same(name+": TreatMissingData", at(alarm, "Properties", "TreatMissingData"), missing)
	}
	c.covered(all)
	c.linesWatched("alarms", counted)
	c.advice(readText(t, "../../docs/runbook.md"))
	c.turnedAway()
	// CloudWatch charges $0.10 a month for each metric that an alarm looks at.
	said, _ := at(c.Parameters["AlarmTopicArn"], "Description").(string)
	if cost := fmt.Sprintf("about $%d.%d0 a month", metrics/10, metrics%10); !strings.Contains(said, cost) {
		c.fault("AlarmTopicArn: the alarms cost %s", cost)
	}
}

// metric is one that an alarm looks at.
type metric struct {
	namespace, name any
	dimensions      []any
	stat            any
	period          int
}

func watchedBy(alarm any) (watched []metric) {
	list := func(v any) []any { l, _ := v.([]any); return ownTableDimensions(l) }
	number := func(v any) int { n, _ := v.(int); return n }
	properties := at(alarm, "Properties")
	if at(properties, "MetricName") != nil {
		stat := at(properties, "Statistic")
		if stat == nil {
			stat = at(properties, "ExtendedStatistic")
		}
		return []metric{{at(properties, "Namespace"), at(properties, "MetricName"), list(at(properties, "Dimensions")), stat, number(at(properties, "Period"))}}
	}
	for _, m := range list(at(properties, "Metrics")) {
		if s := at(m, "MetricStat"); s != nil {
			watched = append(watched, metric{at(s, "Metric", "Namespace"), at(s, "Metric", "MetricName"), list(at(s, "Metric", "Dimensions")), at(s, "Stat"), number(at(s, "Period"))})
		}
	}
	return watched
}

// ownTableDimensions has the stack's own tables in the place of those in use.
func ownTableDimensions(dimensions []any) []any {
	var c checker
	for i, d := range dimensions {
		if at(d, "Name") == "TableName" {
			dimensions[i] = map[string]any{"Name": "TableName", "Value": c.ownTable(at(d, "Value"))}
		}
	}
	return dimensions
}

// watched: fob's counters have one dimension, the function; those of AWS have a documented
// one, whose value is a resource of that kind.
func (c *checker) watched(alarm string, m metric) {
	kinds := map[string]string{
		"function": "AWS::Serverless::Function", "FunctionName": "AWS::Serverless::Function",
		"TableName": "AWS::DynamoDB::Table", "ApiId": "AWS::Serverless::HttpApi", "QueueName": "AWS::SQS::Queue",
	}
	if m.namespace == sub("fob/${Api}") { // see turnedAway
		c.same(alarm+": dimensions", m.dimensions, []any(nil))
		return
	}
	want := "function"
	if m.namespace != "fob" {
		want = awsMetrics[fmt.Sprint(m.namespace, " ", m.name)]
	}
	if len(m.dimensions) != 1 || want == "" || at(m.dimensions[0], "Name") != want {
		c.fault("%s: %v %v with the dimensions %v", alarm, m.namespace, m.name, m.dimensions)
		return
	}
	value, _ := at(m.dimensions[0], "Value").(ref)
	if want == "EventSourceMappingUUID" {
		c.same(alarm+": mapping", value, ref(mappingOfTokens))
		return
	}
	if queue, ok := at(m.dimensions[0], "Value").(getAtt); ok && want == "QueueName" { // !Ref is its URL
		name, _, _ := strings.Cut(string(queue), ".")
		value = ref(name)
	}
	if kind := at(c.Resources[string(value)], "Type"); kind != kinds[want] {
		c.fault("%s: %v is a %v", alarm, value, kind)
	}
}

// covered: no function and no table is left out of the sums, but with a reason.
func (c *checker) covered(alarms map[string]any) {
	for alarm, except := range map[string][]string{
		// The authorizer says 401 by an error, and so has an alarm of its own on what is one. A
		// trial that fails stops the deployment.
		// If announce fails, its records become old: AnnounceLate. If it is not called: AnnounceStopped.
		"FunctionFaults": {"AuthorizerFunction", "TrialFunction", "AnnounceFunction"},
		// No concurrency is reserved for them.
		"FunctionThrottles": {"MetadataFunction", "MeFunction", "TrialFunction", "AnnounceFunction"},
		"TableThrottles":    nil,
	} {
		kind := "AWS::Serverless::Function"
		if alarm == "TableThrottles" {
			kind = "AWS::DynamoDB::Table"
		}
		want := setOf(c.ofType(kind))
		for _, name := range except {
			delete(want, name)
		}
		got := map[string]bool{}
		for _, m := range watchedBy(alarms[alarm]) {
			for _, d := range m.dimensions {
				got[fmt.Sprint(at(d, "Value"))] = true
			}
		}
		c.same(alarm+" is about", got, want)
	}
}

// advice: an alarm says what to do first, and where the runbook goes on. The runbook's table
// has these alarms and no others.
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
		}
	}
	_, table, _ := strings.Cut(runbook, "\n| alarm | ")
	table, _, _ = strings.Cut(table, "\n\n")
	var explained []string
	for _, row := range regexp.MustCompile(`(?m)^\| ([A-Z]\w+) \| \S`).FindAllStringSubmatch(table, -1) {
		explained = append(explained, row[1])
	}
	slices.Sort(explained)
	c.same("the runbook's table of alarms", explained, slices.Sorted(maps.Keys(c.ofType("AWS::CloudWatch::Alarm"))))
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
}
