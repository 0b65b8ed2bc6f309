package races

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/rpc"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
)

// driver sends requests to instances and writes down what they answer. It is
// the only one that looks at a clock: its times enclose those of the instances,
// whose clocks need not agree.
type driver struct {
	instances []*rpc.Client
	fixture   *dynamotest.Fixture
	key       assertiontest.Key // of the issuers and of the client signer
	faulty    bool
	defective bool
	began     time.Time

	mu     sync.Mutex // guards what follows
	counts map[string]int
	checks time.Duration
}

func newDriver(t *testing.T, defect plantedDefect, faults faultRates) *driver {
	t.Helper()
	endpoint := dynamotest.Engine(t)
	d := &driver{
		fixture: dynamotest.New(t, endpoint), faulty: faults.LostRequest+faults.LostReply+faults.Deadline > 0,
		defective: defect != sound, began: time.Now(), counts: map[string]int{},
	}
	seedClients(t, d.fixture, 0)
	d.key = seedSigned(t, d.fixture, 0)
	setup := Setup{
		Endpoint: endpoint, Tables: d.fixture.Tables, Mint: mintKeys, Check: checkKeys,
		Defect: defect, Faults: faults,
	}
	for range processes {
		instance := startInstance(t)
		if err := instance.Call("Instance.Compose", setup, &struct{}{}); err != nil {
			t.Fatalf("compose an instance: %v", err)
		}
		d.instances = append(d.instances, instance)
	}
	return d
}

// The ring that all instances share.
const (
	mintKeys  = `{"1": "the mint key of the races, no secret"}`
	checkKeys = `{"issuer_epoch": 0, "states": {"1": "active"}, "1": "the check key of the races, no secret"}`
)

// startInstance runs this binary once more, see TestMain.
func startInstance(t *testing.T) *rpc.Client {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program)
	// The race detector waits a second for others at each exit; there are none.
	cmd.Env = append(os.Environ(), instanceEnv+"=1", "GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0")
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
		// Its exit code reports data races.
		if err := errors.Join(instance.Close(), cmd.Wait()); err != nil {
			t.Errorf("an instance ended badly: %v", err)
		}
	})
	return instance
}

// seedClients registers them, with access tokens that live so many seconds.
func seedClients(t *testing.T, f *dynamotest.Fixture, accessLifetime int64) {
	t.Helper()
	if err := f.Clients.SaveResourceScopes(t.Context(), oauth.ResourceScopes{Roles: map[string][]string{"read": nil}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []oauth.Client{
		{ID: appClient, Public: true, Grants: []oauth.GrantType{oauth.PasswordGrant, oauth.RefreshTokenGrant, oauth.TokenExchangeGrant, oauth.JWTBearerGrant}},
		{ID: backendClient, Grants: oauth.GrantTypes()},
		{ID: apiClient, Introspects: []string{string(appClient), string(backendClient), string(signerClient), billing}},
	} {
		c.Scopes, c.DefaultScopes = oauthtest.Scopes(t, "read"), oauthtest.Scopes(t, "read")
		c.AccessLifetime = accessLifetime
		oauthtest.SaveClient(t, f.Clients, c, 1)
	}
}

// addUser registers a user and returns what tokens speak for.
func addUser(t *testing.T, f *dynamotest.Fixture, name string) ledger.Subject {
	t.Helper()
	user := oauthtest.SaveUser(t, f.Users, oauth.User{Username: name, ID: oauth.NewUserID()}, oauthtest.Password(name))
	return ledger.Subject{Kind: ledger.UserSubject, ID: user.ID}
}

// authorization is one that a history fights about.
type authorization struct {
	name    string
	client  ledger.ClientID
	user    string // empty: client_credentials
	subject ledger.Subject
	device  string
	// resource is the audience that is asked for; empty is all of the client's.
	resource string

	mu      sync.Mutex // guards what follows
	access  []string   // as they were handed out, the newest last
	refresh []string
}

// recording is one that is being written.
type recording struct {
	authorizations []*authorization
	removal        sync.RWMutex // see apart

	mu         sync.Mutex // guards what follows
	numbers    map[string]int
	changes    int // of the user
	password   int // the number of the one that was set last
	operations []porcupine.Operation
}

// number returns the token's, 0 for none.
func (h *recording) number(token string) int {
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

// history is one that took less than longest. A machine that others keep busy may need more
// than one try.
func (d *driver) history(t *testing.T, n int) []porcupine.Operation {
	t.Helper()
	for try := range 4 {
		began := time.Now()
		operations := d.record(t, n+try*1000)
		if time.Since(began) <= longest {
			d.counts["histories"]++
			d.counts["operations"] += len(operations)
			return operations
		}
	}
	t.Fatalf("history %d took more than %v in each of four tries: this machine is too slow", n, longest)
	return nil
}

// record lets all lanes loose on Authorizations that are new.
func (d *driver) record(t *testing.T, n int) []porcupine.Operation {
	t.Helper()
	ann, cid := fmt.Sprintf("ann-%d", n), fmt.Sprintf("cid-%d", n)
	annSubject, cidSubject := addUser(t, d.fixture, ann), oauth.SubjectOf(oauth.HashedUserID(provider, cid))
	h := &recording{numbers: map[string]int{}, authorizations: []*authorization{
		{client: appClient, user: ann, subject: annSubject, device: "ipad"},
		{client: appClient, user: ann, subject: annSubject, device: "iphone"},
		{client: backendClient, user: ann, subject: annSubject, device: "ipad"},
		{client: appClient, user: cid, subject: cidSubject, device: "ipad"},
		{client: signerClient, user: ann, subject: annSubject, device: "ipad"},
		{client: signerClient, user: ann, subject: annSubject, device: "ipad", resource: billing},
		// The device keeps it apart from those of other histories.
		{client: backendClient, subject: ledger.Subject{Kind: ledger.ClientSubject, ID: string(backendClient)}, device: fmt.Sprintf("host-%d", n)},
	}}
	for _, a := range h.authorizations {
		a.name = strings.Join([]string{a.subject.ID, string(a.client), a.device, a.resource}, " ")
	}

	var lanes sync.WaitGroup
	for lane := range processes * lanesOfProcess {
		lanes.Go(func() {
			for n := range operationsOfHistory {
				d.operate(t, h, lane, n > operationsOfHistory*3/4)
			}
		})
	}
	lanes.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return h.operations
}

// operate makes one operation of a lane and writes it down.
func (d *driver) operate(t *testing.T, h *recording, lane int, atEnd bool) {
	a := h.authorizations[rand.IntN(len(h.authorizations))]
	verb, token := a.choose(atEnd)
	now := time.Now().Unix()
	req := Request{Verb: verb, Client: a.client, Token: token}
	if a.client == signerClient {
		req.ClientAssertion = sign(t, d.key, string(signerClient), string(signerClient), fobName, now)
	}
	in := input{Verb: verb, Subject: a.subject.ID, Authorization: a.name, Rotates: a.client == appClient, Device: a.device}
	switch verb {
	case doIssue:
		req.User, req.Device, req.Resource = a.user, a.device, a.resource
		req.By, req.Assertion = d.prove(t, a, now)
		if in.ByPassword = req.By == oauth.PasswordGrant; in.ByPassword {
			req.Password = h.choosePassword()
		}
		in.Password = req.Password
		if a.isOfProvider() {
			in.Dated = now
		}
	case doEvent: // of before this second, or nobody could sign in for the rest of it
		in.Dated, in.Authorization = now-1-rand.Int64N(2), ""
		req.Assertion = signEvent(t, d.key, a.user, in.Dated)
	case doIntrospect:
		if a.client == appClient || strings.HasPrefix(token, "fob_at_") && rand.IntN(2) == 0 {
			req.Client = apiClient
		}
	case doSignOut, doDisable, doEnable, doDisableUser, doEnableUser, doRemove:
		req.Subject, in.Authorization = a.subject, ""
	case doSetPassword:
		req.Subject, in.Authorization = a.subject, ""
		req.Password = rand.IntN(passwords)
		in.Password = req.Password
	case doEndDevice:
		req.Subject, req.Device, in.Authorization = a.subject, a.device, ""
	}

	var answer Answer
	over := h.apart(verb)
	call := time.Since(d.began)
	err := d.instances[lane%processes].Call("Instance.Do", req, &answer)
	returned := time.Since(d.began)
	over()
	if err != nil {
		t.Errorf("%s: %v", verb, err)
		return
	}
	unknown := answer.Unavailable != ""
	// A defect that waits can meet two sign-outs, and that is one more than the
	// starts of a request allow.
	if unknown && answer.Faults == 0 && !d.defective {
		t.Errorf("%s ended in a 503, and nothing was wrong: %s", verb, answer.Unavailable)
	}
	// An exchange has a code of its own.
	mayRefuse := verb == doRefresh || verb == doIssue && a.user != ""
	if answer.Code != "" && !(mayRefuse && (answer.Code == oauth.InvalidGrant || req.By == oauth.TokenExchangeGrant && answer.Code == oauth.InvalidRequest)) &&
		answer.Code != oauth.NotFound {
		t.Errorf("%s was refused: %s", verb, answer.Code)
	}
	a.remember(answer)

	h.mu.Lock()
	defer h.mu.Unlock()
	in.Token = h.number(token)
	op := porcupine.Operation{
		ClientId: lane, Input: in, Call: int64(call), Return: int64(returned),
		Output: output{
			Access: h.number(answer.Access), Refresh: h.number(answer.Refresh),
			Active: answer.Active, Refused: answer.Code != "", Unknown: unknown,
		},
	}
	d.count(strings.TrimSpace(string(verb)+" "+string(req.By[strings.LastIndexByte(string(req.By), ':')+1:])), 1)
	d.count("faults", answer.Faults)
	if unknown {
		d.count("unknown", 1)
	}
	switch verb {
	case doSetPassword, doDisableUser, doEnableUser, doRemove:
		if h.changes++; verb == doSetPassword && answer.Code == "" {
			h.password = req.Password
		}
		h.operations = append(h.operations, changesOf(op, answer, h.changes)...)
	default:
		h.operations = append(h.operations, triesOf(op, answer)...)
	}
}

// triesOf is what an operation adds to its history: itself once, but for those
// of whose tries nobody can tell whether they happened.
func triesOf(op porcupine.Operation, answer Answer) []porcupine.Operation {
	verb, out := op.Input.(input).Verb, op.Output.(output)
	times := 1
	switch {
	case verb == doSignOut, verb == doDisable, verb == doEnable:
		// Called twice it raises twice, says its contract.
		times = answer.Writes
	case out.Unknown && (verb == doIssue || verb == doIntrospect):
		times = 0
	case out.Unknown:
		// The second try may have been judged by what the first one did.
		times = min(answer.Writes, 2)
	}
	if out.Unknown {
		op.Return = forever
	}
	ops := slices.Repeat([]porcupine.Operation{op}, times)
	if verb == doEndDevice && !out.Unknown && answer.LostWrites > 0 {
		// The token of a lost reply is looked at once more, and may be another life by then.
		again := op
		again.Output, again.Return = output{Unknown: true}, forever
		ops = append(ops, again)
	}
	if verb == doRefresh && !out.Unknown && answer.LostWrites > 0 {
		// The first try may have rotated the token, and the Authorization may have
		// ended before the second, whose answer said so; or another request has rotated
		// the successor, and the second got its successor.
		first := op
		first.Output = output{Unknown: true}
		ops = append(ops, first)
	}
	return ops
}

// choose picks what to do next, and with which token: mostly the newest.
func (a *authorization) choose(atEnd bool) (verb action, token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	tokens := a.access
	roll := rand.IntN(100)
	switch {
	case roll < 2 && a.user != "":
		return doSignOut, ""
	// Nobody can sign in until somebody enables the user again.
	case roll < 4 && a.isOfProvider():
		return doDisable, ""
	case roll < 8 && a.isOfProvider():
		return doEnable, ""
	case roll < 12 && a.isOfProvider():
		return doEvent, ""
	case roll < 10 && a.user != "":
		return chooseChange(rand.IntN(10), atEnd), ""
	case roll < 25 || len(tokens) == 0:
		return doIssue, ""
	case roll < 50 && len(a.refresh) > 0:
		verb, tokens = doRefresh, a.refresh
	case roll < 87:
		verb = doIntrospect
		// Only a client may know of its refresh tokens, and not a public one.
		if a.client != appClient && len(a.refresh) > 0 && rand.IntN(3) == 0 {
			tokens = a.refresh
		}
	default:
		verb = doRevoke
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
func (a *authorization) remember(answer Answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if answer.Access != "" && !slices.Contains(a.access, answer.Access) {
		a.access = append(a.access, answer.Access)
	}
	if answer.Refresh != "" && !slices.Contains(a.refresh, answer.Refresh) {
		a.refresh = append(a.refresh, answer.Refresh)
	}
}
