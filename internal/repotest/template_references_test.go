package repotest_test

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
)

// names: a resource with a name of its own prevents a second stack,
// and of its own replacement.
func (c *checker) names() {
	for name, resource := range c.Resources {
		if kind, _ := at(resource, "Type").(string); strings.HasPrefix(kind, "AWS::AppConfig::") {
			continue // two may have one name
		}
		for _, property := range []string{"TableName", "FunctionName", "RoleName", "LogGroupName", "Name", "StageName"} {
			if property == "FunctionName" && at(resource, "Type") == "AWS::Lambda::Permission" {
				continue // whom it is about
			}
			if property == "Name" && at(resource, "Type") == "AWS::Route53::RecordSet" {
				continue // the operator's choice
			}
			if property == "LogGroupName" && at(resource, "Type") == "AWS::Logs::MetricFilter" {
				continue // what it reads
			}
			if at(resource, "Properties", property) != nil {
				c.fault("%s: has a %s", name, property)
			}
		}
	}
}

var subReference = regexp.MustCompile(`\$\{([^!}][^}]*)\}`)

// references must lead somewhere, and parameters and conditions be used.
func (c *checker) references() {
	used := map[string]bool{}
	local := map[string]bool{} // names that one Sub gives to what it puts in
	use := func(name string) {
		name, _, _ = strings.Cut(name, ".")
		if local[name] {
			return
		}
		used[name] = true
		_, resource := c.Resources[name]
		_, parameter := c.Parameters[name]
		ofSAM := name == "ServerlessDeploymentApplication" || name == mappingOfTokens || strings.HasSuffix(name, "FunctionDeploymentGroup")
		if !resource && !parameter && !ofSAM && !strings.HasPrefix(name, "AWS::") {
			c.fault("a reference to %s, which is neither resource nor parameter", name)
		}
	}
	conditions := map[string]bool{}
	for _, section := range []map[string]any{c.Rules, c.Conditions, c.Globals, c.Resources, c.Outputs} {
		walk(section, func(v any) {
			switch v := v.(type) {
			case ref:
				use(string(v))
			case getAtt:
				use(string(v))
			case sub:
				for _, match := range subReference.FindAllStringSubmatch(string(v), -1) {
					use(match[1])
				}
			case fn:
				if args, ok := v.args.([]any); ok && v.name == "Sub" {
					maps.Copy(local, setOf(args[1].(map[string]any)))
				}
				if args, ok := v.args.([]any); ok && v.name == "If" {
					conditions[fmt.Sprint(args[0])] = true
				}
				if name, ok := v.args.(string); ok && v.name == "Condition" {
					conditions[name] = true
				}
			case map[string]any:
				if condition, ok := v["Condition"].(string); ok {
					conditions[condition] = true
				}
			}
		})
	}
	for name, parameter := range c.Parameters {
		if !used[name] {
			c.fault("parameter %s has no effect", name)
		}
		if description, _ := at(parameter, "Description").(string); description == "" {
			c.fault("parameter %s has no description", name)
		}
	}
	c.same("conditions used", conditions, setOf(c.Conditions))
}

func setOf(m map[string]any) map[string]bool {
	set := map[string]bool{}
	for name := range m {
		set[name] = true
	}
	return set
}
