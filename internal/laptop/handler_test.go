package laptop

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/wire"
)

// gauge counts how many passwords are verified at once.
type gauge struct {
	now  atomic.Int32
	full chan struct{}
}

func (g *gauge) Hash(secret.Text) (secret.Text, error) { return secret.Text{}, nil }

func (g *gauge) Verify(secret.Text, secret.Text) (ok, outdated bool, err error) {
	g.now.Add(1)
	<-g.full
	return true, false, nil
}

func TestFewPasswordsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gauge{full: make(chan struct{})}
		few := fewAtOnce{g, make(chan struct{}, 3)}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if ok, _, err := few.Verify(secret.Text{}, secret.Text{}); !ok || err != nil {
					t.Errorf("%v, %v", ok, err)
				}
			})
		}
		synctest.Wait()
		if n := g.now.Load(); n != 3 {
			t.Errorf("%d at once, want 3", n)
		}
		close(g.full)
		all.Wait()
		if n := g.now.Load(); n != 20 {
			t.Errorf("%d were verified, want all 20", n)
		}
	})
}

// A login that gets no turn in ten seconds is told so while its answer can still be written.
func TestNoTurnToHash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gauge{full: make(chan struct{})}
		few := fewAtOnce{g, make(chan struct{}, 1)}
		var one sync.WaitGroup
		one.Go(func() { _, _, _ = few.Verify(secret.Text{}, secret.Text{}) })
		synctest.Wait()
		for name, waits := range map[string]func() error{
			"Verify": func() error { _, _, err := few.Verify(secret.Text{}, secret.Text{}); return err },
			"Hash":   func() error { _, err := few.Hash(secret.Text{}); return err },
		} {
			began := time.Now()
			if err, took := waits(), time.Since(began); !errors.Is(err, oauth.ErrUnavailable) || took != answerTimeout {
				t.Errorf("%s: %v after %v", name, err, took)
			}
		}
		close(g.full)
		one.Wait()
		if n := g.now.Load(); n != 1 {
			t.Errorf("%d were verified, want the one that had a turn", n)
		}
	})
}

// A path has the route that the gateway of the template would match.
func TestRouteOf(t *testing.T) {
	for path, want := range map[string]string{
		"/devices": "/devices", "/devices/sign-out": "/devices/sign-out", "/devices/ipad": "/devices/{device}", "/devices/devices": "/devices/{device}",
		"/devices/": "/devices/", "/devices/a/b": "/devices/a/b", "/devices/devices/b": "/devices/devices/b", "/devices/sign-out/": "/devices/sign-out/",
		"/users": "/users", "/users/u_x": "/users/{id}", "/users/u_x/devices": "/users/{id}/devices", "/users/": "/users/{id}", "/users/a/b/c/d": "/users/{id}",
		"/users/u_x/devices/ipad": "/users/{id}/devices/{device}", "/users/u_x/devices/sign-out": "/users/{id}/devices/sign-out", "/sign-out": "/sign-out",
		"/token": "/token", "/token/": "/token/", "/": "/", "": "",
	} {
		if got := routeOf(path); got != want {
			t.Errorf("%q has the route %q, want %q", path, got, want)
		}
	}
}

// silent are clients in a store that does not answer.
type silent struct{ oauth.Clients }

func (silent) Client(ctx context.Context, _ ledger.ClientID) (oauth.Client, bool, error) {
	<-ctx.Done()
	return oauth.Client{}, false, oauth.Unavailable("read a client", ctx.Err())
}

// A request that waits for a store ends after ten seconds, with an answer.
func TestStoreThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/token", strings.NewReader("grant_type=client_credentials&client_id=app&client_secret=x"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		rec := httptest.NewRecorder()
		Handler(Stores{Clients: silent{}, Issuers: memory.NewIssuers()}, nil, wire.Options{}).ServeHTTP(rec, r)
		if took := time.Since(began); rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" || took != answerTimeout {
			t.Errorf("%d after %v: %v", rec.Code, took, rec.Header())
		}
	})
}
