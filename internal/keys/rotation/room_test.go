package rotation

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/secret"
)

// filled is d with a mint secret of so many bytes.
func filled(t testing.TB, d Document, size int) Document {
	t.Helper()
	mint, _, err := d.texts()
	if err != nil {
		t.Fatal(err)
	}
	d = d.clone()
	d.mint[1] = secret.New(d.mint[1].Reveal() + strings.Repeat("x", size-len(mint)))
	return d
}

// A secret that is nearly full takes no key that would leave no room for the one in the place of
// a leaked one.
func TestRoomForALeakedKey(t *testing.T) {
	// The parts of the next key are in the mint secret, as after an Add that was stopped. So
	// Add makes it no longer.
	begun, _, err := signing(t, bearer.VerifyOnly, bearer.Active).Add(began)
	if err != nil {
		t.Fatal(err)
	}
	delete(begun.states, 3)
	delete(begun.since, 3)
	delete(begun.check, 3)
	delete(begun.pairs.public, 3)

	d, _, err := filled(t, begun, maxSecret-spareRoom).Add(began)
	if err != nil {
		t.Fatalf("Add with room left: %v", err)
	}
	d, replacement, err := d.RetireNow(2, began.Add(time.Second))
	if err != nil || !replacement.Signs {
		t.Fatalf("RetireNow in a full secret: %+v, %v", replacement, err)
	}
	if mint, check, err := d.texts(); err != nil || len(mint) > maxSecret || len(check) > len(mint) {
		t.Errorf("%d and %d bytes, %v", len(mint), len(check), err)
	}

	_, _, err = filled(t, begun, maxSecret-spareRoom+1).Add(began)
	wantRefusal(t, err, NoRoom)
	_, _, err = filled(t, begun, maxSecret).RetireNow(2, began)
	wantRefusal(t, err, NoRoom)
	plain := filled(t, document(t, bearer.Active), maxSecret-spareRoom)
	_, _, err = plain.Sign(began)
	wantRefusal(t, err, NoRoom)
	if _, changed, err := filled(t, signing(t, bearer.Active), maxSecret).Sign(began); changed || err != nil {
		t.Errorf("Sign where there is a pair: %v, %v", changed, err)
	}
}

// What makes room: a retired key's pair goes after the wait, also when a pair is made.
func TestRoomAfterARetirement(t *testing.T) {
	d := signing(t, bearer.Active)
	d, replacement, err := d.RetireNow(1, began)
	if err != nil {
		t.Fatal(err)
	}
	delete(d.pairs.private, replacement.KID)
	delete(d.pairs.public, replacement.KID)
	if soon, _, err := d.Sign(began.Add(time.Second)); err != nil || soon.pairs.private[1].Len() == 0 {
		t.Errorf("the pair of the retired key went too early, or %v", err)
	}
	if d, _, err = d.Sign(began.Add(StepWait + time.Second)); err != nil || d.pairs.private[1].Len()+d.pairs.public[1].Len() != 0 {
		t.Errorf("the retired key keeps its pair, or %v", err)
	}
}

// A rotation at a full mint secret retires the oldest key, waits until its pair can go, and then
// adds the next. It does so as well if it was stopped in that wait.
func TestRotationWaitsForRoom(t *testing.T) {
	const longest = time.Hour
	for _, stopped := range []bool{false, true} {
		now := began
		v := newVault(t, func() time.Time { return now }, bearer.Active)
		write := func(d Document, err error) {
			t.Helper()
			if err == nil {
				_, err = v.Write(t.Context(), d)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		d, _, err := read(t, v).Sign(now)
		write(d, err)
		d, _, err = read(t, v).Add(now)
		write(d, err)
		now = now.Add(PublicationWait)
		d, err = read(t, v).Activate(2, now)
		write(d, err)
		now = now.Add(48 * time.Hour)
		// Without the pair of key 1 there is room for another key with a pair. Its text stays.
		d = filled(t, read(t, v), maxSecret-spareRoom-200)
		d.newMint = true
		write(d, nil)

		var waits []time.Duration
		r := Rotation{
			Vault: v,
			Now:   func() time.Time { return now },
			Sleep: func(_ context.Context, d time.Duration) error {
				if waits = append(waits, d); stopped && len(waits) == 1 {
					now = now.Add(d / 2)
					return errStopped
				}
				now = now.Add(d)
				return nil
			},
			Longest: func(context.Context) (time.Duration, error) { return longest, nil },
			Say:     func(string) {},
		}
		want := []time.Duration{StepWait, PublicationWait, StepWait}
		if stopped {
			if _, err := r.Run(t.Context()); !errors.Is(err, errStopped) {
				t.Fatalf("a stopped rotation: %v", err)
			}
			want = slices.Insert(want, 1, StepWait/2)
		}
		done, err := r.Run(t.Context())
		if err != nil || !done.Turned || done.Active.KID != 3 || !slices.Equal(waits, want) {
			t.Errorf("stopped: %v: %+v after the waits %v, %v", stopped, done, waits, err)
		}
		wantStates(t, read(t, v), map[uint8]bearer.State{1: bearer.Retired, 2: bearer.VerifyOnly, 3: bearer.Active})
	}
}

// Where nothing makes room, it is refused at once.
func TestRotationWithoutRoom(t *testing.T) {
	now := began
	v := newVault(t, func() time.Time { return now }, bearer.Active)
	d, _, err := read(t, v).Sign(now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Write(t.Context(), filled(t, d, maxSecret-spareRoom)); err != nil {
		t.Fatal(err)
	}
	_, err = Rotation{
		Vault: v, Now: func() time.Time { return now }, Again: true, Say: func(string) {},
		Sleep: func(context.Context, time.Duration) error { t.Error("it waits"); return nil },
	}.Run(t.Context())
	wantRefusal(t, err, NoRoom)
}
