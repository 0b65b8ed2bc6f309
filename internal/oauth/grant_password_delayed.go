package oauth

import (
	"context"
	"strconv"

	"github.com/fob-oauth/fob/internal/ledger"
)

// Logins while a delay runs.
//
// Strangers can use up the tries on a name from many sources. So two kinds of logins
// do not wait for them (docs/decisions/0037-strangers-lock-nobody-out.md): those from a
// source where that user signed in before do not wait for the delays of the name and of the
// source, and those that ask for a token which a device of that user has wait for no delay
// but the device's own.
//
// While the delay of the pair runs, a login is refused without hashing and without
// counting. While only another one runs, a login from a source that the user is not known
// at is refused too, but it hashes and writes like a wrong password from a known one: its
// time and what it leaves behind must not reveal which names are known there.

var deviceDelay = pairDelay

// admitDelayed is admit while a delay runs: that of the pair, or only others.
func (g passwordGrant) admitDelayed(ctx context.Context, client Client, a attempt, pair bool, now int64) (attempt, bool, error) {
	if g.device != "" {
		device, ok, err := g.admitDevice(ctx, client, a.login.User, now)
		if err != nil || ok {
			return device, ok, err
		}
	}
	if pair {
		return a, false, nil
	}
	if !a.login.User.knows(g.source, now) {
		// Like a name that does not exist: the time of an imported hash would show that it does.
		a.delayed, a.login.User, a.login.Found = true, User{}, false
	}
	// The pair is counted. The other counts must not grow: tries that nobody looked at would
	// prolong a delay for ever, and others would see by its end that somebody is known here.
	for i := range a.counters[1:] {
		a.counters[i+1] = nameDelay.counter(now, "fob decoy counter 1", g.username, g.source, strconv.Itoa(i))
	}
	return a, true, nil
}

// admitDevice admits a login for a token that a device of the user has. It costs a call to
// the store, and another one if there is such a token. A name that does not exist is looked
// up like one that does.
func (g passwordGrant) admitDevice(ctx context.Context, client Client, u User, now int64) (a attempt, ok bool, err error) {
	if u.ID == "" {
		u.ID = NewUserID()
	}
	signedIn, err := g.signedIn(ctx, client, u)
	if err != nil || !signedIn {
		return a, false, err
	}
	a.counters = []ExpiringCounter{deviceDelay.counter(now, "fob device counter 1", g.username, string(client.ID), string(g.device))}
	if a.login, err = g.users.Login(ctx, g.username, a.counters[0].Key); err != nil {
		return a, false, err
	}
	return a, !deviceDelay.runs(a.login.Counters[0], now), nil
}

// signedIn reports whether the Authorization that a login of u asks for is alive. It reads
// one record, also where the login would be refused: a query would take longer for users
// who have many.
func (i *Issuer) signedIn(ctx context.Context, client Client, u User, q question) (bool, error) {
	registered, err := i.Clients.ResourceScopes(ctx)
	if err != nil {
		return false, err
	}
	a, refusal := authorizationOf(new(Event), client, registered, proof{subject: u.subject(), username: u.Username, roles: u.Roles}, q)
	reading, err := i.Tokens.Read(ctx, a.Locator())
	if err != nil {
		return false, err
	}
	ring, err := i.Keys.Ring(ctx)
	if err != nil {
		return false, err
	}
	view := viewOf(i.Now().Unix(), ring, reading.State, client, registered, ledger.Nonce{})
	return refusal == nil && reading.Found && !reading.State.Disabled && view.Judge(reading.Record, a.Locator()) == ledger.Alive, nil
}
