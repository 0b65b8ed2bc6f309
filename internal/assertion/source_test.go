package assertion_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/oauth"
)

func fails(w http.ResponseWriter, _ *http.Request) bool {
	w.WriteHeader(http.StatusBadGateway)
	return true
}

// A key that the issuer withdrew is believed for ten minutes.
func TestKeysAreRenewed(t *testing.T) {
	w := newWorld(t)
	old := w.issuer.Key()
	token := func() string { return old.Sign(t, nil, w.claims(nil)) }
	_, err := w.verify(t, token(), oauth.Expectation{})
	wantAccepted(t, "at first", err)
	w.issuer.Publish(assertiontest.NewKey(t, "ES256"))
	w.pass(10*time.Minute - time.Second)
	_, err = w.verify(t, token(), oauth.Expectation{})
	wantAccepted(t, "for ten minutes", err)
	w.wantSets(t, "for ten minutes", 1)
	w.pass(time.Second)
	_, err = w.verify(t, token(), oauth.Expectation{})
	wantRefused(t, "afterwards", err)
	w.wantSets(t, "afterwards", 2)
}

// Ids that the issuer lacks cost one fetch a minute.
func TestUnknownKeysCostOneFetchAMinute(t *testing.T) {
	w := newWorld(t)
	unknown := func(age int64) error {
		key := assertiontest.NewKey(t, "ES256")
		_, err := w.verify(t, key.Sign(t, nil, w.claims(assertiontest.Members{"iat": w.clock.Load() - age})), oauth.Expectation{})
		return err
	}
	wantRefused(t, "the first", unknown(0))
	w.wantSets(t, "the first", 1)
	for range 59 {
		w.pass(time.Second)
		// The issuer may have a key that is newer than the set. That is not known.
		wantUnavailable(t, "a token that is younger than the set", unknown(0))
	}
	_, err := w.verify(t, assertiontest.NewKey(t, "ES256").Sign(t, nil, w.claims(assertiontest.Members{"iat": nil})), oauth.Expectation{})
	wantUnavailable(t, "a token that does not say when it was issued", err)
	// A token that is older than the set was signed with a key that the set would show.
	wantRefused(t, "a token that is older than the set", unknown(180))
	_, err = w.verify(t, w.token(t, nil), oauth.Expectation{})
	wantAccepted(t, "a known key meanwhile", err)
	w.wantSets(t, "for a minute", 1)
	w.pass(time.Second)
	wantRefused(t, "after a minute", unknown(0))
	w.wantSets(t, "after a minute", 2)

	w.pass(time.Minute)
	w.issuer.Before(fails)
	wantUnavailable(t, "the source fails", unknown(0))
	w.issuer.Before(nil)
	wantUnavailable(t, "and is not asked again", unknown(0))
	w.wantSets(t, "in that minute", 2)
}

// An outage of the issuer refuses nobody. Keys at hand are used for an hour.
func TestIssuerIsDown(t *testing.T) {
	w := newWorld(t)
	w.issuer.Before(fails)
	_, err := w.verify(t, w.token(t, nil), oauth.Expectation{})
	wantUnavailable(t, "no keys yet", err)
	w.issuer.Before(nil)
	w.pass(4 * time.Second)
	_, err = w.verify(t, w.token(t, nil), oauth.Expectation{})
	wantUnavailable(t, "within the pause", err)
	w.wantSets(t, "within the pause", 0)
	w.pass(time.Second)
	_, err = w.verify(t, w.token(t, nil), oauth.Expectation{})
	wantAccepted(t, "it is up again", err)

	var asked atomic.Int64
	w.issuer.Before(func(rw http.ResponseWriter, r *http.Request) bool { asked.Add(1); return fails(rw, r) })
	for range 59 {
		w.pass(time.Minute)
		for range 3 {
			_, err = w.verify(t, w.token(t, nil), oauth.Expectation{})
			wantAccepted(t, "down for less than an hour", err)
		}
	}
	if got := asked.Load(); got != 50 {
		t.Errorf("asked %d times in 50 minutes", got)
	}
	w.pass(time.Minute)
	_, err = w.verify(t, w.token(t, nil), oauth.Expectation{})
	wantUnavailable(t, "down for an hour", err)
	w.issuer.Before(nil)
	w.pass(5 * time.Second)
	_, err = w.verify(t, w.token(t, nil), oauth.Expectation{})
	wantAccepted(t, "up again after an hour", err)
}

// One fetch serves all that wait for it, and goes on when the request that began it is
// cancelled.
func TestOneFetchInFlight(t *testing.T) {
	w := newWorld(t)
	arrived, release := make(chan struct{}, 100), make(chan struct{})
	w.issuer.Before(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/keys" {
			arrived <- struct{}{}
			<-release
		}
		return false
	})
	token := w.token(t, nil)

	first, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error, 1)
	go func() {
		_, err := w.verifier.Verify(first, token, w.signerOf, oauth.Expectation{})
		gaveUp <- err
	}()
	<-arrived
	var others sync.WaitGroup
	var failed atomic.Int64
	for range 20 {
		others.Go(func() {
			if _, err := w.verifier.Verify(t.Context(), token, w.signerOf, oauth.Expectation{}); err != nil {
				failed.Add(1)
				t.Error(err)
			}
		})
	}
	cancel()
	wantUnavailable(t, "the one that was cancelled", <-gaveUp)
	close(release)
	others.Wait()
	w.wantSets(t, "all", 1)
	if failed.Load() > 0 {
		t.Errorf("%d others failed", failed.Load())
	}
}

// While keys at hand are renewed nobody else waits for it.
func TestNobodyWaitsForARenewal(t *testing.T) {
	w := newWorld(t)
	_, err := w.verify(t, w.token(t, nil), oauth.Expectation{})
	wantAccepted(t, "at first", err)
	arrived, release := make(chan struct{}, 100), make(chan struct{})
	w.issuer.Before(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/keys" {
			arrived <- struct{}{}
			<-release
		}
		return false
	})
	w.pass(11 * time.Minute)
	token := w.token(t, nil)
	renewing := make(chan error, 1)
	go func() {
		_, err := w.verifier.Verify(t.Context(), token, w.signerOf, oauth.Expectation{})
		renewing <- err
	}()
	<-arrived
	for range 10 {
		soon, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		_, err := w.verifier.Verify(soon, token, w.signerOf, oauth.Expectation{})
		cancel()
		wantAccepted(t, "meanwhile", err)
		if err != nil {
			break
		}
	}
	close(release)
	wantAccepted(t, "the one that renews", <-renewing)
	w.wantSets(t, "in the end", 2)
}

// A function can be frozen while it fetches. Afterwards the connection is dead, and
// the next request must not wait for it.
func TestFrozenWhileFetching(t *testing.T) {
	w := newWorld(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	var held atomic.Bool
	w.issuer.Before(func(http.ResponseWriter, *http.Request) bool {
		if held.CompareAndSwap(false, true) {
			close(arrived)
			<-release
		}
		return false
	})
	token := w.token(t, nil)
	first, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error, 1)
	go func() {
		_, err := w.verifier.Verify(first, token, w.signerOf, oauth.Expectation{})
		gaveUp <- err
	}()
	<-arrived
	cancel()
	wantUnavailable(t, "the one that was frozen", <-gaveUp)
	w.pass(5 * time.Minute)
	_, err := w.verify(t, token, oauth.Expectation{})
	wantAccepted(t, "after the freeze", err)
	close(release)
}

// An issuer that does not answer costs three seconds.
func TestIssuerHangs(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	defer close(release)
	w.issuer.Before(func(http.ResponseWriter, *http.Request) bool { <-release; return true })
	begun := time.Now()
	_, err := w.verify(t, w.token(t, nil), oauth.Expectation{})
	wantUnavailable(t, "an issuer that hangs", err)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it ended with %v", err)
	}
	if d := time.Since(begun); d < 2900*time.Millisecond || d > 20*time.Second {
		t.Errorf("it took %v", d)
	}
}

// The issuer turns its keys under load, and shows no key before it signs with it.
// Nobody is refused wrongly: not even while forgers keep the fetches for unknown keys
// busy, when some tokens have to be sent again.
func TestKeysTurnUnderLoad(t *testing.T) {
	for _, c := range []struct {
		what    string
		every   time.Duration
		forgers int
	}{
		{"every minute", time.Minute, 0},
		{"every 20 seconds", 20 * time.Second, 0},
		{"every 20 seconds with forgers", 20 * time.Second, 2},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := newWorld(t)
			forger := assertiontest.NewKey(t, "ES256")
			var accepted, unavailable atomic.Int64
			for range 30 {
				w.issuer.Publish(assertiontest.NewKey(t, "ES256"))
				var load sync.WaitGroup
				send := func(key assertiontest.Key, judge func(error)) {
					load.Go(func() {
						for range 5 {
							token := key.Sign(t, nil, w.claims(nil))
							_, err := w.verifier.Verify(t.Context(), token, w.signerOf, oauth.Expectation{})
							judge(err)
						}
					})
				}
				for range 6 {
					send(w.issuer.Key(), func(err error) {
						switch {
						case err == nil:
							accepted.Add(1)
						case errors.Is(err, oauth.ErrUnavailable):
							unavailable.Add(1)
						default:
							t.Errorf("refused wrongly: %v", err)
						}
					})
				}
				for range c.forgers {
					send(forger, func(err error) {
						if err == nil {
							t.Error("a forged token was accepted")
						}
					})
				}
				load.Wait()
				w.pass(c.every)
			}
			_, sets := w.issuer.Fetches()
			seconds := int64(30 * c.every / time.Second)
			t.Logf("%d accepted, %d to be sent again, %d key sets fetched in %d seconds", accepted.Load(), unavailable.Load(), sets, seconds)
			if c.every == time.Minute && unavailable.Load() > 0 {
				t.Errorf("%d have to be sent again", unavailable.Load())
			}
			if sets > seconds/60 {
				t.Errorf("%d fetches of the key set", sets)
			}
		})
	}
}
