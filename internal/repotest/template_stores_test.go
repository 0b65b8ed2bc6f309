package repotest_test

import (
	"fmt"
	"reflect"
	"regexp"

	"github.com/fob-oauth/fob/internal/dynamo"
)

func (c *checker) logs() {
	for name, group := range c.ofType("AWS::Logs::LogGroup") {
		c.same(name+": RetentionInDays", at(group, "Properties"), map[string]any{"RetentionInDays": ref("LogRetentionDays")})
		c.retained(name)
	}
}

// tableInUse is the name of a table: the stack's own, or another that a parameter names.
func tableInUse(kind string) fn {
	return fn{"If", []any{"Own" + kind + "Table", ref(kind + "Table"), ref(kind + "TableName")}}
}

// ownTable is the stack's own table, as a Ref or an ARN, where value is the one in use. Any
// other value stays as it is.
func (c *checker) ownTable(value any) any {
	for _, kind := range []string{"Tokens", "Clients", "Users"} {
		arn := fn{"If", []any{"Own" + kind + "Table", getAtt(kind + "Table.Arn"), sub("arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${" + kind + "TableName}")}}
		switch {
		case reflect.DeepEqual(value, tableInUse(kind)):
			return ref(kind + "Table")
		case reflect.DeepEqual(value, arn):
			return getAtt(kind + "Table.Arn")
		}
	}
	if f, other := value.(fn); other {
		return fmt.Sprint(f)
	}
	return value
}

// everyTable: whatever names a table names the one in use.
func (c *checker) everyTable() {
	for _, section := range []map[string]any{c.Globals, c.Resources, c.Outputs} {
		walk(section, func(v any) {
			if f, ok := v.(fn); ok && f.name == "If" {
				return
			}
			members, _ := v.(map[string]any)
			for name, value := range members {
				text := fmt.Sprint(value)
				_, bare := value.(ref)
				_, arn := value.(getAtt)
				if (bare || arn) && regexp.MustCompile(`^(Tokens|Clients|Users)Table(\.Arn)?$`).MatchString(text) {
					c.fault("%s: %s is the stack's own table, and may not be the one in use", name, text)
				}
			}
		})
	}
	for _, kind := range []string{"Tokens", "Clients", "Users"} {
		c.same(kind+"TableName: Default", at(c.Parameters[kind+"TableName"], "Default"), "")
		c.same("Own"+kind+"Table", c.Conditions["Own"+kind+"Table"], fn{"Equals", []any{ref(kind + "TableName"), ""}})
		c.same(kind+"Table: output", at(c.Outputs[kind+"Table"], "Value"), tableInUse(kind))
	}
}

// encryption is with the operator's key if there is one.
var ownKey = fn{"If", []any{"HasKey", ref("KmsKeyArn"), ref("AWS::NoValue")}}

func (c *checker) tables() {
	c.everyTable()
	got := c.ofType("AWS::DynamoDB::Table")
	tables := dynamo.Tables{Tokens: "TokensTable", Clients: "ClientsTable", Users: "UsersTable"}
	for _, s := range tables.Schemas() {
		var attributes, keys []any
		for _, a := range s.Create.AttributeDefinitions {
			attributes = append(attributes, map[string]any{"AttributeName": *a.AttributeName, "AttributeType": string(a.AttributeType)})
		}
		for _, k := range s.Create.KeySchema {
			keys = append(keys, map[string]any{"AttributeName": *k.AttributeName, "KeyType": string(k.KeyType)})
		}
		want := map[string]any{
			"BillingMode":               string(s.Create.BillingMode),
			"AttributeDefinitions":      attributes,
			"KeySchema":                 keys,
			"DeletionProtectionEnabled": ref("DeletionProtection"),
			"SSESpecification": fn{"If", []any{
				"HasKey", map[string]any{"SSEEnabled": true, "SSEType": "KMS", "KMSMasterKeyId": ref("KmsKeyArn")}, ref("AWS::NoValue"),
			}},
			"PointInTimeRecoverySpecification": map[string]any{"PointInTimeRecoveryEnabled": true},
		}
		if s.Sweeps {
			want["TimeToLiveSpecification"] = map[string]any{"AttributeName": dynamo.TTLAttribute, "Enabled": true}
		}
		name := *s.Create.TableName
		if name == tables.Tokens { // Users has hashes of passwords, and Clients of secrets
			want["StreamSpecification"] = fn{"If", []any{"HasEventBus", map[string]any{"StreamViewType": "NEW_AND_OLD_IMAGES"}, ref("AWS::NoValue")}}
		}
		c.same(name, at(got[name], "Properties"), want)
		c.retained(name)
		delete(got, name)
	}
	for name := range got {
		c.fault("%s: a Table that package dynamo does not know", name)
	}
}

// retained: the stack may not take it along, but for a stack that never was.
func (c *checker) retained(name string) {
	c.same(name+": DeletionPolicy", at(c.Resources[name], "DeletionPolicy"), "RetainExceptOnCreate")
	c.same(name+": UpdateReplacePolicy", at(c.Resources[name], "UpdateReplacePolicy"), "Retain")
}

// secrets: a change of GenerateSecretString, however small, lets CloudFormation
// generate the key ring anew, and logs everybody out. Do not change this test.
func (c *checker) secrets() {
	got := c.ofType("AWS::SecretsManager::Secret")
	for name, begins := range map[string]string{
		"CheckKeys": `{"issuer_epoch":0,"states":{"1":"active"}}`,
		"MintKeys":  `{}`,
	} {
		c.same(name, at(got[name], "Properties"), map[string]any{
			"Description": at(got[name], "Properties", "Description"),
			"KmsKeyId":    ownKey,
			"GenerateSecretString": map[string]any{
				"SecretStringTemplate": begins,
				"GenerateStringKey":    "1",
				"PasswordLength":       64,
				"ExcludePunctuation":   true,
			},
		})
		c.retained(name)
		delete(got, name)
	}
	for name := range got {
		c.fault("%s: a secret that this test does not know", name)
	}
}
