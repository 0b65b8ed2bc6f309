package oauth_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fob-oauth/fob/internal/assertion"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/storetest"
)

// registrarNow is later than the clock that stores take their versions from.
var registrarNow = time.Unix(4_000_000_000, 0)

// registrars are both on the same stores.
type registrars struct {
	*oauth.Registrar
	*oauth.UserRegistrar
}

func newRegistrar(s storetest.Stores) registrars {
	now := func() time.Time { return registrarNow }
	return registrars{
		&oauth.Registrar{Clients: s.Clients, Issuers: s.Issuers, Assertions: assertion.New(time.Now, nil), Now: now},
		&oauth.UserRegistrar{
			Users: s.UserRegistry, Subjects: s.Subjects, Tokens: s.Tokens, Registry: s.Registry,
			Passwords: new(oauthtest.Passwords), Now: now,
		},
	}
}

// faultyRegistrar is newRegistrar with stores that fail as the Faulty is told.
func faultyRegistrar(s storetest.Stores) (registrars, *storetest.Faulty) {
	f := storetest.NewFaulty(s)
	all := storetest.FaultyRegistry{Faulty: f}
	return newRegistrar(storetest.Stores{Tokens: f, Subjects: f, Registry: all, Clients: all, Issuers: all, UserRegistry: all}), f
}

func wantChange(t *testing.T, doing string, err error, kind oauth.ChangeKind) {
	t.Helper()
	if !oauth.IsChange(err, kind) {
		t.Errorf("%s: %v; want %q", doing, err, kind)
	}
}

func addClient(t *testing.T, r registrars, c oauth.Client, s secret.Text) oauth.Client {
	t.Helper()
	saved, err := r.AddClient(t.Context(), c, s)
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

func addUser(t *testing.T, r registrars, name string) (oauth.User, ledger.Subject) {
	t.Helper()
	u, err := r.AddUser(t.Context(), oauth.NewUser{Username: name, Password: secret.New("an older one")})
	if err != nil {
		t.Fatal(err)
	}
	return u, oauth.SubjectOf(u.ID)
}

// wantClientNow wants the client that a method returned to be the one that is
// stored.
func wantClientNow(t *testing.T, r registrars, returned oauth.Client, err error) oauth.Client {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	stored, err := r.Client(t.Context(), returned.ID)
	if d := diffStored(stored, returned); err != nil || d != "" {
		t.Fatalf("%v (-stored +returned):\n%s", err, d)
	}
	return stored
}

var publicApp = oauth.Client{ID: "app", Public: true, Grants: []oauth.GrantType{oauth.PasswordGrant}}

var backend = oauth.Client{ID: "backend", Grants: []oauth.GrantType{oauth.ClientCredentialsGrant}}

// storeTest is one of several tests that begin with empty stores.
type storeTest struct {
	name string
	run  func(t *testing.T, s storetest.Stores)
}

// onEveryStore runs tests in memory and on DynamoDB.
func onEveryStore(t *testing.T, tests []storeTest) {
	t.Run("memory", func(t *testing.T) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				tokens, users := memory.NewTokens(), memory.NewUsers()
				test.run(t, storetest.Stores{
					Tokens: tokens, Subjects: tokens, Registry: tokens, Clients: memory.NewClients(), Issuers: memory.NewIssuers(),
					Users: users, UserRegistry: users,
				})
			})
		}
	})
	t.Run("dynamodb", func(t *testing.T) {
		endpoint := dynamotest.Engine(t)
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) { test.run(t, dynamotest.New(t, endpoint).Stores()) })
		}
	})
}

func diffStored(want, got any) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(scope.Set{}), cmp.Comparer(secret.Text.Equal))
}

func wantState(t *testing.T, s storetest.Stores, subject ledger.Subject, want oauth.SubjectState) {
	t.Helper()
	if got, err := s.Subjects.State(t.Context(), subject); err != nil || got != want {
		t.Errorf("the state of %v is %+v, %v; want %+v", subject, got, err, want)
	}
}

func wantUser(t *testing.T, s storetest.Stores, want oauth.User) {
	t.Helper()
	got, _, err := s.UserRegistry.User(t.Context(), want.Username)
	if d := diffStored(want, got); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

// signIn saves a record of somebody who is signed in.
func signIn(t *testing.T, s storetest.Stores, subject ledger.Subject, nonce byte) {
	t.Helper()
	r := storetest.Record("ipad")
	r.Authorization.Subject, r.Nonce = subject, ledger.Nonce{nonce}
	if _, found, err := s.Tokens.Save(t.Context(), r, ledger.Nonce{}); err != nil || !found {
		t.Fatalf("found %v, %v", found, err)
	}
}

// rival changes a client whenever somebody else is about to.
type rival struct {
	oauth.ClientRegistry
	rounds int
}

func (r *rival) SaveClient(ctx context.Context, c oauth.Client) (oauth.Client, error) {
	if r.rounds > 0 {
		r.rounds--
		now, _, err := r.ClientRegistry.Client(ctx, c.ID)
		if err != nil {
			return oauth.Client{}, err
		}
		now.MaxAuthorizations++
		if _, err := r.ClientRegistry.SaveClient(ctx, now); err != nil {
			return oauth.Client{}, err
		}
	}
	return r.ClientRegistry.SaveClient(ctx, c)
}

// watched does something before each call that it watches.
type watched struct {
	oauth.UserRegistry
	oauth.TokenRegistry
	before func(call string)
}

func (w watched) SaveUser(ctx context.Context, u oauth.User) (oauth.User, error) {
	w.before("SaveUser")
	return w.UserRegistry.SaveUser(ctx, u)
}

func (w watched) RemoveUser(ctx context.Context, u oauth.User) (bool, error) {
	w.before("RemoveUser")
	return w.UserRegistry.RemoveUser(ctx, u)
}

func (w watched) Forget(ctx context.Context, subject ledger.Subject) error {
	w.before("Forget")
	return w.TokenRegistry.Forget(ctx, subject)
}

// raised remembers the subject whose epoch was raised last.
type raised struct {
	oauth.Subjects
	subject ledger.Subject
}

func (r *raised) Raise(ctx context.Context, subject ledger.Subject, change oauth.StateChange) error {
	r.subject = subject
	return r.Subjects.Raise(ctx, subject, change)
}
