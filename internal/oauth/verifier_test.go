package oauth_test

import (
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
)

// A71: Anybody can send a token with a key id that nobody has. It may reach the key
// source only through the door that lets one in each minute; that it does is
// held by package keys.
func TestUnknownKeysTakeTheNarrowDoor(t *testing.T) {
	w := newWorld(t)
	elsewhere := newRing(t)
	elsewhere.set(t, func(r *ring) { r.states["1"], r.states["9"] = bearer.VerifyOnly, bearer.Active })
	elsewhere.publish()
	other := w.instance(elsewhere)
	foreign := other.login("backend", "alice", "device_a").AccessToken
	keys := &asked{Keys: checkKeys{w.ring}}
	w.verifier.Keys = keys
	const n = 100
	for range n / 2 {
		w.wantActive("backend", foreign, false)
		w.must(w.revoke("backend", foreign))
	}
	if keys.reload != 0 || keys.unknown != n || keys.ring != n {
		t.Errorf("asked for the ring %d times, anew %d, for an unknown key %d", keys.ring, keys.reload, keys.unknown)
	}
	other.wantActive("backend", foreign, true)
}

// skewed is another instance, whose clock is wrong by that many seconds.
func (w *world) skewed(seconds int64) *world {
	other := w.instance(w.ring)
	now := func() time.Time { return time.Unix(w.clock.Load()+seconds, 0) }
	other.issuer.Now, other.verifier.Now = now, now
	other.issuer.Clients, other.verifier.Clients = oauth.NewClientCache(w.clients, now), oauth.NewClientCache(w.clients, now)
	return other
}
