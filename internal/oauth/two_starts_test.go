package oauth_test

import (
	"context"
	"errors"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
)

// Knowledge that is behind the record is read again before it is judged, so a
// token that another instance issued a moment ago is never taken for dead.
func TestStaleKnowledge(t *testing.T) {
	t.Run("client", func(t *testing.T) {
		w := newWorld(t)
		w.login("backend", "alice", "device_a") // the issuer's cache knows epoch n
		w.introspect("backend", bearer.FromClient("x"))
		w.editClient("backend", func(c *oauth.Client) { c.Epoch++ })
		fresh := *w.issuer // another instance, with caches of its own
		fresh.Clients = oauth.NewClientCache(w.clients, fresh.Now)
		r, err := fresh.Token(w.context(), oauth.TokenRequest{Credentials: oauthtest.Credentials("backend"), Form: formOf(w.passwordForm("alice", "device_a"))})
		w.must(err)
		w.wantActive("backend", r.AccessToken, true)
		if again := w.login("backend", "alice", "device_a"); !same(again.AccessToken, r.AccessToken) {
			t.Error("an instance with an old registration replaced a newer token")
		}
	})
	t.Run("issuer", func(t *testing.T) {
		w := newWorld(t)
		w.ring.set(t, func(r *ring) { r.epoch++ })
		ahead := newRing(t)
		ahead.set(t, func(r *ring) { r.epoch++ })
		ahead.publish()
		fresh := *w.issuer
		fresh.Keys = mintKeys{ahead}
		r, err := fresh.Token(w.context(), oauth.TokenRequest{Credentials: oauthtest.Credentials("backend"), Form: formOf(w.passwordForm("alice", "device_a"))})
		w.must(err)
		w.ring.err = errors.New("down")
		if _, err := w.verifier.Introspect(w.context(), oauthtest.Credentials("backend"), r.AccessToken); !errors.Is(err, oauth.ErrUnavailable) {
			t.Errorf("behind, and cannot find out: %v; want ErrUnavailable", err)
		}
		if _, err := w.token("backend", w.passwordForm("alice", "device_a")...); !errors.Is(err, oauth.ErrUnavailable) {
			t.Errorf("minted on a stale epoch: %v", err)
		}
		w.ring.err = nil
		w.wantActive("backend", r.AccessToken, true)
		if again := w.login("backend", "alice", "device_a"); !same(again.AccessToken, r.AccessToken) {
			t.Error("an instance with an old epoch replaced a newer token")
		}
	})
	t.Run("a record from a future that never was", func(t *testing.T) {
		w := newWorld(t)
		r := w.login("backend", "alice", "device_a")
		w.edit(w.records(w.userSubject("alice"))[0], func(r *ledger.Record) { r.Epochs.Client += 1000 })
		w.wantActive("backend", r.AccessToken, false)
		if again := w.login("backend", "alice", "device_a"); same(again.AccessToken, r.AccessToken) {
			t.Error("it was returned")
		}
	})
}

// Cases A70, A71: keys that come and go.
func TestKeyStates(t *testing.T) {
	w := newWorld(t)
	old := w.login("backend", "alice", "device_a")
	w.ring.set(t, func(r *ring) { r.states["1"], r.states["2"] = bearer.VerifyOnly, bearer.Active })
	w.ring.publish()
	if r := w.login("backend", "alice", "device_a"); !same(r.AccessToken, old.AccessToken) {
		t.Error("under a verify-only key the token was not returned")
	}
	w.wantActive("backend", old.AccessToken, true)

	// One instance is ahead: its token names a key that this one does not know.
	ahead := newRing(t)
	ahead.set(t, func(r *ring) {
		r.states["1"], r.states["2"], r.states["3"] = bearer.VerifyOnly, bearer.VerifyOnly, bearer.Active
	})
	ahead.publish()
	fresh := *w.issuer
	fresh.Keys = mintKeys{ahead}
	r, err := fresh.Token(w.context(), oauth.TokenRequest{Credentials: oauthtest.Credentials("backend"), Form: formOf(w.passwordForm("alice", "device_b"))})
	w.must(err)
	w.wantActive("backend", r.AccessToken, false) // the source has no such key either
	w.ring.set(t, func(r *ring) { r.states["3"] = bearer.Prepublished })
	w.wantActive("backend", r.AccessToken, true)
}

// instance is another one on the same tables, with caches of its own and a key
// ring of its own.
func (w *world) instance(r *ring) *world {
	other := &world{t: w.t, tokens: w.tokens, clients: w.clients, users: w.users, hasher: w.hasher, ring: r}
	issuer, verifier := *w.issuer, *w.verifier
	issuer.Clients, issuer.Keys = oauth.NewClientCache(w.clients, issuer.Now), mintKeys{r}
	verifier.Clients, verifier.Keys = oauth.NewClientCache(w.clients, verifier.Now), checkKeys{r}
	other.issuer, other.verifier = &issuer, &verifier
	return other
}

// An instance whose ring lacks a key must not take the tokens under it for dead,
// whatever order an operator turned the keys in.
func TestRingWithoutTheKey(t *testing.T) {
	w := newWorld(t)
	ahead := newRing(t)
	ahead.set(t, func(r *ring) { r.states["1"], r.states["2"] = bearer.VerifyOnly, bearer.Active })
	ahead.publish()
	w.ring.set(t, func(r *ring) { r.states["1"], r.states["2"] = bearer.VerifyOnly, bearer.Active }) // not published
	newer := w.instance(ahead)

	r := newer.login("app", "alice", "device_a")
	if again := w.login("app", "alice", "device_a"); !same(again.AccessToken, r.AccessToken) || !same(again.RefreshToken, r.RefreshToken) {
		t.Error("an instance with an older ring replaced a live token")
	}

	older := w.instance(newRing(t))
	older.ring.set(t, func(r *ring) { r.states["1"], r.states["2"] = bearer.VerifyOnly, bearer.Active })
	if _, err := older.refresh("app", r.RefreshToken); err != nil {
		t.Errorf("an instance with an older ring refused a live refresh token: %v", err)
	}

	// The source is down: nobody knows, so nobody says that it is dead.
	down := w.instance(newRing(t))
	down.ring.err = errors.New("down")
	if _, err := down.token("app", w.passwordForm("alice", "device_a")...); !errors.Is(err, oauth.ErrUnavailable) {
		t.Errorf("login on an instance that cannot know the key: %v", err)
	}
	if err := down.revoke("app", r.AccessToken); !errors.Is(err, oauth.ErrUnavailable) {
		t.Errorf("revoke on an instance that cannot know the key: %v", err)
	}
}

// A record may be dead by one epoch and ahead of the instance by another. An
// instance that replaces it by what it knows mints a token that is dead at birth.
func TestDeadAndAhead(t *testing.T) {
	w := newWorld(t)
	ahead := newRing(t)
	ahead.set(t, func(r *ring) { r.epoch = 1 })
	ahead.publish()
	newer := w.instance(ahead)
	newer.login("backend", "alice", "device_a")
	w.ring.set(t, func(r *ring) { r.epoch = 1 }) // not published: the ring at hand is of epoch 0
	w.editClient("backend", func(c *oauth.Client) { c.Epoch++ })
	w.advance(10)
	r := w.login("backend", "alice", "device_a")
	newer.wantActive("backend", r.AccessToken, true)
}

// A disabled user's password must not be confirmed by the answer to a bad scope.
func TestDisabledUserAndBadScope(t *testing.T) {
	w := newWorld(t)
	yes := true
	w.must(w.tokens.Raise(t.Context(), w.userSubject("alice"), oauth.StateChange{Disabled: &yes}))
	for _, s := range []string{"unknown", "admin", "read"} {
		_, err := w.token("backend", w.passwordForm("alice", s)...)
		wantCode(t, err, oauth.InvalidGrant)
	}
	_, err := w.token("backend", w.passwordForm("bob", "admin")...)
	wantCode(t, err, oauth.InvalidScope)
	_, err = w.token("backend", "grant_type", "password", "username", "bob", "password", "wrong", "scope", "admin")
	wantCode(t, err, oauth.InvalidGrant)
}

// A race in the last start is not proof either: what won was written after we
// read what we know.
func TestWinnerOfARaceIsNotTakenForDead(t *testing.T) {
	w := newWorld(t)
	w.login("backend", "alice", "device_a")
	w.edit(w.records(w.userSubject("alice"))[0], func(r *ledger.Record) { r.Epochs.Client += 1000 }) // ahead for good: three starts
	winner := w.records(w.userSubject("alice"))[0]
	winner.Nonce[1]++
	winner.Epochs.Subject = 7 // made under an epoch that was raised after our read
	lost := &losing{Tokens: w.tokens, winner: winner}
	w.issuer.Tokens = lost
	if r, err := w.token("backend", w.passwordForm("alice", "device_a")...); !errors.Is(err, oauth.ErrUnavailable) {
		t.Errorf("overwrote the winner of a race: %v, %v", r.Scope, err)
	}
	if lost.saves != 1 {
		t.Errorf("%d writes, want the one that lost", lost.saves)
	}
}

// losing lets the first Save lose to winner.
type losing struct {
	oauth.Tokens
	winner ledger.Record
	saves  int
}

func (l *losing) Save(ctx context.Context, r ledger.Record, seen ledger.Nonce) (ledger.Record, bool, error) {
	l.saves++
	if l.saves == 1 {
		return l.winner, true, nil
	}
	return l.Tokens.Save(ctx, r, seen)
}

// overtaken lets the first Save land, but reports to its caller that it lost to what
// somebody else made of it meanwhile.
type overtaken struct {
	oauth.Tokens
	after func()
	done  bool
}

func (o *overtaken) Save(ctx context.Context, r ledger.Record, seen ledger.Nonce) (ledger.Record, bool, error) {
	there, found, err := o.Tokens.Save(ctx, r, seen)
	if o.done || err != nil {
		return there, found, err
	}
	o.done = true
	o.after()
	reading, err := o.Tokens.Read(ctx, r.Locator())
	return reading.Record, reading.Found, err
}

// A phone's rotation lands, its reply is lost in our own network, and before the
// retry another instance logs the phone in and rotates again. The request finds
// its token two generations old, by its own doing: that is not a replay, and it gets
// what is in force.
func TestOwnRetryIsNoReplay(t *testing.T) {
	w := newWorld(t)
	first := w.login("app", "alice", "device_a")
	other := w.instance(w.ring)
	var last ledger.Answer
	w.issuer.Tokens = &overtaken{Tokens: w.tokens, after: func() {
		second := other.login("app", "alice", "device_a")
		var err error
		last, err = other.refresh("app", second.RefreshToken)
		w.must(err)
	}}
	got, err := w.refresh("app", first.RefreshToken)
	w.must(err)
	if w.event.Outcome != oauth.Repeated || !same(got.RefreshToken, last.RefreshToken) || !same(got.AccessToken, last.AccessToken) {
		t.Errorf("outcome %s, the tokens in force: %v and %v", w.event.Outcome, same(got.AccessToken, last.AccessToken), same(got.RefreshToken, last.RefreshToken))
	}
	w.wantActive("api", last.AccessToken, true)

	// The same token in a request of its own is a replay.
	_, err = w.refresh("app", first.RefreshToken)
	wantCode(t, err, oauth.InvalidGrant)
	if w.event.Outcome != oauth.Replayed {
		t.Errorf("outcome %s, want a replay", w.event.Outcome)
	}
	w.wantActive("api", last.AccessToken, false)
}

// A create that was lost is decided again on what is true then: a sign-out in
// between must not leave the caller with a token that is dead at birth.
func TestLostCreateReadsTheSubjectAgain(t *testing.T) {
	w := newWorld(t)
	w.issuer.Tokens = &vanished{Tokens: w.tokens, before: func() {
		w.must(w.tokens.Raise(t.Context(), w.userSubject("alice"), oauth.StateChange{}))
	}}
	r := w.login("backend", "alice", "device_a")
	if w.event.Raced != 0 {
		t.Errorf("raced %d times, against nobody", w.event.Raced)
	}
	w.wantActive("backend", r.AccessToken, true)
}

// vanished loses the first Save before it arrives.
type vanished struct {
	oauth.Tokens
	before func()
	done   bool
}

func (v *vanished) Save(ctx context.Context, r ledger.Record, seen ledger.Nonce) (ledger.Record, bool, error) {
	if v.done {
		return v.Tokens.Save(ctx, r, seen)
	}
	v.done = true
	v.before()
	return ledger.Record{}, false, nil
}
