package main

// Where a command finds its tables. setting.go says which of several settings counts.

import (
	"context"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/logging"
	"github.com/spf13/pflag"

	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/loopback"
)

// tables says where the three tables are.
type tables struct {
	endpoint *setting // of DynamoDB; empty is AWS as the SDK is configured
	stack    *setting // of CloudFormation, whose outputs name what no flag names

	tokens, clients, users *setting // their names
}

func (t *tables) addFlags(p *program, flags *pflag.FlagSet) {
	t.stack = p.newSetting(flags, "stack", "FOB_STACK", "", "", "`name` of the stack in AWS whose outputs name the tables and keys")
	t.endpoint = p.newSetting(flags, "dynamodb", "FOB_DYNAMODB", "", "", "`URL` of DynamoDB, such as http://localhost:8000 for DynamoDB Local")
	t.tokens = p.newSetting(flags, "tokens-table", "FOB_TOKENS_TABLE", "TokensTable", "fob-tokens", "`name` of the table of tokens")
	t.clients = p.newSetting(flags, "clients-table", "FOB_CLIENTS_TABLE", "ClientsTable", "fob-clients", "`name` of the table of clients and scopes")
	t.users = p.newSetting(flags, "users-table", "FOB_USERS_TABLE", "UsersTable", "fob-users", "`name` of the table of users")
}

func (t *tables) names() dynamo.Tables {
	return dynamo.Tables{Tokens: t.tokens.value, Clients: t.clients.value, Users: t.users.value}
}

// choose decides between a stack and an endpoint.
func (t *tables) choose() error {
	if a, b := exclusive([]*setting{t.stack}, []*setting{t.endpoint}); a != "" {
		return fail(exitUsage, "%s and %s exclude each other: the tables of a stack are in AWS", a, b)
	}
	return nil
}

// base is the address before /token: the stack's own, unless s has another.
func (t *tables) base(ctx context.Context, s *setting) (string, error) {
	if s.value == "" {
		cfg, err := t.awsConfig(ctx)
		if err == nil {
			err = t.fromStack(ctx, cfg, s)
		}
		if err != nil {
			return "", err
		}
	}
	return parseBase(s.value)
}

// endpointSource is what gave the endpoint, or what may have led the SDK elsewhere.
func (t *tables) endpointSource() string {
	if t.endpoint.value == "" {
		return "AWS_ENDPOINT_URL_DYNAMODB"
	}
	return t.endpoint.source()
}

// where completes a sentence. It shows the host alone: a URL can hold a password.
func (t *tables) where() string {
	if t.endpoint.value == "" {
		return "in AWS, in the account and region of this environment"
	}
	u := t.endpointURL()
	if u == nil {
		return "at the endpoint"
	}
	return "at " + u.Scheme + "://" + u.Host
}

// endpointURL is the endpoint, or nil if it cannot be one.
func (t *tables) endpointURL() *url.URL {
	u, err := url.Parse(t.endpoint.value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" {
		return nil
	}
	return u
}

// areLocal reports whether the tables are surely on this machine, which has no real users.
func (t *tables) areLocal() bool {
	u := t.endpointURL()
	return u != nil && loopback.Is(u.Hostname())
}

// localRegion and localKey are what engines on this machine get if nothing is
// configured. They check nothing, but some keep separate tables for each region
// and key.
const (
	localRegion = "us-east-1"
	localKey    = "local"
)

// awsConfig is the SDK's configuration for the tables.
func (t *tables) awsConfig(ctx context.Context) (aws.Config, error) {
	otherwise := "an endpoint of this machine as --dynamodb"
	if t.stack.value == "" && t.endpoint.value == "" {
		otherwise += ". No command reaches what fob serve keeps in memory: fob serve --help says what to start instead"
	}
	return awsConfig(ctx, t.areLocal(), otherwise)
}

// awsConfig is the SDK's configuration for AWS, or for an endpoint on this machine.
// It fails without a region or credentials. otherwise is what to give without AWS.
func awsConfig(ctx context.Context, local bool, otherwise string) (aws.Config, error) {
	// The SDK would write warnings to standard error, which has one line.
	options := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})}
	if local {
		// A laptop is not an EC2 instance: the request would only time out.
		options = append(options, config.WithEC2IMDSClientEnableState(imds.ClientDisabled))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return aws.Config{}, fail(exitFailure, "the AWS configuration does not load: %v", err)
	}
	if local && cfg.Region == "" {
		cfg.Region = localRegion
	}
	if cfg.Region == "" {
		return aws.Config{}, fail(exitFailure, "no AWS region: set AWS_REGION or AWS_PROFILE, or give %s", otherwise)
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		if !local {
			return aws.Config{}, fail(exitFailure, "no AWS credentials (%v): set AWS_PROFILE, or give %s", err, otherwise)
		}
		cfg.Credentials = credentials.NewStaticCredentialsProvider(localKey, localKey, "")
	}
	return cfg, nil
}

// connect returns a client for the tables, after it has learned their names. It
// leaves the rest to the first call.
func (t *tables) connect(ctx context.Context) (*dynamodb.Client, error) {
	if err := t.choose(); err != nil {
		return nil, err
	}
	if t.endpoint.value != "" && t.endpointURL() == nil {
		return nil, fail(exitUsage, "%s wants a URL such as http://localhost:8000", t.endpointSource())
	}
	cfg, err := t.awsConfig(ctx)
	if err != nil {
		return nil, err
	}
	names := []*setting{t.tokens, t.clients, t.users}
	t.leaveToStack(names...)
	if err := t.fromStack(ctx, cfg, names...); err != nil {
		return nil, err
	}
	// In one table with clients, password hashes could be read by every function that
	// reads clients.
	for i, s := range names {
		for _, other := range names[:i] {
			if s.value == other.value {
				return nil, fail(exitUsage, "two tables are called %q, by %s and %s: each has a name of its own", s.value, other.source(), s.source())
			}
		}
	}
	return dynamo.NewClient(cfg, func(o *dynamodb.Options) {
		if t.endpoint.value != "" {
			o.BaseEndpoint = aws.String(t.endpoint.value)
		}
	}), nil
}
