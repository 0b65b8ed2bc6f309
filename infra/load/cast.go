package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/password"
	"github.com/fob-oauth/fob/internal/secret"
)

// cast is who takes part in a run: an app that every user has on each device, and an API
// that asks whether tokens are active.
type cast struct {
	name           string // of the run, with which all names begin
	users, devices int

	password, apiSecret secret.Text
}

func newName() string { return "fob-load-" + strings.ToLower(rand.Text()[:10]) }

func appOf(run string) ledger.ClientID     { return ledger.ClientID(run + "-app") }
func apiOf(run string) ledger.ClientID     { return ledger.ClientID(run + "-api") }
func usernameOf(run string, n int) string  { return fmt.Sprintf("%s-%d", run, n) }
func deviceOf(n int) (scopeName string)    { return fmt.Sprintf("device_load-%d", n) }
func nameOfDevice(scopeName string) string { return strings.TrimPrefix(scopeName, "device_") }

// atOnce is how many users are added or removed at a time.
const atOnce = 16

// add makes the clients and the users. They have one password, which is hashed once.
func (d *deployment) add(ctx context.Context, c *cast) error {
	c.password, c.apiSecret = oauth.NewClientSecret(), oauth.NewClientSecret()
	app := oauth.Client{ID: appOf(c.name), Public: true, Grants: []oauth.GrantType{oauth.PasswordGrant, oauth.RefreshTokenGrant}, Audiences: []string{string(apiOf(c.name))}}
	if _, err := d.clients.AddClient(ctx, app, secret.Text{}); err != nil {
		return err
	}
	if _, err := d.clients.AddClient(ctx, oauth.Client{ID: apiOf(c.name), Introspects: []string{string(apiOf(c.name))}}, c.apiSecret); err != nil {
		return err
	}
	hash, err := password.Hasher{}.Hash(c.password)
	if err != nil {
		return err
	}
	return forEach(c.users, func(n int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, err := d.users.AddUser(ctx, oauth.NewUser{Username: usernameOf(c.name, n), Hash: func() (secret.Text, error) { return hash, nil }})
		return err
	})
}

// removeAll removes what is there of a run: its users with their tokens, and its clients.
// idle says that no request of the run can be under way any more, so that nothing has to be
// kept to end what such a request makes.
func (d *deployment) removeAll(ctx context.Context, run string, users int, idle bool) error {
	absent := func(err error) bool { return oauth.IsChange(err, oauth.NoSuchEntry) }
	err := forEach(users, func(n int) error {
		u, err := d.users.User(ctx, usernameOf(run, n))
		if absent(err) {
			return nil
		}
		if err == nil {
			err = d.users.RemoveUser(ctx, u)
		}
		if err == nil && idle {
			err = d.users.ForgetUser(ctx, u)
		}
		if err != nil {
			return fmt.Errorf("not removed: the user %s (%w)", usernameOf(run, n), err)
		}
		return nil
	})
	for _, id := range []ledger.ClientID{appOf(run), apiOf(run)} {
		if e := d.clients.RemoveClient(ctx, id); e != nil && !absent(e) {
			err = errors.Join(err, fmt.Errorf("not removed: the client %s (%w)", id, e))
		}
	}
	return err
}

// forEach calls do for 0 to n-1, some at a time, and returns the first errors, one of each
// worker at most. After an error the worker goes on.
func forEach(n int, do func(int) error) error {
	var next atomic.Int64
	errs := make([]error, min(atOnce, n))
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil && errs[w] == nil {
					errs[w] = err
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
