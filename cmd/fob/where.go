package main

// Where a command finds its tables and its key ring. Of several settings, setting.go
// says which counts.

import (
	"cmp"
	"context"
	"errors"
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

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/keys/rotation"
	"github.com/fob-oauth/fob/internal/oauth"
)

// tables says where the three tables are.
type tables struct {
	endpoint string // of DynamoDB; empty is AWS as the SDK is configured
	stack    string // of CloudFormation, whose outputs name what no flag names
	names    dynamo.Tables

	flags  *pflag.FlagSet
	getenv func(string) string
}

// table is one of them, for errors.
type table struct {
	name, naming, where string
	endpoint            string // what gave the endpoint
}

// ring says where the key ring is: in a file, or in two secrets.
type ring struct {
	file        string
	check, mint string // ARNs or names

	// The arguments of choose, for errors.
	tables *tables
	flags  *pflag.FlagSet
}

const (
	endpointFlag, endpointEnv = "dynamodb", "FOB_DYNAMODB"
	stackFlag, stackEnv       = "stack", "FOB_STACK"

	tokensFlag, tokensEnv   = "tokens-table", "FOB_TOKENS_TABLE"
	clientsFlag, clientsEnv = "clients-table", "FOB_CLIENTS_TABLE"
	usersFlag, usersEnv     = "users-table", "FOB_USERS_TABLE"

	keysFlag, keysEnv   = "keys", "FOB_KEYS_FILE"
	checkFlag, checkEnv = "check-secret", "FOB_CHECK_SECRET"
	mintFlag, mintEnv   = "mint-secret", "FOB_MINT_SECRET"
)

func (t *tables) addFlags(flags *pflag.FlagSet, getenv func(string) string) {
	t.flags, t.getenv = flags, getenv
	flags.StringVar(&t.stack, stackFlag, getenv(stackEnv), "`name` of the stack in AWS whose outputs name the tables and keys, or set "+stackEnv)
	flags.StringVar(&t.endpoint, endpointFlag, getenv(endpointEnv), "`URL` of DynamoDB, such as http://localhost:8000 for DynamoDB Local, or set "+endpointEnv)
	add := func(name *string, flag, env, otherwise, holds string) {
		flags.StringVar(name, flag, cmp.Or(getenv(env), otherwise), "`name` of the table of "+holds+", or set "+env)
	}
	add(&t.names.Tokens, tokensFlag, tokensEnv, "fob-tokens", "tokens")
	add(&t.names.Clients, clientsFlag, clientsEnv, "fob-clients", "clients and scopes")
	add(&t.names.Users, usersFlag, usersEnv, "fob-users", "users")
}

func (r *ring) addFlags(flags *pflag.FlagSet, getenv func(string) string) {
	r.addCheckFlags(flags, getenv)
	flags.StringVar(&r.mint, mintFlag, getenv(mintEnv), "`ARN` of the secret with the mint keys, or set "+mintEnv)
}

// addCheckFlags adds those for commands that verify alone.
func (r *ring) addCheckFlags(flags *pflag.FlagSet, getenv func(string) string) {
	flags.StringVar(&r.file, keysFlag, getenv(keysEnv), "`file` with the key ring, as fob serve --keys makes it, or set "+keysEnv)
	flags.StringVar(&r.check, checkFlag, getenv(checkEnv), "`ARN` of the secret with the check keys, or set "+checkEnv)
}

func (t *tables) settings() (stack, endpoint setting, names []setting) {
	return setting{&t.stack, stackFlag, stackEnv, ""}, setting{&t.endpoint, endpointFlag, endpointEnv, ""}, []setting{
		{&t.names.Tokens, tokensFlag, tokensEnv, "TokensTable"},
		{&t.names.Clients, clientsFlag, clientsEnv, "ClientsTable"},
		{&t.names.Users, usersFlag, usersEnv, "UsersTable"},
	}
}

func (r *ring) settings() (file, check, mint setting) {
	return setting{&r.file, keysFlag, keysEnv, ""}, setting{&r.check, checkFlag, checkEnv, "CheckKeysArn"}, setting{&r.mint, mintFlag, mintEnv, "MintKeysArn"}
}

// choose decides between a stack and an endpoint.
func (t *tables) choose() error {
	stack, endpoint, names := t.settings()
	if err := notEmpty(t.flags, append(names, stack, endpoint)...); err != nil {
		return err
	}
	if a, b := exclusive(t.flags, []setting{stack}, []setting{endpoint}); a != "" {
		return fail(exitUsage, "%s and %s exclude each other: the tables of a stack are in AWS", a, b)
	}
	return nil
}

// choose decides between a file and two secrets. The secrets may be left to the stack.
func (r *ring) choose(t *tables, flags *pflag.FlagSet) error {
	r.tables, r.flags = t, flags
	if err := t.choose(); err != nil {
		return err
	}
	file, check, mint := r.settings()
	if err := notEmpty(flags, file, check, mint); err != nil {
		return err
	}
	t.leaveToStack(flags, file, check, mint)
	if a, b := exclusive(flags, []setting{file}, []setting{check, mint}); a != "" {
		return fail(exitUsage, "is the key ring in a file or in Secrets Manager? %s and %s exclude each other", a, b)
	}
	return nil
}

// stackOutput is one output of the stack that --stack names.
func (t *tables) stackOutput(ctx context.Context, name string) (value string, err error) {
	cfg, err := t.awsConfig(ctx)
	if err != nil {
		return "", err
	}
	return value, t.fromStack(ctx, cfg, setting{value: &value, output: name})
}

// tokens, clients and users are the tables for errors.
func (t *tables) tokens() table  { return t.table(0) }
func (t *tables) clients() table { return t.table(1) }
func (t *tables) users() table   { return t.table(2) }

func (t *tables) table(i int) table {
	_, _, names := t.settings()
	return table{*names[i].value, t.naming(names[i], t.flags), t.where(), t.endpointSource()}
}

// endpointSource is what gave the endpoint, or what may have led the SDK elsewhere.
func (t *tables) endpointSource() string {
	if t.endpoint == "" {
		return "AWS_ENDPOINT_URL_DYNAMODB"
	}
	_, endpoint, _ := t.settings()
	return endpoint.source(t.flags)
}

// where completes a sentence. It shows the host alone: a URL can hold a password.
func (t *tables) where() string {
	if t.endpoint == "" {
		return "in AWS, in the account and region of this environment"
	}
	u, err := parseEndpoint(t.endpoint)
	if err != nil {
		return "at the endpoint"
	}
	return "at " + u.Scheme + "://" + u.Host
}

func parseEndpoint(endpoint string) (*url.URL, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" {
		return nil, errors.New("a URL such as http://localhost:8000")
	}
	return u, nil
}

// isLoopback reports whether the endpoint is surely on this machine, which has no
// real users.
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
	otherwise := "an endpoint of this machine as --dynamodb"
	if t.stack == "" && t.endpoint == "" {
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
	if t.endpoint != "" {
		if _, err := parseEndpoint(t.endpoint); err != nil {
			return nil, fail(exitUsage, "%s wants %v", t.endpointSource(), err)
		}
	}
	cfg, err := t.awsConfig(ctx)
	if err != nil {
		return nil, err
	}
	_, _, names := t.settings()
	t.leaveToStack(t.flags, names...)
	if err := t.fromStack(ctx, cfg, names...); err != nil {
		return nil, err
	}
	// In one table with clients, password hashes could be read by every function that
	// reads clients.
	for i, s := range names {
		for _, other := range names[:i] {
			if *s.value == *other.value {
				return nil, fail(exitUsage, "two tables are called %q, by %s and %s: each has a name of its own", *s.value, other.source(t.flags), s.source(t.flags))
			}
		}
	}
	return dynamo.NewClient(cfg, func(o *dynamodb.Options) {
		if t.endpoint != "" {
			o.BaseEndpoint = aws.String(t.endpoint)
		}
	}), nil
}

// openRing returns the vault. The first call finds out whether it holds a ring.
func (p *program) openRing(ctx context.Context, flags *pflag.FlagSet) (rotation.Vault, error) {
	r := &p.ring
	if err := r.choose(&p.tables, flags); err != nil {
		return nil, err
	}
	if r.file != "" {
		warnOfKeyFile(p, r.file)
		return rotation.NewFileVault(r.file), nil
	}
	if p.tables.stack == "" {
		if err := r.missing(); err != nil {
			return nil, err
		}
	}
	cfg, err := awsConfig(ctx, false, "--keys FILE for a ring on this machine")
	if err != nil {
		return nil, err
	}
	_, check, mint := r.settings()
	if err := p.tables.fromStack(ctx, cfg, check, mint); err != nil {
		return nil, err
	}
	if r.check == r.mint {
		return nil, fail(exitUsage, "the check keys and the mint keys are two secrets, and %s and %s name one", check.source(flags), mint.source(flags))
	}
	return rotation.NewVault(cfg, r.mint, r.check), nil
}

// checkKeys returns the keys that judge tokens, for commands that can do without
// them: nil, and why, if they cannot be read. Work on users alone does not need the
// secret. An error with exitUsage is for all commands.
func (p *program) checkKeys(ctx context.Context, flags *pflag.FlagSet) (oauth.Keys[*bearer.CheckRing], error) {
	r := &p.ring
	if err := r.choose(&p.tables, flags); err != nil {
		return nil, err
	}
	var cfg aws.Config
	if r.file != "" {
		warnOfKeyFile(p, r.file)
	} else {
		if r.check == "" && p.tables.stack == "" {
			return nil, errors.New("no key ring is named")
		}
		var err error
		if cfg, err = awsConfig(ctx, false, "--keys FILE for a ring on this machine"); err != nil {
			return nil, err
		}
		_, check, _ := r.settings()
		if err := p.tables.fromStack(ctx, cfg, check); err != nil {
			return nil, err
		}
	}
	cache := keys.NewCache(keys.CheckSource(cfg, r.file, r.check), p.now)
	if _, err := cache.Ring(ctx); err != nil {
		return nil, r.explain(err)
	}
	return cache, nil
}

// missing says which secret is not named.
func (r *ring) missing() error {
	switch {
	case r.check == "" && r.mint == "":
		return fail(exitUsage, "where is the key ring? give --%s, or --%s and --%s, or --%s for a file", stackFlag, checkFlag, mintFlag, keysFlag)
	case r.check == "":
		return fail(exitUsage, "the check keys are missing: name their secret with --%s or %s", checkFlag, checkEnv)
	case r.mint == "":
		return fail(exitUsage, "the mint keys are missing: name their secret with --%s or %s", mintFlag, mintEnv)
	}
	return nil
}
