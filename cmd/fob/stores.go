package main

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/assertion"
	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/laptop"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/password"
)

// stores are those of one deployment, in memory or in DynamoDB.
type stores struct {
	tokens   oauth.Tokens
	subjects oauth.Subjects
	registry oauth.TokenRegistry
	clients  oauth.ClientRegistry
	issuers  oauth.IssuerRegistry
	users    users
}

type users interface {
	oauth.Users
	oauth.UserRegistry
}

// open returns the stores that a command works on.
func (p *program) open(ctx context.Context) (stores, error) {
	if p.inMemory != nil {
		return *p.inMemory, nil
	}
	db, err := p.tables.connect(ctx)
	if err != nil {
		return stores{}, err
	}
	return newDynamoStores(db, p.tables.names), nil
}

func newMemoryStores() stores {
	tokens := memory.NewTokens()
	return stores{tokens, tokens, tokens, memory.NewClients(), memory.NewIssuers(), memory.NewUsers()}
}

func newDynamoStores(db *dynamodb.Client, names dynamo.Tables) stores {
	tokens := dynamo.NewTokens(db, names.Tokens)
	return stores{tokens, tokens, tokens, dynamo.NewClients(db, names.Clients), dynamo.NewIssuers(db, names.Clients), dynamo.NewUsers(db, names.Users)}
}

// openForServe makes the tables if they are missing.
func (p *program) openForServe(ctx context.Context) (stores, error) {
	if p.inMemory != nil {
		return *p.inMemory, nil
	}
	if p.tables.stack != "" {
		stack, _, _ := p.tables.settings()
		return stores{}, fail(exitUsage, "fob serve is for this machine: deploy a stack with sam deploy, and leave out %s", stack.source(p.tables.flags))
	}
	if p.tables.endpoint == "" {
		return newMemoryStores(), nil
	}
	db, err := p.tables.connect(ctx)
	if err != nil {
		return stores{}, err
	}
	if err := dynamo.EnsureTables(ctx, db, p.tables.names); err != nil {
		return stores{}, p.tables.tokens().explain(err)
	}
	return newDynamoStores(db, p.tables.names), nil
}

// registrar makes the changes of all commands.
func (s stores) registrar() *oauth.Registrar {
	return &oauth.Registrar{
		Clients: s.clients, Issuers: s.issuers, Users: s.users, Subjects: s.subjects, Tokens: s.tokens, Registry: s.registry,
		Passwords: password.Hasher{}, Now: time.Now,
		Assertions: assertion.New(time.Now, nil),
	}
}

func (s stores) signIns() *oauth.SignIns {
	return &oauth.SignIns{
		Tokens: s.tokens, Subjects: s.subjects,
		Clients: oauth.NewClientCache(s.clients, time.Now), Now: time.Now,
	}
}

// ofLaptop are those that serve's endpoints work on.
func (s stores) ofLaptop() laptop.Stores {
	return laptop.Stores{Tokens: s.tokens, Subjects: s.subjects, Clients: s.clients, Users: s.users}
}

// withStores runs a command on the tables and explains its error.
func (p *program) withStores(run func(ctx context.Context, s stores, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		s, err := p.open(cmd.Context())
		if err != nil {
			return err
		}
		return p.explain(run(cmd.Context(), s, args), sentences{})
	}
}

// changing runs a command that makes one change: it returns what --json shows of it,
// and the sentence for people.
func (p *program) changing(change func(ctx context.Context, r *oauth.Registrar, args []string) (view any, sentence string, err error)) func(*cobra.Command, []string) error {
	return p.withStores(func(ctx context.Context, s stores, args []string) error {
		view, sentence, err := change(ctx, s.registrar(), args)
		if err != nil {
			return err
		}
		return p.confirmf(view, "%s", sentence)
	})
}
