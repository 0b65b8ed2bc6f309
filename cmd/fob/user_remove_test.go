package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/password"
	"github.com/fob-oauth/fob/internal/secret"
)

// readBefore are the users as a login has read them that is under way.
type readBefore struct {
	oauth.Users
	login oauth.Login
}

func (r readBefore) Login(_ context.Context, _ string, counters ...oauth.CounterKey) (oauth.Login, error) {
	r.login.Counters = make([]oauth.Counter, len(counters))
	return r.login, nil
}

// A login that read the user before the user was removed must not bring a token
// to life, and what it may have written goes with the state.
func TestRemoveWhileALoginIsUnderWay(t *testing.T) {
	s := newMemoryStores()
	hash, err := password.Hasher{}.Hash(secret.New("example-password"))
	if err != nil {
		t.Fatal(err)
	}
	user, err := s.users.SaveUser(t.Context(), oauth.User{Username: "ann", ID: oauth.NewUserID(), PasswordHash: hash, Created: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.clients.SaveClient(t.Context(), oauth.Client{ID: "app", Public: true, Grants: []oauth.GrantType{oauth.PasswordGrant}, Created: 1, Epoch: 1}); err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Generate(false)
	if err != nil {
		t.Fatal(err)
	}
	issuer := &oauth.Issuer{
		Tokens: s.tokens, Clients: oauth.NewClientCache(s.clients, time.Now), Passwords: password.Hasher{}, Now: time.Now,
		Users: readBefore{s.users, oauth.Login{User: user, Found: true}},
		Keys:  keys.NewCache(func(context.Context) (*bearer.MintRing, error) { return ring, nil }, time.Now),
	}
	login := func() error {
		_, err := issuer.Token(t.Context(), oauth.TokenRequest{
			Credentials: oauth.Credentials{ID: "app"},
			Form:        oauth.Form{"grant_type": "password", "username": "ann", "password": "example-password"},
		})
		return err
	}
	if err := login(); err != nil {
		t.Fatalf("before: %v", err)
	}
	subject := ledger.Subject{Kind: ledger.UserSubject, ID: user.ID}

	// While it waits, such a login is refused.
	ctx, interrupt := context.WithCancel(t.Context())
	var stdout, stderr output
	p := program{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, getenv: noEnv, open: opens(&s)}
	code := make(chan int, 1)
	go func() { code <- p.run(ctx, []string{"user", "remove", "ann", "--wait", "1h"}) }()
	for !strings.Contains(stderr.String(), "waiting") {
		select {
		case c := <-code:
			t.Fatalf("exit code %d: %s", c, &stderr)
		default:
		}
	}
	if refused, ok := errors.AsType[*oauth.Error](login()); !ok || refused.Code != oauth.InvalidGrant {
		t.Errorf("a login under way: %v", refused)
	}
	interrupt()
	if c := <-code; c != 0 || !strings.Contains(stdout.String(), "The user ann is removed.") || !strings.Contains(stderr.String(), "an item without their data stays for each: interrupted") {
		t.Errorf("interrupted: exit code %d, %q, %q", c, &stdout, &stderr)
	}
	if state, err := s.subjects.State(t.Context(), subject); err != nil || !state.Disabled {
		t.Errorf("the state went too early: %+v, %v", state, err)
	}

	// A record that was written under the epoch of before goes first, and then the
	// state: the other way round it would be alive in between.
	if _, err := s.users.SaveUser(t.Context(), oauth.User{Username: "ann", ID: user.ID, PasswordHash: hash, Created: 1}); err != nil {
		t.Fatal(err)
	}
	late := ledger.Authorization{Subject: subject, Username: "ann", Client: "app", Format: ledger.Opaque, Audiences: []string{"app"}}
	s.registry = lastThing{s.registry, func() {
		if records, err := s.tokens.List(t.Context(), subject, ""); err != nil || len(records) > 0 {
			t.Errorf("the state goes before %d records, %v", len(records), err)
		}
	}}
	s.users = removing{s.users, func() {
		if _, _, err := s.tokens.Save(t.Context(), ledger.Record{Nonce: ledger.Nonce{1}, Authorization: late}, ledger.Nonce{}); err != nil {
			t.Error(err)
		}
	}}
	if c := p.run(t.Context(), []string{"user", "remove", "ann", "--wait", "1s"}); c != 0 {
		t.Fatalf("exit code %d: %s", c, &stderr)
	}
	if state, err := s.subjects.State(t.Context(), subject); err != nil || state != (oauth.SubjectState{}) {
		t.Errorf("the state stays: %+v, %v", state, err)
	}
}

// lastThing looks at the store when a state is about to go.
type lastThing struct {
	oauth.TokenRegistry
	look func()
}

func (l lastThing) Forget(ctx context.Context, subject ledger.Subject) error {
	l.look()
	return l.TokenRegistry.Forget(ctx, subject)
}

// removing does something else when a user is removed.
type removing struct {
	users
	also func()
}

func (r removing) RemoveUser(ctx context.Context, u oauth.User) (bool, error) {
	r.also()
	return r.users.RemoveUser(ctx, u)
}

// halting cannot remove one user.
type halting struct {
	users
	name string
}

func (h halting) RemoveUser(ctx context.Context, u oauth.User) (bool, error) {
	if u.Username == h.name {
		return false, oauth.Unavailable("remove a user", errors.New("oops"))
	}
	return h.users.RemoveUser(ctx, u)
}

// Of several users those before the one that could not be removed are gone, with
// everything, and the command for the others is named.
func TestRemoveStopsInTheMiddle(t *testing.T) {
	s := newMemoryStores()
	ids := map[string]ledger.Subject{}
	for _, name := range []string{"ann", "bob", "cy"} {
		u, err := s.users.SaveUser(t.Context(), oauth.User{Username: name, ID: oauth.NewUserID(), PasswordHash: secret.New("x"), Created: 1})
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = ledger.Subject{Kind: ledger.UserSubject, ID: u.ID}
	}
	whole := s.users
	s.users = halting{whole, "bob"}
	var stdout, stderr output
	p := program{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, getenv: noEnv, open: opens(&s)}
	p.sleep = func(context.Context, time.Duration) error { return nil }
	code := p.run(t.Context(), []string{"user", "remove", "ann", "bob", "cy"})
	if code != exitUnavailable || !strings.Contains(stderr.String(), `fob: "ann" is removed, and "bob" is disabled and, as far as can be seen, not removed, so remove "bob", "cy" as well (`) {
		t.Errorf("exit code %d, %q", code, &stderr)
	}
	if state, err := s.subjects.State(t.Context(), ids["ann"]); err != nil || state != (oauth.SubjectState{}) {
		t.Errorf("of ann stays %+v, %v", state, err)
	}
	if state, err := s.subjects.State(t.Context(), ids["cy"]); err != nil || state != (oauth.SubjectState{}) {
		t.Errorf("cy is touched: %+v, %v", state, err)
	}
	s.users = whole
	if code := p.run(t.Context(), []string{"user", "remove", "bob", "cy"}); code != 0 {
		t.Errorf("exit code %d, %q", code, &stderr)
	}
}

// muffled removes a user, and its reply is lost.
type muffled struct{ users }

func (m muffled) RemoveUser(ctx context.Context, u oauth.User) (bool, error) {
	if existed, err := m.users.RemoveUser(ctx, u); err != nil {
		return existed, err
	}
	return false, oauth.Unavailable("remove a user", errors.New("oops"))
}

// A removal whose reply was lost is a removal: the same command would find nobody,
// and leave the rest.
func TestRemoveWhoseReplyIsLost(t *testing.T) {
	s := newMemoryStores()
	u, err := s.users.SaveUser(t.Context(), oauth.User{Username: "ann", ID: oauth.NewUserID(), PasswordHash: secret.New("x"), Created: 1})
	if err != nil {
		t.Fatal(err)
	}
	s.users = muffled{s.users}
	var stdout, stderr output
	p := program{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, getenv: noEnv, open: opens(&s)}
	p.sleep = func(context.Context, time.Duration) error { return nil }
	if code := p.run(t.Context(), []string{"user", "remove", "ann"}); code != 0 {
		t.Errorf("exit code %d, %q", code, &stderr)
	}
	state, err := s.subjects.State(t.Context(), ledger.Subject{Kind: ledger.UserSubject, ID: u.ID})
	if err != nil || state != (oauth.SubjectState{}) {
		t.Errorf("the state stays: %+v, %v", state, err)
	}
}

// Each way to stop is one sentence, with the cause behind it.
func TestRemovalStopped(t *testing.T) {
	s := newMemoryStores()
	p := program{getenv: noEnv, open: opens(&s)}
	p.command() // sets the flags
	down := oauth.Unavailable("remove a user", errors.New("oops"))
	gone := []oauth.User{{Username: "ann"}, {Username: "bob"}}
	half := &oauth.ChangeError{Kind: oauth.HalfDone, Err: down}
	for _, test := range []struct {
		gone  []oauth.User
		stays bool
		err   error
		code  int
		says  string
	}{
		{nil, false, errInterrupted, exitFailure, `it is not known whether the user "cy" is removed, so remove "cy", "dan" again (interrupted)`},
		{nil, false, &oauth.ChangeError{Kind: oauth.InDoubt, Err: down}, exitUnavailable, `it is not known whether the user "cy" is removed, so remove "cy", "dan" again (the table `},
		{nil, false, fail(exitNotFound, "no"), exitNotFound, "no"},
		{nil, false, half, exitUnavailable, `the user "cy" is disabled and, as far as can be seen, not removed, so remove "cy", "dan" again (the table `},
		{gone[:1], false, down, exitUnavailable, `"ann" is removed, and the others are not yet, so remove "cy", "dan" as well (the table `},
		{gone, true, down, exitUnavailable, `"ann", "bob" are removed but for an item without their data, and the others are not yet, so remove "cy", "dan" as well (the table `},
		{gone, false, half, exitUnavailable, `"ann", "bob" are removed, and "cy" is disabled and, as far as can be seen, not removed, so remove "cy", "dan" as well (the table `},
		{gone, false, fail(exitUsage, "no"), exitFailure, `"ann", "bob" are removed, and the others are not yet, so remove "cy", "dan" as well (no)`},
	} {
		err := removalStopped(&p, test.gone, test.stays, []string{"cy", "dan"}, test.err)
		if exitCode(err) != test.code || !strings.HasPrefix(err.Error(), test.says) {
			t.Errorf("%d gone, %v: exit code %d, %v; want %s", len(test.gone), test.err, exitCode(err), err, test.says)
		}
	}
}
