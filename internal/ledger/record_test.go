package ledger

import (
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
)

// Keys are injective where glued ones are not (cases A05, A16).
func TestLocatorsDoNotMeet(t *testing.T) {
	a := newBench(t, false).auth
	seen := map[bearer.Locator]string{a.Locator(): "itself"}
	for what, edit := range map[string]func(*Authorization){
		"scope split":    func(a *Authorization) { a.Scope = mustScope(t, "read"); a.Audiences = []string{"device_ipad", "app"} },
		"audience glued": func(a *Authorization) { a.Audiences = []string{"ap", "p"} },
		"client's own":   func(a *Authorization) { a.Subject = Subject{ClientSubject, "u_1"} },
		"id moved":       func(a *Authorization) { a.Subject.ID = "u_1app"; a.Client = "" },
		"no device":      func(a *Authorization) { a.Scope = a.Scope.WithDevice("") },
		"an issuer":      func(a *Authorization) { a.Issuer = "iss" },
		"another issuer": func(a *Authorization) { a.Issuer = "iss2" },
		"its audience":   func(a *Authorization) { a.Audiences = []string{"iss", "app"} },
	} {
		b := a
		edit(&b)
		if other, met := seen[b.Locator()]; met {
			t.Errorf("%s and %s have one locator", what, other)
		}
		seen[b.Locator()] = what
	}
	if SubjectKey(Subject{UserSubject, "x"}) == SubjectKey(Subject{ClientSubject, "x"}) {
		t.Error("a client and a user share a partition")
	}
}

func TestTTL(t *testing.T) {
	b := newBench(t, false)
	b.login()
	if got, want := b.record.TTL(), int64(testNow+defaultRefreshIdle+ttlGrace); got != want {
		t.Errorf("TTL = %d, want %d: the idle deadline and a day", got, want)
	}
	r := b.record
	r.Refresh, r.RefreshPrev = Slot{}, Slot{}
	if got, want := r.TTL(), r.Access.Expiry+ttlGrace; got != want {
		t.Errorf("without refresh token: TTL = %d, want %d", got, want)
	}
}

// A record is carried over one raise of its subject's epoch and never over another number.
func TestCarried(t *testing.T) {
	r := Record{Epochs: Epochs{Subject: 7, Client: 3, Issuer: 2}}
	for epoch, want := range map[uint64]bool{0: false, 6: false, 7: false, 8: true, 9: false, 1 << 63: false} {
		carried, ok := r.Carried(epoch)
		if ok != want || ok && carried.Epochs != (Epochs{Subject: 8, Client: 3, Issuer: 2}) {
			t.Errorf("to %d: %v, %+v", epoch, ok, carried.Epochs)
		}
	}
}
