package repotest_test

import (
	"fmt"
	"strings"
)

// deployed: a new version of a function is published with each change of its code, of the
// template or of a parameter, is tried if the trial knows how, and gets its requests as the
// operator chose.
func (c *checker) deployed(name string, got map[string]any, want function) {
	preference, _ := got["DeploymentPreference"].(map[string]any)
	if want.hook {
		c.same(name+": DeploymentPreference: Enabled", preference["Enabled"], false)
		return
	}
	number := "settings ${Settings.VersionNumber}"
	c.same(name+": versions", []any{got["AutoPublishAlias"], got["AutoPublishAliasAllProperties"], got["Description"], got["VersionDescription"]},
		[]any{"live", true, sub("fob, " + number), sub(number)})

	wanted := map[string]any{}
	for key, value := range at(c.Globals["Function"], "DeploymentPreference").(map[string]any) {
		wanted[key] = value
	}
	c.same("DeploymentPreference: Type", wanted["Type"], fn{"If", []any{"IsUntried", "AllAtOnce", ref("DeploymentPreference")}})
	c.same("DeploymentPreference: Role", wanted["Role"], getAtt("DeploymentRole.Arn"))
	alarms, _ := wanted["Alarms"].(fn)
	args, _ := alarms.args.([]any)
	if alarms.name != "If" || len(args) != 3 || args[0] != "ShiftsAtOnce" {
		c.fault("DeploymentPreference: Alarms: %v", wanted["Alarms"])
		return
	}
	for _, alarm := range args[2].([]any) {
		if at(c.Resources[fmt.Sprint(alarm)], "Type") != "AWS::CloudWatch::Alarm" {
			c.fault("DeploymentPreference: %v is not an alarm", alarm)
		}
	}
	// Globals and a function's own are joined; a map that is the function's alone is its own.
	if want.tried {
		c.same(name+": DeploymentPreference", preference, map[string]any{"Hooks": map[string]any{
			"PreTraffic": fn{"If", []any{"IsUntried", ref("AWS::NoValue"), ref("TrialFunction")}},
		}})
	} else {
		c.same(name+": DeploymentPreference", preference, wanted)
	}
}

// settings: SAM does not see that the value of a parameter has changed, and would leave the
// aliases at versions with the old one. So each parameter that a version depends on is in
// the text whose number is in the description of each version.
func (c *checker) settings() {
	c.same("Settings", at(c.Resources["Settings"], "Type"), "AWS::AppConfig::HostedConfigurationVersion")
	content, _ := at(c.Resources["Settings"], "Properties", "Content").(sub)
	depends := func(where string, value any) {
		walk(value, func(v any) {
			names := []string{}
			switch v := v.(type) {
			case ref:
				names = append(names, string(v))
			case sub:
				for _, match := range subReference.FindAllStringSubmatch(string(v), -1) {
					names = append(names, match[1])
				}
			case fn:
				// The parameters behind a condition count too.
				if args, ok := v.args.([]any); ok && v.name == "If" {
					walk(c.Conditions[fmt.Sprint(args[0])], func(v any) {
						if name, ok := v.(ref); ok {
							names = append(names, string(name))
						}
					})
				}
			}
			for _, name := range names {
				if _, parameter := c.Parameters[name]; parameter && !strings.Contains(string(content), "="+"${"+name+"}") {
					c.fault("%s: a change of %s makes no new version: name it in Settings", where, name)
				}
			}
		})
	}
	ofVersion := func(where string, properties any) {
		m, _ := properties.(map[string]any)
		for property, value := range m {
			switch property {
			case "ReservedConcurrentExecutions", "DeploymentPreference", "Events", "LoggingConfig", "Role":
				continue // of the function, and not of a version
			}
			depends(where+": "+property, value)
		}
	}
	ofVersion("Globals", c.Globals["Function"])
	for name, resource := range c.ofType("AWS::Serverless::Function") {
		ofVersion(name, at(resource, "Properties"))
	}
}
