package main

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/logging"
	"github.com/spf13/pflag"

	"github.com/fob-oauth/fob/internal/dynamo"
)

// tables says where the three tables are.
type tables struct {
	endpoint string // of DynamoDB; empty is AWS as the SDK is configured
	stack    string // of CloudFormation, whose outputs name what no flag names
	names    dynamo.Tables

	flags *pflag.FlagSet
}

// table is one of them, for errors.
type table struct{ name, flag, env, where string }

const (
	endpointFlag, endpointEnv = "dynamodb", "FOB_DYNAMODB"
	stackFlag, stackEnv       = "stack", "FOB_STACK"

	tokensFlag, tokensEnv   = "tokens-table", "FOB_TOKENS_TABLE"
	clientsFlag, clientsEnv = "clients-table", "FOB_CLIENTS_TABLE"
	usersFlag, usersEnv     = "users-table", "FOB_USERS_TABLE"
)

func (t *tables) addFlags(flags *pflag.FlagSet, getenv func(string) string) {
	t.flags = flags
	flags.StringVar(&t.stack, stackFlag, getenv(stackEnv), "`name` of the stack in AWS whose outputs name the tables and keys, or set "+stackEnv)
	flags.StringVar(&t.endpoint, endpointFlag, getenv(endpointEnv), "`URL` of DynamoDB, such as http://localhost:8000 for DynamoDB Local, or set "+endpointEnv)
	add := func(name *string, flag, env, otherwise, holds string) {
		flags.StringVar(name, flag, cmp.Or(getenv(env), otherwise), "`name` of the table of "+holds+", or set "+env)
	}
	add(&t.names.Tokens, tokensFlag, tokensEnv, "fob-tokens", "tokens")
	add(&t.names.Clients, clientsFlag, clientsEnv, "fob-clients", "clients and scopes")
	add(&t.names.Users, usersFlag, usersEnv, "fob-users", "users")
}

func (t *tables) tokens() table  { return table{t.names.Tokens, tokensFlag, tokensEnv, t.where()} }
func (t *tables) clients() table { return table{t.names.Clients, clientsFlag, clientsEnv, t.where()} }
func (t *tables) users() table   { return table{t.names.Users, usersFlag, usersEnv, t.where()} }

// where completes a sentence. It shows the host alone: a URL can hold a password.
func (t *tables) where() string {
	if t.endpoint == "" {
		return "in AWS, in the account and region of this environment"
	}
	u, err := parseEndpoint(t.endpoint)
	if err != nil {
		return "at --dynamodb"
	}
	return "at " + u.Scheme + "://" + u.Host
}

func parseEndpoint(endpoint string) (*url.URL, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" {
		return nil, fail(exitUsage, "--dynamodb wants a URL such as http://localhost:8000")
	}
	return u, nil
}

// isLoopback reports whether the endpoint is surely on this machine, where
// nobody keeps real users.
func isLoopback(u *url.URL) bool {
	if strings.EqualFold(u.Hostname(), "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return err == nil && addr.Unmap().IsLoopback()
}

func (t *tables) areLocal() bool {
	if t.endpoint == "" {
		return false
	}
	u, err := parseEndpoint(t.endpoint)
	return err == nil && isLoopback(u)
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
	return awsConfig(ctx, t.areLocal(), "--dynamodb URL for a local endpoint")
}

// awsConfig is the SDK's configuration for AWS, or for an endpoint on this
// machine. It finds out whether there is a region and are credentials. otherwise is
// what to give where there is no AWS.
func awsConfig(ctx context.Context, local bool, otherwise string) (aws.Config, error) {
	// The SDK would put warnings beside the one line that is ours.
	options := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})}
	if local {
		// A laptop is no EC2 instance: nobody would answer, slowly.
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
			return aws.Config{}, fail(exitFailure, "no AWS credentials: set AWS_PROFILE, or give %s (%v)", otherwise, err)
		}
		cfg.Credentials = credentials.NewStaticCredentialsProvider(localKey, localKey, "")
	}
	return cfg, nil
}

// connect returns a client for the tables, after it has learned their names. It
// leaves the rest to the first call.
func (t *tables) connect(ctx context.Context) (*dynamodb.Client, error) {
	if t.endpoint != "" {
		if t.stack != "" {
			return nil, fail(exitUsage, "--%s and --%s exclude each other: the tables of a stack are in AWS", stackFlag, endpointFlag)
		}
		if _, err := parseEndpoint(t.endpoint); err != nil {
			return nil, err
		}
	}
	cfg, err := t.awsConfig(ctx)
	if err != nil {
		return nil, err
	}
	if t.stack != "" {
		if err := t.nameFromStack(ctx, cfg); err != nil {
			return nil, err
		}
	}
	// Password hashes in the table of clients could be read by functions that must
	// not.
	if n := t.names; n.Tokens == n.Clients || n.Tokens == n.Users || n.Clients == n.Users {
		return nil, fail(exitUsage, "two tables have the same name: name them with --%s, --%s and --%s, or the environment", tokensFlag, clientsFlag, usersFlag)
	}
	return dynamo.NewClient(cfg, func(o *dynamodb.Options) {
		if t.endpoint != "" {
			o.BaseEndpoint = aws.String(t.endpoint)
		}
	}), nil
}

// nameFromStack takes the names that no flag gave from the stack's outputs. The
// environment does not count: it may be of another deployment.
func (t *tables) nameFromStack(ctx context.Context, cfg aws.Config) error {
	out, err := stackOutputs(ctx, cfg, t.stack)
	if err != nil {
		return err
	}
	for _, table := range []struct {
		name         *string
		flag, output string
	}{
		{&t.names.Tokens, tokensFlag, "TokensTable"},
		{&t.names.Clients, clientsFlag, "ClientsTable"},
		{&t.names.Users, usersFlag, "UsersTable"},
	} {
		if t.flags.Changed(table.flag) {
			continue
		}
		if *table.name, err = out.need(table.output); err != nil {
			return err
		}
	}
	return nil
}

// baseURL is how a client on this machine reaches a listener.
func baseURL(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return "http://" + addr.String()
	}
	host := tcp.IP.String()
	if tcp.IP.Equal(net.IPv4(127, 0, 0, 1)) || tcp.IP.IsUnspecified() {
		host = "localhost"
	}
	_, port, _ := net.SplitHostPort(addr.String())
	return "http://" + net.JoinHostPort(host, port)
}
