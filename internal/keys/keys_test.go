package keys

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
)

var (
	_ oauth.Keys[*bearer.CheckRing] = (*Cache[*bearer.CheckRing])(nil)
	_ oauth.Keys[*bearer.MintRing]  = (*Cache[*bearer.MintRing])(nil)
)

// numbered is a ring that shows which fetch it is from.
type numbered int

func (numbered) IssuerEpoch() uint64 { return 0 }

// source counts fetches; each ring is the number of the fetch.
type source struct {
	fetches numbered
	err     error
	now     time.Time
}

func (s *source) fetch(context.Context) (numbered, error) {
	s.fetches++
	return s.fetches, s.err
}

func (s *source) clock() time.Time { return s.now }

func newSource() (*source, *Cache[numbered]) {
	s := &source{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	return s, NewCache(s.fetch, s.clock)
}

func TestRingIsKeptForAMinute(t *testing.T) {
	s, c := newSource()
	want := func(when string, ring, fetches numbered) {
		t.Helper()
		got, err := c.Ring(t.Context())
		if err != nil || got != ring || s.fetches != fetches {
			t.Errorf("%s: Ring = %d, %v after %d fetches; want %d after %d", when, got, err, s.fetches, ring, fetches)
		}
	}
	want("at start", 1, 1)
	s.now = s.now.Add(renewAge - 1)
	want("young", 1, 1)
	s.now = s.now.Add(1)
	want("due", 2, 2)

	s.err = errors.New("down")
	s.now = s.now.Add(renewAge)
	want("due, source down", 2, 3)
	s.now = s.now.Add(retryAfter - 1)
	want("too early to try again", 2, 3)
	s.now = s.now.Add(1)
	want("tried again", 2, 4)
	s.now = s.now.Add(MaxAge - renewAge - retryAfter)
	if got, err := c.Ring(t.Context()); !errors.Is(err, oauth.ErrUnavailable) || got != 0 {
		t.Errorf("too old: Ring = %d, %v; want ErrUnavailable", got, err)
	}
	s.err = nil
	s.now = s.now.Add(retryAfter)
	want("source back", 6, 6)

	s.now = s.now.Add(-time.Hour)
	want("clock set back", 7, 7)
}

func TestReloadIsNeverOld(t *testing.T) {
	s, c := newSource()
	if _, err := c.Ring(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Reload(t.Context()); got != 2 || err != nil {
		t.Errorf("Reload = %d, %v", got, err)
	}
	s.err = errors.New("down")
	if got, err := c.Reload(t.Context()); !errors.Is(err, oauth.ErrUnavailable) || got != 0 {
		t.Errorf("Reload from a source that is down = %d, %v", got, err)
	}
	if got, err := c.Ring(t.Context()); got != 2 || err != nil {
		t.Errorf("a failed Reload spoiled the ring: %d, %v", got, err)
	}
}

// Case A71: a thousand tokens with a key id that nobody has cost one fetch.
func TestUnknownKeysCostOneFetchAMinute(t *testing.T) {
	s, c := newSource()
	if _, err := c.Ring(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if got, err := c.ReloadForUnknownKey(t.Context()); got != 2 || err != nil {
			t.Fatalf("ReloadForUnknownKey = %d, %v", got, err)
		}
	}
	if s.fetches != 2 {
		t.Errorf("%d fetches, want 2", s.fetches)
	}
	s.now = s.now.Add(unknownKeyPause)
	if got, err := c.ReloadForUnknownKey(t.Context()); got != 3 || err != nil {
		t.Errorf("a minute later: %d, %v", got, err)
	}
}

// Whether an unknown key is ours stays unknown while the source is down: 200 at
// /revoke for a token that may live would be a lie.
func TestUnknownKeyWhileTheSourceIsDown(t *testing.T) {
	s, c := newSource()
	if _, err := c.Ring(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.err = errors.New("down")
	for range 100 {
		s.now = s.now.Add(100 * time.Millisecond)
		if got, err := c.ReloadForUnknownKey(t.Context()); !errors.Is(err, oauth.ErrUnavailable) || got != 0 {
			t.Fatalf("ReloadForUnknownKey = %d, %v; want ErrUnavailable", got, err)
		}
	}
	if s.fetches != 2 {
		t.Errorf("%d fetches, want 2", s.fetches)
	}
	s.err = nil
	if _, err := c.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := c.ReloadForUnknownKey(t.Context()); got != 3 || err != nil || s.fetches != 3 {
		t.Errorf("after a good fetch: %d, %v, %d fetches", got, err, s.fetches)
	}
}

// epoch is a ring of which only the issuer epoch matters.
type epoch uint64

func (e epoch) IssuerEpoch() uint64 { return uint64(e) }

// A raised issuer epoch holds. Secrets Manager may still give out the ring from
// before it, and then what was revoked before a restore would be active again.
func TestIssuerEpochOnlyGrows(t *testing.T) {
	now, source := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), epoch(1)
	c := NewCache(func(context.Context) (epoch, error) { return source, nil }, func() time.Time { return now })
	want := func(when string, want epoch) {
		t.Helper()
		if got, err := c.Ring(t.Context()); got != want || err != nil {
			t.Errorf("%s: Ring = %d, %v; want %d", when, got, err, want)
		}
	}
	want("at start", 1)
	source = 2
	now = now.Add(renewAge)
	want("raised", 2)

	source = 1
	for what, call := range map[string]func(context.Context) (epoch, error){"Reload": c.Reload, "ReloadForUnknownKey": c.ReloadForUnknownKey} {
		if got, err := call(t.Context()); !errors.Is(err, oauth.ErrUnavailable) || got != 0 {
			t.Errorf("%s of an old copy = %d, %v; want ErrUnavailable", what, got, err)
		}
	}
	now = now.Add(renewAge)
	want("an old copy", 2)
	now = now.Add(MaxAge - renewAge)
	if got, err := c.Ring(t.Context()); !errors.Is(err, oauth.ErrUnavailable) || got != 0 {
		t.Errorf("an old copy for a minute: Ring = %d, %v; want ErrUnavailable", got, err)
	}
	source = 2
	now = now.Add(retryAfter)
	want("the newer one is back", 2)
}

// Nor may requests queue up at a source that hangs while there is no ring: each
// waiting function is paid for, and the account has only so many.
func TestHangingSourceWithoutARing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fetches := 0
		c := NewCache(func(ctx context.Context) (numbered, error) {
			fetches++
			<-ctx.Done()
			return 0, ctx.Err()
		}, time.Now)
		began := time.Now()
		for range 100 {
			if _, err := c.Ring(t.Context()); !errors.Is(err, oauth.ErrUnavailable) {
				t.Fatalf("Ring = %v", err)
			}
		}
		if waited := time.Since(began); waited != patience || fetches != 1 {
			t.Errorf("a hundred requests waited %v, for %d fetches; want %v for one", waited, fetches, patience)
		}
		time.Sleep(retryAfter)
		if _, err := c.Ring(t.Context()); err == nil || fetches != 2 {
			t.Errorf("after the pause: %v, %d fetches", err, fetches)
		}
	})
}

// A source that hangs must leave the request time to be answered.
func TestHangingSourceGoesUnnoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang, fetches := false, numbered(0)
		c := NewCache(func(ctx context.Context) (numbered, error) {
			fetches++
			if hang {
				<-ctx.Done()
				return 0, ctx.Err()
			}
			return fetches, nil
		}, time.Now)
		if _, err := c.Ring(t.Context()); err != nil {
			t.Fatal(err)
		}
		hang = true
		time.Sleep(renewAge)
		began := time.Now()
		for range 10 {
			if got, err := c.Ring(t.Context()); got != 1 || err != nil {
				t.Fatalf("Ring = %d, %v", got, err)
			}
		}
		if waited := time.Since(began); waited > patience || fetches != 2 {
			t.Errorf("ten requests waited %v, for %d fetches", waited, fetches-1)
		}
	})
}

// A request that gave up says nothing about the source: the next one fetches.
func TestRequestThatGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := true
		c := NewCache(func(ctx context.Context) (numbered, error) {
			if slow {
				<-ctx.Done()
				return 0, ctx.Err()
			}
			return 1, nil
		}, time.Now)
		soon, cancel := context.WithTimeout(t.Context(), patience/2)
		defer cancel()
		if _, err := c.Ring(soon); !errors.Is(err, oauth.ErrUnavailable) {
			t.Errorf("Ring = %v", err)
		}
		slow = false
		if got, err := c.Ring(t.Context()); got != 1 || err != nil {
			t.Errorf("the next Ring = %d, %v", got, err)
		}
	})
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	release := make(chan struct{})
	entered := make(chan struct{})
	c := NewCache(func(context.Context) (numbered, error) {
		close(entered)
		<-release
		return 1, nil
	}, time.Now)
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = c.Ring(context.Background()) })
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, call := range []func(context.Context) (numbered, error){c.Ring, c.Reload, c.ReloadForUnknownKey} {
		if _, err := call(ctx); !errors.Is(err, oauth.ErrUnavailable) {
			t.Errorf("waited for a fetch past the end of the request: %v", err)
		}
	}
	close(release)
	wg.Wait()
}

func TestNewFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	// Instances that begin together agree on one ring.
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if err := NewFile(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := NewFile(path); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(path); err != nil || string(again) != string(first) {
		t.Errorf("a second NewFile changed the file, %v", err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}

	mint, err := MintSource(aws.Config{}, path, "", "")(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	check, err := CheckSource(aws.Config{}, path, "")(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b, _, ok := mint.Seal(bearer.Name{Kind: bearer.Access, KID: mint.ActiveKID(), Expiry: 1}, bearer.RID{})
	if _, err := check.Open(b); err != nil || !ok {
		t.Errorf("the two rings of one file do not fit: %v", err)
	}
}

func TestFileFaults(t *testing.T) {
	dir := t.TempDir()
	if _, err := MintFromFile(filepath.Join(dir, "none"))(t.Context()); err == nil {
		t.Error("a missing file was read")
	}
	path := filepath.Join(dir, "broken")
	if err := os.WriteFile(path, []byte(`{"mint": {"1": "x"}, "check": `), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := MintFromFile(path)(t.Context()); err == nil {
		t.Error("a broken file was read")
	}
	if err := NewFile(filepath.Join(dir, "no", "such", "folder")); err == nil {
		t.Error("a file was made in no folder")
	}
}

func TestGenerate(t *testing.T) {
	a, err := Generate(false)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Generate(false)
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := a.Seal(bearer.Name{Kind: bearer.Access, KID: a.ActiveKID(), Expiry: 1}, bearer.RID{})
	if _, err := b.Open(text); err == nil {
		t.Error("two generated rings are the same")
	}
}

// A31, A71, in its own numbers: a retired key and
// a raised issuer epoch hold within 60 seconds, and a key id that nobody has
// costs one fetch a minute.
func TestRingWithin60Seconds(t *testing.T) {
	s, c := newSource()
	first, err := c.Ring(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	began := s.now
	s.err = errors.New("down") // so that nothing is renewed early
	for age := range 121 {
		s.now = began.Add(time.Duration(age) * time.Second)
		got, err := c.Ring(t.Context())
		switch {
		case age >= 60 && !errors.Is(err, oauth.ErrUnavailable):
			t.Fatalf("a ring of %d s was served: %d, %v", age, got, err)
		case age < 60 && (got != first || err != nil):
			t.Fatalf("a ring of %d s was not: %v", age, err)
		}
	}

	s.err = nil
	s.now = s.now.Add(time.Hour)
	if _, err := c.Ring(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := s.fetches
	for range 600 {
		if _, err := c.ReloadForUnknownKey(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(time.Second)
	}
	if n := s.fetches - before; n < 1 || n > 10 {
		t.Errorf("%d fetches in ten minutes", n)
	}
}
