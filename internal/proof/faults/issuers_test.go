package faults

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/storetest"
)

// What an issuer on loopback does to a request for its discovery document or its keys.
var issuerFaults = map[string]func(http.ResponseWriter, *http.Request){
	"status 500": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
	"HTML":       func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
	"nothing":    func(http.ResponseWriter, *http.Request) {},
	"broken off": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	"half": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(`{"keys":[`))
	},
	"another's": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"issuer":"https://evil.example","jwks_uri":"https://evil.example/keys","keys":[]}`))
	},
	"a redirect": func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://evil.example/", http.StatusFound)
	},
	hangs: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
}

const hangs = "no answer"

// issuerRun is a run with an issuer whose keys are fetched.
type issuerRun struct {
	*run
	issuer *assertiontest.Issuer
	faulty *storetest.Faulty
}

func newIssuerRun(t *testing.T, issuer *assertiontest.Issuer, label string, stats *statistics) issuerRun {
	tokens, users := memory.NewTokens(), memory.NewUsers()
	stores := storetest.Stores{Tokens: tokens, Subjects: tokens, Clients: memory.NewClients(), Issuers: memory.NewIssuers(), Users: users, UserRegistry: users}
	faulty := storetest.NewFaulty(stores)
	seed(t, stores)
	r := newRun(t, label, "x", clientFlow{roots: issuer.Roots}, stores, failing(faulty), stats)
	r.saveIssuer(r.registered(issuer.URL, oauth.NamedSubjects, ""))
	return issuerRun{r, issuer, faulty}
}

// login is one request with an ID token of this key, without another try.
func (r issuerRun) login(key assertiontest.Key) answer {
	r.Helper()
	a := r.send(r.front, "token", r.client, itsSecret, "grant_type", string(oauth.TokenExchangeGrant),
		"subject_token", r.sign(key, r.issuer.URL, r.user, "com.example.app"), "subject_token_type", idToken, "scope", onIPad)
	r.born(a)
	r.observe()
	return a
}

// until sends the login once a second until it is answered otherwise than 503, and a
// forged one before each. It returns after how many seconds that was.
func (r issuerRun) until(key assertiontest.Key) (a answer, seconds int) {
	r.Helper()
	forger := r.forger
	for ; seconds < 100; seconds++ {
		forger.ID = ""
		if seconds%2 == 0 {
			forger.ID = key.ID
		}
		r.forged(r.login(forger))
		if a = r.genuine(r.login(key)); a.status == 200 {
			return a, seconds
		}
		r.advance(1)
	}
	r.Errorf("503 for %d seconds", seconds)
	return a, seconds
}

// While an issuer is down, hangs, or sends something else, a login is 503 or taken on keys
// at hand, never refused; a forged one is never taken; and afterwards the login gets the
// token that its user has.
func TestIssuersFail(t *testing.T) {
	var stats statistics
	t.Cleanup(func() { stats.log(t) })
	for _, path := range []string{"/.well-known/openid-configuration", "/keys"} {
		for what, fault := range issuerFaults {
			t.Run(what+" at "+path, func(t *testing.T) {
				t.Parallel()
				lasts := 20 // seconds, by the clock of the instances
				if what == hangs {
					lasts = 6 // each second takes two deadlines
				}
				issuer := assertiontest.New(t)
				fails := func(r issuerRun, calls map[int]storetest.Fault) (repair func()) {
					for n, how := range calls {
						r.faulty.Fail(n, how)
					}
					if what == hangs {
						r.deadline = shortDeadline
					}
					end := r.clock.Load() + int64(lasts)
					issuer.Before(func(w http.ResponseWriter, q *http.Request) bool {
						if q.URL.Path != path || r.clock.Load() >= end {
							return false
						}
						stats.faults.Add(1)
						fault(w, q)
						return true
					})
					return func() { issuer.Before(nil); r.deadline = usualDeadline; r.faulty.Repair() }
				}

				// The instance has no keys yet. A call to a store may fail as well.
				plans := []map[int]storetest.Fault{nil}
				for n := 1; n <= 8 && what == "status 500"; n++ {
					plans = append(plans, map[int]storetest.Fault{n: storetest.Before}, map[int]storetest.Fault{n: storetest.After})
				}
				for _, calls := range plans {
					r := newIssuerRun(t, issuer, fmt.Sprintf("no keys, faults %v", calls), &stats)
					before := r.run.login(r.other, onIPad)
					repair := fails(r, calls)
					a, seconds := r.until(issuer.Key())
					if a.access != before.access || a.refresh != before.refresh || seconds < lasts || seconds > lasts+5 {
						r.Errorf("after %d seconds it answered %v, and whether with the user's token: %v", seconds, a, a.access == before.access)
					}
					repair()
				}

				// It has keys, and they are due to be fetched again.
				r := newIssuerRun(t, issuer, "keys to renew", &stats)
				before := r.genuine(r.login(issuer.Key()))
				r.advance(11 * 60)
				repair := fails(r, nil)
				r.deadline = usualDeadline // of which a fetch takes at most three seconds
				if a := r.login(issuer.Key()); a.access != before.access {
					r.Errorf("with the keys at hand it answered %v", a)
				}
				repair()

				// The issuer turns its keys, and signs with the new one at once.
				r = newIssuerRun(t, issuer, "another key", &stats)
				old := issuer.Key()
				before = r.genuine(r.login(old))
				r.advance(61)
				repair = fails(r, nil)
				issuer.Publish(old, assertiontest.NewKey(t, "ES256"))
				a, seconds := r.until(issuer.Key())
				if a.access != before.access || seconds > 61 {
					r.Errorf("after %d seconds it answered %v, and whether with the user's token: %v", seconds, a, a.access == before.access)
				}
				if a := r.genuine(r.login(old)); a.access != before.access {
					r.Errorf("a token of the key before answered %v", a)
				}
				repair()
			})
		}
	}
}
