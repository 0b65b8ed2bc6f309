package oauth_test

import (
	"fmt"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
)

// phone refreshes 16 times, when it needs a token and the last one, of an hour, has
// expired. These are the seconds in between.
var phone = []int64{3610, 4020, 3990, 5400, 41_000, 3601, 3620, 7000, 3710, 3680, 9000, 60_000, 3733, 4444, 3700, 3690}

// A thief has a copy of a refresh token, and looks every ten seconds at what the list
// of devices shows of the phone. When that moves, the thief refreshes: within the grace
// time nobody would notice. See docs/decisions/0028.
func TestThiefFollowsRotations(t *testing.T) {
	for _, c := range []struct {
		name  string
		shows func(*world, bearer.Bearer) any
		after func(int64) int64 // seconds between two refreshes, from those of phone
		// followed is how many rotations the thief can take part in.
		least, most int
		caught      bool
		grace       int64 // of the client, in seconds
	}{
		{"the second", exactly, asUsed, 16, 16, false, 0},
		{"the beginning of its hour", hourly, asUsed, 16, 16, false, 0},
		{"as built", asBuilt, asUsed, 0, 0, true, 0},
		{"as built, and the phone is busy", asBuilt, often, 0, 1, true, 0},
		{"as built, and the grace is the longest", asBuilt, asUsed, 0, 0, true, 600},
		{"as built, the longest grace, and the phone is busy", asBuilt, often, 0, 1, true, 600},
		{"whether the token is good at /devices", isGood, asUsed, 0, 0, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.editClient("app", func(client *oauth.Client) { client.RefreshGrace = c.grace })
			login := w.login("app", "alice", "device_phone")
			stolen, victims := login.RefreshToken, login.RefreshToken
			followed, caught, repeated := 0, false, 0
			seen := c.shows(w, stolen)
			look := func() {
				now := c.shows(w, stolen)
				if now == seen {
					return
				}
				seen = now
				answer, err := w.refresh("app", stolen)
				if w.event.Outcome == oauth.Repeated {
					repeated++
				}
				if err != nil {
					caught = w.event.Outcome == oauth.Replayed
					return
				}
				stolen = answer.RefreshToken
				followed++
			}
		refreshes:
			for _, seconds := range phone {
				for due := w.clock.Load() + c.after(seconds); w.clock.Load() < due; w.advance(10) {
					if look(); caught {
						break refreshes
					}
				}
				answer, err := w.refresh("app", victims)
				if err != nil {
					t.Fatalf("the phone is signed out, and the thief was not seen: %v", err)
				}
				victims = answer.RefreshToken
				w.advance(10)
				if look(); caught {
					break
				}
			}
			if followed < c.least || followed > c.most || caught != c.caught {
				t.Errorf("followed %d, want %d to %d; caught %v, want %v", followed, c.least, c.most, caught, c.caught)
			}
			if repeated != followed {
				t.Errorf("%d of %d left their trace", repeated, followed)
			}
			if caught {
				if _, err := w.refresh("app", victims); err == nil {
					t.Error("the replay did not end the Authorization")
				}
			}
			t.Logf("followed %d of %d, caught: %v", followed, len(phone), caught)
		})
	}
}

func asUsed(seconds int64) int64 { return seconds }
func often(seconds int64) int64  { return seconds / 10 }

func exactly(w *world, _ bearer.Bearer) any {
	all, err := w.signIns().List(w.t.Context(), w.userSubject("alice"), oauth.Filter{})
	w.must(err)
	return fmt.Sprint(all[0].LastIssued())
}

func hourly(w *world, _ bearer.Bearer) any {
	all, err := w.signIns().List(w.t.Context(), w.userSubject("alice"), oauth.Filter{})
	w.must(err)
	return all[0].LastIssued() / 3600
}

// asBuilt is everything that the list shows of the phone.
func asBuilt(w *world, _ bearer.Bearer) any {
	page, _, err := w.signIns().Places(w.t.Context(), w.userSubject("alice"), oauth.Position{}, 10)
	w.must(err)
	return fmt.Sprint(page)
}

// isGood is what a request with the stolen token itself shows.
func isGood(w *world, stolen bearer.Bearer) any {
	i, err := w.verifier.Holder(w.context(), stolen)
	w.must(err)
	return i.Active
}

// The list is about the past hours: it lags, and is not wrong.
func TestTimesOfPlaces(t *testing.T) {
	w := newWorld(t)
	began := w.clock.Load() // the beginning of an hour
	const hour = 3600
	place := func() [3]int64 {
		t.Helper()
		page, _, err := w.signIns().Places(t.Context(), w.userSubject("alice"), oauth.Position{}, 10)
		w.must(err)
		if len(page) != 1 {
			t.Fatalf("%d places", len(page))
		}
		return [3]int64{page[0].FirstIssued - began, page[0].LastIssued - began, page[0].Expiry - began}
	}
	const until = oauth.DefaultRefreshAbsolute + hour
	const hidden = 11 * 60 // after the turn of the hour: the longest grace, and a minute
	w.advance(100)
	token := w.login("app", "alice", "device_phone").RefreshToken
	want(t, "a new login", [3]int64{0, 0, until}, place())
	refresh := func() {
		t.Helper()
		answer, err := w.refresh("app", token)
		w.must(err)
		token = answer.RefreshToken
	}
	w.clock.Store(began + 5*hour + 10*60)
	refresh()
	want(t, "a refresh in this hour", [3]int64{0, 0, until}, place())
	w.clock.Store(began + 6*hour - 1)
	refresh() // a moment before the turn of the hour
	want(t, "two refreshes in this hour", [3]int64{0, 5 * hour, until}, place())
	w.clock.Store(began + 6*hour + hidden - 1)
	want(t, "the hour has turned", [3]int64{0, 5 * hour, until}, place())
	w.clock.Store(began + 9*hour + hidden)
	refresh()
	want(t, "hours later", [3]int64{0, 5 * hour, until}, place())
	w.clock.Store(began + 10*hour + hidden - 1)
	want(t, "within the grace of the hour's last second", [3]int64{0, 5 * hour, until}, place())
	w.advance(1)
	want(t, "an hour after it", [3]int64{0, 9 * hour, until}, place())
}
