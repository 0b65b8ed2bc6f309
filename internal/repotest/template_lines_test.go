package repotest_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// unwatched are the functions at which neither an alarm nor a graph looks for a counter that
// fob writes into its lines, and why. All others are watched at least once.
var unwatched = map[string]map[string]string{
	"alarms: failed": {
		"MeFunction":       "it has no store; a start that fails rings FunctionFaults",
		"MetadataFunction": "as me",
		"TrialFunction":    "a trial that fails stops the deployment",
	},
	"alarms: denied": {
		"DevicesFunction":    "apps call with tokens that have just ended, and nothing can be guessed",
		"UsersFunction":      "as devices, and 404 and 409 are part of its work",
		"AuthorizerFunction": "as devices",
		"EventsFunction":     "an issuer sends too few for the threshold, and strangers may send what they like",
		"MeFunction":         "the authorizer refuses for it",
		"MetadataFunction":   "it refuses nobody",
		"AnnounceFunction":   "no request reaches it",
		"TrialFunction":      "no request reaches it",
	},
	"alarms: tampered": {
		"EventsFunction":   "it reads no record",
		"MeFunction":       "as events",
		"MetadataFunction": "as events",
		"AnnounceFunction": "it has the stream alone: a record that cannot be read is failed",
		"TrialFunction":    "it asks the other functions",
	},
	"graphs: failed": {
		"MeFunction":       "as in the alarms",
		"MetadataFunction": "as in the alarms",
		"TrialFunction":    "as in the alarms",
		"AnnounceFunction": "it exists only with EventBusArn, and a graph cannot have a condition",
	},
	"graphs: denied": {
		"DevicesFunction":    "as in the alarms",
		"UsersFunction":      "as in the alarms",
		"AuthorizerFunction": "as in the alarms",
		"MeFunction":         "as in the alarms",
		"MetadataFunction":   "as in the alarms",
		"AnnounceFunction":   "as in the alarms",
		"TrialFunction":      "as in the alarms",
	},
	"graphs: Throttles": {
		"MeFunction":       "no concurrency is reserved for it",
		"MetadataFunction": "as me",
		"TrialFunction":    "as me",
		"AnnounceFunction": "it exists only with EventBusArn",
	},
	"graphs: logs": {
		"MeFunction":       "as in the alarms",
		"MetadataFunction": "as in the alarms",
		"TrialFunction":    "as in the alarms",
		"AnnounceFunction": "it exists only with EventBusArn",
	},
}

// linesWatched: of the counters that several functions write, each function's is watched, or
// the function is named above with a reason. got has the functions for each key of unwatched.
func (c *checker) linesWatched(kind string, got map[string]map[string]bool) {
	for key, except := range unwatched {
		counter, ofKind := strings.CutPrefix(key, kind+": ")
		if !ofKind {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(c.ofType("AWS::Serverless::Function"))) {
			switch reason, excepted := except[name]; {
			case excepted && reason == "":
				c.fault("%s: %s is left out without a reason", key, name)
			case excepted && got[counter][name]:
				c.fault("%s: %s is watched, and an exception", key, name)
			case !excepted && !got[counter][name]:
				c.fault("%s: %s is not watched", key, name)
			}
		}
	}
}

// computed: an alarm's expression has all metrics that the alarm lists.
func (c *checker) computed(name string, alarm any) {
	list, _ := at(alarm, "Properties", "Metrics").([]any)
	var words []string
	for _, m := range list {
		if e, ok := at(m, "Expression").(string); ok {
			words = regexp.MustCompile(`\w+`).FindAllString(e, -1)
		}
	}
	for _, m := range list {
		if id := fmt.Sprint(at(m, "Id")); at(m, "MetricStat") != nil && !slices.Contains(words, id) {
			c.fault("%s: the expression leaves out %s", name, id)
		}
	}
}

// watchedIn adds the function of a metric to those that are watched for its name.
func watchedIn(got map[string]map[string]bool, counter, function string) {
	if got[counter] == nil {
		got[counter] = map[string]bool{}
	}
	got[counter][function] = true
}
