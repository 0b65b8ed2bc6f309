package oauth_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

// Cases of docs/cases.md that need the whole shell and have no home elsewhere.

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

// While a client changes over, the line of each request tells which of its two
// secrets it used.
func TestOlderSecretShows(t *testing.T) {
	w := newWorld(t)
	w.editClient("backend", func(c *oauth.Client) {
		c.Secrets = append(c.Secrets, oauth.ClientSecret{Hash: oauth.HashClientSecret(secret.New("newer-secret")), Created: 1})
	})
	older := w.credentials("backend")
	newer := older
	newer.Secret = secret.New("newer-secret")
	wrong := older
	wrong.Secret = secret.New("neither")
	ask := func(c oauth.Credentials) error {
		_, err := w.issuer.Token(w.context(), oauth.TokenRequest{Credentials: c, Form: oauth.Form{"grant_type": "client_credentials"}})
		return err
	}
	for _, test := range []struct {
		credentials oauth.Credentials
		older, ok   bool
	}{{older, true, true}, {newer, false, true}, {wrong, false, false}} {
		if err := ask(test.credentials); (err == nil) != test.ok {
			t.Errorf("%v, want served: %v", err, test.ok)
		}
		if w.event.OlderSecret != test.older {
			t.Errorf("older secret: %v, want %v", w.event.OlderSecret, test.older)
		}
	}
	// The only secret that there is is not an older one.
	w.editClient("backend", func(c *oauth.Client) { c.Secrets = c.Secrets[1:] })
	w.advance(10)
	w.must(ask(newer))
	if w.event.OlderSecret {
		t.Error("the only secret counts as an older one")
	}
	wantCode(t, ask(older), oauth.InvalidClient)
}

// meeting lets the first readers go on only when all of them have read.
type meeting struct {
	oauth.Tokens
	mu      sync.Mutex // guards missing
	missing int
	met     chan struct{}
}

func newMeeting(tokens oauth.Tokens, n int) *meeting {
	return &meeting{Tokens: tokens, missing: n, met: make(chan struct{})}
}

func (m *meeting) Read(ctx context.Context, l bearer.Locator) (oauth.Reading, error) {
	r, err := m.Tokens.Read(ctx, l)
	m.mu.Lock()
	if m.missing--; m.missing == 0 {
		close(m.met)
	}
	m.mu.Unlock()
	<-m.met
	return r, err
}

// together asks n times at once, and every request has read the record before
// one of them writes it.
func (w *world) together(n int, client oauth.ClientID, form ...string) []oauth.TokenResponse {
	w.t.Helper()
	issuer := *w.issuer
	issuer.Tokens = newMeeting(w.tokens, n)
	answers := make([]oauth.TokenResponse, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			var err error
			answers[i], err = issuer.Token(w.t.Context(), oauth.TokenRequest{
				Credentials: w.credentials(client), Form: formOf(form), Source: "192.0.2.1",
			})
			if err != nil {
				w.t.Errorf("%s, request %d of %d at once: %v", client, i, n, err)
			}
		})
	}
	wg.Wait()
	return answers
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

// A80: Each of them makes a record of its own, with a random id. All but one lose.
func TestFirstRequestsThatAllHaveRead(t *testing.T) {
	for _, client := range []oauth.ClientID{"backend", "app"} {
		for _, wait := range []int64{0, 3600 - 100, 400 * 24 * 3600} { // none, next generation, dead
			w := newWorld(t)
			if wait > 0 {
				w.login(client, "alice", "device_a")
				w.advance(wait)
			}
			answers := w.together(64, client, w.passwordForm("alice", "device_a")...)
			for _, a := range answers {
				if !same(a.AccessToken, answers[0].AccessToken) || !same(a.RefreshToken, answers[0].RefreshToken) {
					t.Fatalf("%s after %d s: different tokens", client, wait)
				}
			}
			w.wantActive("api", answers[0].AccessToken, true)
			if n := len(w.records(w.userSubject("alice"))); n != 1 {
				t.Errorf("%s after %d s: %d items", client, wait, n)
			}
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

// A42: Whoever holds the check key alone can make a tag that verifies, and nothing
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
	for _, client := range []oauth.ClientID{"backend", "app"} {
		w := newWorld(t)
		a, b := w.login(client, "alice", "device_a"), w.login(client, "alice", "device_b")
		bob := w.login(client, "bob", "device_a")
		w.must(w.tokens.Raise(t.Context(), w.userSubject("alice"), oauth.StateChange{}))
		for _, r := range []oauth.TokenResponse{a, b} {
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
	for _, client := range []oauth.ClientID{"backend", "app"} {
		w := newWorld(t)
		owner := map[string]string{}
		hold := func(device string, r oauth.TokenResponse) {
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
		latest := map[string]oauth.TokenResponse{}
		for range 40 {
			for _, device := range []string{"a", "b", "c"} {
				r := w.login(client, "alice", "device_"+device)
				hold(device, r)
				// Another spelling at refresh does not move it.
				r, err := w.refresh(client, r.RefreshToken, "tokenBindingId", "b")
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

// A81: What one instance hands out the other takes, they take turns without making
// tokens for each other's sake, and nobody is promised more than was configured.
func TestSkewedClocks(t *testing.T) {
	w := newWorld(t)
	instances := []*world{w.skewed(-90), w.skewed(+90)}
	const lifetime, skew = 3600, 180 // seconds
	var tokens []string
	var refreshToken bearer.Bearer
	const hours = 3
	for step := range hours * 120 {
		i := instances[step%2]
		var r oauth.TokenResponse
		switch step / 2 % 5 {
		case 4:
			var err error
			r, err = i.refresh("backend", refreshToken)
			w.must(err)
		default:
			r = i.login("backend", "alice", "device_a")
		}
		refreshToken = r.RefreshToken
		if r.ExpiresIn < 1 || r.ExpiresIn > lifetime {
			t.Fatalf("expires_in %d", r.ExpiresIn)
		}
		for _, j := range instances {
			j.wantActive("backend", r.AccessToken, true)
			j.wantActive("backend", r.RefreshToken, true)
		}
		if text := r.AccessToken.Reveal(); len(tokens) == 0 || tokens[len(tokens)-1] != text {
			if slices.Contains(tokens, text) {
				t.Fatalf("step %d: back to an older token", step)
			}
			tokens = append(tokens, text)
		}
		w.advance(30)
	}
	// Refresh renews below half of a life, on the clock that is ahead.
	if most := hours*3600/(lifetime/2-skew) + 1; len(tokens) > most {
		t.Errorf("%d tokens in %d hours, want at most %d", len(tokens), hours, most)
	}

	// What one ended is ended for the other.
	r := instances[0].login("backend", "alice", "device_b")
	w.must(instances[1].revoke("backend", r.AccessToken))
	instances[0].wantActive("backend", r.AccessToken, false)
	if again := instances[0].login("backend", "alice", "device_b"); same(again.AccessToken, r.AccessToken) {
		t.Error("a revoked token came back")
	}
}

// swept deletes the record that stands before the next write, as the sweep may.
type swept struct {
	oauth.Tokens
	armed bool
}

func (s *swept) sweep(ctx context.Context, l bearer.Locator) error {
	if !s.armed {
		return nil
	}
	s.armed = false
	reading, err := s.Tokens.Read(ctx, l)
	if err != nil || !reading.Found {
		return err
	}
	_, _, err = s.Tokens.End(ctx, l, oauth.EndCondition{Nonce: reading.Record.Nonce})
	return err
}

func (s *swept) Save(ctx context.Context, r oauth.Record, seen oauth.Nonce) (oauth.Record, bool, error) {
	if err := s.sweep(ctx, r.Locator()); err != nil {
		return oauth.Record{}, false, err
	}
	return s.Tokens.Save(ctx, r, seen)
}

func (s *swept) End(ctx context.Context, l bearer.Locator, when oauth.EndCondition) (oauth.Record, bool, error) {
	if err := s.sweep(ctx, l); err != nil {
		return oauth.Record{}, false, err
	}
	return s.Tokens.End(ctx, l, when)
}

// A82
func TestSweptBetweenReadAndWrite(t *testing.T) {
	for what, wait := range map[string]int64{
		"below the floor":    3600 - 100,
		"expired long since": 400 * 24 * 3600,
	} {
		w := newWorld(t)
		old := w.login("app", "alice", "device_a")
		before := w.records(w.userSubject("alice"))[0]
		w.advance(wait)
		store := &swept{Tokens: w.tokens, armed: true}
		w.issuer.Tokens, w.verifier.Tokens = store, store
		r := w.login("app", "alice", "device_a")
		if store.armed || w.event.Outcome != oauth.Issued {
			t.Errorf("%s: swept %v, %s", what, !store.armed, w.event.Outcome)
		}
		all := w.records(w.userSubject("alice"))
		if len(all) != 1 {
			t.Fatalf("%s: %d items", what, len(all))
		}
		after := all[0]
		if after.RID == before.RID || after.Created != w.clock.Load() || after.Access.Generation != 1 || after.Refresh.Generation != 1 ||
			after.AccessPrev != (oauth.Slot{}) || after.RefreshPrev != (oauth.Slot{}) {
			t.Errorf("%s: something of what was swept came along: %+v", what, after)
		}
		w.wantActive("api", r.AccessToken, true)
		w.wantActive("api", old.AccessToken, false)
		_, err := w.refresh("app", old.RefreshToken)
		wantCode(t, err, oauth.InvalidGrant)
		w.wantActive("api", r.AccessToken, true)
	}

	// A refresh whose record goes meanwhile is refused, and a replay or a
	// revocation finds its work done.
	w := newWorld(t)
	r := w.login("app", "alice", "device_a")
	store := &swept{Tokens: w.tokens, armed: true}
	w.issuer.Tokens, w.verifier.Tokens = store, store
	_, err := w.refresh("app", r.RefreshToken)
	wantCode(t, err, oauth.InvalidGrant)
	if n := len(w.records(w.userSubject("alice"))); n != 0 || store.armed {
		t.Errorf("%d items, swept %v", n, !store.armed)
	}
	first := w.login("app", "alice", "device_a")
	_, err = w.refresh("app", first.RefreshToken)
	w.must(err)
	w.advance(100)
	store.armed = true
	_, err = w.refresh("app", first.RefreshToken)
	wantCode(t, err, oauth.InvalidGrant)
	if w.event.Outcome != oauth.Replayed || store.armed {
		t.Errorf("%s, swept %v", w.event.Outcome, !store.armed)
	}
	r = w.login("app", "alice", "device_a")
	store.armed = true
	w.must(w.revoke("app", r.AccessToken))
	if store.armed {
		t.Error("not swept")
	}
}

// A84: An old copy of the table knows nothing of what was revoked since, so whoever
// restores one raises the issuer's epoch.
func TestRestoredTable(t *testing.T) {
	for _, raised := range []bool{false, true} {
		w := newWorld(t)
		revoked, replayed := w.login("backend", "alice", "device_a"), w.login("app", "alice", "device_b")
		rotated, err := w.refresh("app", replayed.RefreshToken)
		w.must(err)
		backup := w.records(w.userSubject("alice"))
		w.must(w.revoke("backend", revoked.AccessToken))
		w.advance(31)
		_, err = w.refresh("app", replayed.RefreshToken)
		wantCode(t, err, oauth.InvalidGrant)
		if n := len(w.records(w.userSubject("alice"))); n != 0 {
			t.Fatalf("%d items before the restore", n)
		}

		for _, r := range backup {
			_, _, err := w.tokens.Save(t.Context(), r, oauth.Nonce{})
			w.must(err)
		}
		if raised {
			w.ring.set(t, func(r *ring) { r.epoch++ })
			w.ring.publish()
		}
		// The control: without the epoch it all comes back.
		w.wantActive("api", revoked.AccessToken, !raised)
		w.wantActive("backend", revoked.RefreshToken, !raised)
		w.wantActive("api", rotated.AccessToken, !raised)
		if !raised {
			continue
		}
		for client, b := range map[oauth.ClientID]bearer.Bearer{"backend": revoked.RefreshToken, "app": rotated.RefreshToken} {
			_, err := w.refresh(client, b)
			wantCode(t, err, oauth.InvalidGrant)
		}
		r := w.login("backend", "alice", "device_a")
		if same(r.AccessToken, revoked.AccessToken) || same(r.RefreshToken, revoked.RefreshToken) {
			t.Error("a revoked token was issued again")
		}
		w.wantActive("api", r.AccessToken, true)
		w.wantActive("api", revoked.AccessToken, false)
	}
}

// A63: A login may write passwords of any length that fits.
func TestLongPasswordsLogIn(t *testing.T) {
	w := newWorld(t)
	for _, n := range []int{64, 200, oauth.MaxPassword} {
		password := strings.Repeat("p", n-1) + "!"
		w.passwd("alice", password)
		w.must(w.tryPassword("alice", password, "s"))
		wantCode(t, w.tryPassword("alice", password[:n-1]+"?", "s"), oauth.InvalidGrant)
		wantCode(t, w.tryPassword("alice", password[:n-1], "s"), oauth.InvalidGrant)
	}
}

// A31: disabling raises the epoch too, and each of the two is enough.
func TestDisabledIsEnough(t *testing.T) {
	w := newWorld(t)
	r := w.login("backend", "alice", "device_a")
	w.must(w.tokens.Raise(t.Context(), w.userSubject("alice"), oauth.StateChange{Disabled: new(true)}))
	w.edit(w.records(w.userSubject("alice"))[0], func(r *oauth.Record) { r.Epochs.Subject++ })
	w.wantActive("backend", r.AccessToken, false)
	w.wantActive("api", r.AccessToken, false)
	_, err := w.refresh("backend", r.RefreshToken)
	wantCode(t, err, oauth.InvalidGrant)
	// The control: it was the flag.
	w.must(w.tokens.Raise(t.Context(), w.userSubject("alice"), oauth.StateChange{Disabled: new(false)}))
	w.edit(w.records(w.userSubject("alice"))[0], func(r *oauth.Record) { r.Epochs.Subject++ })
	w.wantActive("api", r.AccessToken, true)
}

// The sweep must never be what makes a token inactive, also for an instance
// whose clock is hours off.
func TestItemsAreKeptADayLonger(t *testing.T) {
	const day = 24 * 3600
	w := newWorld(t)
	w.login("backend", "alice", "device_a")
	if r := w.records(w.userSubject("alice"))[0]; r.TTL() < w.clock.Load()+oauth.DefaultRefreshIdle+day {
		t.Errorf("with a refresh token, swept after %d s", r.TTL()-w.clock.Load())
	}
	_, err := w.token("backend", "grant_type", "client_credentials")
	w.must(err)
	own := w.records(oauth.Subject{Kind: oauth.ClientSubject, ID: "backend"})[0]
	if own.TTL() < w.clock.Load()+oauth.DefaultAccessLifetime+day {
		t.Errorf("without one, swept after %d s", own.TTL()-w.clock.Load())
	}
}
