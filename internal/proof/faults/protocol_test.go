package faults

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
)

// bed is the engine with what all runs share on it.
type bed struct {
	t        *testing.T
	endpoint string
	fixture  *dynamotest.Fixture
	stats    statistics

	mu   sync.Mutex // guards what follows
	runs int
}

func newBed(t *testing.T) *bed {
	endpoint := dynamotest.Engine(t)
	bed := &bed{t: t, endpoint: endpoint, fixture: dynamotest.New(t, endpoint)}
	seed(t, bed.fixture.Stores())
	return bed
}

func (b *bed) name() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.runs++
	return fmt.Sprint(b.runs)
}

// run runs a flow once and returns the operations that it sent.
func (b *bed) run(flow clientFlow, plan map[int]networkFault, stranger visitor) (operations []string) {
	network := &faultyNetwork{plan: map[int]networkFault{}}
	cfg := dynamotest.Config(b.endpoint)
	cfg.HTTPClient = &http.Client{Transport: network}
	db := dynamo.NewClient(cfg)
	tokens := dynamo.NewTokens(db, b.fixture.Tables.Tokens)
	users := dynamo.NewUsers(db, b.fixture.Tables.Users)
	front := requestStores{tokens, tokens, dynamo.NewClients(db, b.fixture.Tables.Clients), users, users, dynamo.NewIssuers(db, b.fixture.Tables.Clients)}
	r := newRun(b.t, fmt.Sprintf("%s, faults %v, another instance %s", flow.name, plan, stranger.name), b.name(), flow, b.fixture.Stores(), front, &b.stats)

	var before []answer
	if flow.prepare != nil {
		before = flow.prepare(r)
	}
	for number, kind := range plan {
		network.plan[number] = kind
		switch {
		case kind.stalls():
			r.deadline = shortDeadline
		case kind == throttledForEver || kind == unprocessedForEver:
			r.strict = false
		case kind.visits():
			r.strict = false
			r.deadline = time.Minute // the stranger's time is not the request's
		}
	}
	network.visit = func() { r.visit(flow, stranger) }
	flow.act(r, before)
	operations = network.operations
	b.stats.faults.Add(int64(network.injected))

	// Requests under way arrive, and then:
	network.deliver()
	network.off, network.muted, r.strict = true, false, true
	r.observe()
	flow.finally(r)
	return operations
}

// all makes runs side by side: most of their time they wait.
func (b *bed) all(atOnce int, runs []func()) {
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, run := range runs {
		slots <- struct{}{}
		if b.t.Failed() {
			return // one is enough to look at
		}
		wg.Go(func() {
			defer func() { <-slots }()
			run()
		})
	}
}

// Each fault of the network and of AWS at each request of every flow, below the
// SDK and its retries, and a random sample of two.
func TestAtTheProtocol(t *testing.T) {
	bed := newBed(t)
	defer func() {
		t.Logf("%d flows on the engine:", len(flows))
		bed.stats.log(t)
	}()
	pairs := 6 // of each flow
	if atFullLength() {
		pairs = 300
	}
	random := rand.New(rand.NewPCG(3, 1))
	var runs, stalls []func()
	seen := map[string]bool{}
	sampled := 0
	for _, flow := range flows {
		operations := bed.run(flow, nil, visitors[0])
		if len(operations) == 0 {
			t.Fatalf("%s sends nothing", flow.name)
		}
		for i, operation := range operations {
			for kind := noFault + 1; kind < networkFaults; kind++ {
				if !kind.fits(operation) {
					continue
				}
				// Registrations are read in the same way everywhere, so once is enough
				// but for the two that end differently; and a stall takes its time.
				key := fmt.Sprint(operation, kind)
				switch {
				case atFullLength():
					key += fmt.Sprint(flow.name, i)
				case operation == "GetItem" && kind != resetBefore && kind != throttledForEver:
				case flow.sample > 0 && kind.stalls():
				case kind.stalls(), kind == visitAfter && operation == "BatchGetItem":
					key += flow.name
				default:
					key += fmt.Sprint(flow.name, i)
				}
				if seen[key] {
					continue
				}
				seen[key] = true
				if sampled++; flow.sample > 0 && sampled%4 > 0 && !atFullLength() {
					continue
				}
				if kind.stalls() {
					stalls = append(stalls, func() { bed.run(flow, map[int]networkFault{i + 1: kind}, visitors[0]) })
					continue
				}
				strangers := visitors[:1]
				switch {
				case kind.visits() && operation == "BatchGetItem":
					strangers = visitors[2:3]
				case kind.visits():
					strangers = visitors
				}
				for _, stranger := range strangers {
					runs = append(runs, func() { bed.run(flow, map[int]networkFault{i + 1: kind}, stranger) })
				}
			}
		}
		for range pairs {
			plan := map[int]networkFault{}
			for len(plan) < 2 {
				kind := networkFault(1 + random.IntN(int(networkFaults)-1))
				if !kind.stalls() { // for the time they take; see above
					plan[1+random.IntN(2*len(operations))] = kind
				}
			}
			stranger := visitors[random.IntN(len(visitors))]
			runs = append(runs, func() { bed.run(flow, plan, stranger) })
		}
	}
	bed.all(12, runs)
	bed.all(6, stalls) // each has a deadline to meet
}
