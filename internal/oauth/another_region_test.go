package oauth_test

import (
	"context"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// What docs/another-region.md says of the loss of a Region.

// newAway is a stack in another Region, with copies of the users and clients of home.
func newAway(t *testing.T, home *world) *world {
	away := newWorld(t)
	away.users, away.issuer.Users = home.users, home.users
	away.ring.set(t, func(r *ring) { r.region = "-away" })
	away.ring.publish()
	return away
}

type countedReads struct {
	oauth.Tokens
	n int
}

func (c *countedReads) Read(ctx context.Context, loc bearer.Locator) (oauth.Reading, error) {
	c.n++
	return c.Tokens.Read(ctx, loc)
}

// TestMoveToAnotherRegion: with keys of its own, the other Region takes every token of home
// for a forgery, and does not read for it. On the way back, the epoch ends what home has not
// heard of.
func TestMoveToAnotherRegion(t *testing.T) {
	for _, raised := range []bool{false, true} {
		home := newWorld(t)
		away := newAway(t, home)
		before := home.login("backend", "alice", "device_a")

		reads := &countedReads{Tokens: away.tokens}
		away.verifier.Tokens = reads
		away.wantActive("api", before.AccessToken, false)
		_, err := away.refresh("backend", before.RefreshToken)
		wantCode(t, err, oauth.InvalidGrant)
		if reads.n != 0 {
			t.Errorf("%d reads for tokens of home", reads.n)
		}
		there := away.login("backend", "alice", "device_a")
		away.wantActive("api", there.AccessToken, true)
		away.must(away.tokens.Raise(t.Context(), away.userSubject("alice"), oauth.StateChange{}))
		away.wantActive("api", there.AccessToken, false)

		if raised {
			home.ring.set(t, func(r *ring) { r.epoch++ })
			home.ring.publish()
		}
		// The control: home never heard of the sign-out.
		home.wantActive("api", before.AccessToken, !raised)
		home.wantActive("api", there.AccessToken, false)
	}
}

// TestTwoRegionsAtOnce is why one Region serves at a time: where the later of two writes
// stays, a revocation is undone by a refresh that did not see it.
func TestTwoRegionsAtOnce(t *testing.T) {
	home, away := newWorld(t), newWorld(t)
	away.users, away.issuer.Users = home.users, home.users // and the keys are equal
	signedIn := home.login("backend", "alice", "device_a")
	copyTo(t, away, home.records(home.userSubject("alice")))

	home.must(home.revoke("backend", signedIn.AccessToken))
	home.wantActive("api", signedIn.RefreshToken, false)
	away.advance(3300) // the next access token is due, so a refresh writes
	next, err := away.refresh("backend", signedIn.RefreshToken)
	away.must(err)
	if same(next.AccessToken, signedIn.AccessToken) {
		t.Fatal("the refresh wrote nothing")
	}
	copyTo(t, home, away.records(away.userSubject("alice")))
	home.wantActive("backend", signedIn.RefreshToken, true)
}

// copyTo is what DynamoDB does between Regions with the write that it takes for the last.
func copyTo(t *testing.T, w *world, records []ledger.Record) {
	t.Helper()
	if len(records) != 1 {
		t.Fatalf("%d records", len(records))
	}
	_, _, err := w.tokens.Save(t.Context(), records[0], ledger.Nonce{})
	w.must(err)
}
