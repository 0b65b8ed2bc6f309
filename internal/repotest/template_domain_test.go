package repotest_test

import (
	"fmt"
	"strings"
)

// domain: an address of the operator's own, by parameter. One address is always left, and the
// outputs name one at which the API answers.
func (c *checker) domain() {
	given := func(name string) any { return fn{"Not", []any{fn{"Equals", []any{ref(name), ""}}}} }
	for name, want := range map[string]any{
		"HasDomain": given("DomainName"), "ExecuteApiIsOff": fn{"Equals", []any{ref("ExecuteApiEndpoint"), "off"}},
		"HasZone": fn{"And", []any{fn{"Condition", "HasDomain"}, given("HostedZoneId")}},
	} {
		c.same(name, c.Conditions[name], want)
	}
	for name, want := range map[string][]any{
		"DomainHasCertificate": {given("DomainName"), given("CertificateArn")},
		"AnAddressIsLeft":      {fn{"Equals", []any{ref("ExecuteApiEndpoint"), "off"}}, given("DomainName")},
	} {
		assertions, _ := at(c.Rules[name], "Assertions").([]any)
		if len(assertions) != 1 {
			c.fault("%s: %d assertions", name, len(assertions))
			continue
		}
		c.same(name, []any{at(c.Rules[name], "RuleCondition"), at(assertions[0], "Assert")}, want)
	}
	c.same("Domain", []any{at(c.Resources["Domain"], "Condition"), at(c.Resources["Domain"], "Properties")}, []any{"HasDomain", map[string]any{
		"DomainName": ref("DomainName"),
		"DomainNameConfigurations": []any{map[string]any{
			"CertificateArn": ref("CertificateArn"), "EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2",
		}},
	}})
	c.same("DomainMapping", []any{at(c.Resources["DomainMapping"], "Condition"), at(c.Resources["DomainMapping"], "Properties")}, []any{"HasDomain", map[string]any{
		"ApiId": ref("Api"), "DomainName": ref("Domain"), "Stage": ref("Api.Stage"),
	}})
	c.same("DomainRecord", []any{at(c.Resources["DomainRecord"], "Condition"), at(c.Resources["DomainRecord"], "Properties")}, []any{"HasZone", map[string]any{
		"HostedZoneId": ref("HostedZoneId"), "Name": ref("DomainName"), "Type": "A",
		"AliasTarget": map[string]any{"DNSName": getAtt("Domain.RegionalDomainName"), "HostedZoneId": getAtt("Domain.RegionalHostedZoneId")},
	}})
	for name, output := range c.Outputs {
		if name != "ApiUrl" && !strings.HasSuffix(name, "Endpoint") {
			continue
		}
		address, _ := at(output, "Value").(fn)
		args, _ := address.args.([]any)
		if address.name != "If" || len(args) != 3 || args[0] != "HasDomain" {
			c.fault("%s: %v", name, at(output, "Value"))
			continue
		}
		own, _ := strings.CutPrefix(fmt.Sprint(args[1]), "https://${DomainName}")
		gateways, _ := strings.CutPrefix(fmt.Sprint(args[2]), "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}")
		if own != gateways {
			c.fault("%s: %v", name, args)
		}
	}
}
