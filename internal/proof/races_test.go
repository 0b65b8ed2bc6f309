package proof_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/secret"
)

// The instances of a run, and how busy they are kept.
const (
	raceProcesses  = 3
	raceLanes      = 3  // requests that each process has under way
	raceOperations = 28 // of each lane in one history

	// Over each network of TestRaces; $FOB_RACE_HISTORIES takes its place.
	raceHistories = 15
	// In which a defect must show. Most do in the first.
	raceHistoriesOfDefect = 40

	// A predecessor is replayed by the clock 30 seconds after its rotation. A
	// history that is longer, on a machine that stood still, says nothing.
	raceLongest = 25 * time.Second

	// Far more than a history needs.
	racePatience = time.Minute
)

// TestRaces checks histories of {issue, refresh, introspect, revoke} and sign-out
// that three instances made over one engine, while their requests to it were
// slow, lost, lost on their way back, and given up.
func TestRaces(t *testing.T) {
	histories := raceHistories
	if text := os.Getenv("FOB_RACE_HISTORIES"); text != "" {
		var err error
		if histories, err = strconv.Atoi(text); err != nil || histories < 1 {
			t.Fatalf("FOB_RACE_HISTORIES=%q is not a number of histories", text)
		}
	}
	for _, network := range []struct {
		name   string
		faults raceFaults
	}{
		{"slow", raceFaults{TornRead: 0.3}},
		{"slow and lossy", raceFaults{TornRead: 0.3, LostRequest: 0.02, LostReply: 0.03, Deadline: 0.02}},
	} {
		t.Run(network.name, func(t *testing.T) {
			t.Parallel()
			d := newRaceDriver(t, raceSound, network.faults)
			for n := range histories {
				history := d.history(t, n)
				switch result := d.check(history); result {
				case porcupine.Illegal:
					d.explain(t, history)
					t.Fatalf("history %d is not linearizable", n)
				case porcupine.Unknown:
					t.Fatalf("history %d was not decided in %v", n, racePatience)
				}
			}
			d.report(t)
		})
	}
}

// TestRacesAreFound does the same with instances that are wrong on purpose.
func TestRacesAreFound(t *testing.T) {
	for _, defect := range slices.Sorted(maps.Keys(raceDefectiveStores)) {
		t.Run(string(defect), func(t *testing.T) { testRaceIsFound(t, defect) })
	}
	t.Run(string(raceCachedIntrospection), func(t *testing.T) { testRaceIsFound(t, raceCachedIntrospection) })
}

func testRaceIsFound(t *testing.T, defect raceDefect) {
	t.Parallel()
	d := newRaceDriver(t, defect, raceFaults{})
	for n := range raceHistoriesOfDefect {
		if d.check(d.history(t, n)) == porcupine.Illegal {
			d.report(t)
			return
		}
	}
	t.Errorf("%d histories of instances with %s look sound", raceHistoriesOfDefect, defect)
}

// raceDriver sends requests to instances and writes down what they answer. It is
// the only one that looks at a clock: its times enclose those of the instances,
// whose clocks need not agree.
type raceDriver struct {
	instances []*rpc.Client
	fixture   *dynamotest.Fixture
	faulty    bool
	began     time.Time

	mu     sync.Mutex // guards what follows
	counts map[string]int
	checks time.Duration
}

func newRaceDriver(t *testing.T, defect raceDefect, faults raceFaults) *raceDriver {
	t.Helper()
	endpoint := dynamotest.Engine(t)
	d := &raceDriver{
		fixture: dynamotest.New(t, endpoint), faulty: faults.LostRequest+faults.LostReply+faults.Deadline > 0,
		began: time.Now(), counts: map[string]int{},
	}
	seedRaceClients(t, d.fixture, 0)
	setup := RaceSetup{
		Endpoint: endpoint, Tables: d.fixture.Tables, Mint: raceMintKeys, Check: raceCheckKeys,
		Defect: defect, Faults: faults,
	}
	for range raceProcesses {
		instance := startRaceInstance(t)
		if err := instance.Call("Instance.Compose", setup, &struct{}{}); err != nil {
			t.Fatalf("compose an instance: %v", err)
		}
		d.instances = append(d.instances, instance)
	}
	return d
}

// The ring that all instances share.
const (
	raceMintKeys  = `{"1": "the mint key of the races, no secret"}`
	raceCheckKeys = `{"issuer_epoch": 0, "states": {"1": "active"}, "1": "the check key of the races, no secret"}`
)

// startRaceInstance runs this binary once more, see TestMain.
func startRaceInstance(t *testing.T) *rpc.Client {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program)
	// The race detector waits a second for others at each exit; there are none.
	cmd.Env = append(os.Environ(), raceInstanceEnv+"=1", "GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0")
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	instance := rpc.NewClient(struct {
		io.Reader
		io.WriteCloser
	}{out, in})
	t.Cleanup(func() {
		// Its exit code tells of data races.
		if err := errors.Join(instance.Close(), cmd.Wait()); err != nil {
			t.Errorf("an instance ended badly: %v", err)
		}
	})
	return instance
}

// seedRaceClients registers them, with access tokens that live so many seconds.
func seedRaceClients(t *testing.T, f *dynamotest.Fixture, accessLifetime int64) {
	t.Helper()
	read, err := scope.Of("read")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Clients.SaveResourceScopes(t.Context(), oauth.ResourceScopes{Roles: map[string][]string{"read": nil}}); err != nil {
		t.Fatal(err)
	}
	keptAs := func(id oauth.ClientID) []oauth.ClientSecret {
		return []oauth.ClientSecret{{Hash: oauth.HashClientSecret(raceSecret(id))}}
	}
	for _, c := range []oauth.Client{
		{ID: raceApp, Public: true, Grants: []oauth.GrantType{oauth.PasswordGrant, oauth.RefreshTokenGrant}},
		{ID: raceBackend, Secrets: keptAs(raceBackend), Grants: oauth.GrantTypes()},
		{ID: raceAPI, Secrets: keptAs(raceAPI), Introspects: []string{string(raceApp), string(raceBackend)}},
	} {
		c.Created, c.Epoch = 1, 1
		c.Scopes, c.DefaultScopes = read, read
		c.AccessLifetime = accessLifetime
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Clients.SaveClient(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
}

// addRaceUser registers a user and returns what tokens speak for.
func addRaceUser(t *testing.T, f *dynamotest.Fixture, name string) oauth.Subject {
	t.Helper()
	user := oauth.User{Username: name, ID: oauth.NewUserID(), PasswordHash: secret.New(racePassword)}
	if _, err := f.Users.SaveUser(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	return oauth.Subject{Kind: oauth.UserSubject, ID: user.ID}
}

// raceAuthorization is one that a history fights about.
type raceAuthorization struct {
	name    string
	client  oauth.ClientID
	user    string // empty: client_credentials
	subject oauth.Subject
	device  string

	mu      sync.Mutex // guards what follows
	access  []string   // as they were handed out, the newest last
	refresh []string
}

// raceHistory is one that is being written.
type raceHistory struct {
	authorizations []*raceAuthorization

	mu         sync.Mutex // guards what follows
	numbers    map[string]int
	operations []porcupine.Operation
}

// number returns the token's, 0 for none.
func (h *raceHistory) number(token string) int {
	if token == "" {
		return 0
	}
	n, ok := h.numbers[token]
	if !ok {
		n = len(h.numbers) + 1
		h.numbers[token] = n
	}
	return n
}

// history lets all lanes loose on Authorizations that are new.
func (d *raceDriver) history(t *testing.T, n int) []porcupine.Operation {
	t.Helper()
	ann, ben := fmt.Sprintf("ann-%d", n), fmt.Sprintf("ben-%d", n)
	annSubject, benSubject := addRaceUser(t, d.fixture, ann), addRaceUser(t, d.fixture, ben)
	h := &raceHistory{numbers: map[string]int{}, authorizations: []*raceAuthorization{
		{client: raceApp, user: ann, subject: annSubject, device: "ipad"},
		{client: raceApp, user: ann, subject: annSubject, device: "iphone"},
		{client: raceBackend, user: ann, subject: annSubject, device: "ipad"},
		{client: raceApp, user: ben, subject: benSubject, device: "ipad"},
		// The device keeps it apart from those of other histories.
		{client: raceBackend, subject: oauth.Subject{Kind: oauth.ClientSubject, ID: string(raceBackend)}, device: fmt.Sprintf("host-%d", n)},
	}}
	for _, a := range h.authorizations {
		a.name = strings.Join([]string{a.subject.ID, string(a.client), a.device}, " ")
	}

	began := time.Now()
	var lanes sync.WaitGroup
	for lane := range raceProcesses * raceLanes {
		lanes.Go(func() {
			for range raceOperations {
				d.operate(t, h, lane)
			}
		})
	}
	lanes.Wait()
	if took := time.Since(began); took > raceLongest {
		t.Fatalf("history %d took %v: this machine is too slow, or stood still", n, took)
	}
	if t.Failed() {
		t.FailNow()
	}
	d.counts["histories"]++
	d.counts["operations"] += len(h.operations)
	return h.operations
}

// operate makes one operation of a lane and writes it down.
func (d *raceDriver) operate(t *testing.T, h *raceHistory, lane int) {
	a := h.authorizations[rand.IntN(len(h.authorizations))]
	verb, token := a.choose()
	req := RaceRequest{Verb: verb, Client: a.client, Token: token}
	in := raceInput{Verb: verb, Subject: a.subject.ID, Authorization: a.name, Rotates: a.client == raceApp}
	switch verb {
	case raceIssue:
		req.User, req.Device = a.user, a.device
	case raceIntrospect:
		if a.client == raceApp || strings.HasPrefix(token, "fob_at_") && rand.IntN(2) == 0 {
			req.Client = raceAPI
		}
	case raceSignOut:
		req.Subject, in.Authorization = a.subject, ""
	}

	var answer RaceAnswer
	call := time.Since(d.began)
	err := d.instances[lane%raceProcesses].Call("Instance.Do", req, &answer)
	returned := time.Since(d.began)
	if err != nil {
		t.Errorf("%s: %v", verb, err)
		return
	}
	unknown := answer.Unavailable != ""
	if unknown && answer.Faults == 0 {
		t.Errorf("%s ended in a 503, and nothing was wrong: %s", verb, answer.Unavailable)
	}
	if answer.Code != "" && !(verb == raceRefresh && answer.Code == oauth.InvalidGrant) {
		t.Errorf("%s was refused: %s", verb, answer.Code)
	}
	a.remember(answer)

	h.mu.Lock()
	defer h.mu.Unlock()
	in.Token = h.number(token)
	op := porcupine.Operation{
		ClientId: lane, Input: in, Call: int64(call), Return: int64(returned),
		Output: raceOutput{
			Access: h.number(answer.Access), Refresh: h.number(answer.Refresh),
			Active: answer.Active, Refused: answer.Code != "", Unknown: unknown,
		},
	}
	d.count(string(verb), 1)
	d.count("faults", answer.Faults)
	if unknown {
		d.count("unknown", 1)
	}
	h.operations = append(h.operations, raceTries(op, answer)...)
}

// raceTries is what an operation adds to its history: itself once, but for those
// of whose tries nobody can tell whether they happened.
func raceTries(op porcupine.Operation, answer RaceAnswer) []porcupine.Operation {
	verb, out := op.Input.(raceInput).Verb, op.Output.(raceOutput)
	times := 1
	switch {
	case verb == raceSignOut:
		// Called twice it raises twice, says its contract.
		times = answer.Writes
	case out.Unknown && (verb == raceIssue || verb == raceIntrospect):
		times = 0
	case out.Unknown:
		// What the first try did the second may have been judged by.
		times = min(answer.Writes, 2)
	}
	if out.Unknown {
		op.Return = raceForever
	}
	ops := slices.Repeat([]porcupine.Operation{op}, times)
	if verb == raceRefresh && !out.Unknown && answer.LostWrites > 0 {
		// The first try may have rotated the token, and the Authorization may have
		// ended before the second, which was told so; or another request has rotated
		// the successor, and the second was told of its successor.
		first := op
		first.Output = raceOutput{Unknown: true}
		ops = append(ops, first)
	}
	return ops
}

// choose picks what to do next, and with which token: mostly the newest.
func (a *raceAuthorization) choose() (verb raceVerb, token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	tokens := a.access
	roll := rand.IntN(100)
	switch {
	case roll < 2 && a.user != "":
		return raceSignOut, ""
	case roll < 25 || len(tokens) == 0:
		return raceIssue, ""
	case roll < 50 && len(a.refresh) > 0:
		verb, tokens = raceRefresh, a.refresh
	case roll < 87:
		verb = raceIntrospect
		// Only a client may know of its refresh tokens, and not a public one.
		if a.client == raceBackend && len(a.refresh) > 0 && rand.IntN(3) == 0 {
			tokens = a.refresh
		}
	default:
		verb = raceRevoke
		if len(a.refresh) > 0 && rand.IntN(3) == 0 {
			tokens = a.refresh
		}
	}
	age := 1
	if rand.IntN(3) == 0 {
		age += rand.IntN(min(len(tokens), 6))
	}
	return verb, tokens[len(tokens)-age]
}

// remember puts the tokens of an answer among those that may be used.
func (a *raceAuthorization) remember(answer RaceAnswer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if answer.Access != "" && !slices.Contains(a.access, answer.Access) {
		a.access = append(a.access, answer.Access)
	}
	if answer.Refresh != "" && !slices.Contains(a.refresh, answer.Refresh) {
		a.refresh = append(a.refresh, answer.Refresh)
	}
}

func (d *raceDriver) count(what string, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts[what] += n
}

func (d *raceDriver) check(history []porcupine.Operation) porcupine.CheckResult {
	began := time.Now()
	defer func() { d.checks += time.Since(began) }()
	return porcupine.CheckOperationsTimeout(raceModel, history, racePatience)
}

// report says how much was looked at.
func (d *raceDriver) report(t *testing.T) {
	t.Helper()
	var counts []string
	for _, what := range slices.Sorted(maps.Keys(d.counts)) {
		counts = append(counts, fmt.Sprintf("%s %d", what, d.counts[what]))
	}
	t.Logf("processes %d, lanes %d; %s; %v in all, %v of it checking", raceProcesses, raceProcesses*raceLanes,
		strings.Join(counts, ", "), time.Since(d.began).Round(time.Millisecond), d.checks.Round(time.Millisecond))
}

// explain writes down the Authorizations of a history that cannot be explained,
// and draws them for a browser (go test -artifacts keeps the drawing).
func (d *raceDriver) explain(t *testing.T, history []porcupine.Operation) {
	t.Helper()
	for _, part := range racePartition(history) {
		result, info := porcupine.CheckOperationsVerbose(raceModel, part, racePatience)
		if result != porcupine.Illegal {
			continue
		}
		slices.SortFunc(part, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
		var text strings.Builder
		for _, op := range part {
			returned := "never"
			if op.Return != raceForever {
				returned = time.Duration(op.Return).Round(time.Microsecond).String()
			}
			fmt.Fprintf(&text, "%12v to %12s  lane %d  %s\n", time.Duration(op.Call).Round(time.Microsecond), returned,
				op.ClientId, raceModel.DescribeOperation(op.Input, op.Output))
		}
		t.Logf("no order explains this Authorization:\n%s", &text)
		drawing := filepath.Join(t.ArtifactDir(), "history.html")
		if err := porcupine.VisualizePath(raceModel, info, drawing); err != nil {
			t.Error(err)
		}
		t.Logf("drawn in %s", drawing)
	}
}
