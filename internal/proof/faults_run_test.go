package proof

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/fob-oauth/fob/internal/apigw"
	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/storetest"
	"github.com/fob-oauth/fob/internal/wire"
)

// faultTries is how often the client sends a request that is answered 503.
const faultTries = 1 + 3

// faultDeadline is the function's, as the template has it. Where a request
// stalls it is faultShortDeadline, to save time; less the adapter's reserve of
// 300 ms that leaves 400 ms.
const (
	faultDeadline      = 10 * time.Second
	faultShortDeadline = 700 * time.Millisecond
)

// faultLong asks for everything, where the usual run takes a sample of what
// would take minutes.
func faultLong() bool { return os.Getenv("FOB_PROOF") == "long" }

// faultStats are the figures of a leg.
type faultStats struct {
	runs       atomic.Int64 // of flows, the clean ones included
	operations atomic.Int64 // requests answered by fob
	faults     atomic.Int64 // injected, strangers not included
	strangers  atomic.Int64 // visits of another instance between two calls
	checks     atomic.Int64 // of all invariants at once
}

func (s *faultStats) log(t testing.TB) {
	t.Logf("%d runs, %d operations, %d faults, %d visits of another instance, invariants read %d times",
		s.runs.Load(), s.operations.Load(), s.faults.Load(), s.strangers.Load(), s.checks.Load())
}

// faultTB says in front of each message which run it is about, and ends a run
// that went wrong often enough to be understood.
type faultTB struct {
	testing.TB
	label  string
	errors int
}

func (f *faultTB) Errorf(format string, args ...any) {
	f.Helper()
	f.TB.Errorf("%s: %s", f.label, fmt.Sprintf(format, args...))
	if f.errors++; f.errors == 5 {
		f.FailNow()
	}
}

// FailNow ends the goroutine of the run, which need not be the test's.
func (f *faultTB) FailNow() {
	f.Fail()
	runtime.Goexit()
}

func (f *faultTB) Fatal(args ...any) {
	f.Helper()
	f.TB.Errorf("%s: %s", f.label, fmt.Sprint(args...))
	f.FailNow()
}

func (f *faultTB) Fatalf(format string, args ...any) {
	f.Helper()
	f.Fatal(fmt.Sprintf(format, args...))
}

// faultToken is a string that was answered to somebody.
type faultToken struct {
	text  string
	token bearer.Token
	rid   bearer.RID // of the record that stood when it was answered
	state faultTokenState
	spent bool // a refresh token of a public client with a successor
}

type faultTokenState int

const (
	faultLive     faultTokenState = iota
	faultInDoubt                  // a request to end it was answered 503
	faultHasEnded                 // and must never be active again
)

// faultInstance is one instance of fob behind the gateway's adapter, as
// deployed.
type faultInstance struct {
	endpoints map[string]func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error)
	subjects  oauth.Subjects
	log       bytes.Buffer
}

// faultRun is one run of a flow: a client in front of an instance whose store
// fails, another instance over the same store that works, and everything that
// was ever answered.
type faultRun struct {
	*faultTB
	stats  *faultStats
	clock  atomic.Int64
	stores storetest.Stores // without faults
	front  *faultInstance
	other  *faultInstance

	client   oauth.ClientID
	public   bool
	user     string
	deadline time.Duration // of the function in front

	strict  bool // faults end soon and nobody interferes: the flow must come to its end
	visited bool // another instance was there during this attempt

	stood  map[bearer.Locator]oauth.Record // when the invariants were checked last
	ledger []*faultToken
	// doubting tells the tokens that a request under way is about to end, whoever
	// asks for them meanwhile. Nil means none.
	doubting func(*faultToken) bool
}

// newFaultRun seeds a user and a client of the run's own.
func newFaultRun(t testing.TB, label, name string, template oauth.Client, stores storetest.Stores, front worldStores, subjects oauth.Subjects, stats *faultStats) *faultRun {
	r := &faultRun{
		faultTB: &faultTB{TB: t, label: label}, stats: stats, stores: stores,
		client: oauth.ClientID("client-" + name), public: template.Public, user: "user-" + name,
		deadline: faultDeadline, strict: true,
	}
	r.clock.Store(worldBegan)
	r.front = r.instance(front, subjects)
	r.other = r.instance(worldStores{stores.Tokens, stores.Clients, stores.Users}, stores.Subjects)
	template.ID = r.client
	saveWorldClient(r, stores, template)
	saveWorldUser(r, stores, r.user)
	stats.runs.Add(1)
	return r
}

func (r *faultRun) instance(s worldStores, subjects oauth.Subjects) *faultInstance {
	in := &faultInstance{subjects: subjects, endpoints: map[string]func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error){}}
	log := slog.New(slog.NewJSONHandler(&in.log, nil))
	for name, h := range newWorld(r, s, func() time.Time { return time.Unix(r.clock.Load(), 0) }, log).handlers {
		serve := apigw.Handler(h, wire.Options{Log: log})
		in.endpoints[name] = func(ctx context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
			event, err := json.Marshal(e)
			if err != nil {
				return events.APIGatewayV2HTTPResponse{}, err
			}
			answer, err := serve(ctx, event)
			response, _ := answer.(events.APIGatewayV2HTTPResponse)
			return response, err
		}
	}
	return in
}

func (r *faultRun) advance(seconds int64) { r.clock.Add(seconds) }

func (r *faultRun) subject() oauth.Subject {
	return oauth.Subject{Kind: oauth.UserSubject, ID: "u_" + r.user}
}

// expect is for what only a run without strangers and endless faults promises.
func (r *faultRun) expect(ok bool, format string, args ...any) {
	r.Helper()
	if r.strict && !ok {
		r.Errorf(format, args...)
	}
}

// faultAnswer is what a client got.
type faultAnswer struct {
	status  int
	header  map[string]string
	body    map[string]any
	text    string
	access  string
	refresh string
}

func (a faultAnswer) String() string {
	if a.access != "" {
		return fmt.Sprintf("%d with tokens", a.status)
	}
	return fmt.Sprintf("%d %s", a.status, a.text)
}

// send is one request through the gateway's adapter, held to what every answer
// must be.
func (r *faultRun) send(in *faultInstance, endpoint string, client oauth.ClientID, public bool, pairs ...string) faultAnswer {
	r.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "POST /" + endpoint, RawPath: "/" + endpoint,
		Headers: map[string]string{"content-type": "application/x-www-form-urlencoded"},
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			DomainName: "fob.example",
			HTTP:       events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: "POST", Path: "/" + endpoint, SourceIP: "192.0.2.7"},
		},
	}
	if public {
		form.Set("client_id", string(client))
	} else {
		e.Headers["authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte(string(client)+":"+worldSecret(client)))
	}
	e.Body = form.Encode()

	deadline := faultDeadline
	if in == r.front {
		deadline = r.deadline
	}
	in.log.Reset()
	began := time.Now()
	ctx, cancel := context.WithDeadline(r.Context(), began.Add(deadline))
	defer cancel()
	response, err := in.endpoints[endpoint](ctx, e)
	if err != nil {
		r.Errorf("%s was not served: %v", endpoint, err)
	}
	if d := time.Since(began); d >= deadline {
		r.Errorf("%s took %v of the function's %v", endpoint, d, deadline)
	}
	r.stats.operations.Add(1)

	a := faultAnswer{status: response.StatusCode, header: response.Headers, text: response.Body}
	if a.text != "" && json.Unmarshal([]byte(a.text), &a.body) != nil {
		r.Errorf("%s answered %v, which is no JSON", endpoint, a)
	}
	a.access, _ = a.body["access_token"].(string)
	a.refresh, _ = a.body["refresh_token"].(string)
	r.checkAnswer(in, endpoint, a)
	return a
}

func (r *faultRun) checkAnswer(in *faultInstance, endpoint string, a faultAnswer) {
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

// attempt makes one request, again as long as the answer is 503 and only if
// faults are to be expected, and reads the store after each answer.
func (r *faultRun) attempt(in *faultInstance, send func() faultAnswer, settle func(faultAnswer)) faultAnswer {
	r.Helper()
	tries := 1
	if in == r.front {
		tries = faultTries
	}
	for {
		r.visited = false
		a := send()
		settle(a)
		r.observe()
		if tries--; a.status != 503 || tries == 0 {
			return a
		}
	}
}

// ask is a request to the token endpoint.
func (r *faultRun) ask(in *faultInstance, pairs ...string) faultAnswer {
	r.Helper()
	return r.attempt(in,
		func() faultAnswer { r.Helper(); return r.send(in, "token", r.client, r.public, pairs...) },
		func(a faultAnswer) { r.Helper(); r.born(a) })
}

func (r *faultRun) login(in *faultInstance, scope string) faultAnswer {
	r.Helper()
	return r.ask(in, "grant_type", "password", "username", r.user, "password", worldPassword(r.user), "scope", scope)
}

func (r *faultRun) clientCredentials(in *faultInstance) faultAnswer {
	r.Helper()
	return r.ask(in, "grant_type", "client_credentials", "scope", "read")
}

func (r *faultRun) refresh(in *faultInstance, token string) faultAnswer {
	r.Helper()
	return r.ask(in, "grant_type", "refresh_token", "refresh_token", token)
}

// replay is a refresh with a token that must end its Authorization.
func (r *faultRun) replay(in *faultInstance, token string) faultAnswer {
	r.Helper()
	lineage, done := r.doubtLineage(token)
	defer done()
	a := r.refresh(in, token)
	if a.status == 400 && r.strict {
		r.ended(lineage)
	}
	return a
}

// revoke ends the Authorization of a token, if it holds that token.
func (r *faultRun) revoke(in *faultInstance, token string) faultAnswer {
	r.Helper()
	lineage, done := r.doubtLineage(token)
	defer done()
	return r.attempt(in,
		func() faultAnswer { r.Helper(); return r.send(in, "revoke", r.client, r.public, "token", token) },
		func(a faultAnswer) {
			r.Helper()
			if a.status == 200 {
				r.ended(lineage)
			}
		})
}

// introspect asks as the resource server, and as the client itself about a
// refresh token.
func (r *faultRun) introspect(in *faultInstance, token string) faultAnswer {
	r.Helper()
	caller := oauth.ClientID("api")
	if strings.HasPrefix(token, "fob_rt_") {
		caller = r.client
	}
	return r.attempt(in,
		func() faultAnswer { r.Helper(); return r.send(in, "introspect", caller, false, "token", token) },
		func(faultAnswer) {})
}

// signOut raises the subject's epoch. It is no endpoint yet; whoever calls it
// tries again like a client.
func (r *faultRun) signOut(in *faultInstance) (ok bool) {
	r.Helper()
	own, done := r.doubt(func(k *faultToken) bool { return k.token.Locator.Subject == oauth.SubjectKey(r.subject()) })
	defer done()
	tries := 1
	if in == r.front {
		tries = faultTries
	}
	for range tries {
		r.visited = false
		ctx, cancel := context.WithTimeout(r.Context(), r.deadline-300*time.Millisecond)
		err := in.subjects.Raise(ctx, r.subject(), oauth.StateChange{})
		cancel()
		r.stats.operations.Add(1)
		if err == nil {
			r.ended(own)
		}
		r.observe()
		if err == nil {
			return true
		}
	}
	return false
}

// find returns what is known of a string that was answered, nil if it is new.
func (r *faultRun) find(text string) *faultToken {
	for _, k := range r.ledger {
		if k.text == text {
			return k
		}
	}
	return nil
}

// doubtLineage doubts all that was answered of the record that a token came
// from.
func (r *faultRun) doubtLineage(text string) (all []*faultToken, done func()) {
	r.Helper()
	t := r.find(text)
	if t == nil {
		r.Errorf("the flow uses a token that was never answered")
		r.FailNow()
	}
	return r.doubt(func(k *faultToken) bool { return k.token.Locator == t.token.Locator && k.rid == t.rid })
}

// doubt says that a request is about to end these tokens, until done. They are
// in doubt until they are seen to be inactive, or answered once more.
func (r *faultRun) doubt(which func(*faultToken) bool) (all []*faultToken, done func()) {
	for _, k := range r.ledger {
		if which(k) {
			all = append(all, k)
			k.state = max(k.state, faultInDoubt)
		}
	}
	outer := r.doubting
	r.doubting = func(k *faultToken) bool { return which(k) || outer != nil && outer(k) }
	return all, func() { r.doubting = outer }
}

// ended says that somebody was told that these tokens are inactive.
func (r *faultRun) ended(tokens []*faultToken) {
	for _, k := range tokens {
		k.state = faultHasEnded
	}
}

// standing finds the slot that holds a token of a record that the subject's
// epoch has not killed.
func (r *faultRun) standing(k *faultToken) (_ oauth.Record, slot string) {
	r.Helper()
	reading, err := r.stores.Tokens.Read(r.Context(), k.token.Locator)
	if err != nil {
		r.Errorf("read the store: %v", err)
	}
	c := reading.Record
	if !reading.Found || c.Epochs.Subject != reading.State.Epoch {
		return c, ""
	}
	slots := map[string]oauth.Slot{"at": c.Access, "at_prev": c.AccessPrev}
	if k.token.Kind == bearer.Refresh {
		slots = map[string]oauth.Slot{"rt": c.Refresh, "rt_prev": c.RefreshPrev}
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
func (r *faultRun) active(k *faultToken) bool {
	r.Helper()
	if k.token.Kind == bearer.Refresh {
		c, slot := r.standing(k)
		return slot != "" && r.clock.Load() < min(k.token.Expiry, c.RefreshIdle)
	}
	visited := r.visited
	r.visited = true // whatever it says about races is none of ours
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
func (r *faultRun) born(a faultAnswer) {
	r.Helper()
	if a.status != 200 {
		return
	}
	if a.access == "" {
		r.Errorf("200 without a token: %v", a)
	}
	ring, err := worldRing()
	if err != nil {
		r.Fatal(err)
	}
	for _, text := range []string{a.access, a.refresh} {
		if text == "" {
			continue
		}
		k := r.find(text)
		fresh := k == nil
		if fresh {
			k = &faultToken{text: text}
			if k.token, err = ring.Open(bearer.FromClient(text)); err != nil {
				r.Errorf("answered a token that does not verify: %v", err)
			}
		}
		if k.state == faultHasEnded {
			if !r.visited {
				r.Errorf("answered a %v that had ended before", k.token.Kind)
			}
			continue
		}
		record, slot := r.standing(k)
		switch {
		case slot != "" && r.active(k):
			k.state, k.rid = faultLive, record.RID
			if r.doubting != nil && r.doubting(k) {
				k.state = faultInDoubt
			}
		case r.visited:
			k.state = faultHasEnded
		default:
			r.Errorf("answered a %v that is inactive at birth; it stands in slot %q", k.token.Kind, slot)
		}
		if !fresh {
			continue
		}
		for _, before := range r.ledger {
			if before.state == faultHasEnded || k.state == faultHasEnded || before.token.Kind != k.token.Kind || before.token.Locator != k.token.Locator || before.rid != k.rid {
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
func (r *faultRun) observe() {
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
		case k.state == faultHasEnded:
			if active {
				r.Errorf("a %v of generation %d is active after it ended", k.token.Kind, k.token.Generation)
			}
			if record, slot := r.standing(k); slot != "" {
				r.Errorf("a %v that ended stands in slot %s of a record of %s", k.token.Kind, slot, record.Authorization.Client)
			}
		case k.state == faultInDoubt:
			if !active {
				k.state = faultHasEnded
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
func (r *faultRun) checkStore() {
	r.Helper()
	subjects := []oauth.Subject{r.subject(), {Kind: oauth.ClientSubject, ID: string(r.client)}}
	stands := map[bearer.Locator]oauth.Record{}
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
func (r *faultRun) alive() int {
	r.Helper()
	records, err := r.stores.Tokens.List(r.Context(), r.subject(), r.client)
	if err != nil {
		r.Errorf("list: %v", err)
	}
	return len(slices.DeleteFunc(records, func(c oauth.Record) bool { return r.clock.Load() >= max(c.Access.Expiry, c.AccessPrev.Expiry) }))
}
