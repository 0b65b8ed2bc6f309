package repotest_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ownClients are the keys of the clients that package smoke adds.
const ownClients = "client#fob-smoke-*"

// trialKeys are those of the items that the trial may touch, by action.
var trialKeys = map[string]any{
	"dynamodb:PutItem":    map[string]any{"ForAllValues:StringLike": map[string]any{"dynamodb:LeadingKeys": []any{ownClients}}},
	"dynamodb:DeleteItem": map[string]any{"ForAllValues:StringLike": map[string]any{"dynamodb:LeadingKeys": []any{ownClients}}},
	"dynamodb:GetItem":    map[string]any{"ForAllValues:StringEquals": map[string]any{"dynamodb:LeadingKeys": []any{"scopes"}}},
}

// deploymentRole is CodeDeploy's: it may do what AWS says that it needs, and call the trial.
func (c *checker) deploymentRole() {
	c.same("DeploymentRole", at(c.Resources["DeploymentRole"], "Properties"), map[string]any{
		"AssumeRolePolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
			"Effect": "Allow", "Principal": map[string]any{"Service": "codedeploy.amazonaws.com"}, "Action": "sts:AssumeRole",
		}}},
		"ManagedPolicyArns": []any{sub("arn:${AWS::Partition}:iam::aws:policy/service-role/AWSCodeDeployRoleForLambdaLimited")},
	})
	c.same("DeploymentPolicy", at(c.Resources["DeploymentPolicy"], "Properties"), map[string]any{
		"PolicyName": "trial", "Roles": []any{ref("DeploymentRole")},
		"PolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
			"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": getAtt("TrialFunction.Arn"),
		}}},
	})
}

// byParameter are two policies of all functions that need them: on the operator's key, by way
// of the two services that use it, and for traces.
func (c *checker) byParameter() {
	policy := func(name, condition, called string, without []string, statement map[string]any) {
		var roles []any
		for _, folder := range slices.Sorted(maps.Keys(functions)) {
			var role any = ref(resourceName(folder) + "Role")
			if condition := functions[folder].condition; condition != "" {
				role = fn{"If", []any{condition, role, ref("AWS::NoValue")}}
			}
			if !slices.Contains(without, folder) {
				roles = append(roles, role)
			}
		}
		slices.SortFunc(roles, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		resource := c.Resources[name]
		got, _ := at(resource, "Properties", "Roles").([]any)
		slices.SortFunc(got, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		c.same(name, resource, map[string]any{"Type": "AWS::IAM::Policy", "Condition": condition, "Properties": map[string]any{
			"PolicyName": called, "Roles": roles, "PolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{statement}},
		}})
	}
	policy("KeyPolicy", "HasKey", "key", []string{"metadata", "me"}, map[string]any{
		"Effect":   "Allow",
		"Action":   []any{"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"},
		"Resource": ref("KmsKeyArn"),
		"Condition": map[string]any{"StringEquals": map[string]any{
			"kms:ViaService": []any{sub("dynamodb.${AWS::Region}.amazonaws.com"), sub("secretsmanager.${AWS::Region}.amazonaws.com")},
		}},
	})
	policy("TracingPolicy", "IsTraced", "tracing", nil, map[string]any{
		"Effect": "Allow", "Action": []any{"xray:PutTelemetryRecords", "xray:PutTraceSegments"}, "Resource": "*",
	})
}

func (c *checker) roles() {
	c.deploymentRole()
	c.byParameter()
	for name, resource := range c.Resources {
		kind, _ := at(resource, "Type").(string)
		if !strings.HasPrefix(kind, "AWS::IAM::") {
			continue
		}
		if slices.Contains([]string{"DeploymentRole", "DeploymentPolicy", "KeyPolicy", "TracingPolicy"}, name) {
			continue // see deploymentRole and byParameter
		}
		_, known := functions[strings.ToLower(strings.TrimSuffix(name, "Role"))]
		if kind != "AWS::IAM::Role" || !known {
			c.fault("%s: an %s that is not a function's role", name, kind)
		}
		walk(resource, func(v any) {
			if s := fmt.Sprint(v); isText(v) && strings.ContainsAny(s, "*?") && s != ownClients {
				c.fault("%s: wildcard in %s", name, s)
			} else if isText(v) && strings.HasSuffix(s, ":Scan") {
				// But a page of users is a scan of a part of their table.
				if name != "UsersRole" {
					c.fault("%s: nobody may Scan", name)
				}
			}
		})
	}
	for folder, want := range functions {
		name := resourceName(folder)
		properties, _ := at(c.Resources[name+"Role"], "Properties").(map[string]any)
		c.same(name+"Role: trust", properties["AssumeRolePolicyDocument"], map[string]any{
			"Version": "2012-10-17",
			"Statement": []any{map[string]any{
				"Effect": "Allow", "Principal": map[string]any{"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole",
			}},
		})
		policies, _ := properties["Policies"].([]any)
		if len(properties) != 2 || len(policies) != 1 {
			c.fault("%sRole: wants a trust policy, one inline policy and nothing else", name)
			continue
		}
		allows := maps.Clone(want.allows)
		allows[getAtt(name+"Logs.Arn")] = []string{"logs:CreateLogStream", "logs:PutLogEvents"}
		statements := c.ownTables(at(policies[0], "PolicyDocument", "Statement"))
		if want.hook {
			statements = c.withoutKeys(name, statements)
		}
		got, attributes, err := allowed(statements)
		if err != nil {
			c.fault("%sRole: %v", name, err)
		}
		c.same(name+"Role", got, allows)
		if len(attributes)+len(want.attributes) > 0 {
			c.same(name+"Role: attributes", attributes, want.attributes)
		}
	}
}

// ownTables are statements with the stack's own table in the place of the one in use.
func (c *checker) ownTables(statements any) any {
	var all []any
	list, _ := statements.([]any)
	for _, statement := range list {
		m, ok := statement.(map[string]any)
		if !ok {
			all = append(all, statement)
			continue
		}
		m = maps.Clone(m)
		if resource, one := m["Resource"].(fn); one {
			m["Resource"] = c.ownTable(resource)
		}
		all = append(all, m)
	}
	return all
}

// withoutKeys are the statements of the trial, without the conditions that each call of
// DynamoDB must have.
func (c *checker) withoutKeys(name string, statements any) any {
	var all []any
	list, _ := statements.([]any)
	for _, statement := range list {
		m, _ := statement.(map[string]any)
		m = maps.Clone(m)
		keys := false
		for _, action := range oneOrMore(m["Action"]) {
			if s := fmt.Sprint(action); strings.HasPrefix(s, "dynamodb:") {
				c.same(name+"Role: condition of "+s, m["Condition"], trialKeys[s])
				keys = true
			}
		}
		if keys {
			delete(m, "Condition")
		}
		all = append(all, m)
	}
	return all
}

func isText(v any) bool {
	switch v.(type) {
	case string, sub:
		return true
	}
	return false
}

// allowed reads statements that allow, in the only form that this test understands: no
// exception, and no condition but one on the attributes of items. One is there only if a
// team has its own users: its resource is a parameter.
func allowed(statements any) (allows, attributes map[any][]string, err error) {
	allows, attributes = map[any][]string{}, map[any][]string{}
	list, _ := statements.([]any)
	for _, statement := range list {
		if f, ok := statement.(fn); ok {
			args, _ := f.args.([]any)
			if f.name != "If" || len(args) != 3 || args[0] != "HasOwnUsers" || args[2] != any(ref("AWS::NoValue")) || at(args[1], "Resource") != any(ref("OwnUsers")) {
				return nil, nil, fmt.Errorf("a statement under a condition: %v", f)
			}
			statement = args[1]
		} else if at(statement, "Resource") == any(ref("OwnUsers")) {
			return nil, nil, errors.New("a statement about own users whom nobody has")
		}
		m, _ := statement.(map[string]any)
		condition, conditional := m["Condition"].(map[string]any)
		if m = maps.Clone(m); conditional {
			delete(m, "Condition")
		}
		if keys := slices.Sorted(maps.Keys(m)); !slices.Equal(keys, []string{"Action", "Effect", "Resource"}) || m["Effect"] != "Allow" {
			return nil, nil, fmt.Errorf("a statement with %q", keys)
		}
		for _, resource := range oneOrMore(m["Resource"]) {
			if conditional {
				names, _ := at(condition, "ForAllValues:StringEquals", "dynamodb:Attributes").([]any)
				// It may not be shown attributes that it may not name.
				returned := at(condition, "StringEqualsIfExists", "dynamodb:ReturnValues")
				if len(condition) != 2 || len(names) == 0 || returned != "NONE" {
					return nil, nil, fmt.Errorf("the condition %v", condition)
				}
				for _, name := range names {
					attributes[resource] = append(attributes[resource], fmt.Sprint(name))
				}
			}
			for _, action := range oneOrMore(m["Action"]) {
				allows[resource] = append(allows[resource], fmt.Sprint(action))
			}
			slices.Sort(allows[resource])
		}
	}
	return allows, attributes, nil
}

func oneOrMore(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}
