package repotest_test

import (
	"github.com/fob-oauth/fob/internal/dynamo"
)

func (c *checker) logs() {
	for name, group := range c.ofType("AWS::Logs::LogGroup") {
		c.same(name+": RetentionInDays", at(group, "Properties"), map[string]any{"RetentionInDays": ref("LogRetentionDays")})
		c.retained(name)
	}
}

func (c *checker) tables() {
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
			"BillingMode":                      string(s.Create.BillingMode),
			"AttributeDefinitions":             attributes,
			"KeySchema":                        keys,
			"DeletionProtectionEnabled":        ref("DeletionProtection"),
			"PointInTimeRecoverySpecification": map[string]any{"PointInTimeRecoveryEnabled": true},
		}
		if s.Sweeps {
			want["TimeToLiveSpecification"] = map[string]any{"AttributeName": dynamo.TTLAttribute, "Enabled": true}
		}
		name := *s.Create.TableName
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
