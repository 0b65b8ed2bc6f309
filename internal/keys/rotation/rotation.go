package rotation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
)

// recently is how long after an activation a rotation says that it was done: it
// may have been stopped after its last write, and a person who runs it again wants
// that one rotation and no other.
const recently = 24 * time.Hour

// Rotation turns the active key: retire what has run out, add, wait, activate,
// wait. All that it knows is in the vault, so it can be stopped at any point and
// run again.
type Rotation struct {
	Vault Vault
	Now   func() time.Time
	// Sleep returns after d, or with an error when ctx ends.
	Sleep func(ctx context.Context, d time.Duration) error
	// Longest is the longest life of any token. It is asked for only if there is a
	// key that could be retired.
	Longest func(context.Context) (time.Duration, error)
	// Say reports progress to a person.
	Say func(line string)
	// Again turns a key that was activated recently, too.
	Again bool
}

// Rotated is what a Rotation came to.
type Rotated struct {
	Active  Key
	Turned  bool    // this run activated it
	Retired []uint8 // by this run
}

// Run returns when every instance makes its new tokens under the active key, or at
// once where nothing was turned: the active key is less than a day old, and did not
// come by a rotation.
func (r Rotation) Run(ctx context.Context) (Rotated, error) {
	var done Rotated
	d, err := r.Vault.Read(ctx)
	if err != nil {
		return done, err
	}
	if d, done.Retired, err = r.retire(ctx, d); err != nil {
		return done, err
	}

	active := d.Active()
	known := active.Since.Add(StepWait)
	waiting := d.in(bearer.Prepublished)
	switch {
	case len(waiting) > 0:
		next := waiting[0]
		_, from := next.Next(0)
		r.Say(fmt.Sprintf("key %d is prepublished since %s: going on with it", next.KID, stamp(next.Since)))
		active, known, err = r.activate(ctx, next, from)
	case r.Again || r.Now().Sub(active.Since) >= recently:
		if active, err = r.add(ctx, d); err != nil {
			return done, err
		}
		active, known, err = r.activate(ctx, active, r.Now().Add(active.publication()))
	case d.turnedLast():
		done.Active = active // by a run that may have been stopped in its last wait
		return done, r.Await(ctx, known, "every instance makes tokens under it")
	default:
		done.Active = active // made in the place of a key that leaked, or the first one
		return done, nil
	}
	if err != nil {
		return done, err
	}
	done.Active, done.Turned = active, true
	return done, r.Await(ctx, known, "every instance makes tokens under it")
}

// turnedLast reports whether the active key took over from one that lives on, as a
// rotation does it.
func (d Document) turnedLast() bool {
	since := d.Active().Since
	return slices.ContainsFunc(d.in(bearer.VerifyOnly), func(k Key) bool { return k.Since.Equal(since) })
}

// retire ends the keys whose last token has run out.
func (r Rotation) retire(ctx context.Context, d Document) (Document, []uint8, error) {
	verifying := d.in(bearer.VerifyOnly)
	if len(verifying) == 0 {
		return d, nil, nil
	}
	longest, err := r.Longest(ctx)
	if err != nil {
		return d, nil, err
	}
	var retired []uint8
	for _, k := range verifying {
		if _, from := k.Next(longest); r.Now().Before(from) {
			continue
		}
		if d, err = d.Retire(k.KID, r.Now(), longest); err != nil {
			return d, nil, err
		}
		retired = append(retired, k.KID)
	}
	if len(retired) == 0 {
		return d, nil, nil
	}
	if d, err = r.Vault.Write(ctx, d); err != nil {
		return d, nil, err
	}
	r.Say(fmt.Sprintf("retired, its last token has run out: %s", kids(retired)))
	return d, retired, nil
}

// add makes the next key. Where a full mint secret has no room for one, it waits for the room
// of a key that was retired just now, perhaps by this run.
func (r Rotation) add(ctx context.Context, d Document) (Key, error) {
	after, k, err := d.Add(r.Now())
	full, isStep := errors.AsType[*StepError](err)
	if from := d.roomFrom(); isStep && full.Reason == NoRoom && r.Now().Before(from) {
		if err := r.Await(ctx, from, "the pair of a retired key can make room"); err != nil {
			return Key{}, err
		}
		if d, err = r.Vault.Read(ctx); err != nil {
			return Key{}, err
		}
		after, k, err = d.Add(r.Now())
	}
	if err != nil {
		return Key{}, err
	}
	if _, err = r.Vault.Write(ctx, after); err != nil {
		return Key{}, err
	}
	r.Say(fmt.Sprintf("key %d is added, prepublished", k.KID))
	return k, nil
}

// activate waits until k is known everywhere and activates it. It returns the
// active key, and when every instance will know that.
func (r Rotation) activate(ctx context.Context, k Key, from time.Time) (Key, time.Time, error) {
	if err := r.Await(ctx, from, "every instance verifies tokens under it"); err != nil {
		return Key{}, time.Time{}, err
	}
	// Somebody may have gone on with it, given it a pair, or found that it leaked.
	d, err := r.Vault.Read(ctx)
	if err != nil {
		return Key{}, time.Time{}, err
	}
	is, _ := d.Key(k.KID)
	if step, later := is.Next(0); step == ActivateStep && r.Now().Before(later) {
		return r.activate(ctx, is, later)
	}
	if active := d.Active(); active.KID == k.KID {
		r.Say(fmt.Sprintf("key %d was activated by somebody else at %s", k.KID, stamp(active.Since)))
		return active, active.Since.Add(StepWait), nil
	}
	before := d.Active()
	if d, err = d.Activate(k.KID, r.Now()); err != nil {
		return Key{}, time.Time{}, err
	}
	if d, err = r.Vault.Write(ctx, d); err != nil {
		return Key{}, time.Time{}, err
	}
	r.Say(fmt.Sprintf("key %d is active, and key %d verifies the tokens that were made under it", k.KID, before.KID))
	return d.Active(), r.Now().Add(StepWait), nil
}

// LongestLife is how long a token of any of these clients can live.
func LongestLife(clients []oauth.Client) time.Duration {
	var longest int64
	for _, c := range clients {
		longest = max(longest, c.LongestTokenLife())
	}
	return time.Duration(longest) * time.Second
}

// Await returns at a time of the wall clock, or with an error when ctx ends. It says once
// that it waits until then.
func (r Rotation) Await(ctx context.Context, until time.Time, then string) error {
	for first := true; ; first = false {
		left := until.Sub(r.Now())
		if left <= 0 {
			return nil
		}
		if first {
			r.Say(fmt.Sprintf("waiting until %s, when %s", stamp(until), then))
		}
		if err := r.Sleep(ctx, left); err != nil {
			return err
		}
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func kids(all []uint8) string {
	var words []string
	for _, kid := range all {
		words = append(words, fmt.Sprintf("key %d", kid))
	}
	return strings.Join(words, ", ")
}
