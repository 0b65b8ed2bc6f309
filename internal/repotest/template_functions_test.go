package repotest_test

import (
	"github.com/fob-oauth/fob/internal/config"
	"github.com/fob-oauth/fob/internal/wire"
)

// function is what one folder under functions/ needs of the template.
type function struct {
	config any // a pointer to the struct in package config that it reads, or nil
	memory int
	// routes are its methods and paths by the name of their event; nil is POST at its own
	// name, and GET for the 405.
	routes map[string]string
	// events are what calls it, if it is not the API.
	events map[string]any
	// condition is that of the function, its role and its log group.
	condition string
	// guarded: its routes are behind the authorizer.
	guarded bool
	// unreserved: no concurrency can be reserved for it.
	unreserved bool
	// tried: the trial calls its new version before clients do.
	tried bool
	// hook: only CodeDeploy calls it, and no new version of it is deployed in steps.
	hook       bool
	allows     map[any][]string // actions on each resource, its own log group aside
	attributes map[any][]string // of the items that it may name, by resource; see allowed
}

var functions = map[string]function{
	"token": {
		tried:  true,
		config: new(config.Token),
		memory: 1024, // argon2id
		allows: map[any][]string{
			getAtt("TokensTable.Arn"): {
				"dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem",
			},
			getAtt("ClientsTable.Arn"): {"dynamodb:GetItem"},
			getAtt("UsersTable.Arn"): {
				"dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem",
			},
			ref("CheckKeys"): {"secretsmanager:GetSecretValue"},
			ref("MintKeys"):  {"secretsmanager:GetSecretValue"},
			ref("OwnUsers"):  {"lambda:InvokeFunction"},
		},
	},
	"revoke": {
		tried:  true,
		config: new(config.Base),
		memory: 256,
		allows: map[any][]string{
			getAtt("TokensTable.Arn"):  {"dynamodb:DeleteItem"},
			getAtt("ClientsTable.Arn"): {"dynamodb:GetItem"},
			ref("CheckKeys"):           {"secretsmanager:GetSecretValue"},
		},
	},
	"introspect": {
		tried:  true,
		config: new(config.Introspect),
		memory: 256,
		routes: map[string]string{
			"Route": "POST " + wire.IntrospectPath, "WrongMethodRoute": "GET " + wire.IntrospectPath,
			"KeySetRoute": "GET " + wire.KeySetPath, "KeySetHeadRoute": "HEAD " + wire.KeySetPath,
		},
		allows: map[any][]string{
			getAtt("TokensTable.Arn"):  {"dynamodb:BatchGetItem"},
			getAtt("ClientsTable.Arn"): {"dynamodb:GetItem"},
			ref("CheckKeys"):           {"secretsmanager:GetSecretValue"},
		},
	},
	"devices": {
		config: new(config.Base),
		memory: 256,
		routes: map[string]string{
			"Route": "GET " + wire.DevicesPath, "HeadRoute": "HEAD " + wire.DevicesPath,
			"DeviceRoute": "DELETE " + wire.DevicePath,
			// A device may be called sign-out.
			"SignOutRoute": "POST " + wire.SignOutPath, "DeviceSignOutRoute": "DELETE " + wire.SignOutPath,
		},
		allows: map[any][]string{
			getAtt("TokensTable.Arn"): {
				"dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem",
			},
			getAtt("ClientsTable.Arn"): {"dynamodb:GetItem"},
			ref("CheckKeys"):           {"secretsmanager:GetSecretValue"},
		},
	},
	"account": {
		config: new(config.Account),
		memory: 1024, // argon2id
		routes: map[string]string{
			"Route": "DELETE " + wire.AccountPath, "WrongMethodRoute": "GET " + wire.AccountPath,
			"PasswordRoute": "POST " + wire.PasswordPath, "WrongMethodPasswordRoute": "GET " + wire.PasswordPath,
			"LabelRoute": "PATCH " + wire.DevicePath, "LabelSignOutRoute": "PATCH " + wire.SignOutPath,
		},
		allows: map[any][]string{
			getAtt("TokensTable.Arn"): {
				"dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem",
			},
			getAtt("ClientsTable.Arn"): {"dynamodb:GetItem"},
			getAtt("UsersTable.Arn"): {
				"dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem",
			},
			ref("CheckKeys"): {"secretsmanager:GetSecretValue"},
		},
	},
	"events": {
		config: new(config.Events),
		memory: 256,
		allows: map[any][]string{
			getAtt("TokensTable.Arn"):  {"dynamodb:UpdateItem"},
			getAtt("ClientsTable.Arn"): {"dynamodb:GetItem"},
		},
		attributes: map[any][]string{getAtt("TokensTable.Arn"): {"pk", "sk", "epoch", "user_version", "sb", "why"}},
	},
	"users": {
		config: new(config.Users),
		memory: 1024, // argon2id
		routes: map[string]string{
			"Route": "GET " + wire.UsersPath, "HeadRoute": "HEAD " + wire.UsersPath, "AddRoute": "POST " + wire.UsersPath,
			"UserRoute": "GET " + wire.UserPath, "UserHeadRoute": "HEAD " + wire.UserPath,
			"ChangeRoute": "PATCH " + wire.UserPath, "RemoveRoute": "DELETE " + wire.UserPath,
			"DevicesRoute": "GET " + wire.UserDevicesPath, "DevicesHeadRoute": "HEAD " + wire.UserDevicesPath,
			"DeviceRoute":  "DELETE " + wire.UserDevicePath,
			"SignOutRoute": "POST " + wire.UserSignOutPath, "DeviceSignOutRoute": "DELETE " + wire.UserSignOutPath,
			"GlobalSignOutRoute": "POST " + wire.GlobalSignOutPath, "WrongMethodRoute": "GET " + wire.GlobalSignOutPath,
		},
		allows: map[any][]string{
			getAtt("TokensTable.Arn"): {
				"dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem",
			},
			getAtt("ClientsTable.Arn"): {"dynamodb:GetItem"},
			getAtt("UsersTable.Arn"): {
				"dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Scan", "dynamodb:UpdateItem",
			},
			ref("CheckKeys"): {"secretsmanager:GetSecretValue"},
		},
	},
	"metadata": {
		config: new(config.Metadata),
		memory: 128,
		routes: map[string]string{
			"Route": "GET " + wire.MetadataPath, "HeadRoute": "HEAD " + wire.MetadataPath,
			"OpenIDRoute": "GET " + wire.OpenIDMetadataPath, "OpenIDHeadRoute": "HEAD " + wire.OpenIDMetadataPath,
			"MeRoute": "GET " + wire.MeMetadataPath, "MeHeadRoute": "HEAD " + wire.MeMetadataPath,
			"DevicesRoute": "GET " + wire.DevicesMetadataPath, "DevicesHeadRoute": "HEAD " + wire.DevicesMetadataPath,
		},
		unreserved: true,
		allows:     map[any][]string{},
	},
	"authorizer": {
		config: new(config.Authorizer),
		memory: 256,
		routes: map[string]string{}, // the gateway's own question
		allows: map[any][]string{
			getAtt("TokensTable.Arn"):  {"dynamodb:BatchGetItem"},
			getAtt("ClientsTable.Arn"): {"dynamodb:GetItem"},
			ref("CheckKeys"):           {"secretsmanager:GetSecretValue"},
		},
	},
	"trial": {
		config:     new(config.Trial),
		memory:     256,
		routes:     map[string]string{},
		unreserved: true,
		hook:       true,
		allows: map[any][]string{
			getAtt("ClientsTable.Arn"):        {"dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"},
			ref("TokenFunction.Version"):      {"lambda:InvokeFunction"},
			ref("RevokeFunction.Version"):     {"lambda:InvokeFunction"},
			ref("IntrospectFunction.Version"): {"lambda:InvokeFunction"},
			deploymentOf("Token"):             {"codedeploy:PutLifecycleEventHookExecutionStatus"},
			deploymentOf("Revoke"):            {"codedeploy:PutLifecycleEventHookExecutionStatus"},
			deploymentOf("Introspect"):        {"codedeploy:PutLifecycleEventHookExecutionStatus"},
		},
	},
	"announce": {
		config:     new(config.Announce),
		memory:     256,
		routes:     map[string]string{},
		events:     map[string]any{"Tokens": streamOfTokens},
		condition:  "HasEventBus",
		unreserved: true, // the stream's shards are its limit
		allows: map[any][]string{
			getAtt("TokensTable.StreamArn"): {
				"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams",
			},
			ref("EventBusArn"):             {"events:PutEvents"},
			getAtt("AnnounceFailures.Arn"): {"sqs:SendMessage"},
		},
	},
	"me": {
		memory:     128,
		routes:     map[string]string{"Route": "GET " + wire.MePath, "HeadRoute": "HEAD " + wire.MePath},
		guarded:    true,
		unreserved: true,
		allows:     map[any][]string{},
	},
}
