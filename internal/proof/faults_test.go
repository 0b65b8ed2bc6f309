package proof

import (
	"context"
	"fmt"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/storetest"
)

const (
	faultDay    = 24 * 3600
	faultDevice = "read device_ipad"
)

// faultFlow is what a client does while things fail.
type faultFlow struct {
	name    string
	client  oauth.Client // its template
	prepare func(*faultRun) []faultAnswer
	act     func(*faultRun, []faultAnswer)
	// ask is how another instance gets a token of the same Authorization; nil
	// means by a login for the iPad.
	ask func(*faultRun, *faultInstance) faultAnswer
}

// faultLogin and faultRotated prepare on the instance that works.
func faultLogin(r *faultRun) []faultAnswer { return []faultAnswer{r.login(r.other, faultDevice)} }

func faultRotated(r *faultRun) []faultAnswer {
	first := r.login(r.other, faultDevice)
	r.advance(10)
	return []faultAnswer{first, r.refresh(r.other, first.refresh)}
}

var faultPublic = oauth.Client{Public: true}

var faultFlows = []faultFlow{
	{name: "first login", act: func(r *faultRun, _ []faultAnswer) {
		a := r.login(r.front, faultDevice)
		r.expect(a.status == 200 && a.access != "" && a.refresh != "", "a login answered %v", a)
	}},
	{name: "first login of a public client", client: faultPublic, act: func(r *faultRun, _ []faultAnswer) {
		a := r.login(r.front, faultDevice)
		r.expect(a.status == 200 && a.access != "" && a.refresh != "", "a login answered %v", a)
	}},
	{name: "login, returned", prepare: faultLogin, act: func(r *faultRun, before []faultAnswer) {
		r.advance(10)
		a := r.login(r.front, faultDevice)
		r.expect(a.access == before[0].access && a.refresh == before[0].refresh, "a second login answered other tokens: %v", a.status)
	}},
	{name: "login, next generation", prepare: faultLogin, act: func(r *faultRun, before []faultAnswer) {
		r.advance(oauth.DefaultAccessLifetime - 100)
		a := r.login(r.front, faultDevice)
		r.expect(a.status == 200 && a.access != before[0].access && a.refresh == before[0].refresh, "a login below the floor answered %v", a.status)
	}},
	{name: "login over what ran out", prepare: faultLogin, act: func(r *faultRun, before []faultAnswer) {
		r.advance(oauth.DefaultRefreshAbsolute + 1)
		a := r.login(r.front, faultDevice)
		r.expect(a.status == 200 && a.access != before[0].access && a.refresh != before[0].refresh, "a login after expiry answered %v", a.status)
	}},
	{name: "login with a wrong password", act: func(r *faultRun, _ []faultAnswer) {
		a := r.ask(r.front, "grant_type", "password", "username", r.user, "password", "wrong", "scope", faultDevice)
		r.expect(a.status == 400 && a.body["error"] == "invalid_grant", "a wrong password answered %v", a)
	}},
	{name: "login after a wrong password", prepare: func(r *faultRun) []faultAnswer {
		return []faultAnswer{r.ask(r.other, "grant_type", "password", "username", r.user, "password", "wrong")}
	}, act: func(r *faultRun, _ []faultAnswer) {
		a := r.login(r.front, faultDevice)
		r.expect(a.status == 200, "a login answered %v", a)
	}},
	{name: "login with an outdated hash", prepare: func(r *faultRun) []faultAnswer {
		u, _, err := r.stores.UserRegistry.User(r.Context(), r.user)
		if err != nil {
			r.Fatal(err)
		}
		u.PasswordHash = secret.New("old " + worldPassword(r.user))
		if _, err := r.stores.UserRegistry.SaveUser(r.Context(), u); err != nil {
			r.Fatal(err)
		}
		return nil
	}, act: func(r *faultRun, _ []faultAnswer) {
		a := r.login(r.front, faultDevice)
		r.expect(a.status == 200, "a login answered %v", a)
	}},
	{name: "client_credentials, first", ask: (*faultRun).clientCredentials, act: func(r *faultRun, _ []faultAnswer) {
		a := r.clientCredentials(r.front)
		r.expect(a.status == 200 && a.access != "" && a.refresh == "", "client_credentials answered %v", a)
	}},
	{
		name: "client_credentials, returned", ask: (*faultRun).clientCredentials,
		prepare: func(r *faultRun) []faultAnswer { return []faultAnswer{r.clientCredentials(r.other)} },
		act: func(r *faultRun, before []faultAnswer) {
			a := r.clientCredentials(r.front)
			r.expect(a.access == before[0].access, "client_credentials answered another token: %v", a.status)
		},
	},
	{name: "refresh, confidential, returned", prepare: faultLogin, act: func(r *faultRun, before []faultAnswer) {
		a := r.refresh(r.front, before[0].refresh)
		r.expect(a.access == before[0].access && a.refresh == before[0].refresh, "an early refresh answered other tokens: %v", a.status)
	}},
	{name: "refresh, confidential", prepare: faultLogin, act: func(r *faultRun, before []faultAnswer) {
		r.advance(oauth.DefaultAccessLifetime/2 + 1)
		a := r.refresh(r.front, before[0].refresh)
		r.expect(a.status == 200 && a.access != before[0].access && a.refresh == before[0].refresh, "a refresh answered %v", a.status)
	}},
	{name: "refresh, public", client: faultPublic, prepare: faultLogin, act: func(r *faultRun, before []faultAnswer) {
		r.advance(5)
		a := r.refresh(r.front, before[0].refresh)
		r.expect(a.status == 200 && a.access == before[0].access && a.refresh != before[0].refresh, "a rotation answered %v", a.status)
	}},
	{name: "refresh, public, late", client: faultPublic, prepare: faultLogin, act: func(r *faultRun, before []faultAnswer) {
		r.advance(faultDay)
		a := r.refresh(r.front, before[0].refresh)
		r.expect(a.status == 200 && a.access != before[0].access && a.refresh != before[0].refresh, "a rotation answered %v", a.status)
	}},
	{name: "refresh within grace", client: faultPublic, prepare: faultRotated, act: func(r *faultRun, before []faultAnswer) {
		r.advance(20)
		a := r.refresh(r.front, before[0].refresh)
		r.expect(a.access == before[1].access && a.refresh == before[1].refresh, "a refresh within grace answered other tokens: %v", a.status)
	}},
	{name: "replay after grace", client: faultPublic, prepare: faultRotated, act: func(r *faultRun, before []faultAnswer) {
		r.advance(31)
		a := r.replay(r.front, before[0].refresh)
		r.expect(a.status == 400 && a.body["error"] == "invalid_grant", "a replay answered %v", a)
		a = r.refresh(r.front, before[1].refresh)
		r.expect(a.status == 400 && a.body["error"] == "invalid_grant", "the successor of a replayed token answered %v", a)
	}},
	{name: "replay of an older generation", client: faultPublic, prepare: func(r *faultRun) []faultAnswer {
		before := faultRotated(r)
		return append(before, r.refresh(r.other, before[1].refresh))
	}, act: func(r *faultRun, before []faultAnswer) {
		a := r.replay(r.front, before[0].refresh)
		r.expect(a.status == 400 && a.body["error"] == "invalid_grant", "a replay answered %v", a)
	}},
	{name: "revoke by access token", prepare: faultLogin, act: func(r *faultRun, before []faultAnswer) {
		a := r.revoke(r.front, before[0].access)
		r.expect(a.status == 200, "revocation answered %v", a)
	}},
	{name: "revoke by refresh token", client: faultPublic, prepare: faultLogin, act: func(r *faultRun, before []faultAnswer) {
		a := r.revoke(r.front, before[0].refresh)
		r.expect(a.status == 200, "revocation answered %v", a)
	}},
	{name: "revoke by the previous refresh token", client: faultPublic, prepare: faultRotated, act: func(r *faultRun, before []faultAnswer) {
		a := r.revoke(r.front, before[0].refresh)
		r.expect(a.status == 200, "revocation answered %v", a)
	}},
	{name: "revoke by the previous access token", prepare: func(r *faultRun) []faultAnswer {
		first := faultLogin(r)
		r.advance(oauth.DefaultAccessLifetime - 100)
		return append(first, faultLogin(r)...)
	}, act: func(r *faultRun, before []faultAnswer) {
		r.expect(before[0].access != before[1].access, "the flow has no previous access token")
		a := r.revoke(r.front, before[0].access)
		r.expect(a.status == 200, "revocation answered %v", a)
	}},
	{name: "log out and in", prepare: faultLogin, act: func(r *faultRun, before []faultAnswer) {
		a := r.revoke(r.front, before[0].access)
		r.expect(a.status == 200, "revocation answered %v", a)
		a = r.login(r.front, faultDevice)
		r.expect(a.status == 200 && a.access != before[0].access && a.refresh != before[0].refresh, "a login after revocation answered %v", a.status)
		a = r.revoke(r.front, before[0].access) // as a phone that lost the reply
		r.expect(a.status == 200, "revocation once more answered %v", a)
		r.expect(r.alive() == 1, "%d Authorizations are alive after an old token was revoked, want its successor", r.alive())
	}},
	{name: "introspect an access token", prepare: faultLogin, act: func(r *faultRun, before []faultAnswer) {
		a := r.introspect(r.front, before[0].access)
		r.expect(a.body["active"] == true && a.body["device"] == "ipad", "introspection answered %v", a)
	}},
	{name: "introspect a refresh token", prepare: faultLogin, act: func(r *faultRun, before []faultAnswer) {
		a := r.introspect(r.front, before[0].refresh)
		r.expect(a.body["active"] == true && a.body["token_type"] == "Refresh", "introspection answered %v", a)
	}},
	{name: "login at the cap", client: oauth.Client{MaxAuthorizations: 2}, prepare: func(r *faultRun) []faultAnswer {
		oldest := r.login(r.other, "read device_first")
		r.advance(1)
		second := r.login(r.other, "read device_second")
		r.advance(1)
		return []faultAnswer{oldest, second}
	}, act: func(r *faultRun, before []faultAnswer) {
		oldest, done := r.doubtLineage(before[0].access)
		defer done()
		a := r.login(r.front, faultDevice)
		r.expect(a.status == 200, "a login at the cap answered %v", a)
		if a.status == 200 && r.strict {
			r.ended(oldest)
			r.observe()
		}
		r.expect(r.alive() == 2, "%d Authorizations are alive, the cap is 2", r.alive())
	}},
	{name: "sign-out, then login", prepare: faultLogin, act: func(r *faultRun, before []faultAnswer) {
		r.expect(r.signOut(r.front), "sign-out failed to the end")
		a := r.login(r.front, faultDevice)
		r.expect(a.status == 200 && a.access != before[0].access && a.refresh != before[0].refresh, "a login after sign-out answered %v", a.status)
	}},
}

// faultStranger is another instance at work on the same Authorization, between
// two calls of the one that is looked at.
type faultStranger struct {
	name string
	does func(r *faultRun, ask func(*faultRun, *faultInstance) faultAnswer)
}

var faultStrangers = []faultStranger{
	{"asks", func(r *faultRun, ask func(*faultRun, *faultInstance) faultAnswer) { ask(r, r.other) }},
	{"asks and revokes", func(r *faultRun, ask func(*faultRun, *faultInstance) faultAnswer) {
		if a := ask(r, r.other); a.status == 200 {
			r.revoke(r.other, a.access)
		}
	}},
	{"revokes and asks", func(r *faultRun, ask func(*faultRun, *faultInstance) faultAnswer) {
		if a := ask(r, r.other); a.status == 200 {
			r.revoke(r.other, a.access)
			ask(r, r.other)
		}
	}},
	{"signs out", func(r *faultRun, _ func(*faultRun, *faultInstance) faultAnswer) { r.signOut(r.other) }},
}

// visit lets the stranger in, in the middle of a request of the front.
func (r *faultRun) visit(flow faultFlow, s faultStranger) {
	ask := flow.ask
	if ask == nil {
		ask = func(r *faultRun, in *faultInstance) faultAnswer { return r.login(in, faultDevice) }
	}
	r.visited = true
	s.does(r, ask)
	r.visited = true
	r.stats.strangers.Add(1)
}

// faultTap counts the calls to the token store that arrive, and lets a stranger
// in before or after one.
type faultTap struct {
	oauth.Tokens
	calls         int
	before, after map[int]func()
}

func (f *faultTap) tap() func() {
	f.calls++
	after := f.after[f.calls]
	if before := f.before[f.calls]; before != nil {
		before()
	}
	if after == nil {
		return func() {}
	}
	return after
}

func (f *faultTap) Read(ctx context.Context, loc bearer.Locator) (oauth.Reading, error) {
	defer f.tap()()
	return f.Tokens.Read(ctx, loc)
}

func (f *faultTap) Save(ctx context.Context, c oauth.Record, seen oauth.Nonce) (oauth.Record, bool, error) {
	defer f.tap()()
	return f.Tokens.Save(ctx, c, seen)
}

func (f *faultTap) End(ctx context.Context, loc bearer.Locator, when oauth.EndCondition) (oauth.Record, bool, error) {
	defer f.tap()()
	return f.Tokens.End(ctx, loc, when)
}

func (f *faultTap) List(ctx context.Context, s oauth.Subject, client oauth.ClientID) ([]oauth.Record, error) {
	defer f.tap()()
	return f.Tokens.List(ctx, s, client)
}

// faultPlan is what goes wrong in one run in memory.
type faultPlan struct {
	faults   map[int]storetest.Fault // by the number of the call
	endless  storetest.Fault         // from call from on, if not zero
	from     int
	stranger *faultStranger
	visit    int // before or after that call to the token store
	after    bool
}

func (p faultPlan) String() string {
	s := fmt.Sprintf("faults %v", p.faults)
	if p.endless != 0 {
		s += fmt.Sprintf(", %d for ever from call %d", p.endless, p.from)
	}
	if p.stranger != nil {
		s += fmt.Sprintf(", another instance %s at token call %d, after it %v", p.stranger.name, p.visit, p.after)
	}
	return s
}

// faultInMemory runs a flow once and returns how many calls it made.
func faultInMemory(t *testing.T, flow faultFlow, p faultPlan, stats *faultStats) (calls, tokenCalls int) {
	t.Helper()
	tokens, users := memory.NewTokens(), memory.NewUsers()
	stores := storetest.Stores{Tokens: tokens, Subjects: tokens, Clients: memory.NewClients(), Users: users, UserRegistry: users}
	tap := &faultTap{Tokens: tokens, before: map[int]func(){}, after: map[int]func(){}}
	tapped := stores
	tapped.Tokens = tap
	faulty := storetest.NewFaulty(tapped)
	seedWorld(t, stores)
	r := newFaultRun(t, flow.name+", "+p.String(), "x", flow.client, stores, worldStores{faulty, faulty, faulty}, faulty, stats)

	var before []faultAnswer
	if flow.prepare != nil {
		before = flow.prepare(r)
	}
	for n, how := range p.faults {
		faulty.Fail(n, how)
	}
	for n := range 60 {
		if p.endless != 0 {
			faulty.Fail(p.from+n, p.endless)
		}
	}
	if p.stranger != nil {
		visits := tap.before
		if p.after {
			visits = tap.after
		}
		visits[p.visit] = func() { r.visit(flow, *p.stranger) }
	}
	r.strict = p.endless == 0 && p.stranger == nil
	flow.act(r, before)
	calls, tokenCalls = faulty.Calls(), tap.calls
	for n := range p.faults {
		if n <= calls {
			stats.faults.Add(1)
		}
	}
	if p.endless != 0 {
		stats.faults.Add(int64(max(0, calls-p.from+1)))
	}

	// When all is over, whoever asks gets a token.
	faulty.Repair()
	r.strict = true
	a := r.login(r.front, faultDevice)
	r.expect(a.status == 200, "a login after all faults answered %v", a)
	return calls, tokenCalls
}

// Every fault, every two faults and every outage at every call of every flow,
// and another instance at work between any two calls, alone and with each
// fourth of the faults.
func TestFaultsInMemory(t *testing.T) {
	var stats faultStats
	t.Cleanup(func() {
		t.Logf("%d flows in memory:", len(faultFlows))
		stats.log(t)
	})
	for _, flow := range faultFlows {
		t.Run(flow.name, func(t *testing.T) {
			t.Parallel()
			calls, tokenCalls := faultInMemory(t, flow, faultPlan{}, &stats)
			if calls == 0 {
				t.Fatal("the flow makes no calls")
			}
			kinds := []storetest.Fault{storetest.Before, storetest.After}
			var plans []faultPlan
			for i := 1; i <= calls; i++ {
				for _, first := range kinds {
					plans = append(plans, faultPlan{faults: map[int]storetest.Fault{i: first}},
						faultPlan{endless: first, from: i})
					// The second fault may meet what the client repeats.
					for j := i + 1; j <= i+calls; j++ {
						for _, second := range kinds {
							plans = append(plans, faultPlan{faults: map[int]storetest.Fault{i: first, j: second}})
						}
					}
				}
			}
			visits := 0
			for k := 1; k <= tokenCalls; k++ {
				for s := range faultStrangers {
					for _, after := range []bool{false, true} {
						p := faultPlan{stranger: &faultStrangers[s], visit: k, after: after}
						plans = append(plans, p)
						for j := 1; j <= 2*calls; j++ {
							for _, how := range kinds {
								if visits++; visits%4 == 0 || faultLong() {
									p.faults = map[int]storetest.Fault{j: how}
									plans = append(plans, p)
								}
							}
						}
					}
				}
			}
			for _, p := range plans {
				if faultInMemory(t, flow, p, &stats); t.Failed() {
					return // one is enough to look at
				}
			}
		})
	}
}
