package ledger

import (
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
)

func TestJudge(t *testing.T) {
	b := newBench(t, false)
	b.login()
	r := b.record
	r.Nonce = Nonce{1}
	r.Epochs = Epochs{5, 5, 5}
	loc := b.auth.Locator()
	ring := b.ring.CheckRing
	at := func(s, c, i uint64) View { return View{Now: b.now, Keys: ring, Epochs: Epochs{s, c, i}} }
	for _, tt := range []struct {
		name string
		v    View
		want Verdict
	}{
		{"equal", at(5, 5, 5), Alive},
		{"subject signed out", at(6, 5, 5), Dead},
		{"client killed", at(5, 6, 5), Dead},
		{"issuer raised", at(5, 5, 6), Dead},
		{"we are behind on the subject", at(4, 5, 5), Behind},
		{"we are behind on the client", at(5, 4, 5), Behind},
		{"we are behind on the issuer", at(5, 5, 4), Behind},
		{"behind and killed", at(4, 6, 5), Behind}, // or it would be replaced under 4
	} {
		if got := tt.v.Judge(r, loc); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
		tt.v.Ahead = r.Nonce // read anew since the record was seen
		want := tt.want
		if want == Behind {
			want = Dead
		}
		if got := tt.v.Judge(r, loc); got != want {
			t.Errorf("%s, read anew: %v, want %v", tt.name, got, want)
		}
	}

	// Case A35, on the record: every field that the token asserts is in the key.
	for what, edit := range map[string]func(*Authorization){
		"subject kind": func(a *Authorization) { a.Subject.Kind = ClientSubject },
		"subject":      func(a *Authorization) { a.Subject.ID = "u_2" },
		"username":     func(a *Authorization) { a.Username = "root" },
		"client":       func(a *Authorization) { a.Client = "other" },
		"format":       func(a *Authorization) { a.Format = "jwt" },
		"issuer":       func(a *Authorization) { a.Issuer = "https://auth.example.com" },
		"scope":        func(a *Authorization) { a.Scope = mustScope(t, "admin device_ipad") },
		"device":       func(a *Authorization) { a.Scope = a.Scope.WithDevice("iphone") },
		"audience":     func(a *Authorization) { a.Audiences = []string{"other"} },
		"audiences":    func(a *Authorization) { a.Audiences = []string{"app", "other"} },
	} {
		edited := r
		edit(&edited.Authorization)
		if got := at(5, 5, 5).Judge(edited, loc); got != Tampered {
			t.Errorf("edited %s: %v, want tampered", what, got)
		}
		if edited.Authorization.Equal(r.Authorization) {
			t.Errorf("edited %s: still Equal", what)
		}
	}
}

// The scopes of a record, granted by version 5 of the registry.
func TestJudgeScopes(t *testing.T) {
	b := newBench(t, false)
	b.login()
	r := b.record
	r.Nonce, r.ScopesVersion = Nonce{1}, 5
	name := r.Authorization.Scope.Ordinary()[0]
	for _, tt := range []struct {
		what           string
		current, since uint64
		other          uint64 // Since of a scope that is not in the record
		want           Verdict
	}{
		{"the registry that granted it", 5, 0, 0, Alive},
		{"a later one", 9, 0, 0, Alive},
		{"another scope was bound", 9, 0, 9, Alive},
		{"bound before", 9, 4, 0, Alive},
		{"bound with that version", 9, 5, 0, Alive},
		{"bound since", 9, 6, 0, Dead},
		{"bound by a clock ahead of the registry's", 5, 7, 0, Alive},
		{"bound by a clock ahead of the registry's, since", 6, 7, 0, Dead},
		{"we are behind", 4, 0, 0, Behind},
		{"we are behind, and it was bound", 4, 9, 0, Behind},
	} {
		v := View{Now: b.now, Keys: b.ring.CheckRing, Epochs: r.Epochs,
			Scopes: ScopeVersions{Current: tt.current, Since: map[string]uint64{name: tt.since, "another": tt.other}}}
		if got := v.Judge(r, b.auth.Locator()); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.what, got, tt.want)
		}
		v.Ahead = r.Nonce
		want := tt.want
		if want == Behind {
			want = Dead
		}
		if got := v.Judge(r, b.auth.Locator()); got != want {
			t.Errorf("%s, read anew: %v, want %v", tt.what, got, want)
		}
	}
	// A record says by which registry its scopes were granted, unless it has none.
	v := View{Now: b.now, Keys: b.ring.CheckRing, Scopes: ScopeVersions{Current: 8}}
	rules := Rules{View: v, Ring: b.ring, Terms: b.terms}
	if got := rules.Issue(nil, b.auth, true, r.RID).Record.ScopesVersion; got != 8 {
		t.Errorf("granted by version %d", got)
	}
	none := b.auth
	none.Scope = mustScope(t, "device_ipad")
	if got := rules.Issue(nil, none, true, r.RID).Record.ScopesVersion; got != 0 {
		t.Errorf("a device alone: granted by version %d", got)
	}
}

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
