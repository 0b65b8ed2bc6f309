package faults

import (
	"reflect"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/storetest"
)

// witness knows every token that was ever answered in a run, and holds the store and
// the answers to it.
type witness struct {
	*labelledTB
	stats    *statistics
	clock    oauthtest.Clock
	stores   storetest.Stores // without faults
	public   bool             // the client of the run
	subjects []ledger.Subject // whose records the run makes
	// lookUp introspects an access token on an instance that works.
	lookUp func(token string) answer

	visited bool // another instance was there during this attempt

	checked map[bearer.Locator]ledger.Record // when the invariants were checked last
	ledger  []*answeredToken
	// doubting reports whether a request under way is about to end a token. Nil
	// means that it ends none.
	doubting func(*answeredToken) bool
	// pausing reports whether a token may be inactive for a moment, because a request under
	// way carries it over a change of the password. Nil means none.
	pausing func(*answeredToken) bool
}

// answeredToken is a string that was answered to somebody.
type answeredToken struct {
	text  string
	token bearer.Token
	rid   bearer.RID // of the record when it was answered
	state tokenState
	spent bool // a refresh token of a public client with a successor
}

type tokenState int

const (
	live     tokenState = iota
	inDoubt             // a request to end it was answered 503
	hasEnded            // and must never be active again
)

// find returns what is known of a string that was answered, nil if it is new.
func (w *witness) find(text string) *answeredToken {
	for _, k := range w.ledger {
		if k.text == text {
			return k
		}
	}
	return nil
}

// doubtLineage doubts all that was answered of the record that a token came
// from.
func (w *witness) doubtLineage(text string) (all []*answeredToken, done func()) {
	w.Helper()
	t := w.find(text)
	if t == nil {
		w.Errorf("the flow uses a token that was never answered")
		w.FailNow()
	}
	return w.doubt(func(k *answeredToken) bool { return k.token.Locator == t.token.Locator && k.rid == t.rid })
}

// doubt says that a request is about to end these tokens, until done. They are
// in doubt until they are seen to be inactive, or answered once more.
func (w *witness) doubt(which func(*answeredToken) bool) (all []*answeredToken, done func()) {
	for _, k := range w.ledger {
		if which(k) {
			all = append(all, k)
			k.state = max(k.state, inDoubt)
		}
	}
	outer := w.doubting
	w.doubting = func(k *answeredToken) bool { return which(k) || outer != nil && outer(k) }
	return all, func() { w.doubting = outer }
}

// ended says that somebody was told that these tokens are inactive.
func (w *witness) ended(tokens []*answeredToken) {
	for _, k := range tokens {
		k.state = hasEnded
	}
}

// slotOf finds the slot that holds a token of a record that the subject's
// epoch has not killed.
func (w *witness) slotOf(k *answeredToken) (_ ledger.Record, slot string) {
	w.Helper()
	reading, err := w.stores.Tokens.Read(w.Context(), k.token.Locator)
	if err != nil {
		w.Errorf("read the store: %v", err)
	}
	c := reading.Record
	if !reading.Found || c.Epochs.Subject != reading.State.Epoch {
		return c, ""
	}
	slots := map[string]ledger.Slot{"at": c.Access, "at_prev": c.AccessPrev}
	if k.token.Kind == bearer.Refresh {
		slots = map[string]ledger.Slot{"rt": c.Refresh, "rt_prev": c.RefreshPrev}
	}
	for name, s := range slots {
		if s.Generation > 0 && s.Hash == k.token.Hash {
			slot = name
		}
	}
	return c, slot
}

// active asks the instance that works about an access token, without taking
// notes. A refresh token is active while it can still be used.
func (w *witness) active(k *answeredToken) bool {
	w.Helper()
	if k.token.Kind == bearer.Refresh {
		c, slot := w.slotOf(k)
		return slot != "" && w.clock.Load() < min(k.token.Expiry, c.RefreshIdle)
	}
	visited := w.visited
	w.visited = true // what it says about races is not checked here
	a := w.lookUp(k.text)
	w.stats.operations.Add(-1) // the test's own, not the flow's
	w.visited = visited
	if a.status != 200 {
		w.Errorf("introspection without faults answered %v", a)
	}
	active, _ := a.body["active"].(bool)
	return active
}

// born takes the tokens of an answer into the ledger. They are
// active, unless somebody ended them before the answer arrived.
func (w *witness) born(a answer) {
	w.Helper()
	if a.status != 200 {
		return
	}
	if a.access == "" {
		w.Errorf("200 without a token: %v", a)
	}
	ring := oauthtest.Ring(w, "")
	for _, text := range []string{a.access, a.refresh} {
		if text == "" {
			continue
		}
		k := w.find(text)
		fresh := k == nil
		if fresh {
			token, err := ring.Open(bearer.FromClient(text))
			if err != nil {
				w.Errorf("answered a token that does not verify: %v", err)
			}
			k = &answeredToken{text: text, token: token}
		}
		if k.state == hasEnded {
			if !w.visited {
				w.Errorf("answered a %v that had ended before", k.token.Kind)
			}
			continue
		}
		record, slot := w.slotOf(k)
		switch {
		case slot != "" && w.active(k):
			k.state, k.rid = live, record.RID
			if w.doubting != nil && w.doubting(k) {
				k.state = inDoubt
			}
		case w.visited:
			k.state = hasEnded
		default:
			w.Errorf("answered a %v that is inactive at birth; it is in slot %q", k.token.Kind, slot)
		}
		if !fresh {
			continue
		}
		for _, before := range w.ledger {
			if before.state == hasEnded || k.state == hasEnded || before.token.Kind != k.token.Kind || before.token.Locator != k.token.Locator || before.rid != k.rid {
				continue
			}
			if before.token.Generation >= k.token.Generation {
				w.Errorf("answered generation %d of the %v after %d", k.token.Generation, k.token.Kind, before.token.Generation)
			}
			before.spent = w.public && k.token.Kind == bearer.Refresh
		}
		w.ledger = append(w.ledger, k)
	}
}

// observe reads the store and asks about every string that was ever answered.
func (w *witness) observe() {
	w.Helper()
	w.stats.checks.Add(1)
	w.checkStore()

	actives := map[bearer.Locator]int{}
	for _, k := range w.ledger {
		active := w.active(k)
		if active && k.token.Kind == bearer.Access {
			actives[k.token.Locator]++
		}
		switch {
		case k.state == hasEnded:
			if active {
				w.Errorf("a %v of generation %d is active after it ended", k.token.Kind, k.token.Generation)
			}
			if record, slot := w.slotOf(k); slot != "" {
				w.Errorf("a %v that ended is in slot %s of a record of %s", k.token.Kind, slot, record.Authorization.Client)
			}
		case k.state == inDoubt:
			if !active && (w.pausing == nil || !w.pausing(k)) {
				k.state = hasEnded
			}
		case !active && !k.spent && k.token.Expiry > w.clock.Load():
			w.Errorf("a %v of generation %d is inactive, and nobody ended it", k.token.Kind, k.token.Generation)
		}
	}
	for _, n := range actives {
		if n > 2 {
			w.Errorf("%d access tokens of one Authorization are active", n)
		}
	}
}

// checkStore holds the records to the invariants, if they are not those that were there
// the last time.
func (w *witness) checkStore() {
	w.Helper()
	now := map[bearer.Locator]ledger.Record{}
	for _, subject := range w.subjects {
		records, err := w.stores.Tokens.List(w.Context(), subject, "")
		if err != nil {
			w.Errorf("list: %v", err)
		}
		for _, c := range records {
			now[c.Locator()] = c
		}
	}
	if w.checked == nil || !reflect.DeepEqual(w.checked, now) {
		storetest.CheckInvariants(w, w.stores.Tokens, w.subjects...)
		w.checked = now
	}
}
