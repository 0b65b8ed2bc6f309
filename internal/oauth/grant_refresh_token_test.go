package oauth_test

import (
	"context"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// A36
func TestConfidentialRefreshesForEver(t *testing.T) {
	w := newWorld(t)
	login := w.login("backend", "alice", "device_a")
	for range 5 {
		w.advance(3000)
		for range 5 {
			r, err := w.refresh("backend", login.RefreshToken)
			w.must(err)
			if !same(r.RefreshToken, login.RefreshToken) || w.event.Outcome != oauth.Refreshed {
				t.Fatalf("another refresh token, %s", w.event.Outcome)
			}
			w.wantActive("backend", r.AccessToken, true)
		}
	}
}

// A39
func TestParallelRefreshes(t *testing.T) {
	w := newWorld(t)
	first := w.login("app", "alice", "device_a").RefreshToken
	w.advance(2000) // the access token is renewed with it
	for _, n := range []int{2, 16} {
		answers := w.together(n, "app", "grant_type", "refresh_token", "refresh_token", first.Reveal())
		for _, a := range answers {
			if !same(a.AccessToken, answers[0].AccessToken) || !same(a.RefreshToken, answers[0].RefreshToken) || same(a.RefreshToken, first) {
				t.Fatalf("%d at once got different successors, or none", n)
			}
		}
		w.wantActive("api", answers[0].AccessToken, true)
		first = answers[0].RefreshToken
	}

	type handed struct {
		text   bearer.Bearer
		expiry int64
	}
	login := w.login("backend", "alice", "device_a")
	all := []handed{{login.AccessToken, w.clock.Load() + login.ExpiresIn}}
	for range 8 {
		w.advance(900)
		for _, a := range w.together(50, "backend", "grant_type", "refresh_token", "refresh_token", login.RefreshToken.Reveal()) {
			all = append(all, handed{a.AccessToken, w.clock.Load() + a.ExpiresIn})
		}
		texts := map[string]bool{}
		for _, h := range all {
			if texts[h.text.Reveal()] {
				continue
			}
			texts[h.text.Reveal()] = true
			w.wantActive("backend", h.text, h.expiry > w.clock.Load())
		}
		if len(texts) > 10 {
			t.Fatalf("%d access tokens of 8 rounds", len(texts))
		}
	}
}

// A40
func TestTokenBeforeThePreviousEndsTheGrant(t *testing.T) {
	w := newWorld(t)
	first := w.login("app", "alice", "device_a")
	other := w.login("app", "alice", "device_b")
	second, err := w.refresh("app", first.RefreshToken)
	w.must(err)
	third, err := w.refresh("app", second.RefreshToken)
	w.must(err)
	_, err = w.refresh("app", first.RefreshToken) // no time has passed
	wantCode(t, err, oauth.InvalidGrant)
	if w.event.Outcome != oauth.Replayed {
		t.Errorf("outcome %s", w.event.Outcome)
	}
	w.wantActive("api", third.AccessToken, false)
	_, err = w.refresh("app", third.RefreshToken)
	wantCode(t, err, oauth.InvalidGrant)
	w.wantActive("api", other.AccessToken, true)
	if _, err := w.refresh("app", other.RefreshToken); err != nil {
		t.Errorf("the other device: %v", err)
	}
}

// A42: Somebody who holds the check key alone can make a tag that verifies, and nothing
// that works or ends anything.
func TestForgedGenerationsEndNothing(t *testing.T) {
	w := newWorld(t)
	r := w.login("app", "alice", "device_a")
	for range 3 {
		next, err := w.refresh("app", r.RefreshToken)
		w.must(err)
		r = next
	}
	ring, err := mintKeys{w.ring}.Ring(t.Context())
	w.must(err)
	record := w.records(w.userSubject("alice"))[0]
	for generation := range record.Refresh.Generation + 2 {
		forged, _, ok := ring.Seal(bearer.Name{
			Kind: bearer.Refresh, KID: record.Refresh.KID, Expiry: record.Refresh.Expiry, Locator: record.Locator(), Generation: generation,
		}, bearer.RID{1, 2, 3})
		if !ok {
			t.Fatal("cannot seal")
		}
		_, err := w.refresh("app", forged)
		wantCode(t, err, oauth.InvalidGrant)
		w.must(w.revoke("app", forged))
		w.wantActive("api", r.AccessToken, true)
	}
	if _, err := w.refresh("app", r.RefreshToken); err != nil {
		t.Errorf("the genuine one: %v", err)
	}
}

// A46
func TestRefreshAfterSigningOutEverywhere(t *testing.T) {
	for _, client := range []ledger.ClientID{"backend", "app"} {
		w := newWorld(t)
		a, b := w.login(client, "alice", "device_a"), w.login(client, "alice", "device_b")
		bob := w.login(client, "bob", "device_a")
		w.must(w.tokens.Raise(t.Context(), w.userSubject("alice"), oauth.StateChange{}))
		for _, r := range []ledger.Answer{a, b} {
			_, err := w.refresh(client, r.RefreshToken)
			wantCode(t, err, oauth.InvalidGrant)
			w.wantActive("api", r.AccessToken, false)
		}
		if _, err := w.refresh(client, bob.RefreshToken); err != nil {
			t.Errorf("%s: another user's: %v", client, err)
		}
	}
}

// A47
func TestRefreshTokensStayOnTheirDevice(t *testing.T) {
	for _, client := range []ledger.ClientID{"backend", "app"} {
		w := newWorld(t)
		owner := map[string]string{}
		hold := func(device string, r ledger.Answer) {
			t.Helper()
			text := r.RefreshToken.Reveal()
			if was, met := owner[text]; text == "" || met && was != device {
				t.Errorf("%s: %s got a refresh token of %q", client, device, was)
			}
			owner[text] = device
			if got := string(r.Scope.Device()); got != device {
				t.Errorf("%s: on %s a token for %q", client, device, got)
			}
		}
		latest := map[string]ledger.Answer{}
		for range 40 {
			for _, device := range []string{"a", "b", "c"} {
				r := w.login(client, "alice", "device_"+device)
				hold(device, r)
				// Another device at refresh does not move it, and the device's own is as good
				// as none.
				if device != "b" {
					_, err := w.refresh(client, r.RefreshToken, "tokenBindingId", "b")
					wantCode(t, err, oauth.InvalidScope)
				}
				r, err := w.refresh(client, r.RefreshToken, "tokenBindingId", device)
				w.must(err)
				hold(device, r)
				latest[device] = r
			}
			w.advance(5 * 24 * 3600)
		}
		w.advance(-5 * 24 * 3600)
		w.must(w.revoke(client, latest["b"].RefreshToken))
		for device, want := range map[string]bool{"a": true, "b": false, "c": true} {
			w.wantActive("api", latest[device].AccessToken, want)
		}
	}
}

// asked counts which way a ring was asked for.
type asked struct {
	oauth.Keys[*bearer.CheckRing]
	ring, reload, unknown int
}

func (a *asked) Ring(ctx context.Context) (*bearer.CheckRing, error) {
	a.ring++
	return a.Keys.Ring(ctx)
}

func (a *asked) Reload(ctx context.Context) (*bearer.CheckRing, error) {
	a.reload++
	return a.Keys.Reload(ctx)
}

func (a *asked) ReloadForUnknownKey(ctx context.Context) (*bearer.CheckRing, error) {
	a.unknown++
	return a.Keys.ReloadForUnknownKey(ctx)
}

// A37
func TestRefreshTokensOnlyWhereTheyMayBe(t *testing.T) {
	w := newWorld(t)
	w.editClient("other", func(c *oauth.Client) { c.Grants = []oauth.GrantType{oauth.PasswordGrant} })
	for _, tt := range []struct {
		client ledger.ClientID
		scope  string
		want   bool
	}{{"backend", "read", true}, {"backend", "device_a", true}, {"app", "device_a", true}, {"app", "read", false}, {"other", "device_a", false}} {
		if got := w.login(tt.client, "alice", tt.scope).RefreshToken.Len() > 0; got != tt.want {
			t.Errorf("%s, %s: refresh token %v, want %v", tt.client, tt.scope, got, tt.want)
		}
	}
}
