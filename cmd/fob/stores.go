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

// open opens the stores that the flags name. For fob serve without a place that is
// memory, and missing tables are made.
func (t *tables) open(ctx context.Context, forServe bool) (stores, error) {
	if forServe && t.endpoint.value == "" {
		return newMemoryStores(), nil
	}
	db, err := t.connect(ctx)
	if err != nil {
		return stores{}, err
	}
	if forServe {
		if err := dynamo.EnsureTables(ctx, db, t.names()); err != nil {
			return stores{}, t.explain(err)
		}
	}
	return newDynamoStores(db, t.names()), nil
}

func newMemoryStores() stores {
	tokens := memory.NewTokens()
	return stores{tokens, tokens, tokens, memory.NewClients(), memory.NewIssuers(), memory.NewUsers()}
}

func newDynamoStores(db *dynamodb.Client, names dynamo.Tables) stores {
	tokens := dynamo.NewTokens(db, names.Tokens)
	return stores{tokens, tokens, tokens, dynamo.NewClients(db, names.Clients), dynamo.NewIssuers(db, names.Clients), dynamo.NewUsers(db, names.Users)}
}

// registrar and userRegistrar make the changes of all commands.
func (s stores) registrar() *oauth.Registrar {
	return &oauth.Registrar{Clients: s.clients, Issuers: s.issuers, Assertions: assertion.New(time.Now, nil), Now: time.Now}
}

func (s stores) userRegistrar() *oauth.UserRegistrar {
	return &oauth.UserRegistrar{
		Users: s.users, Subjects: s.subjects, Tokens: s.tokens, Registry: s.registry,
		Passwords: password.Hasher{}, Now: time.Now,
		OwnUsersMode: oauth.AskedUntilFirst, // commands do not know the mode: so are people whom own users still keep
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
	_, inProcess := s.tokens.(*memory.Tokens)
	return laptop.Stores{
		Tokens: s.tokens, Subjects: s.subjects, Clients: s.clients, Issuers: s.issuers, Users: s.users, People: s.users,
		InProcess: inProcess,
	}
}

// withStores runs a command on the tables and explains its error.
func (p *program) withStores(run func(ctx context.Context, s stores, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		s, err := p.open(cmd.Context(), false)
		if err != nil {
			return err
		}
		return p.explain(run(cmd.Context(), s, args), "")
	}
}

// changing runs a command that makes one change: it returns what --json shows of it,
// and the sentence for people.
func (p *program) changing(change func(ctx context.Context, s stores, args []string) (view any, sentence string, err error)) func(*cobra.Command, []string) error {
	return p.withStores(func(ctx context.Context, s stores, args []string) error {
		view, sentence, err := change(ctx, s, args)
		if err != nil {
			return err
		}
		return p.confirm(view, sentence)
	})
}
