package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/laptop"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/password"
	"github.com/fob-oauth/fob/internal/wire"
)

// where says in which tables the clients and users are made: those of a stack, those at a
// DynamoDB endpoint, or none, with a service in this process.
type where struct {
	stack, endpoint string
	tables          dynamo.Tables
}

func (w *where) addFlags(flags *flag.FlagSet) {
	flags.StringVar(&w.stack, "stack", "", "the stack in AWS whose outputs name the tables and the address")
	flags.StringVar(&w.endpoint, "dynamodb", "", "the URL of DynamoDB with the tables of fob serve, such as http://localhost:8000")
	flags.StringVar(&w.tables.Tokens, "tokens-table", "fob-tokens", "the table of tokens, at -dynamodb")
	flags.StringVar(&w.tables.Clients, "clients-table", "fob-clients", "the table of clients, at -dynamodb")
	flags.StringVar(&w.tables.Users, "users-table", "fob-users", "the table of users, at -dynamodb")
}

// check refuses what does not fit together.
func (w *where) check(base string) error {
	switch {
	case w.stack != "" && w.endpoint != "":
		return errors.New("-stack and -dynamodb exclude each other")
	case w.endpoint != "" && base == "":
		return errors.New("with -dynamodb it needs the address of the service, such as http://localhost:8080")
	case w.stack == "" && w.endpoint == "" && base != "":
		return errors.New("with an address it needs -stack or -dynamodb: they say where its clients and users are added")
	}
	return nil
}

// deployment is what is driven, and where its clients and users are made.
type deployment struct {
	base    string
	clients *oauth.Registrar
	users   *oauth.UserRegistrar
	close   func()
}

func (w *where) open(ctx context.Context) (*deployment, error) {
	if w.stack == "" && w.endpoint == "" {
		return inProcess(func(h http.Handler) http.Handler { return h })
	}
	cfg, err := w.awsConfig(ctx)
	if err != nil {
		return nil, err
	}
	d := &deployment{close: func() {}}
	if w.stack != "" {
		if d.base, err = w.readStack(ctx, cfg); err != nil {
			return nil, err
		}
	}
	db := dynamo.NewClient(cfg, func(o *dynamodb.Options) {
		if w.endpoint != "" {
			o.BaseEndpoint = &w.endpoint
		}
	})
	tokens := dynamo.NewTokens(db, w.tables.Tokens)
	d.clients = &oauth.Registrar{Clients: dynamo.NewClients(db, w.tables.Clients), Now: time.Now}
	d.users = &oauth.UserRegistrar{Users: dynamo.NewUsers(db, w.tables.Users), Subjects: tokens, Tokens: tokens, Registry: tokens, Passwords: password.Hasher{}, Now: time.Now}
	return d, nil
}

// awsConfig is, for an engine on this machine, what fob serve takes: some engines keep
// separate tables for each Region and key.
func (w *where) awsConfig(ctx context.Context) (aws.Config, error) {
	if !isLoopback(w.endpoint) {
		return config.LoadDefaultConfig(ctx)
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithEC2IMDSClientEnableState(imds.ClientDisabled))
	if err != nil {
		return cfg, err
	}
	cfg.Region = cmp.Or(cfg.Region, "us-east-1")
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		cfg.Credentials = credentials.NewStaticCredentialsProvider("local", "local", "")
	}
	return cfg, nil
}

// readStack takes the names of the tables from the outputs of the stack, and returns the
// address.
func (w *where) readStack(ctx context.Context, cfg aws.Config) (base string, err error) {
	out, err := cloudformation.NewFromConfig(cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &w.stack})
	if err != nil {
		return "", err
	}
	outputs := map[string]string{}
	for _, stack := range out.Stacks {
		for _, o := range stack.Outputs {
			outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
		}
	}
	for name, value := range map[string]*string{"TokensTable": &w.tables.Tokens, "ClientsTable": &w.tables.Clients, "UsersTable": &w.tables.Users, "ApiUrl": &base} {
		if *value = outputs[name]; *value == "" {
			return "", fmt.Errorf("the stack %q has no output %s", w.stack, name)
		}
	}
	return strings.TrimSuffix(base, "/"), nil
}

// inProcess serves all endpoints on a free port of this machine, in memory. Requests go
// through around first.
func inProcess(around func(http.Handler) http.Handler) (*deployment, error) {
	ring, err := keys.Generate(false)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	tokens, clients, issuers, users := memory.NewTokens(), memory.NewClients(), memory.NewIssuers(), memory.NewUsers()
	stores := laptop.Stores{Tokens: tokens, Subjects: tokens, Clients: clients, Issuers: issuers, Users: users, People: users}
	fetch := func(context.Context) (*bearer.MintRing, error) { return ring, nil }
	server := &http.Server{Handler: around(laptop.Handler(stores, fetch, wire.Options{})), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // until close
	return &deployment{
		base:    "http://" + listener.Addr().String(),
		clients: &oauth.Registrar{Clients: clients, Issuers: issuers, Now: time.Now},
		users:   &oauth.UserRegistrar{Users: users, Subjects: tokens, Tokens: tokens, Registry: tokens, Passwords: password.Hasher{}, Now: time.Now},
		close:   func() { _ = server.Close() },
	}, nil
}
