package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/scope"
)

func TestPlaces(t *testing.T) {
	w := newWorld(t)
	d := w.signIns()
	began := w.clock.Load()
	w.login("other", "alice", "device_ipad")
	w.advance(10)
	w.login("backend", "alice", "device_ipad")
	w.advance(10)
	w.login("backend", "alice", "write device_ipad") // the same place, with more scopes
	w.advance(10)
	w.login("backend", "alice", "") // an app that gives no name
	w.login("backend", "bob", "device_watch")

	// In the order of handles, and with full hours.
	if began%3600 != 0 {
		t.Fatal("the clock does not begin with an hour")
	}
	const absolute = oauth.DefaultRefreshAbsolute
	ipad := oauth.HandleOf(w.userSubject("alice"), "ipad")
	all := []oauth.SignedInPlace{
		{oauth.Place{Client: "backend"}, oauth.Position{Client: "backend"}, []string{"read"}, began, began, began + absolute + 3600, ""},
		{oauth.Place{Device: "ipad", Client: "backend"}, oauth.Position{Handle: ipad, Client: "backend"}, []string{"read", "write"}, began, began, began + absolute + 3600, ""},
		{oauth.Place{Device: "ipad", Client: "other"}, oauth.Position{Handle: ipad, Client: "other"}, []string{"read"}, began, began, began + absolute, ""},
	}
	places := func(after oauth.Position, limit int) ([]oauth.SignedInPlace, bool) {
		t.Helper()
		page, more, err := d.Places(t.Context(), w.userSubject("alice"), after, limit)
		w.must(err)
		return page, more
	}
	page, more := places(oauth.Position{}, 3)
	want(t, "all", all, page)
	want(t, "there are more", false, more)
	page, more = places(oauth.Position{}, 2)
	want(t, "the first page", all[:2], page)
	want(t, "there are more", true, more)

	page, _ = places(all[0].Position, 3)
	want(t, "behind the first", all[1:], page)

	// Behind the place, whatever became of it since.
	w.endDevice(d, w.userSubject("alice"), "ipad", bearer.Locator{})
	w.login("other", "alice", "device_ipad")
	page, more = places(all[1].Position, 2)
	want(t, "the last page", 1, len(page))
	want(t, "its place", all[2].Place, page[0].Place)
	want(t, "there are more", false, more)
}

// 25 devices on each of 10 clients, by pages: each once, whatever is renewed, made
// and ended between the pages.
func TestPlacesByPages(t *testing.T) {
	w := newWorld(t)
	for c := range 10 {
		id := ledger.ClientID(fmt.Sprintf("app-%d", c))
		w.saveClient(oauth.Client{
			ID: id, Secrets: oauthtest.Hashes(oauthtest.Secret(id)), Grants: oauth.GrantTypes(), Scopes: oauthtest.Scopes(t, "read"), DefaultScopes: oauthtest.Scopes(t, "read"),
		})
		for n := range 25 {
			w.login(id, "alice", fmt.Sprintf("device_%02d", n))
		}
	}
	subject, d := w.userSubject("alice"), w.signIns()
	seen := map[oauth.Place]int{}
	var after oauth.Position
	for more, pages := true, 0; more; pages++ {
		var page []oauth.SignedInPlace
		var err error
		page, more, err = d.Places(t.Context(), subject, after, 40)
		w.must(err)
		for _, in := range page {
			seen[in.Place]++
		}
		if more && len(page) != 40 || pages > 6 {
			t.Fatalf("page %d has %d entries, and there are more: %v", pages, len(page), more)
		}
		after = page[len(page)-1].Position
		w.advance(1)
		w.login("app-0", "alice", "device_00") // on the first page
		w.login("app-9", "alice", "device_24") // on the last one
		w.endDevice(d, subject, page[0].Device, bearer.Locator{})
	}
	for place, n := range seen {
		if n != 1 {
			t.Errorf("%v was listed %d times", place, n)
		}
	}
	if len(seen) != 250 {
		t.Errorf("listed %d places", len(seen))
	}
}

func TestEndDevice(t *testing.T) {
	w := newWorld(t)
	d, alice := w.signIns(), w.userSubject("alice")
	ended := []bearer.Bearer{
		w.login("backend", "alice", "device_ipad").AccessToken,
		w.login("backend", "alice", "write device_ipad").AccessToken,
	}
	app := w.login("app", "alice", "device_ipad").AccessToken
	others := []bearer.Bearer{
		w.login("backend", "alice", "device_ipad2").AccessToken,
		w.login("backend", "alice", "").AccessToken,
		w.login("backend", "bob", "device_ipad").AccessToken,
	}
	for range 2 { // a request that is repeated finds nothing, and is not an error
		w.endDevice(d, alice, "ipad", bearer.Locator{})
	}
	for _, token := range ended {
		w.wantActive("backend", token, false)
	}
	w.wantActive("api", app, false)
	for _, token := range others {
		w.wantActive("backend", token, true)
	}
	if _, err := d.EndDevice(t.Context(), alice, "", bearer.Locator{}); err == nil {
		t.Error("the empty name was taken for a device")
	}
	w.wantActive("backend", others[1], true)
}

// failsAfter lets so many Ends through.
type failsAfter struct {
	oauth.Tokens
	n int
}

func (f *failsAfter) End(ctx context.Context, loc bearer.Locator, when ledger.EndCondition) (ledger.Record, bool, error) {
	if f.n == 0 {
		return ledger.Record{}, false, oauth.Unavailable("test", errors.New("down"))
	}
	f.n--
	return f.Tokens.End(ctx, loc, when)
}

// While anything is left of a device, the token that asked to end it is good for
// asking again.
func TestEndDeviceEndsItselfLast(t *testing.T) {
	for _, mine := range []string{"read", "write", "read write"} {
		for done := range 3 {
			w := newWorld(t)
			tokens := map[string]bearer.Bearer{}
			for _, scope := range []string{"read", "write", "read write"} {
				tokens[scope] = w.login("backend", "alice", scope+" device_ipad").AccessToken
			}
			own := w.introspect("backend", tokens[mine]).Locator
			d := w.signIns()
			d.Tokens = &failsAfter{w.tokens, done}
			if _, err := d.EndDevice(t.Context(), w.userSubject("alice"), oauth.HandleOf(w.userSubject("alice"), "ipad"), own); !errors.Is(err, oauth.ErrUnavailable) {
				t.Errorf("with %d of 3 ended: %v", done, err)
			}
			w.wantActive("backend", tokens[mine], true)
			d.Tokens = w.tokens
			w.endDevice(d, w.userSubject("alice"), "ipad", own)
			for _, token := range tokens {
				w.wantActive("backend", token, false)
			}
		}
	}
}

func TestEndOthers(t *testing.T) {
	for _, device := range []scope.Device{"ipad", ""} {
		w := newWorld(t)
		at := func(client ledger.ClientID, user, scopes string, device scope.Device) bearer.Bearer {
			set, err := scope.Parse(scopes)
			w.must(err)
			return w.login(client, user, set.WithDevice(device).String()).AccessToken
		}
		kept := []bearer.Bearer{
			at("backend", "alice", "read", device),
			at("backend", "alice", "write", device), // this very phone too
			at("backend", "bob", "read", "iphone"),
		}
		ended := []bearer.Bearer{at("backend", "alice", "read", "iphone")}
		if device != "" {
			ended = append(ended, at("backend", "alice", "read", ""))
		}
		other := at("other", "alice", "read", device)
		for range 2 {
			w.must(w.signIns().EndOthers(t.Context(), w.userSubject("alice"), oauth.Place{Device: device, Client: "backend"}))
		}
		for _, token := range kept {
			w.wantActive("backend", token, true)
		}
		for _, token := range ended {
			w.wantActive("backend", token, false)
		}
		w.wantActive("other", other, false)
	}
}

func (w *world) endDevice(d *oauth.SignIns, subject ledger.Subject, device scope.Device, own bearer.Locator) {
	w.t.Helper()
	_, err := d.EndDevice(w.t.Context(), subject, oauth.HandleOf(subject, device), own)
	w.must(err)
}
