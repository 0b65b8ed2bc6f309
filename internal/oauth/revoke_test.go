package oauth_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
)

// Revocation: the cases A20 to A27 and N40 to N47 of docs/cases.md.

// A20, A21
func TestRevokeEndsOneDevice(t *testing.T) {
	for _, kind := range []string{"access", "refresh"} {
		w := newWorld(t)
		a, b := w.login("backend", "alice", "device_a"), w.login("backend", "alice", "device_b")
		named := a.AccessToken
		if kind == "refresh" {
			named = a.RefreshToken
		}
		for range 2 {
			w.must(w.revoke("backend", named))
			if w.event.Outcome != oauth.Revoked {
				t.Errorf("outcome %s", w.event.Outcome)
			}
		}
		w.wantActive("backend", a.AccessToken, false)
		w.wantActive("backend", a.RefreshToken, false)
		_, err := w.refresh("backend", a.RefreshToken)
		wantCode(t, err, oauth.InvalidGrant)
		w.wantActive("backend", b.AccessToken, true)
		if _, err := w.refresh("backend", b.RefreshToken); err != nil {
			t.Errorf("the other device cannot refresh: %v", err)
		}
	}
}

// counting counts calls to the token store and can make them fail.
type counting struct {
	oauth.Tokens
	calls int
	err   error
}

func (c *counting) Read(ctx context.Context, l bearer.Locator) (oauth.Reading, error) {
	c.calls++
	if c.err != nil {
		return oauth.Reading{}, c.err
	}
	return c.Tokens.Read(ctx, l)
}

func (c *counting) End(ctx context.Context, l bearer.Locator, when ledger.EndCondition) (ledger.Record, bool, error) {
	c.calls++
	if c.err != nil {
		return ledger.Record{}, false, c.err
	}
	return c.Tokens.End(ctx, l, when)
}

// A22, A33
func TestGarbageCostsNoCall(t *testing.T) {
	w := newWorld(t)
	good := w.login("backend", "alice", "device_a").AccessToken.Reveal()
	store := &counting{Tokens: w.tokens}
	w.verifier.Tokens, w.issuer.Tokens = store, store
	flipped := good[:60] + string(good[60]^1) + good[61:]
	for _, s := range []string{"garbage", strings.Repeat("A", 10_000), good[:len(good)-1], good + "A", flipped, "fob_rt_" + good[7:], "\n" + good} {
		w.must(w.revoke("backend", bearer.FromClient(s)))
		w.wantActive("backend", bearer.FromClient(s), false)
		_, err := w.refresh("backend", bearer.FromClient(s))
		wantCode(t, err, oauth.InvalidGrant)
	}
	if store.calls != 0 {
		t.Errorf("%d calls to the store for tokens that are not ours", store.calls)
	}
	for _, call := range []func() error{
		func() error { return w.revoke("backend", bearer.Bearer{}) },
		func() error {
			_, err := w.verifier.Introspect(w.context(), oauthtest.Credentials("backend"), bearer.Bearer{})
			return err
		},
	} {
		wantCode(t, call(), oauth.InvalidRequest)
	}
	// An expired one costs a call only at /revoke.
	w.advance(3600)
	w.wantActive("backend", bearer.FromClient(good), false)
	if store.calls != 0 {
		t.Errorf("%d calls to introspect an expired token", store.calls)
	}
	w.must(w.revoke("backend", bearer.FromClient(good)))
	if store.calls != 1 {
		t.Errorf("%d calls to revoke an expired token, want 1", store.calls)
	}
}

// A23
func TestRevokeForeign(t *testing.T) {
	w := newWorld(t)
	r := w.login("backend", "alice", "device_a")
	for _, b := range []bearer.Bearer{r.AccessToken, r.RefreshToken} {
		wantCode(t, w.revoke("other", b), oauth.InvalidGrant)
		w.must(w.revoke("app", b)) // a public client has proved nothing and learns nothing
	}
	w.wantActive("backend", r.AccessToken, true)
	w.wantActive("backend", r.RefreshToken, true)
}

// A25
func TestRevokeInDoubtIsNoSuccess(t *testing.T) {
	w := newWorld(t)
	r := w.login("backend", "alice", "device_a")
	store := &counting{Tokens: w.tokens, err: oauth.Unavailable("test", errors.New("down"))}
	w.verifier.Tokens = store
	if err := w.revoke("backend", r.AccessToken); !errors.Is(err, oauth.ErrUnavailable) {
		t.Errorf("revoke with the store down: %v", err)
	}
	store.err = nil
	w.must(w.revoke("backend", r.AccessToken))
	w.wantActive("backend", r.AccessToken, false)
}

// A26
func TestRevokeByThePreviousRefreshToken(t *testing.T) {
	w := newWorld(t)
	first := w.login("app", "alice", "device_a")
	second, err := w.refresh("app", first.RefreshToken) // the reply is lost
	w.must(err)
	w.must(w.revoke("app", first.RefreshToken))
	w.wantActive("api", second.AccessToken, false)
	_, err = w.refresh("app", second.RefreshToken)
	wantCode(t, err, oauth.InvalidGrant)
}

// A27
func TestDeadGenerationsEndNothing(t *testing.T) {
	w := newWorld(t)
	old := w.login("backend", "alice", "device_a")
	w.must(w.revoke("backend", old.AccessToken))
	current := w.login("backend", "alice", "device_a")
	w.must(w.revoke("backend", old.AccessToken))
	w.must(w.revoke("backend", old.RefreshToken))
	w.wantActive("backend", current.AccessToken, true)

	// Two generations on, the first is forgotten and ends nothing; the previous
	// one does, even after its own time.
	generations := []bearer.Bearer{current.AccessToken}
	for range 2 {
		w.advance(3600 - 100)
		generations = append(generations, w.login("backend", "alice", "device_a").AccessToken)
	}
	w.must(w.revoke("backend", generations[0]))
	w.wantActive("backend", generations[2], true)
	w.advance(200)
	w.wantActive("backend", generations[1], false) // expired
	w.must(w.revoke("backend", generations[1]))
	w.wantActive("backend", generations[2], false)
}
