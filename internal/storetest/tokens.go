package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

var tokensTests = []test{
	{"nothing is absent and no error", func(t *testing.T, s Stores) {
		wantReading(t, s, Record("ipad").Locator(), oauth.Reading{})
	}},
	{"what was saved comes back whole", func(t *testing.T, s Stores) {
		for _, r := range []ledger.Record{Record("ipad"), Record(""), sparseRecord()} {
			wantSaved(t, s, r, ledger.Nonce{})
			wantThere(t, s, r)
		}
	}},
	{"a long scope and a long device come back whole", func(t *testing.T, s Stores) {
		// A client's default scopes are bound by their number, not by what a request
		// may send.
		var names []string
		for i := range scope.MaxCount {
			names = append(names, fmt.Sprintf("%02d-%s", i, strings.Repeat("s", 40)))
		}
		set, err := scope.Of(names...)
		if err != nil {
			t.Fatal(err)
		}
		r := Record("")
		r.Authorization.Scope = set.WithDevice(scope.Device(strings.Repeat("d", scope.MaxDeviceLength)))
		wantSaved(t, s, r, ledger.Nonce{})
		wantThere(t, s, r)
	}},
	{"save makes a record only where there is none", func(t *testing.T, s Stores) {
		winner, loser := Record("ipad"), next(Record("ipad"))
		wantSaved(t, s, winner, ledger.Nonce{})
		wantLost(t, s, loser, ledger.Nonce{}, winner)
	}},
	{"save replaces what was seen and nothing else", func(t *testing.T, s Stores) {
		first := Record("ipad")
		second, third, late := next(first), next(first), next(first)
		wantSaved(t, s, first, ledger.Nonce{})
		wantSaved(t, s, second, first.Nonce)
		wantThere(t, s, second)
		wantLost(t, s, late, first.Nonce, second)
		wantSaved(t, s, third, second.Nonce)
		wantThere(t, s, third)
	}},
	{"save replaces the whole record", func(t *testing.T, s Stores) {
		full := Record("ipad")
		bare := ledger.Record{Nonce: nonce(), Authorization: full.Authorization, Access: full.Access}
		wantSaved(t, s, full, ledger.Nonce{})
		wantSaved(t, s, bare, full.Nonce)
		wantThere(t, s, bare)
	}},
	{"a save that comes twice is saved once", func(t *testing.T, s Stores) {
		first := Record("ipad")
		wantSaved(t, s, first, ledger.Nonce{})
		wantSaved(t, s, first, ledger.Nonce{}) // the first reply was lost
		second := next(first)
		wantSaved(t, s, second, first.Nonce)
		wantSaved(t, s, second, first.Nonce)
		wantThere(t, s, second)
	}},
	{"save does not bring back what was ended", func(t *testing.T, s Stores) {
		first := Record("ipad")
		wantSaved(t, s, first, ledger.Nonce{})
		wantEnded(t, s, first.Locator(), ledger.EndCondition{Nonce: first.Nonce})
		there, found, err := s.Tokens.Save(t.Context(), next(first), first.Nonce)
		if found || err != nil {
			t.Errorf("Save after an end = %+v, %v, %v; want nothing", there, found, err)
		}
		wantReading(t, s, first.Locator(), oauth.Reading{})
	}},
	{"end asks for the condition", func(t *testing.T, s Stores) {
		r := Record("ipad")
		client := r.Authorization.Client
		by := func(kind bearer.Kind, h bearer.Hash) ledger.EndCondition {
			return ledger.EndCondition{Client: client, Kind: kind, Hash: h}
		}
		foreign := func(client ledger.ClientID) ledger.EndCondition {
			return ledger.EndCondition{Client: client, Kind: bearer.Access, Hash: r.Access.Hash}
		}
		for _, c := range []struct {
			name string
			when ledger.EndCondition
			ends bool
		}{
			{"the nonce", ledger.EndCondition{Nonce: r.Nonce}, true},
			{"another nonce", ledger.EndCondition{Nonce: nonce()}, false},
			{"the current access token", by(bearer.Access, r.Access.Hash), true},
			{"the previous access token", by(bearer.Access, r.AccessPrev.Hash), true},
			{"the current refresh token", by(bearer.Refresh, r.Refresh.Hash), true},
			{"the previous refresh token", by(bearer.Refresh, r.RefreshPrev.Hash), true},
			{"an unknown access token", by(bearer.Access, hash("unknown")), false},
			{"an unknown refresh token", by(bearer.Refresh, hash("unknown")), false},
			{"an access token as a refresh token", by(bearer.Refresh, r.Access.Hash), false},
			{"a refresh token as an access token", by(bearer.Access, r.RefreshPrev.Hash), false},
			{"another client's token", foreign("mobile-app-2"), false},
			{"yet another client's token", foreign("a-mobile-app"), false},
			{"nobody's token", foreign(""), false},
		} {
			if c.ends != c.when.Met(r) {
				t.Fatalf("%s: the table and EndCondition.Met differ", c.name)
			}
			wantSaved(t, s, r, ledger.Nonce{})
			if c.ends {
				wantEnded(t, s, r.Locator(), c.when)
				wantReading(t, s, r.Locator(), oauth.Reading{})
				continue
			}
			there, ended, err := s.Tokens.End(t.Context(), r.Locator(), c.when)
			if ended || err != nil {
				t.Errorf("End by %s = ended %v, %v; want it refused", c.name, ended, err)
			}
			if d := diff(r, there); d != "" {
				t.Errorf("End by %s returned another record than is there (-want +got):\n%s", c.name, d)
			}
			wantThere(t, s, r)
		}
	}},
	{"a noted replay changes nothing that is read", func(t *testing.T, s Stores) {
		r := Record("ipad")
		note := func(seen ledger.Nonce) {
			t.Helper()
			if err := s.Tokens.MarkReplayed(t.Context(), r.Locator(), seen); err != nil {
				t.Errorf("MarkReplayed: %v", err)
			}
		}
		note(r.Nonce)
		wantReading(t, s, r.Locator(), oauth.Reading{}) // it makes no record
		wantSaved(t, s, r, ledger.Nonce{})
		note(ledger.Nonce{9})
		note(r.Nonce)
		wantThere(t, s, r)
		wantEnded(t, s, r.Locator(), ledger.EndCondition{Nonce: r.Nonce})
		note(r.Nonce)
		wantReading(t, s, r.Locator(), oauth.Reading{})
	}},
	{"an empty slot holds no token", func(t *testing.T, s Stores) {
		r := sparseRecord()
		wantSaved(t, s, r, ledger.Nonce{})
		for _, kind := range []bearer.Kind{bearer.Access, bearer.Refresh} {
			_, ended, err := s.Tokens.End(t.Context(), r.Locator(), ledger.EndCondition{Client: r.Authorization.Client, Kind: kind})
			if ended || err != nil {
				t.Errorf("End by the hash of an empty %v slot = ended %v, %v; want it refused", kind, ended, err)
			}
		}
		// Nor does a slot that has a hash and no generation.
		leftover := ledger.Slot{Hash: hash("leftover")}
		damaged := next(r)
		damaged.Access, damaged.AccessPrev, damaged.Refresh, damaged.RefreshPrev = leftover, leftover, leftover, leftover
		wantSaved(t, s, damaged, r.Nonce)
		for _, kind := range []bearer.Kind{bearer.Access, bearer.Refresh} {
			when := ledger.EndCondition{Client: r.Authorization.Client, Kind: kind, Hash: leftover.Hash}
			if _, ended, err := s.Tokens.End(t.Context(), r.Locator(), when); ended || err != nil {
				t.Errorf("End by %v slots without a generation = ended %v, %v; want it refused", kind, ended, err)
			}
		}
	}},
	{"to end nothing is to have ended it", func(t *testing.T, s Stores) {
		r := Record("ipad")
		byHash := ledger.EndCondition{Client: r.Authorization.Client, Kind: bearer.Access, Hash: r.Access.Hash}
		wantEnded(t, s, r.Locator(), byHash)
		wantEnded(t, s, r.Locator(), ledger.EndCondition{Nonce: r.Nonce})
		wantSaved(t, s, r, ledger.Nonce{})
		wantEnded(t, s, r.Locator(), byHash)
		wantEnded(t, s, r.Locator(), byHash) // the first reply was lost
	}},
	{"end ends one", func(t *testing.T, s Stores) {
		ipad, iphone := Record("ipad"), Record("iphone")
		wantSaved(t, s, ipad, ledger.Nonce{})
		wantSaved(t, s, iphone, ledger.Nonce{})
		raise(t, s, ipad.Authorization.Subject, oauth.StateChange{})
		wantEnded(t, s, ipad.Locator(), ledger.EndCondition{Nonce: ipad.Nonce})
		wantReading(t, s, iphone.Locator(), oauth.Reading{Record: iphone, Found: true, State: oauth.SubjectState{Epoch: 1}})
	}},
	{"list finds a subject's records, of all clients or of one", func(t *testing.T, s Stores) {
		ipad, iphone, elsewhere, other := Record("ipad"), Record("iphone"), Record("ipad"), Record("ipad")
		elsewhere.Authorization.Client = "other-app"
		other.Authorization.Subject.ID = "u_other"
		subject := ipad.Authorization.Subject
		wantListed(t, s, subject, "")
		wantListed(t, s, subject, "mobile-app")
		for _, r := range []ledger.Record{ipad, iphone, elsewhere, other} {
			wantSaved(t, s, r, ledger.Nonce{})
		}
		raise(t, s, subject, oauth.StateChange{}) // a state is not a record
		wantListed(t, s, subject, "", ipad, iphone, elsewhere)
		wantListed(t, s, subject, "mobile-app", ipad, iphone)
		wantListed(t, s, subject, "other-app", elsewhere)
		wantListed(t, s, subject, "mobile")
		wantListed(t, s, ledger.Subject{Kind: ledger.ClientSubject, ID: subject.ID}, "")
	}},
	{"list finds all, however many", func(t *testing.T, s Stores) {
		// More than the megabyte that DynamoDB returns at once.
		var want []ledger.Record
		for i := range 220 {
			r := Record(scope.Device(fmt.Sprint("device-", i)))
			r.Authorization.Audiences = nil
			for a := range 20 {
				r.Authorization.Audiences = append(r.Authorization.Audiences, fmt.Sprintf("https://%02d.example.com/%s", a, strings.Repeat("a", 230)))
			}
			wantSaved(t, s, r, ledger.Nonce{})
			want = append(want, r)
		}
		wantListed(t, s, want[0].Authorization.Subject, "mobile-app", want...)
	}},
	{"a damaged record is found with its nonce and can be replaced", func(t *testing.T, s Stores) {
		r := Record("ipad")
		loc := r.Locator()
		wantSaved(t, s, r, ledger.Nonce{})
		wantSaved(t, s, Record("iphone"), ledger.Nonce{})
		s.Damage(t, loc)
		got, err := s.Tokens.Read(t.Context(), loc)
		if err != nil || !got.Found || got.Record.Nonce != r.Nonce {
			t.Fatalf("Read of a damaged record = found %v, its nonce %v, %v", got.Found, got.Record.Nonce == r.Nonce, err)
		}
		if got.Record.Locator() == loc {
			t.Fatal("the record still fits its key: Damage did nothing")
		}
		for _, client := range []ledger.ClientID{"", r.Authorization.Client} {
			if listed, err := s.Tokens.List(t.Context(), r.Authorization.Subject, client); err != nil || len(listed) != 1 {
				t.Errorf("List of client %q with a damaged record found %d, %v; want the other one alone", client, len(listed), err)
			}
		}
		renewed := next(r)
		there, found, err := s.Tokens.Save(t.Context(), renewed, ledger.Nonce{})
		if err != nil || !found || there.Nonce != r.Nonce {
			t.Errorf("Save over an unseen damaged record = found %v, %v; want the damaged one to win", found, err)
		}
		wantSaved(t, s, renewed, r.Nonce)
		wantThere(t, s, renewed)

		s.Damage(t, loc)
		wantEnded(t, s, loc, ledger.EndCondition{Nonce: renewed.Nonce})
		wantReading(t, s, loc, oauth.Reading{})
	}},
	{"records are copies", func(t *testing.T, s Stores) {
		r := Record("ipad")
		want := Record("ipad")
		want.Nonce = r.Nonce
		spoil := func(r ledger.Record) { r.Authorization.Audiences[0] = "spoiled" }

		wantSaved(t, s, r, ledger.Nonce{})
		spoil(r)
		wantThere(t, s, want)
		got, err := s.Tokens.Read(t.Context(), want.Locator())
		if err != nil {
			t.Fatal(err)
		}
		spoil(got.Record)
		wantThere(t, s, want)
		listed, err := s.Tokens.List(t.Context(), want.Authorization.Subject, "")
		if err != nil || len(listed) != 1 {
			t.Fatalf("List = %d records, %v", len(listed), err)
		}
		spoil(listed[0])
		wantThere(t, s, want)
		lost, _, err := s.Tokens.Save(t.Context(), next(want), nonce())
		if err != nil {
			t.Fatal(err)
		}
		spoil(lost)
		wantThere(t, s, want)
		refused, _, err := s.Tokens.End(t.Context(), want.Locator(), ledger.EndCondition{Nonce: nonce()})
		if err != nil {
			t.Fatal(err)
		}
		spoil(refused)
		wantThere(t, s, want)
	}},
	{"of many who make a record one wins and all see it", func(t *testing.T, s Stores) {
		wantOneWinner(t, s, Record("ipad"), ledger.Nonce{})
	}},
	{"of many who replace a record one wins and all see it", func(t *testing.T, s Stores) {
		first := Record("ipad")
		wantSaved(t, s, first, ledger.Nonce{})
		wantOneWinner(t, s, first, first.Nonce)
	}},
	{"of many who write or end what they saw one wins", func(t *testing.T, s Stores) {
		first := Record("ipad")
		wantSaved(t, s, first, ledger.Nonce{})
		won := make([]bool, crowd)
		errs := make([]error, crowd)
		ends := make([]bool, crowd)
		together(crowd, func(i int) {
			if i%2 == 0 {
				r := next(first)
				there, found, err := s.Tokens.Save(t.Context(), r, first.Nonce)
				won[i], errs[i] = found && there.Nonce == r.Nonce, err
				return
			}
			_, ends[i], errs[i] = s.Tokens.End(t.Context(), first.Locator(), ledger.EndCondition{Nonce: first.Nonce})
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		saved := count(won)
		reading, err := s.Tokens.Read(t.Context(), first.Locator())
		switch {
		case err != nil:
			t.Fatal(err)
		case saved == 1 && reading.Found && count(ends) == 0: // a write came first, so no end could
		case saved == 0 && !reading.Found && count(ends) == crowd/2: // an end came first
		default:
			t.Errorf("%d saved and %d ended; found: %v", saved, count(ends), reading.Found)
		}
	}},
}

func wantOneWinner(t *testing.T, s Stores, base ledger.Record, seen ledger.Nonce) {
	t.Helper()
	mine := make([]ledger.Record, crowd)
	there := make([]ledger.Record, crowd)
	found := make([]bool, crowd)
	errs := make([]error, crowd)
	for i := range mine {
		mine[i] = next(base)
		mine[i].Access.Hash = hash(fmt.Sprint("racer ", i))
	}
	together(crowd, func(i int) {
		there[i], found[i], errs[i] = s.Tokens.Save(t.Context(), mine[i], seen)
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	won := make([]bool, crowd)
	for i := range mine {
		won[i] = found[i] && there[i].Nonce == mine[i].Nonce
		if d := diff(there[0], there[i]); d != "" || !found[i] {
			t.Errorf("two saw different winners, found %v (-one +other):\n%s", found[i], d)
		}
	}
	if n := count(won); n != 1 {
		t.Errorf("%d won, want 1", n)
	}
	wantThere(t, s, there[0])
}

func count(list []bool) (n int) {
	for _, b := range list {
		if b {
			n++
		}
	}
	return n
}
