package rotation

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/keys"
)

// A key turns from the first write to the last retirement, under instances that
// learn of each step a minute apart, and no token ends before its time.
func TestRotationLosesNothing(t *testing.T) {
	f := newFleet(t)
	f.run(fleetAccess * time.Second)
	started := f.now
	done, err := f.rotation().Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if took := f.now.Sub(started); done.Active.KID != 2 || !done.Turned || took != 2*StepWait {
		t.Errorf("%+v after %v, want key 2 after two waits", done, took)
	}
	k, _ := read(t, f.vault).Key(1)
	_, from := k.Next(fleetRefresh * time.Second)
	f.run(from.Sub(f.now)) // the last token under key 1 runs out
	done, err = f.rotation().Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]uint8{1}, done.Retired); diff != "" || done.Turned {
		t.Errorf("the second rotation came to %+v, want that it retires key 1 and no more", done)
	}
	f.run(2 * keys.MaxAge)
	d := read(t, f.vault)
	wantStates(t, d, map[uint8]bearer.State{1: bearer.Retired, 2: bearer.Active})
	f.wantLosses(false)
	if len(f.live) < 20 {
		t.Errorf("only %d tokens are alive at the end", len(f.live))
	}
}

// The same without the waits: the operator's clock runs ahead. This is what the
// test above can notice.
func TestRotationWithoutWaitsLosesTokens(t *testing.T) {
	f := newFleet(t)
	f.run(fleetAccess * time.Second)
	var ahead time.Duration
	r := f.rotation()
	r.Now = func() time.Time { return f.now.Add(ahead) }
	r.Sleep = func(_ context.Context, d time.Duration) error { ahead += d; return nil }
	if _, err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.run(2 * keys.MaxAge)
	f.wantLosses(true)
}

// And so it does if a key is retired before its last token has run out.
func TestRetiringEarlyLosesTokens(t *testing.T) {
	f := newFleet(t)
	f.run(fleetAccess * time.Second)
	if _, err := f.rotation().Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := f.rotation()
	r.Longest = func(context.Context) (time.Duration, error) { return 0, nil }
	if done, err := r.Run(t.Context()); err != nil || len(done.Retired) != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	f.run(2 * keys.MaxAge)
	f.wantLosses(true)
}

// A leaked key's tokens end within a minute, everywhere, and logins go on.
func TestLeakedKeyEndsItsTokens(t *testing.T) {
	f := newFleet(t)
	f.run(fleetAccess * time.Second)
	d, replacement, err := read(t, f.vault).RetireNow(1, f.now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.vault.Write(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	f.run(keys.MaxAge)
	leaked := 0
	for text, token := range f.live {
		if token.kid != 1 {
			continue
		}
		leaked++
		for _, i := range f.instances {
			if f.active(i, token) {
				t.Errorf("a token under the leaked key is active at an instance %v behind", i.behind)
			}
		}
		delete(f.live, text)
	}
	if leaked == 0 {
		t.Error("there were no tokens under the leaked key")
	}
	f.lost = nil // which is what was wanted
	clear(f.phones)
	clear(f.live)
	f.run(2 * keys.MaxAge)
	f.wantLosses(false)
	for _, token := range f.live {
		if token.kid != replacement.KID {
			t.Errorf("a token was made under key %d", token.kid)
		}
	}
}

var errStopped = errors.New("stopped")

// stoppable is a vault whose nth call fails, before or after it has happened.
type stoppable struct {
	Vault
	left  *int
	after bool
}

func (v stoppable) Write(ctx context.Context, d Document) (Document, error) {
	*v.left--
	if *v.left == 0 && !v.after {
		return Document{}, errStopped
	}
	d, err := v.Vault.Write(ctx, d)
	if *v.left == 0 {
		return Document{}, errStopped
	}
	return d, err
}

// A rotation that is stopped anywhere, and run again, is one rotation, with all
// of its waits.
func TestRotationCanBeStopped(t *testing.T) {
	for _, after := range []bool{false, true} {
		for n := 1; ; n++ {
			now, left := began, n
			v := newVault(t, func() time.Time { return now }, bearer.Active)
			r := Rotation{
				Vault: stoppable{v, &left, after},
				Now:   func() time.Time { return now },
				Sleep: func(_ context.Context, d time.Duration) error {
					left--
					if left == 0 {
						now = now.Add(d / 3) // stopped within
						return errStopped
					}
					now = now.Add(d)
					return nil
				},
				Longest: func(context.Context) (time.Duration, error) { return time.Hour, nil },
				Say:     func(string) {},
			}
			_, err := r.Run(t.Context())
			stopped := left <= 0
			if (err != nil) != stopped || stopped && !errors.Is(err, errStopped) {
				t.Fatalf("stop %d: %v", n, err)
			}
			done, err := r.Run(t.Context())
			if err != nil || done.Active.KID != 2 {
				t.Fatalf("run again after stop %d: %+v, %v", n, done, err)
			}
			wantStates(t, read(t, v), map[uint8]bearer.State{1: bearer.VerifyOnly, 2: bearer.Active})
			if len(v.history) != 3 {
				t.Fatalf("stop %d: %d writes, want two", n, len(v.history)-1)
			}
			if wait := v.history[2].at.Sub(v.history[1].at); wait < StepWait {
				t.Errorf("stop %d: activated %v after it was prepublished", n, wait)
			}
			if wait := now.Sub(v.history[2].at); wait < StepWait {
				t.Errorf("stop %d: done %v after the activation", n, wait)
			}
			if !stopped {
				break
			}
		}
	}
}

// What a rotation does with what it finds.
func TestRotationFinds(t *testing.T) {
	day := 24 * time.Hour
	for _, tt := range []struct {
		name   string
		states []bearer.State
		age    time.Duration // of all states
		again  bool
		want   map[uint8]bearer.State
		turned bool
		waited time.Duration
	}{
		{"an old key", []bearer.State{bearer.Active}, day, false, map[uint8]bearer.State{1: bearer.VerifyOnly, 2: bearer.Active}, true, 2 * StepWait},
		{"a key of today", []bearer.State{bearer.Active}, day - time.Second, false, map[uint8]bearer.State{1: bearer.Active}, false, 0},
		{"a key of today, again", []bearer.State{bearer.Active}, day - time.Second, true, map[uint8]bearer.State{1: bearer.VerifyOnly, 2: bearer.Active}, true, 2 * StepWait},
		{"a key that a rotation activated a minute ago", []bearer.State{bearer.VerifyOnly, bearer.Active}, time.Minute, false, map[uint8]bearer.State{1: bearer.VerifyOnly, 2: bearer.Active}, false, StepWait - time.Minute},
		{"a first key of a minute ago", []bearer.State{bearer.Active}, time.Minute, false, map[uint8]bearer.State{1: bearer.Active}, false, 0},
		{"a key in the place of one that leaked", []bearer.State{bearer.Retired, bearer.Active}, time.Minute, false, map[uint8]bearer.State{1: bearer.Retired, 2: bearer.Active}, false, 0},
		{"a prepublished key", []bearer.State{bearer.Active, bearer.Prepublished}, time.Minute, false, map[uint8]bearer.State{1: bearer.VerifyOnly, 2: bearer.Active}, true, 2*StepWait - time.Minute},
		{"a key that can be retired", []bearer.State{bearer.VerifyOnly, bearer.Active}, time.Hour + StepWait, false, map[uint8]bearer.State{1: bearer.Retired, 2: bearer.Active}, false, 0},
		{"a key that cannot yet", []bearer.State{bearer.VerifyOnly, bearer.Active}, time.Hour, false, map[uint8]bearer.State{1: bearer.VerifyOnly, 2: bearer.Active}, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := began
			v := newVault(t, func() time.Time { return now }, tt.states...)
			v.history[0].at = now.Add(-tt.age)
			done, err := Rotation{
				Vault:   v,
				Now:     func() time.Time { return now },
				Sleep:   func(_ context.Context, d time.Duration) error { now = now.Add(d); return nil },
				Longest: func(context.Context) (time.Duration, error) { return time.Hour, nil },
				Say:     func(string) {},
				Again:   tt.again,
			}.Run(t.Context())
			if err != nil || done.Turned != tt.turned || done.Active != read(t, v).Active() || now.Sub(began) != tt.waited {
				t.Errorf("%+v after %v, %v", done, now.Sub(began), err)
			}
			wantStates(t, read(t, v), tt.want)
		})
	}
}

// While one operator waits, another goes on with the same key, or finds that it
// leaked.
func TestRotationMeetsAnother(t *testing.T) {
	for _, leaked := range []bool{false, true} {
		now := began
		v := newVault(t, func() time.Time { return now }, bearer.Active)
		waits := 0
		_, err := Rotation{
			Vault: v,
			Now:   func() time.Time { return now },
			Sleep: func(_ context.Context, d time.Duration) error {
				now = now.Add(d)
				if waits++; waits > 1 {
					return nil
				}
				d2 := read(t, v)
				if leaked {
					d2, _, _ = d2.RetireNow(2, now)
				} else {
					d2, _ = d2.Activate(2, now)
				}
				_, err := v.Write(t.Context(), d2)
				return err
			},
			Say: func(string) {},
		}.Run(t.Context())
		if leaked {
			wantRefusal(t, err, WrongState)
			continue
		}
		if err != nil || now.Sub(began) != 2*StepWait {
			t.Errorf("after %v: %v", now.Sub(began), err)
		}
		wantStates(t, read(t, v), map[uint8]bearer.State{1: bearer.VerifyOnly, 2: bearer.Active})
	}
}
