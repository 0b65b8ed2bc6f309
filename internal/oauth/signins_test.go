package oauth_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

func (w *world) signIns() *oauth.SignIns {
	return w.verifier.SignIns(w.tokens)
}

// listed are the clients and devices of a user's sign-ins, in their order.
func (w *world) listed(d *oauth.SignIns, user string, f oauth.Filter) []string {
	w.t.Helper()
	all, err := d.List(w.t.Context(), w.userSubject(user), f)
	w.must(err)
	return names(all)
}

func names(all []ledger.Record) []string {
	got := []string{}
	for _, s := range all {
		got = append(got, fmt.Sprintf("%s/%s/%s", s.Authorization.Username, s.Authorization.Client, s.Authorization.Scope.Device()))
	}
	return got
}

func want[T any](t testing.TB, what string, want, got T) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateComparable(scope.Set{})); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestSignInsListsWhatIsActive(t *testing.T) {
	w := newWorld(t)
	d := w.signIns()
	want(t, "nobody logged in", []string{}, w.listed(d, "alice", oauth.Filter{}))

	first := w.clock.Load()
	w.login("backend", "alice", "device_ipad")
	w.advance(10)
	w.login("app", "alice", "device_iphone")
	w.advance(10)
	w.login("backend", "alice", "")
	w.login("backend", "bob", "device_ipad")
	w.advance(10)
	want(t, "all", []string{"alice/backend/", "alice/app/iphone", "alice/backend/ipad"}, w.listed(d, "alice", oauth.Filter{}))
	want(t, "of a client", []string{"alice/backend/", "alice/backend/ipad"}, w.listed(d, "alice", oauth.Filter{Client: "backend"}))
	want(t, "of a device", []string{"alice/backend/ipad"}, w.listed(d, "alice", oauth.Filter{Device: "ipad"}))
	want(t, "of both", []string{}, w.listed(d, "alice", oauth.Filter{Client: "app", Device: "ipad"}))

	all, err := d.ListAll(t.Context(), w.tokens, oauth.Filter{Device: "ipad"})
	w.must(err)
	want(t, "of all subjects", []string{"bob/backend/ipad", "alice/backend/ipad"}, names(all))

	// A token that is made anew moves the last time and not the first.
	w.advance(3600)
	w.login("backend", "alice", "device_ipad")
	one, err := d.List(t.Context(), w.userSubject("alice"), oauth.Filter{Device: "ipad"})
	w.must(err)
	if len(one) != 1 {
		t.Fatalf("listed %d", len(one))
	}
	want(t, "times", []int64{first, first + 3630, first + 3630 + oauth.DefaultRefreshIdle},
		[]int64{one[0].Created, one[0].LastIssued(), one[0].LastExpiry()})
}

// What Introspect calls inactive for any reason is not listed, and the other way
// round.
func TestSignInsListsNothingThatIsDead(t *testing.T) {
	for _, test := range []struct {
		name string
		kill func(w *world)
	}{
		{"revoked", func(w *world) { w.must(w.revoke("backend", w.login("backend", "alice", "device_ipad").AccessToken)) }},
		{"expired", func(w *world) { w.advance(oauth.DefaultRefreshIdle) }},
		{"signed out", func(w *world) { w.must(w.signIns().SignOut(w.t.Context(), w.userSubject("alice"))) }},
		{"user disabled", func(w *world) {
			w.must(w.tokens.Raise(w.t.Context(), w.userSubject("alice"), oauth.StateChange{Disabled: new(true)}))
		}},
		{"client disabled", func(w *world) {
			w.editClient("backend", func(c *oauth.Client) { c.Disabled = true })
			w.advance(10)
		}},
		{"client epoch raised", func(w *world) {
			w.editClient("backend", func(c *oauth.Client) { c.Epoch++ })
			w.advance(10)
		}},
		{"client removed", func(w *world) {
			_, err := w.clients.RemoveClient(w.t.Context(), "backend")
			w.must(err)
			w.advance(10)
		}},
		{"issuer epoch raised", func(w *world) { w.ring.set(w.t, func(r *ring) { r.epoch++ }); w.ring.publish() }},
		{"key retired", func(w *world) {
			w.ring.set(w.t, func(r *ring) { r.states["1"], r.states["2"] = bearer.Retired, bearer.Active })
			w.ring.publish()
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			token := w.login("backend", "alice", "device_ipad").AccessToken
			want(t, "before", []string{"alice/backend/ipad"}, w.listed(w.signIns(), "alice", oauth.Filter{}))
			test.kill(w)
			w.wantActive("api", token, false)
			want(t, "after", []string{}, w.listed(w.signIns(), "alice", oauth.Filter{}))
			all, err := w.signIns().ListAll(t.Context(), w.tokens, oauth.Filter{})
			w.must(err)
			want(t, "after, of all", []string{}, names(all))
		})
	}
}

// However many records a client left that was removed, it is looked up once.
func TestSignInsLooksUpARemovedClientOnce(t *testing.T) {
	w := newWorld(t)
	for _, device := range []string{"device_a", "device_b", "device_c"} {
		w.login("backend", "alice", device)
	}
	_, err := w.clients.RemoveClient(t.Context(), "backend")
	w.must(err)
	w.advance(10)
	d := w.signIns()
	_, err = d.List(w.context(), w.userSubject("alice"), oauth.Filter{})
	w.must(err)
	want(t, "calls of List: the state, the records, the client", 3, w.event.StoreCalls)
	_, err = d.ListAll(w.context(), w.tokens, oauth.Filter{})
	w.must(err)
	want(t, "calls of ListAll: the records, the state, the client", 3, w.event.StoreCalls)
}

// Without the key ring everything but the ring is judged.
func TestSignInsWithoutKeys(t *testing.T) {
	w := newWorld(t)
	d := w.signIns()
	d.Keys = nil
	w.login("backend", "alice", "device_ipad")
	w.ring.set(t, func(r *ring) { r.epoch++ })
	w.ring.publish()
	want(t, "with keys", []string{}, w.listed(w.signIns(), "alice", oauth.Filter{}))
	want(t, "without", []string{"alice/backend/ipad"}, w.listed(d, "alice", oauth.Filter{}))
	w.must(d.SignOut(t.Context(), w.userSubject("alice")))
	want(t, "signed out", []string{}, w.listed(d, "alice", oauth.Filter{}))
}

func TestSignInsEndsWhatIsSelected(t *testing.T) {
	w := newWorld(t)
	d := w.signIns()
	ipad := w.login("backend", "alice", "device_ipad")
	appIpad := w.login("app", "alice", "device_ipad")
	iphone := w.login("backend", "alice", "device_iphone")
	bobs := w.login("backend", "bob", "device_ipad")

	ended, err := d.End(t.Context(), w.userSubject("alice"), oauth.Filter{Client: "backend", Device: "ipad"})
	w.must(err)
	want(t, "ended", 1, ended)
	w.wantActive("backend", ipad.AccessToken, false)
	_, err = w.refresh("backend", ipad.RefreshToken)
	wantCode(t, err, oauth.InvalidGrant)
	w.wantActive("api", appIpad.AccessToken, true)
	w.wantActive("backend", iphone.AccessToken, true)
	w.wantActive("backend", bobs.AccessToken, true)

	ended, err = d.EndAll(t.Context(), w.tokens, oauth.Filter{Device: "ipad"})
	w.must(err)
	want(t, "ended of all", 2, ended)
	w.wantActive("api", appIpad.AccessToken, false)
	w.wantActive("backend", bobs.AccessToken, false)
	w.wantActive("backend", iphone.AccessToken, true)

	// The same device gets a new token, never the old one.
	if again := w.login("backend", "alice", "device_ipad"); same(again.AccessToken, ipad.AccessToken) {
		t.Error("an ended token came back")
	}
}

// A disabled client's tokens would live again when it is enabled.
func TestSignInsEndsWhatIsNotListed(t *testing.T) {
	w := newWorld(t)
	d := w.signIns()
	token := w.login("backend", "alice", "device_ipad").AccessToken
	w.editClient("backend", func(c *oauth.Client) { c.Disabled = true })
	w.advance(10)
	want(t, "listed", []string{}, w.listed(d, "alice", oauth.Filter{}))
	ended, err := d.End(t.Context(), w.userSubject("alice"), oauth.Filter{})
	w.must(err)
	want(t, "ended", 1, ended)
	w.editClient("backend", func(c *oauth.Client) { c.Disabled = false })
	w.advance(10)
	w.wantActive("backend", token, false)
}

// usedMeanwhile writes a record between its listing and its end, n times.
type usedMeanwhile struct {
	oauth.Tokens
	n int
}

func (u *usedMeanwhile) End(ctx context.Context, loc bearer.Locator, when ledger.EndCondition) (ledger.Record, bool, error) {
	if u.n > 0 {
		u.n--
		reading, err := u.Read(ctx, loc)
		if err != nil {
			return ledger.Record{}, false, err
		}
		r := reading.Record
		r.Nonce[0]++
		if _, _, err := u.Save(ctx, r, reading.Record.Nonce); err != nil {
			return ledger.Record{}, false, err
		}
	}
	return u.Tokens.End(ctx, loc, when)
}

func TestSignInsEndsWhatIsUsedMeanwhile(t *testing.T) {
	for n, wantErr := range map[int]bool{3: false, 1000: true} {
		w := newWorld(t)
		token := w.login("backend", "alice", "device_ipad").AccessToken
		d := w.signIns()
		d.Tokens = &usedMeanwhile{w.tokens, n}
		ended, err := d.End(t.Context(), w.userSubject("alice"), oauth.Filter{})
		if (err != nil) != wantErr {
			t.Errorf("after %d writes: ended %d, %v", n, ended, err)
		}
		w.wantActive("backend", token, wantErr)
	}
}

func TestAccess(t *testing.T) {
	w := newWorld(t)
	access := func(b bearer.Bearer, audiences ...string) oauth.Introspection {
		t.Helper()
		i, err := w.verifier.Caller(w.context(), b, audiences...)
		w.must(err)
		return i
	}
	login := w.login("app", "alice", "device_ipad")
	got := access(login.AccessToken)
	want(t, "what the api learns", w.introspect("api", login.AccessToken), got)
	if !got.Active || got.Username != "alice" || got.Scope.Device() != "ipad" {
		t.Errorf("Access = %+v", got)
	}
	for name, i := range map[string]oauth.Introspection{
		"a refresh token":   access(login.RefreshToken),
		"a foreign string":  access(bearer.FromClient("fob_at_garbage")),
		"nothing":           access(bearer.Bearer{}),
		"another audience":  access(login.AccessToken, "elsewhere"),
		"no audience named": access(login.AccessToken, ""),
	} {
		if i.Active {
			t.Errorf("%s is active", name)
		}
		want(t, name, oauth.Introspection{}, i)
	}
	if !access(login.AccessToken, "elsewhere", "app").Active {
		t.Error("its audience does not count")
	}
	w.must(w.revoke("app", login.AccessToken))
	want(t, "revoked", oauth.Introspection{}, access(login.AccessToken))

	later := w.login("app", "alice", "device_ipad").AccessToken
	w.advance(oauth.DefaultAccessLifetime)
	want(t, "expired", oauth.Introspection{}, access(later))
	if w.event.StoreCalls != 0 {
		t.Errorf("an expired token cost %d calls", w.event.StoreCalls)
	}

	down := *w.verifier
	down.Now = func() time.Time { return time.Unix(w.clock.Load()-60, 0) }
	down.Tokens = downTokens{}
	if i, err := down.Caller(t.Context(), later); err == nil || i.Active {
		t.Errorf("with the store down: %+v, %v", i, err)
	}
}

type downTokens struct{ oauth.Tokens }

func (downTokens) Read(context.Context, bearer.Locator) (oauth.Reading, error) {
	return oauth.Reading{}, oauth.Unavailable("test", context.DeadlineExceeded)
}
