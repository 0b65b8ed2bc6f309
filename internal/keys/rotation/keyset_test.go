package rotation

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/wire"
)

// readers are APIs that verify JWTs by the key set alone, and the instances that make the JWTs
// and publish the set. Instances see the ring as it was up to 60 seconds ago, clocks are off
// by up to a minute, and an API keeps the set for up to two hours and five minutes.
type readers struct {
	t      *testing.T
	now    time.Time
	vault  *memoryVault
	ids    map[uint8]string    // of the public keys
	expiry map[uint8]time.Time // of the last JWT under a key
	lost   int
}

var (
	behinds = []time.Duration{0, 30 * time.Second, 60 * time.Second}
	off     = []time.Duration{-time.Minute, 0, time.Minute}
	kept    = []time.Duration{0, 5 * time.Minute, 2*time.Hour + 5*time.Minute}
)

const longestJWT = bearer.MaxAccessLifetime * time.Second

// set has the ids of the keys that are published at a time.
func (r *readers) set(at time.Time, behind, off time.Duration) map[string]bool {
	ids := map[string]bool{}
	for _, k := range r.vault.asOf(at.Add(-behind)).JWKS(at.Add(off).Unix()) {
		ids[k.ID] = true
	}
	return ids
}

// step makes JWTs with the longest life at each instance, and asks each API about those that live.
func (r *readers) step() {
	for _, behind := range behinds {
		ring := r.vault.asOf(r.now.Add(-behind))
		kid := ring.ActiveKID()
		if r.ids[kid] == "" {
			head, err := base64.RawURLEncoding.DecodeString(strings.Split(sealJWT(r.t, ring, kid), ".")[0])
			var header struct {
				ID string `json:"kid"`
			}
			if err != nil || json.Unmarshal(head, &header) != nil {
				r.t.Fatal(string(head), err)
			}
			r.ids[kid] = header.ID
		}
		for _, off := range off {
			if ends := r.now.Add(off + longestJWT); ends.After(r.expiry[kid]) {
				r.expiry[kid] = ends
			}
		}
	}
	for _, behind := range behinds {
		for _, off := range off {
			for _, age := range kept {
				set := r.set(r.now.Add(-age), behind, off)
				for kid, ends := range r.expiry {
					if r.now.Before(ends) && !set[r.ids[kid]] {
						r.lost++
					}
				}
			}
		}
	}
}

func (r *readers) run(d, step time.Duration) {
	end := r.now.Add(d)
	for ; r.now.Before(end); r.now = r.now.Add(step) {
		r.step()
	}
	r.now = end
}

func newReaders(t *testing.T) *readers {
	t.Helper()
	r := &readers{t: t, now: began, ids: map[uint8]string{}, expiry: map[uint8]time.Time{}}
	r.vault = newVault(t, func() time.Time { return r.now }, bearer.Active)
	d, _, err := read(t, r.vault).Sign(r.now)
	if err == nil {
		_, err = r.vault.Write(t.Context(), d)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.now = r.now.Add(24 * time.Hour)
	return r
}

func (r *readers) turn(clock time.Duration) Rotated {
	r.t.Helper()
	done, err := Rotation{
		Vault:   r.vault,
		Now:     func() time.Time { return r.now.Add(clock) },
		Sleep:   func(_ context.Context, d time.Duration) error { r.run(d, 30*time.Second); return nil },
		Longest: func(context.Context) (time.Duration, error) { return 90 * 24 * time.Hour, nil },
		Say:     func(string) {},
	}.Run(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return done
}

// A key turns, and its public key leaves the key set when the last JWT under it has ended: not
// before, with any clock a minute off, and soon after it, without any command.
func TestKeySetHasTheKeyOfEachJWT(t *testing.T) {
	for _, clock := range off { // of the operator
		r := newReaders(t)
		r.run(time.Minute, 30*time.Second)
		if done := r.turn(clock); !done.Turned {
			t.Fatalf("%+v", done)
		}
		turned := read(t, r.vault).Active().Since.Add(-clock)
		r.run(turned.Add(longestJWT-2*time.Minute).Sub(r.now), 6*time.Hour)
		r.run(10*time.Minute, 10*time.Second)
		if r.lost > 0 {
			t.Errorf("operator's clock %v off: an API refused a JWT that lives, %d times", clock, r.lost)
		}
		old, _ := read(t, r.vault).Key(1)
		if r.now.Before(r.expiry[1]) || old.State != bearer.VerifyOnly {
			t.Fatalf("the JWTs under key 1 end at %v, and it is %s", r.expiry[1], old.State)
		}
		until := old.PublishedUntil()
		for at, want := range map[time.Time]bool{until.Add(-time.Second): true, until: false} {
			v := &oauth.Verifier{
				Keys: oauthtest.Keys[*bearer.CheckRing]{Always: r.vault.asOf(at).CheckRing},
				Now:  func() time.Time { return at },
			}
			rec := httptest.NewRecorder()
			wire.KeySet(v, wire.Options{}).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, wire.KeySetPath, nil))
			if set := rec.Body.String(); strings.Contains(set, r.ids[1]) != want || !strings.Contains(set, r.ids[2]) {
				t.Errorf("%v after the turn the key set is %s", at.Sub(old.Since), set)
			}
		}
		// fob verifies on, until the key is retired: its opaque tokens and its pair are there.
		if ring := r.vault.asOf(until); !ring.Verifies(1) || !ring.HasPair(1) {
			t.Error("the key that left the key set verifies nothing")
		}
	}
}
