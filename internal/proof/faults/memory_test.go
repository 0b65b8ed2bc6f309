package faults

import (
	"fmt"
	"testing"

	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/storetest"
)

// memoryPlan is what goes wrong in one run in memory.
type memoryPlan struct {
	faults   map[int]storetest.Fault // by the number of the call
	endless  storetest.Fault         // from call from on, if not zero
	from     int
	stranger *visitor
	visit    int // before or after that call to the token store
	after    bool
}

func (p memoryPlan) String() string {
	s := fmt.Sprintf("faults %v", p.faults)
	if p.endless != 0 {
		s += fmt.Sprintf(", %d for ever from call %d", p.endless, p.from)
	}
	if p.stranger != nil {
		s += fmt.Sprintf(", another instance %s at token call %d, after it %v", p.stranger.name, p.visit, p.after)
	}
	return s
}

// runInMemory runs a flow once and returns how many calls it made after it was
// prepared.
func runInMemory(t *testing.T, flow clientFlow, p memoryPlan, stats *statistics) (calls, tokenCalls int) {
	t.Helper()
	tokens, users := memory.NewTokens(), memory.NewUsers()
	stores := storetest.Stores{Tokens: tokens, Subjects: tokens, Clients: memory.NewClients(), Issuers: memory.NewIssuers(), Users: users, UserRegistry: users}
	tap := &tokenTap{Tokens: tokens, before: map[int]func(){}, after: map[int]func(){}}
	tapped := stores
	tapped.Tokens = tap
	faulty := storetest.NewFaulty(tapped)
	seed(t, stores)
	r := newRun(t, flow.name+", "+p.String(), "x", flow, stores, failing(faulty), stats)

	var before []answer
	if flow.prepare != nil {
		before = flow.prepare(r)
	}
	prepared := faulty.Calls()
	tap.calls = 0
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
	calls, tokenCalls = faulty.Calls()-prepared, tap.calls
	for n := range p.faults {
		if n <= calls {
			stats.faults.Add(1)
		}
	}
	if p.endless != 0 {
		stats.faults.Add(int64(max(0, calls-p.from+1)))
	}

	// When all is over:
	faulty.Repair()
	r.strict = true
	flow.finally(r)
	return calls, tokenCalls
}

// Every fault, every two faults and every outage at every call of every flow,
// and another instance at work between any two calls, alone and with each
// fourth of the faults.
func TestInMemory(t *testing.T) {
	var stats statistics
	t.Cleanup(func() {
		t.Logf("%d flows in memory:", len(flows))
		stats.log(t)
	})
	for _, flow := range flows {
		t.Run(flow.name, func(t *testing.T) {
			t.Parallel()
			calls, tokenCalls := runInMemory(t, flow, memoryPlan{}, &stats)
			if calls == 0 {
				t.Fatal("the flow makes no calls")
			}
			kinds := []storetest.Fault{storetest.Before, storetest.After}
			var plans []memoryPlan
			every := 1 // plan of a kind that grows with the square of the calls
			if flow.sample > 0 && !atFullLength() {
				every = flow.sample
			}
			pairs := 0
			for i := 1; i <= calls; i++ {
				for _, first := range kinds {
					plans = append(plans, memoryPlan{faults: map[int]storetest.Fault{i: first}},
						memoryPlan{endless: first, from: i})
					// The second fault may meet what the client repeats.
					for j := i + 1; j <= i+calls; j++ {
						for _, second := range kinds {
							if pairs++; pairs%every == 0 {
								plans = append(plans, memoryPlan{faults: map[int]storetest.Fault{i: first, j: second}})
							}
						}
					}
				}
			}
			visits := 0
			for k := 1; k <= tokenCalls; k++ {
				for s := range visitors {
					for _, after := range []bool{false, true} {
						p := memoryPlan{stranger: &visitors[s], visit: k, after: after}
						plans = append(plans, p)
						for j := 1; j <= 2*calls; j++ {
							for _, how := range kinds {
								if visits++; visits%(4*every) == 0 || atFullLength() {
									p.faults = map[int]storetest.Fault{j: how}
									plans = append(plans, p)
								}
							}
						}
					}
				}
			}
			for _, p := range plans {
				if runInMemory(t, flow, p, &stats); t.Failed() {
					return // one is enough to look at
				}
			}
		})
	}
}
