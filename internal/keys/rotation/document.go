// Package rotation replaces the active key of the ring: by single steps on a
// [Document], or the whole way with [Rotation]. A [Vault] stores the result.
//
// Only operators use it. Package keys has the part that functions need.
package rotation

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/secret"
)

// The steps of a key. Everything here is pure except for the drawing of key texts: a
// change takes a Document and returns another, and a Vault stores it.
//
//	Add                  -> prepublished   verifies, so that instances that learn of
//	                                       the next step at different times accept
//	                                       each other's tokens
//	Activate             -> active         signs; the one before is verify-only from
//	                                       the same write on
//	Retire               -> retired        when the last token under it has run out
//	RetireNow            -> retired        at once: the key has leaked
//
// A state moves down this list and never up.

const (
	// StepWait is the least time between two steps: until then an instance may work
	// with the ring from before the first one. It is keys.MaxAge and a margin for the
	// write itself (writePatience), for old values from Secrets Manager, and for clocks
	// that differ by seconds.
	StepWait = keys.MaxAge + stepMargin

	stepMargin = 30 * time.Second

	// writePatience bounds a write. The time of a new state is taken before it.
	writePatience = 15 * time.Second

	lastKID = 255
)

// Key is what is public about a key.
type Key struct {
	KID   uint8
	State bearer.State
	// Since is when it entered the state, or the latest moment at which that can have been.
	Since time.Time
	// Signs: it has a pair, with which JWTs are signed.
	Signs bool
	// Paired is when it got its pair, if that was after Since, and zero else.
	Paired time.Time
}

// Document is the two secrets, as they were read or are to be written. A method that
// changes a Document returns a copy.
type Document struct {
	epoch  uint64
	states map[uint8]bearer.State
	since  map[uint8]int64 // Unix seconds, for every state
	mint   map[uint8]secret.Text
	check  map[uint8]secret.Text
	pairs  pairs

	newMint bool          // the mint secret must be written too
	from    any           // the vault's own: what it read
	behind  time.Duration // how far this machine's clock is behind the vault's, if that has one
}

// parseDocument reads the two secrets. A key without a time gets written, the time
// at which the check secret was last written.
func parseDocument(mint, check []byte, written time.Time) (Document, error) {
	if _, err := bearer.ParseMintRing(mint, check); err != nil {
		return Document{}, err
	}
	var known struct {
		Epoch  uint64                 `json:"issuer_epoch"`
		States map[uint8]bearer.State `json:"states"`
		Since  map[uint8]int64        `json:"since"`
	}
	members, mintMembers := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	// The decoder's errors are dropped, because they would quote the texts.
	if json.Unmarshal(check, &known) != nil || json.Unmarshal(check, &members) != nil || json.Unmarshal(mint, &mintMembers) != nil {
		return Document{}, errCannotChange
	}
	d := Document{
		epoch: known.Epoch, states: known.States, since: map[uint8]int64{},
		mint: map[uint8]secret.Text{}, check: map[uint8]secret.Text{},
	}
	var err error
	if d.pairs, err = parsePairs(mintMembers, members); err != nil {
		return Document{}, err
	}
	for id, raw := range mintMembers {
		kid, err := strconv.ParseUint(id, 10, 8)
		var text string
		if err != nil || json.Unmarshal(raw, &text) != nil {
			return Document{}, errCannotChange
		}
		d.mint[uint8(kid)] = secret.New(text)
	}
	for kid := range d.states {
		var text string
		if json.Unmarshal(members[strconv.Itoa(int(kid))], &text) != nil {
			return Document{}, errCannotChange
		}
		d.check[kid] = secret.New(text)
		d.since[kid] = cmp.Or(known.Since[kid], written.Unix())
	}
	return d, nil
}

var errCannotChange = fmt.Errorf("%w: it cannot be changed", bearer.ErrBadRing)

// texts are the two secrets. It returns an error if no instance would serve with them.
func (d Document) texts() (mint, check []byte, err error) {
	mintTexts := map[string]any{}
	for kid, text := range d.mint {
		mintTexts[strconv.Itoa(int(kid))] = text.Reveal()
	}
	members := map[string]any{"issuer_epoch": d.epoch, "states": d.states, "since": d.since}
	for kid, text := range d.check {
		members[strconv.Itoa(int(kid))] = text.Reveal()
	}
	d.pairs.write(mintTexts, members)
	if mint, err = json.Marshal(mintTexts); err != nil {
		return nil, nil, err
	}
	if check, err = json.Marshal(members); err != nil {
		return nil, nil, err
	}
	if _, err := bearer.ParseMintRing(mint, check); err != nil {
		return nil, nil, err
	}
	return mint, check, nil
}

func (d Document) clone() Document {
	d.states, d.since = maps.Clone(d.states), maps.Clone(d.since)
	d.mint, d.check = maps.Clone(d.mint), maps.Clone(d.check)
	d.pairs = d.pairs.clone()
	return d
}

// IssuerEpoch is the one in force.
func (d Document) IssuerEpoch() uint64 { return d.epoch }

// Keys are all that have a state, by kid.
func (d Document) Keys() []Key {
	var all []Key
	for _, kid := range slices.Sorted(maps.Keys(d.states)) {
		all = append(all, d.key(kid))
	}
	return all
}

// Key returns one of them.
func (d Document) Key(kid uint8) (Key, bool) {
	_, known := d.states[kid]
	return d.key(kid), known
}

// Active is the key that new tokens are made under.
func (d Document) Active() Key { return d.in(bearer.Active)[0] }

func (d Document) key(kid uint8) Key {
	k := Key{KID: kid, State: d.states[kid], Since: time.Unix(d.since[kid], 0).UTC(), Signs: d.pairs.complete(kid)}
	if at, said := d.pairs.since[kid]; said {
		k.Paired = time.Unix(at, 0).UTC()
	}
	return k
}

func (d Document) in(state bearer.State) []Key {
	return slices.DeleteFunc(d.Keys(), func(k Key) bool { return k.State != state })
}

func (d Document) enter(kid uint8, state bearer.State, now time.Time) {
	d.states[kid], d.since[kid] = state, now.Unix()
	delete(d.pairs.since, kid)
}

// Step is what may be done with a key.
type Step string

const (
	NoStep       Step = ""
	ActivateStep Step = "activate"
	RetireStep   Step = "retire"
)

// Next returns what may be done with k next, and the time from which on that ends no
// active token. longest is the longest life of any token.
func (k Key) Next(longest time.Duration) (Step, time.Time) {
	switch k.State {
	case bearer.Prepublished:
		return ActivateStep, k.asItIs().Add(k.publication())
	case bearer.VerifyOnly:
		// Instances that were behind made tokens under it for some moments more.
		return RetireStep, k.Since.Add(StepWait + longest)
	}
	return NoStep, time.Time{}
}

// Reason is why a change was refused.
type Reason int

const (
	NoSuchKey Reason = iota + 1
	WrongState
	TooEarly
	UsedUp
	NoRoom
	SlowClock
)

// StepError is the error of a change that must not be made. The ring is as it was.
type StepError struct {
	Reason Reason
	Key    Key
	Step   Step
	From   time.Time // if Reason is TooEarly: when it is no longer
}

func (r *StepError) Error() string {
	switch r.Reason {
	case NoSuchKey:
		return fmt.Sprintf("there is no key %d", r.Key.KID)
	case TooEarly:
		return fmt.Sprintf("key %d is %s since %s: it can be %sd from %s on", r.Key.KID, r.Key.State,
			r.Key.Since.Format(time.RFC3339), r.Step, r.From.Format(time.RFC3339))
	case UsedUp:
		return fmt.Sprintf("all key ids from 1 to %d are used up", lastKID)
	case NoRoom:
		return "the mint secret has no room for another key with a pair"
	case SlowClock:
		return "the clock of this machine is more than ten minutes behind that of Secrets Manager"
	}
	return fmt.Sprintf("key %d is %s", r.Key.KID, r.Key.State)
}

// may returns the StepError if step is not the next of kid, or too early.
func (d Document) may(kid uint8, step Step, now time.Time, longest time.Duration) error {
	k, known := d.Key(kid)
	if !known {
		return &StepError{Reason: NoSuchKey, Key: Key{KID: kid}, Step: step}
	}
	next, from := k.Next(longest)
	switch {
	case next != step:
		return &StepError{Reason: WrongState, Key: k, Step: step}
	case now.Before(from):
		return &StepError{Reason: TooEarly, Key: k, Step: step, From: from}
	}
	return nil
}

// Add makes a key and prepublishes it. If an earlier Add was stopped after it had
// written the mint secret, Add continues with its key. Only one key can be
// prepublished at a time.
func (d Document) Add(now time.Time) (Document, Key, error) {
	if d.behind > mostBehind {
		return Document{}, Key{}, errSlowClock
	}
	if waiting := d.in(bearer.Prepublished); len(waiting) > 0 {
		return Document{}, Key{}, &StepError{Reason: WrongState, Key: waiting[0]}
	}
	kid, err := d.newKID()
	if err != nil {
		return Document{}, Key{}, err
	}
	d = d.clone()
	if _, begun := d.mint[kid]; !begun {
		d.mint[kid], d.newMint = keys.NewText(), true
	}
	d.check[kid] = keys.NewText()
	if d.Active().Signs {
		if err := d.addPair(kid); err != nil {
			return Document{}, Key{}, err
		}
	}
	d.enter(kid, bearer.Prepublished, now)
	d.dropOldPairs(now)
	return d, d.key(kid), d.leavesRoom(spareRoom)
}

// newKID is above every kid that ever had a state: a key that somebody took out of
// the check secret by hand must not come back, with its own text or another.
func (d Document) newKID() (uint8, error) {
	highest := slices.Max(slices.Collect(maps.Keys(d.states)))
	var begun []uint8
	for kid := range d.mint {
		if kid > highest {
			begun = append(begun, kid)
		}
	}
	if len(begun) > 0 {
		return slices.Min(begun), nil
	}
	return kidAfter(highest)
}

func kidAfter(kid uint8) (uint8, error) {
	if kid == lastKID {
		return 0, &StepError{Reason: UsedUp}
	}
	return kid + 1, nil
}

// Activate makes a prepublished key the active one, and the active one verify-only.
func (d Document) Activate(kid uint8, now time.Time) (Document, error) {
	if d.behind > mostBehind {
		return Document{}, errSlowClock
	}
	if err := d.may(kid, ActivateStep, now, 0); err != nil {
		return Document{}, err
	}
	before := d.Active()
	d = d.clone()
	d.enter(before.KID, bearer.VerifyOnly, now)
	d.enter(kid, bearer.Active, now)
	return d, nil
}

// Retire ends a verify-only key when no token under it can be active any more.
func (d Document) Retire(kid uint8, now time.Time, longest time.Duration) (Document, error) {
	if err := d.may(kid, RetireStep, now, longest); err != nil {
		return Document{}, err
	}
	d = d.clone()
	d.enter(kid, bearer.Retired, now)
	return d, nil
}

// RetireNow ends a key that has leaked, in whatever state, and its tokens with
// it. A key that is prepublished ends too: it lay next to the one that leaked, no
// token is under it yet, and the next rotation would make it the active one. If
// the leaked key is the active one, a key that nobody has seen takes its place in
// the same write, and is returned.
func (d Document) RetireNow(kid uint8, now time.Time) (_ Document, replacement Key, _ error) {
	k, known := d.Key(kid)
	switch {
	case !known:
		return Document{}, Key{}, &StepError{Reason: NoSuchKey, Key: Key{KID: kid}, Step: RetireStep}
	case k.State == bearer.Retired:
		return Document{}, Key{}, &StepError{Reason: WrongState, Key: k, Step: RetireStep}
	}
	waiting := d.in(bearer.Prepublished)
	d = d.clone()
	if k.State == bearer.Active {
		fresh, err := d.unseenKID()
		if err != nil {
			return Document{}, Key{}, err
		}
		d.mint[fresh], d.check[fresh], d.newMint = keys.NewText(), keys.NewText(), true
		d.dropOldPairs(now)
		if k.Signs {
			if err := d.addPair(fresh); err != nil {
				return Document{}, Key{}, err
			}
		}
		d.enter(fresh, bearer.Active, now)
		replacement = d.key(fresh)
	}
	d.enter(kid, bearer.Retired, now)
	for _, w := range waiting {
		d.enter(w.KID, bearer.Retired, now)
	}
	return d, replacement, d.leavesRoom(0)
}

// unseenKID is above every kid that is in either secret. Somebody else may be adding
// one that is only in the mint secret at this moment, so its text is not overwritten.
func (d Document) unseenKID() (uint8, error) {
	return kidAfter(max(slices.Max(slices.Collect(maps.Keys(d.states))), slices.Max(slices.Collect(maps.Keys(d.mint)))))
}

// RaiseEpoch ends every token.
func (d Document) RaiseEpoch() (Document, error) {
	if d.epoch == math.MaxUint64 {
		return Document{}, errors.New("the issuer epoch cannot rise any more")
	}
	d = d.clone()
	d.epoch++
	return d, nil
}
