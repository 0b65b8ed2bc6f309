package faults

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/storetest"
)

// answeredToken is a string that was answered to somebody.
type answeredToken struct {
	text  string
	token bearer.Token
	rid   bearer.RID // of the record that stood when it was answered
	state tokenState
	spent bool // a refresh token of a public client with a successor
}

type tokenState int

const (
	live     tokenState = iota
	inDoubt             // a request to end it was answered 503
	hasEnded            // and must never be active again
)

// answer is what a client got.
type answer struct {
	status  int
	header  map[string]string
	body    map[string]any
	text    string
	access  string
	refresh string
}

func (a answer) String() string {
	if a.access != "" {
		return fmt.Sprintf("%d with tokens", a.status)
	}
	return fmt.Sprintf("%d %s", a.status, a.text)
}

func (r *run) checkAnswer(in *instance, endpoint string, a answer) {
	r.Helper()
	if a.header["Cache-Control"] != "no-store" {
		r.Errorf("%s answered %v with Cache-Control %q", endpoint, a, a.header["Cache-Control"])
	}
	switch a.status {
	case 200:
	case 400, 401, 503: // RFC 6749 §5.2
		code, _ := a.body["error"].(string)
		others := maps.Clone(a.body)
		delete(others, "error")
		delete(others, "error_description")
		if code == "" || len(others) > 0 || a.header["Content-Type"] != "application/json" {
			r.Errorf("%s answered %v as %q, which is no OAuth error", endpoint, a, a.header["Content-Type"])
		}
		_, err := strconv.Atoi(a.header["Retry-After"])
		if a.status == 503 && (err != nil || code != "temporarily_unavailable") {
			r.Errorf("%s answered %v with Retry-After %q", endpoint, a, a.header["Retry-After"])
		}
	default:
		r.Errorf("%s answered %v", endpoint, a)
	}

	var line struct{ Raced int }
	if err := json.Unmarshal(in.log.Bytes(), &line); err != nil {
		r.Errorf("%s logged %q, which is not one line: %v", endpoint, in.log.String(), err)
	}
	if line.Raced > 0 && !r.visited {
		r.Errorf("%s lost %d writes to nobody", endpoint, line.Raced)
	}
	if strings.Contains(in.log.String(), "fob_at_") || strings.Contains(in.log.String(), "fob_rt_") {
		r.Errorf("%s logged a token", endpoint)
	}
}

// find returns what is known of a string that was answered, nil if it is new.
func (r *run) find(text string) *answeredToken {
	for _, k := range r.ledger {
		if k.text == text {
			return k
		}
	}
	return nil
}

// doubtLineage doubts all that was answered of the record that a token came
// from.
func (r *run) doubtLineage(text string) (all []*answeredToken, done func()) {
	r.Helper()
	t := r.find(text)
	if t == nil {
		r.Errorf("the flow uses a token that was never answered")
		r.FailNow()
	}
	return r.doubt(func(k *answeredToken) bool { return k.token.Locator == t.token.Locator && k.rid == t.rid })
}

// doubt says that a request is about to end these tokens, until done. They are
// in doubt until they are seen to be inactive, or answered once more.
func (r *run) doubt(which func(*answeredToken) bool) (all []*answeredToken, done func()) {
	for _, k := range r.ledger {
		if which(k) {
			all = append(all, k)
			k.state = max(k.state, inDoubt)
		}
	}
	outer := r.doubting
	r.doubting = func(k *answeredToken) bool { return which(k) || outer != nil && outer(k) }
	return all, func() { r.doubting = outer }
}

// ended says that somebody was told that these tokens are inactive.
func (r *run) ended(tokens []*answeredToken) {
	for _, k := range tokens {
		k.state = hasEnded
	}
}

// standing finds the slot that holds a token of a record that the subject's
// epoch has not killed.
func (r *run) standing(k *answeredToken) (_ ledger.Record, slot string) {
	r.Helper()
	reading, err := r.stores.Tokens.Read(r.Context(), k.token.Locator)
	if err != nil {
		r.Errorf("read the store: %v", err)
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
func (r *run) active(k *answeredToken) bool {
	r.Helper()
	if k.token.Kind == bearer.Refresh {
		c, slot := r.standing(k)
		return slot != "" && r.clock.Load() < min(k.token.Expiry, c.RefreshIdle)
	}
	visited := r.visited
	r.visited = true // what it says about races is not checked here
	a := r.send(r.other, "introspect", "api", false, "token", k.text)
	r.stats.operations.Add(-1) // the test's own, not the flow's
	r.visited = visited
	if a.status != 200 {
		r.Errorf("introspection without faults answered %v", a)
	}
	active, _ := a.body["active"].(bool)
	return active
}

// born takes the tokens of an answer into the ledger. What is answered is
// active, unless somebody ended it before the answer arrived.
func (r *run) born(a answer) {
	r.Helper()
	if a.status != 200 {
		return
	}
	if a.access == "" {
		r.Errorf("200 without a token: %v", a)
	}
	ring := oauthtest.Ring(r, "")
	for _, text := range []string{a.access, a.refresh} {
		if text == "" {
			continue
		}
		k := r.find(text)
		fresh := k == nil
		if fresh {
			token, err := ring.Open(bearer.FromClient(text))
			if err != nil {
				r.Errorf("answered a token that does not verify: %v", err)
			}
			k = &answeredToken{text: text, token: token}
		}
		if k.state == hasEnded {
			if !r.visited {
				r.Errorf("answered a %v that had ended before", k.token.Kind)
			}
			continue
		}
		record, slot := r.standing(k)
		switch {
		case slot != "" && r.active(k):
			k.state, k.rid = live, record.RID
			if r.doubting != nil && r.doubting(k) {
				k.state = inDoubt
			}
		case r.visited:
			k.state = hasEnded
		default:
			r.Errorf("answered a %v that is inactive at birth; it stands in slot %q", k.token.Kind, slot)
		}
		if !fresh {
			continue
		}
		for _, before := range r.ledger {
			if before.state == hasEnded || k.state == hasEnded || before.token.Kind != k.token.Kind || before.token.Locator != k.token.Locator || before.rid != k.rid {
				continue
			}
			if before.token.Generation >= k.token.Generation {
				r.Errorf("answered generation %d of the %v after %d", k.token.Generation, k.token.Kind, before.token.Generation)
			}
			before.spent = r.public && k.token.Kind == bearer.Refresh
		}
		r.ledger = append(r.ledger, k)
	}
}

// observe reads the store and asks about every string that was ever answered.
func (r *run) observe() {
	r.Helper()
	r.stats.checks.Add(1)
	r.checkStore()

	standing := map[bearer.Locator]int{}
	for _, k := range r.ledger {
		active := r.active(k)
		if active && k.token.Kind == bearer.Access {
			standing[k.token.Locator]++
		}
		switch {
		case k.state == hasEnded:
			if active {
				r.Errorf("a %v of generation %d is active after it ended", k.token.Kind, k.token.Generation)
			}
			if record, slot := r.standing(k); slot != "" {
				r.Errorf("a %v that ended stands in slot %s of a record of %s", k.token.Kind, slot, record.Authorization.Client)
			}
		case k.state == inDoubt:
			if !active {
				k.state = hasEnded
			}
		case !active && !k.spent && k.token.Expiry > r.clock.Load():
			r.Errorf("a %v of generation %d is inactive, and nobody ended it", k.token.Kind, k.token.Generation)
		}
	}
	for _, n := range standing {
		if n > 2 {
			r.Errorf("%d access tokens of one Authorization are active", n)
		}
	}
}

// checkStore holds what stands to the invariants, if it is not what stood there
// the last time.
func (r *run) checkStore() {
	r.Helper()
	subjects := []ledger.Subject{r.subject(), {Kind: ledger.ClientSubject, ID: string(r.client)}}
	stands := map[bearer.Locator]ledger.Record{}
	for _, subject := range subjects {
		records, err := r.stores.Tokens.List(r.Context(), subject, "")
		if err != nil {
			r.Errorf("list: %v", err)
		}
		for _, c := range records {
			stands[c.Locator()] = c
		}
	}
	if r.stood == nil || !reflect.DeepEqual(r.stood, stands) {
		storetest.CheckInvariants(r, r.stores.Tokens, subjects...)
		r.stood = stands
	}
}

// alive counts the Authorizations of the run's user and client that are.
func (r *run) alive() int {
	r.Helper()
	records, err := r.stores.Tokens.List(r.Context(), r.subject(), r.client)
	if err != nil {
		r.Errorf("list: %v", err)
	}
	return len(slices.DeleteFunc(records, func(c ledger.Record) bool { return r.clock.Load() >= max(c.Access.Expiry, c.AccessPrev.Expiry) }))
}
