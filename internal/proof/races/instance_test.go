package races

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/rpc"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/fob-oauth/fob/internal/assertion"
	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/secret"
)

// An instance of fob in a process of its own: the domain over the stores on
// DynamoDB, with its own SDK client, caches and connections, and with a network
// that is slow at random and loses what it is told to lose. It takes requests on
// standard input and answers them on standard output (net/rpc), until the input
// ends: however the driver goes, the instance goes with it.

const instanceEnv = "FOB_RACE_INSTANCE"

func serveInstance() (exitCode int) {
	server := rpc.NewServer()
	if err := server.RegisterName("Instance", new(instance)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	server.ServeConn(struct {
		io.Reader
		io.WriteCloser
	}{os.Stdin, os.Stdout})
	return 0
}

// Setup is what an instance is made of.
type Setup struct {
	Endpoint    string
	Tables      dynamo.Tables
	Mint, Check string // the texts of the key ring
	Defect      plantedDefect
	Faults      faultRates
}

// faultRates are probabilities.
type faultRates struct {
	LostRequest float64 // of a request to DynamoDB: it does not arrive
	LostReply   float64 // of a request to DynamoDB: it takes effect, its reply is lost
	Deadline    float64 // of an operation: it is given up after a few milliseconds
	TornRead    float64 // of a read: record and state are read some time apart
}

// The longest pause before and after a request to DynamoDB. One in eight is that
// long, the others at most a quarter of it.
const maxLatency = 8 * time.Millisecond

// instance is what net/rpc serves.
type instance struct {
	issuer     *oauth.Issuer
	verifier   *oauth.Verifier
	subjects   oauth.Subjects
	registrar  *oauth.UserRegistrar
	signIns    *oauth.SignIns
	introspect introspect
	faults     faultRates
	defect     plantedDefect
}

// Compose must be called once, before any Do.
func (i *instance) Compose(s Setup, _ *struct{}) error {
	ring, err := bearer.ParseMintRing([]byte(s.Mint), []byte(s.Check))
	if err != nil {
		return err
	}
	cfg := dynamotest.Config(s.Endpoint)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	cfg.HTTPClient = &http.Client{Transport: slowNetwork{transport, s.Faults}}
	db := dynamo.NewClient(cfg)

	tokens := dynamo.NewTokens(db, s.Tables.Tokens)
	var store oauth.Tokens = tornReads{tokens, s.Faults.TornRead}
	if wrap, ok := defectiveStores[s.Defect]; ok {
		store = wrap(store)
	}
	var subjects oauth.Subjects = tokens
	if s.Defect == forgottenVersion {
		subjects, store = versionless{subjects}, lateReads{store}
	}
	*i = composeInstance(db, s.Tables, store, ring, time.Now)
	i.registrar = &oauth.UserRegistrar{Users: dynamo.NewUsers(db, s.Tables.Users), Subjects: subjects, Tokens: tokens, Passwords: new(oauthtest.Passwords), Now: time.Now}
	i.signIns = &oauth.SignIns{Tokens: tokens, Subjects: tokens, Clients: i.verifier.Clients, Keys: i.verifier.Keys, Now: time.Now}
	if s.Defect == cachedIntrospection {
		i.introspect = cacheIntrospection(i.introspect)
	}
	if s.Defect == anotherSubject {
		i.issuer.Assertions = twoNamed{i.issuer.Assertions}
	}
	i.subjects, i.faults, i.defect = tokens, s.Faults, s.Defect
	return nil
}

// composeInstance gives an instance its own caches.
func composeInstance(db *dynamodb.Client, tables dynamo.Tables, tokens oauth.Tokens, ring *bearer.MintRing, now func() time.Time) instance {
	clients := oauth.NewClientCache(dynamo.NewClients(db, tables.Clients), now)
	issuer := &oauth.Issuer{
		Tokens: tokens, Clients: clients, Users: dynamo.NewUsers(db, tables.Users), Passwords: new(oauthtest.Passwords),
		Issuers: oauth.NewIssuerCache(dynamo.NewIssuers(db, tables.Clients), now), Assertions: assertion.New(now, nil),
		Keys: keys.NewCache(func(context.Context) (*bearer.MintRing, error) { return ring, nil }, now),
		Now:  now,
	}
	verifier := &oauth.Verifier{
		Tokens: tokens, Clients: clients,
		Keys: keys.NewCache(func(context.Context) (*bearer.CheckRing, error) { return ring.CheckRing, nil }, now),
		Now:  now,
	}
	return instance{issuer: issuer, verifier: verifier, introspect: verifier.Introspect}
}

// Request is one operation, in words of the endpoints.
type Request struct {
	Verb    action
	Client  ledger.ClientID
	Subject ledger.Subject // what a back end asks about
	Token   string         // refresh, introspect and revoke

	// Issue.
	By               oauth.GrantType
	User             string
	Assertion        string // a JWT that proves User
	Device, Resource string

	Password int // that an issue shows, and a change sets; see passwordOf

	// ClientAssertion is a JWT in the place of the client's secret, where that serves.
	ClientAssertion string
}

// Answer is what a client sees of it, and what the instance did to it.
type Answer struct {
	Access, Refresh string
	Active          bool
	Code            oauth.Code // of a refusal
	Unavailable     string     // why it is not known what came of it
	Faults          int        // that were injected
	Writes          int        // requests to DynamoDB that may have written
	LostWrites      int        // of these, those whose reply was lost
}

// Do runs one operation.
func (i *instance) Do(r Request, a *Answer) error {
	trace := new(requestTrace)
	ctx := context.WithValue(context.Background(), traceKey{}, trace)
	if rand.Float64() < i.faults.Deadline {
		trace.faults.Add(1)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, upTo(2*maxLatency))
		defer cancel()
	}
	err := i.do(ctx, r, a)
	a.Faults, a.Writes, a.LostWrites = int(trace.faults.Load()), int(trace.writes.Load()), int(trace.lostWrites.Load())
	if refusal, ok := errors.AsType[*oauth.Error](err); ok {
		a.Code = refusal.Code
		return nil
	}
	if oauth.IsChange(err, oauth.NoSuchEntry) {
		a.Code = oauth.NotFound
		return nil
	}
	if errors.Is(err, oauth.ErrUnavailable) {
		a.Unavailable = err.Error()
		return nil
	}
	return err
}

func (i *instance) do(ctx context.Context, r Request, a *Answer) error {
	token := bearer.FromClient(r.Token)
	form := oauth.Form{}
	switch r.Verb {
	case doIssue:
		form["grant_type"], form["scope"] = string(r.By), "device_"+r.Device
		if r.Resource != "" && i.defect != ignoredResource {
			form["resource"] = r.Resource
		}
		switch r.By {
		case oauth.PasswordGrant:
			form["username"], form["password"] = r.User, passwordOf(r.User, r.Password)
		case oauth.TokenExchangeGrant:
			form["subject_token"], form["subject_token_type"] = r.Assertion, "urn:ietf:params:oauth:token-type:id_token"
		case oauth.JWTBearerGrant:
			form["assertion"] = r.Assertion
		}
	case doRefresh:
		form["grant_type"], form["refresh_token"] = string(oauth.RefreshTokenGrant), r.Token
	case doIntrospect:
		said, err := i.introspect(ctx, oauthtest.Credentials(r.Client), token)
		a.Active = said.Active
		return err
	case doRevoke:
		return i.verifier.Revoke(ctx, oauthtest.Credentials(r.Client), token)
	case doSignOut:
		return i.subjects.Raise(ctx, r.Subject, oauth.StateChange{})
	case doSetPassword, doDisableUser, doEnableUser, doRemove:
		return i.changeUser(ctx, r)
	case doEndDevice:
		_, err := i.signIns.EndDevice(ctx, r.Subject, oauth.HandleOf(r.Subject, scope.Device(r.Device)), bearer.Locator{})
		return err
	case doEvent:
		receiver := oauth.Receiver{Issuers: i.issuer.Issuers, Assertions: i.issuer.Assertions, Subjects: i.subjects}
		return receiver.Receive(ctx, secret.New(r.Assertion))
	case doDisable, doEnable:
		disabled := r.Verb == doDisable
		return i.subjects.Raise(ctx, r.Subject, oauth.StateChange{Disabled: &disabled})
	}
	credentials := oauthtest.Credentials(r.Client)
	if r.ClientAssertion != "" {
		credentials = oauth.Credentials{Assertion: secret.New(r.ClientAssertion)}
	}
	resp, err := i.issuer.Token(ctx, oauth.TokenRequest{Credentials: credentials, Form: form, Issuer: fobName, Source: fmt.Sprintf("192.0.2.%d", rand.IntN(256))})
	a.Access, a.Refresh = resp.AccessToken.Reveal(), resp.RefreshToken.Reveal()
	return err
}

// The clients of the races.
const (
	appClient     ledger.ClientID = "app"     // public
	backendClient ledger.ClientID = "backend" // confidential
	apiClient     ledger.ClientID = "api"     // introspects both's access tokens
)

// requestTrace is what befell the requests of one operation.
type requestTrace struct{ faults, writes, lostWrites atomic.Int64 }

type traceKey struct{}

// slowNetwork is the way to DynamoDB.
type slowNetwork struct {
	next   http.RoundTripper
	faults faultRates
}

func (n slowNetwork) RoundTrip(req *http.Request) (*http.Response, error) {
	trace, ok := req.Context().Value(traceKey{}).(*requestTrace)
	if !ok {
		return nil, errors.New("a request to DynamoDB without the operation's context")
	}
	if err := pause(req.Context(), someLatency()); err != nil {
		return nil, err
	}
	if rand.Float64() < n.faults.LostRequest {
		trace.faults.Add(1)
		return nil, syscall.ECONNRESET
	}
	_, operation, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	writes := operation == "PutItem" || operation == "DeleteItem" || operation == "UpdateItem"
	if writes {
		trace.writes.Add(1)
	}
	resp, err := n.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	lost := rand.Float64() < n.faults.LostReply
	if err := pause(req.Context(), someLatency()); err != nil || lost {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if lost {
			trace.faults.Add(1)
		}
		if lost && writes {
			trace.lostWrites.Add(1)
		}
		return nil, cmp.Or(err, error(syscall.ECONNRESET))
	}
	return resp, nil
}

func someLatency() time.Duration {
	if rand.IntN(8) == 0 {
		return upTo(maxLatency)
	}
	return upTo(maxLatency / 4)
}

func upTo(d time.Duration) time.Duration { return rand.N(d) + 1 }

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tornReads reads record and state at two times, in either order, as often as it
// is told to. The contract of oauth.Tokens allows that, and DynamoDB does it;
// small engines answer a batch in one go.
type tornReads struct {
	oauth.Tokens
	often float64
}

func (s tornReads) Read(ctx context.Context, loc bearer.Locator) (oauth.Reading, error) {
	first, err := s.Tokens.Read(ctx, loc)
	if err != nil || rand.Float64() >= s.often {
		return first, err
	}
	second, err := s.Tokens.Read(ctx, loc)
	if err != nil {
		return oauth.Reading{}, err
	}
	if rand.IntN(2) == 0 {
		first, second = second, first
	}
	first.State = second.State
	return first, nil
}
